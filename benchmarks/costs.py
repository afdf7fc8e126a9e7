# SPDX-License-Identifier: GPL-3.0-or-later
"""Which functions the time of a decomposition goes to: the stacks of all threads, looked at a hundred times a second.
A look goes to the innermost function of the package, with the libraries that it called; it decomposes in its own process."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

from toondecompose_blender.engine.decompose import decompose
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.engine.settings import Settings

from .tables import keep_beside, table

__all__ = ["measure", "sampled"]

INTERVAL = 0.01             # s
PACKAGE = f"{os.sep}toondecompose_blender{os.sep}"
WAITING = ("threading.py", "parallel.py")   # a thread whose innermost Python frame is here has nothing to do
TOP = 20


class _Stages(Silent):
    """Remembers the stage that the work is in."""

    def __init__(self) -> None:
        self.name = "Start"

    def stage(self, name: str, total: int) -> None:
        self.name = name


def measure(clip: Path, *, sprites: int, lines: int | None) -> None:
    """Print the dearest functions; keep them in benchmarks/results/costs.json under the clip and its lines."""
    counts = sampled(clip, Settings(sprites=sprites, lines=lines))
    whole = sum(counts.values())
    top = [{"stage": stage, "function": name, "seconds": round(count * INTERVAL, 2), "share": round(count / whole, 4)}
           for (stage, name), count in counts.most_common(TOP)]
    name = clip.resolve().name if clip.resolve().name != "frames" else clip.resolve().parent.name
    keep_beside("costs", {f"{name} {lines or 'standard'}": {"seconds": round(whole * INTERVAL, 1), "load": round(os.getloadavg()[0], 2),
                                                            "top": top}})
    print(table(f"Thread seconds at work: {whole * INTERVAL:.1f} in all", ["function", "stage", "seconds", "%"],
                [[row["function"], row["stage"], f"{row['seconds']:.1f}", f"{100 * row['share']:.1f}"] for row in top]))


def sampled(clip: Path, settings: Settings) -> Counter[tuple[str, str]]:
    """How often each (stage, function) was seen at work, over all threads, every `INTERVAL`."""
    counts: Counter[tuple[str, str]] = Counter()
    stages, over = _Stages(), threading.Event()

    def look() -> None:
        me = threading.get_ident()
        while not over.wait(INTERVAL):
            stage = stages.name
            counts.update((stage, place) for thread, frame in sys._current_frames().items() if thread != me and (place := _place(frame)))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        with tempfile.TemporaryDirectory() as out:
            decompose(clip, Path(out), settings=settings, report=stages)
    finally:
        over.set()
        watcher.join()
    return counts


def _place(frame: FrameType | None) -> str | None:
    """The innermost function of the package on the stack, named by module; None if the thread waits or is not the package's."""
    if frame is None or Path(frame.f_code.co_filename).name in WAITING:
        return None
    while frame is not None and PACKAGE not in frame.f_code.co_filename:
        frame = frame.f_back
    if frame is None:
        return None
    return f"{frame.f_code.co_filename.rpartition(PACKAGE)[2].removesuffix('.py').replace(os.sep, '.')}.{frame.f_code.co_qualname}"
