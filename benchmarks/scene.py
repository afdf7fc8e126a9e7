# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast Blender imports, plays and renders sprites, and how near its renders come to the engine's recomposition.
Runs in the engine's environment; Blender is another interpreter, given by its path."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from toondecompose_blender.engine.pictures import read_picture
from toondecompose_blender.engine.recompose import Recomposer, SpriteRenderer
from toondecompose_blender.protocol import Decomposition, Sprite, read_result

from .machine import keep as keep_figures
from .scene_results import crowd, tilting

__all__ = ["measure"]

ROOT = Path(__file__).resolve().parents[1]
GOALS = {"cycles": 75.0, "eevee": 70.0}        # dB at 16 bit, for results of real clips
TILTING_GOAL = 77.0                             # dB in Cycles, 78 and 1,000 frames of strong perspective
RECOLOR_GOALS = {"cycles": 60.0, "eevee": 60.0}
NEW_COLOR = [0.1, 0.7, 0.2]
SPEED_GOALS = {"import_seconds": 2.0, "frame_set_ms_per_sprite": 10.0}
DEMO, CLIPS = "demo", {"mg_rocket_720p": 2, "cel_drake_castle": 2, "mg_summer_portrait": 4}


class _Recolored(SpriteRenderer):
    """A sprite whose first swatch has another color (3,), 0..1: the difference is added to its region of every drawing."""

    def __init__(self, folder: Path, decomposition: Decomposition, sprite: Sprite, color: np.ndarray):
        super().__init__(folder, decomposition, sprite)
        self._difference = (color - np.array(sprite.palette[0].color) / 255).astype(np.float32)

    def _read(self, number: int) -> np.ndarray:
        picture = super()._read(number)
        picture[read_picture(self.folder / self.sprite.index_maps[number - 1])[..., 0] == 1, :3] += self._difference
        return picture


def measure(results: list[Path], *, blenders: list[Path], frames: int, clips: Path) -> None:
    """Print speed and fidelity for each Blender; keep them as benchmarks/results/scene_<version>.json.

    Without `results`, the demo clip and those of `CLIPS` that lie in `clips` are decomposed first.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        results = results or list(_decomposed(clips, folder))
        drawn = [(tilting(folder / f"tilting_{count}", count), {"cycles": TILTING_GOAL}) for count in (78, 1000)]
        crowded = crowd(folder / "crowd", sprites=4, frames=240)
        for blender in blenders:
            speed = _in_blender(blender, "speed", folder, result=str(crowded), rendered=frames)
            _print_speed(speed)
            fidelity = [_fidelity(blender, result, folder, frames, goals) for result, goals in [*((r, GOALS) for r in results), *drawn]]
            fidelity += [_fidelity(blender, result, folder, frames, RECOLOR_GOALS, color=NEW_COLOR) for result in results[:1]]
            version = speed.pop("blender").split()[0]
            print(f"kept in {keep_figures(f'scene_{version}', {'blender': version, 'speed': speed, 'fidelity': fidelity})}", flush=True)


def _decomposed(clips: Path, folder: Path) -> Iterator[Path]:
    engine = [sys.executable, "-m", "toondecompose_blender.engine"]
    subprocess.run([*engine, "demo-clip", str(folder / "demo_clip")], check=True, stdout=subprocess.DEVNULL)
    there = {name: (clips / name, count) for name, count in CLIPS.items() if (clips / name).is_dir()}
    for name, (clip, count) in {DEMO: (folder / "demo_clip" / "frames", 2), **there}.items():
        out = folder / name
        subprocess.run([*engine, "decompose", str(clip), "--sprites", str(count), "--out", str(out)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield out


def _in_blender(blender: Path, task: str, folder: Path, **request) -> dict:
    """Run a task of `scene_blender` in a Blender of its own; its figures."""
    answer = folder / "answer.json"
    words = [str(blender), "-m", "benchmarks.scene_blender", task, json.dumps({**request, "answer": str(answer)})]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{blender} could not do {task}:\n{done.stderr}")
    return json.loads(answer.read_text(encoding="utf-8"))


def _fidelity(blender: Path, result: Path, folder: Path, count: int, goals: dict[str, float], *, color: list[float] = ()) -> dict:
    """Worst decibels of `count` frames, spread over the clip, against the engine's recomposition before it is rounded.

    With a `color`, the front sprite's largest paint has it, in Blender by its swatch and here by adding the difference with NumPy.
    """
    decomposition = read_result(result)
    frames = sorted({int(t) for t in np.linspace(1, decomposition.clip.frames, count)})
    recomposer, clip = Recomposer(result, decomposition), decomposition.clip
    if color:
        recomposer.sprites[-1] = _Recolored(result, decomposition, recomposer.sprites[-1].sprite, np.array(color))
    name = result.name + (" recolored" if color else "")
    with tempfile.TemporaryDirectory(dir=folder) as out:
        seconds = _in_blender(blender, "render", folder, result=str(result), out=out, frames=frames, color=list(color))
        decibels = {engine: [_decibel(Path(out, engine, f"{frame:04d}.png"), recomposer.exact(frame - 1)) for frame in frames]
                    for engine in GOALS}
    words = [f"{engine} {min(values):.1f} dB" + (_judged(min(values) >= goals[engine], f"{goals[engine]:g} dB") if engine in goals else "")
             for engine, values in decibels.items()]
    print(f"{name:<22}{clip.width}x{clip.height}, worst of {len(frames)} frames: {', '.join(words)}", flush=True)
    return {"result": name, "size": [clip.width, clip.height], "frames": frames, "decibels": decibels,
            "seconds": {engine: round(seconds[engine], 1) for engine in GOALS}}


def _decibel(file: Path, reference: np.ndarray) -> float:
    picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)[..., 2::-1] / 65535
    return round(float(-10 * np.log10(np.mean((picture - reference.astype(np.float64).clip(0, 1)) ** 2))), 2)


def _print_speed(figures: dict) -> None:
    print(f"Blender {figures['blender']}: {figures['sprites']} sprites, {figures['frames']} frames, 1280x720")
    for name, value in figures.items():
        if isinstance(value, float):
            goal = SPEED_GOALS.get(name)
            print(f"  {name.replace('_', ' '):<40}{value:10.2f}{_judged(value <= goal, f'{goal:g}') if goal else ''}", flush=True)


def _judged(met: bool, goal: str) -> str:
    return f" (goal {goal}: {'met' if met else 'missed'})"
