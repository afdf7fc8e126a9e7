# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast and how well characters are drawn: CoNR against the published loop, color transfer against the render of a scripted rig.
Random parameters and pictures prove speed and equality, not beauty; it watches real processes and changes nothing."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from toondecompose_blender.engine.character.sheet import View
from toondecompose_blender.engine.character.surface import surface_of
from toondecompose_blender.engine.character.transfer import Painted, Painter, line_reach
from toondecompose_blender.engine.character.udp import read_pose
from toondecompose_blender.engine.pictures import read_picture

from .character_flicker import changes
from .machine import keep

__all__ = ["measure"]

VIEWS = {1: (0,), 2: (0, 180), 4: (0, 90, 180, 270), 8: tuple(range(0, 360, 45))}
SHOT = {256: 3, 512: 1}  # frames drawn at each size
ROUNDS = {256: 3, 512: 2}  # in which the published loop and the engine take turns
ROOT = Path(__file__).resolve().parents[1]


def measure(*, blender: Path, sizes: list[int], scene: Path | None) -> None:
    """Print both tables; keep them as benchmarks/results/character_speed.json and character_transfer.json."""
    with tempfile.TemporaryDirectory() as temporary:
        if scene is None:
            scene = Path(temporary, "scene")
            subprocess.run([blender, "-m", "benchmarks.character_scene", scene], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        keep("character_transfer", _transfer(scene))
        if sizes:
            _speed(Path(temporary), sizes)


def _speed(folder: Path, sizes: list[int]) -> None:
    weights = _random_weights(folder / "weights")
    rows = []
    for size in sizes:
        for views in (4, 8):
            rows.append({"size": size, "views": views, **_compared(folder, weights, size, views)})
            keep("character_speed", rows)
            row = rows[-1]
            print(f"{size} px, {views} views: a frame {row['published']['frame_s']} -> {row['engine']['frame_s']}, "
                  f"{row['times_faster_frame']}x, with the sheet {row['times_faster_shot']}x; {row['published']['peak_gb']} -> "
                  f"{row['engine']['peak_gb']} GB; outputs differ by {row['largest_difference']:.1e}", flush=True)


def _compared(folder: Path, weights: Path, size: int, views: int) -> dict:
    """The medians of both, which take turns: what else the machine does hits one as often as the other."""
    runs: dict[str, list[dict]] = {"published": [], "engine": []}
    for _ in range(ROUNDS.get(size, 1)):
        for who, of_one in runs.items():
            words = [who, weights, size, views, SHOT.get(size, 1), folder / f"{who}.npy"]
            done = subprocess.run([sys.executable, "-m", "benchmarks.character_speed", *map(str, words)], check=True, cwd=ROOT,
                                  stdout=subprocess.PIPE, text=True)
            of_one.append(json.loads(done.stdout))
    row: dict = {who: _middle(of_one) for who, of_one in runs.items()}
    for name in ("sheet_s", "frame_s", "shot_s"):
        row[f"times_faster_{name[:-2]}"] = round(row["published"][name]["processor"] / row["engine"][name]["processor"], 2)
    pairs = zip(*([run["frame_s"]["processor"] for run in of_one] for of_one in runs.values()), strict=True)
    row["rounds"] = [round(slow / fast, 2) for slow, fast in pairs]
    row["largest_difference"] = float(np.abs(np.load(folder / "engine.npy") - np.load(folder / "published.npy")).max())
    return row


def _middle(runs: list[dict]) -> dict:
    """The median of every figure of several runs."""
    times = {name: {kind: round(statistics.median(run[name][kind] for run in runs), 2) for kind in runs[0][name]}
             for name in ("sheet_s", "frame_s", "shot_s")}
    return {**times, "frames": runs[0]["frames"], "peak_gb": max(run["peak_gb"] for run in runs)}


def _random_weights(folder: Path) -> Path:
    import torch

    from toondecompose_blender.engine.character.networks import NETWORKS
    folder.mkdir()
    torch.manual_seed(0)
    for name, build in NETWORKS.items():
        torch.save(build().state_dict(), folder / f"{name}.pth")
    return folder


def _transfer(scene: Path) -> dict:
    extent = json.loads((scene / "poses" / "poses.json").read_text())["extent"]
    files = sorted((scene / "poses").glob("*.npz"))
    poses = [read_pose(path) for path in files]
    truths = [read_picture(scene / "truth" / f"{path.stem}.png") for path in files]
    figures = {"poses_from_rig": json.loads((scene / "seconds.json").read_text()), "truth": _flicker(poses, truths, extent),
               "measure": _flicker(poses, [_ripples(pose) for pose in poses], extent)}
    print(", ".join(f"{name}: {value}" for name, value in figures.items()))
    for count, angles in VIEWS.items():
        views = [View(str(angle), read_picture(scene / "sheet" / f"{angle:03d}.png"), read_pose(scene / "sheet" / f"{angle:03d}.npz"))
                 for angle in angles]
        one, two = (Painter(views, extent=extent, ink=apart) for apart in (False, True))
        drawn, layers = [one.paint(pose) for pose in poses], [two.paint(pose) for pose in poses]
        inked = [_inked(picture) for picture in layers]
        row = {"decibel": _decibel([picture.rgba for picture in drawn], truths), "decibel_ink_apart": _decibel(inked, truths),
               "matte_iou": _overlap(drawn, truths),
               "seen_share": round(float(np.mean([(d.seen[d.rgba[..., 3] > 0] == 255).mean() for d in drawn])), 3),
               "surface": _flicker(poses, [picture.rgba for picture in layers], extent),
               "with_lines": _flicker(poses, [picture.rgba for picture in drawn], extent)}
        figures[f"{count}_views"] = row
        print(f"{count} views: {row}", flush=True)
    return figures


def _inked(drawn: Painted) -> np.ndarray:
    """The drawing with its lines laid over it, as layers are: uint8 (H, W, 4), straight alpha."""
    over, under = drawn.ink[..., 3:] / 255, drawn.rgba[..., 3:] / 255
    alpha = over + under * (1 - over)
    color = (drawn.ink[..., :3] * over + drawn.rgba[..., :3] * under * (1 - over)) / np.maximum(alpha, 1e-6)
    return np.rint(np.dstack([color, 255 * alpha])).astype(np.uint8)


def _decibel(drawn: list[np.ndarray], truths: list[np.ndarray]) -> float:
    errors = [((d[..., :3].astype(float) - t[..., :3]) ** 2)[t[..., 3] > 127].mean() for d, t in zip(drawn, truths, strict=True)]
    return round(float(10 * np.log10(255 ** 2 / np.mean(errors))), 2)


def _overlap(drawn: list[Painted], truths: list[np.ndarray]) -> float:
    pairs = [(d.rgba[..., 3] > 127, t[..., 3] > 127) for d, t in zip(drawn, truths, strict=True)]
    return round(float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs])), 4)


