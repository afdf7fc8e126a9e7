# SPDX-License-Identifier: GPL-3.0-or-later
"""The physical floor: what no decomposition can go below, reading the clip, touching each pixel once, and writing each frame once.
It uses the engine's own readers and writers, counts time of the processor, and sets the engine's time beside; it decomposes nothing."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from toondecompose_blender.engine.clip import ClipReader, open_clip
from toondecompose_blender.engine.movie import MovieWriter
from toondecompose_blender.engine.parallel import map_ordered
from toondecompose_blender.engine.pictures import write_picture

from .cases import Case, demo_case, measured, violet_case
from .stages import LONG, QUICK
from .tables import keep_beside, kept, table
from .watch import cores

__all__ = ["Floor", "floor_of", "measure"]


@dataclass(frozen=True)
class Floor:
    """Seconds of the processor: decode, one pass, one movie, and all frames as PNG."""
    decode: float
    one_pass: float
    movie: float
    pictures: float
    load: float

    @property
    def seconds(self) -> float:
        """Of the clock with all cores: every result holds a movie of the clip, which one core encodes; PNGs of all frames are only
        written when asked for."""
        return (self.decode + self.one_pass) / cores() + self.movie


def measure(clips: Path, *, quick: bool = False) -> None:
    """Print a row a clip; keep them in benchmarks/results/floor.json (not the quick one)."""
    cases = (QUICK,) if quick else filter(None, (violet_case(clips, height=360), violet_case(clips), demo_case(), LONG))
    rows = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            floor = floor_of(open_clip(case.write(Path(folder))), Path(folder))
        engine = _engine_seconds(case)
        if not quick:
            keep_beside("floor", {case.name: asdict(floor) | {"seconds": round(floor.seconds, 3), "engine_seconds": engine}})
        rows.append([case.name, *(f"{value:.2f}" for value in (floor.decode, floor.one_pass, floor.movie, floor.pictures, floor.seconds)),
                     f"{engine:.1f}", f"{engine / floor.seconds:.0f}", f"{floor.load:.1f}"])
    print(table(f"The physical floor in seconds of the processor, their sum on {cores()} cores, and how many times that the engine takes "
                "alone on the machine", ["clip", "decode", "one pass", "encode (movie)", "all frames as PNG", "floor", "engine", "times",
                                         "load"], rows))


def _engine_seconds(case: Case) -> float:
    """Of a run kept on this machine, else of one made now."""
    record = kept("stages").get(case.name)
    return record["alone"] if record else round(measured(case).run.alone, 2)


def floor_of(reader: ClipReader, folder: Path) -> Floor:
    """The floor of a clip; what is written goes into `folder`."""
    cv2.setNumThreads(1)
    load = os.getloadavg()[0]
    frames: list[np.ndarray] = []
    decode = _seconds(lambda: frames.extend(map_ordered(reader.read, range(reader.count))))
    one_pass = _seconds(lambda: list(map_ordered(lambda frame: cv2.convertScaleAbs(frame, alpha=0.5), frames)))
    movie = _seconds(lambda: _write_movie(folder / "floor.mp4", frames, reader))
    pictures = _seconds(lambda: list(map_ordered(lambda t: write_picture(folder / f"floor_{t}.png", frames[t]), range(len(frames)))))
    return Floor(decode, one_pass, movie, pictures, round(load, 2))


def _write_movie(path: Path, frames: list[np.ndarray], reader: ClipReader) -> None:
    with MovieWriter(path, reader.width, reader.height, fps=reader.fps) as movie:
        for frame in frames:
            movie.write(frame)


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return round(time.process_time() - started, 3)
