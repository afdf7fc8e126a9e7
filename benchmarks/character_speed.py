# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks.character_speed WHO WEIGHTS SIZE VIEWS FRAMES OUT: one measurement in a process of its own, as JSON.
WHO is engine or published; on one thread, because threads that wait for each other burn time of the processor.  It compares nothing."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["main"]


def main(who: str, weights: str, size: str, views: str, frames: str, out: str) -> None:
    """Draw a shot of random poses from a random sheet, save the last drawing to `out`, print the figures."""
    import torch
    torch.set_num_threads(1)
    rng, side = np.random.default_rng(0), int(size)
    sheet = rng.integers(0, 256, (int(views), side, side, 4), np.uint8)
    poses = rng.random((int(frames), side, side, 4), np.float32)
    study, draw = _engine(Path(weights), sheet) if who == "engine" else _published(Path(weights), sheet)
    of_sheet = _timed(study)
    of_frames = [_timed(lambda pose=pose: draw(pose)) for pose in poses]
    np.save(out, draw.last)
    best = min(of_frames, key=lambda seconds: seconds["processor"])
    total = {key: round(of_sheet[key] + sum(seconds[key] for seconds in of_frames), 2) for key in of_sheet}
    print(json.dumps({"sheet_s": of_sheet, "frame_s": best, "shot_s": total, "frames": int(frames),
                      "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** 20, 2)}))


class _Drawn:
    """A drawing function that remembers its last drawing."""

    def __init__(self, draw: Callable[[np.ndarray], np.ndarray]):
        self._draw, self.last = draw, np.zeros(0)

    def __call__(self, pose: np.ndarray) -> None:
        self.last = self._draw(pose)


def _engine(weights: Path, sheet: np.ndarray) -> tuple[Callable, _Drawn]:
    from toondecompose_blender.engine.character import load_renderer
    renderer, studied = load_renderer(weights), []
    return lambda: studied.append(renderer.study(sheet)), _Drawn(lambda pose: renderer.draw_pose(studied[0], pose))


def _published(weights: Path, sheet: np.ndarray) -> tuple[Callable, _Drawn]:
    from .character_loop import PublishedLoop
    loop = PublishedLoop(weights)
    return lambda: loop.study(sheet), _Drawn(loop.draw)


def _timed(work: Callable) -> dict[str, float]:
    """Seconds of the clock and of the processor: the second is what counts on a machine that is shared."""
    clock, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    return {"clock": round(time.perf_counter() - clock, 2), "processor": round(after.user + after.system - before.user - before.system, 2)}


if __name__ == "__main__":
    main(*sys.argv[1:])