def _ripples(pose: np.ndarray) -> np.ndarray:
    """Colors that hang on the place alone: what the measure finds there is its own error, and that of 8 bits."""
    return np.rint(127.5 + 127.5 * np.sin(25 * pose[..., [0, 1, 2, 0]])).astype(np.uint8)


def _flicker(poses: list[np.ndarray], pictures: list[np.ndarray], extent: list[float]) -> dict[str, float]:
    """Mean change of color, of 255, from each even picture to the next at equal places: everywhere, and `off_lines`, where both frames
    are farther from a contour than its lines, which slide over the surface as it turns; and the share of places that both show."""
    rows = []
    for first in range(0, len(poses), 2):
        pair = slice(first, first + 2)
        found = changes(poses[pair], pictures[pair], extent)
        before, after = (_off_lines(pose, np.asarray(extent) / max(extent)).ravel() for pose in poses[pair])
        off = before[found.before].all(1) & after[found.after].all(1)
        rows.append((found.change.mean(), found.change[off].mean(), found.found))
    return {name: round(float(value), 2) for name, value in zip(("flicker", "off_lines", "matched"), np.mean(rows, 0), strict=True)}


def _off_lines(pose: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    surface = surface_of(pose, proportions)
    mask = surface.mask.copy()
    mask[mask] = surface.depth > line_reach(surface)
    return mask
