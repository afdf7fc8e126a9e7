# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts and shots: what the search for cuts finds and misses, what it costs, and how near the estimate of memory comes to the peak.
It joins clips to get cuts with a known place; nothing of them is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from toondecompose_blender.engine.clip import open_clip
from toondecompose_blender.engine.memory import needed_bytes
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.engine.settings import Settings
from toondecompose_blender.engine.shots import find_cuts

from .machine import keep

__all__ = ["measure"]

JOINED, LONGEST, SIZE = 40, 16, (213, 120)      # clips joined of four pieces; frames a piece; px
RUNS = (("cel_tux_icecliffs", "draft", None), ("mg_rocket_720p", "standard", None), ("violet", "standard", None))


class _Joined:
    """Frames in memory that are read like a clip's."""

    def __init__(self, frames: list[np.ndarray]):
        self.frames, self.count = frames, len(frames)

    def read(self, t: int) -> np.ndarray:
        return self.frames[t]


def measure(clips: Path, *, memory: bool) -> None:
    """Print and keep the figures of the search over all `clips`; with `memory`, also peaks of whole decompositions (minutes)."""
    keep("shots", _cuts(clips))
    if memory:
        keep("shots_memory", [_peak(clips / name, preset, frames) for name, preset, frames in RUNS if (clips / name).exists()])


def _cuts(clips: Path) -> dict[str, float]:
    small: dict[str, list[np.ndarray]] = {}
    seconds, false, pairs = 0.0, 0, 0
    for folder in sorted(path for path in clips.iterdir() if path.is_dir()):
        reader = open_clip(folder)
        started = time.perf_counter()
        false += len(find_cuts(reader, report=Silent()))
        seconds, pairs = seconds + time.perf_counter() - started, pairs + reader.count - 1
        small[folder.name] = [cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA) for frame in reader]
    random, found, wrong, true = np.random.default_rng(1), 0, 0, 0
    for _ in range(JOINED):
        frames, cuts = _join(small, random)
        answer = set(find_cuts(_Joined(frames), report=Silent()))
        true, found, wrong = true + len(cuts), found + len(answer & cuts), wrong + len(answer - cuts)
    figures = {"clips": len(small), "neighbors": pairs, "false_in_clips": false, "joined_cuts": true, "found": found,
               "false_in_joined": wrong, "ms_a_frame": round(1000 * seconds / max(1, pairs), 1)}
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()), flush=True)
    return figures


def _join(clips: dict[str, list[np.ndarray]], random: np.random.Generator) -> tuple[list[np.ndarray], set[int]]:
    """Pieces of up to four different neighbors, and the frames at which one ends."""
    frames, cuts, before = [], set(), ""
    for name in random.choice(list(clips), 4):
        if name == before:
            continue
        count = int(random.integers(3, LONGEST))
        first = int(random.integers(0, max(1, len(clips[name]) - count)))
        cuts |= {len(frames)} if frames else set()
        frames += clips[name][first:first + count]
        before = name
    return frames, cuts


def _peak(clip: Path, preset: str, frames: int | None) -> dict[str, object]:
    """The peak of a decomposition beside the estimate, in MB."""
    reader = open_clip(clip, frames=slice(0, frames))
    native, count = (reader.width, reader.height), reader.count
    estimate = needed_bytes(frames=count, analyzed=Settings(preset=preset).analysis_size(*native), native=native)
    with tempfile.TemporaryDirectory() as out:
        words = ["decompose", str(clip), "--out", out, "--preset", preset, "--shots", "off", "--device", "cpu", "--frames", f"1:{count}"]
        reading, writing = os.pipe()
        child = subprocess.Popen([sys.executable, "-c", _MEASURED, str(writing), *words], pass_fds=[writing], stderr=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL)
        os.close(writing)
        with os.fdopen(reading) as told:
            peak = int(told.read() or 0) / 1024
        child.wait()
    figures = {"clip": clip.name, "frames": count, "preset": preset, "peak_mb": round(peak), "estimate_mb": estimate >> 20}
    print(", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)
    return figures


_MEASURED = """
import os, resource, subprocess, sys
subprocess.run([sys.executable, "-m", "toondecompose_blender.engine", *sys.argv[2:]], check=True)
os.write(int(sys.argv[1]), str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss).encode())
"""
