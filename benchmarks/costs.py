# SPDX-License-Identifier: GPL-3.0-or-later
"""Which functions the processor's time of a decomposition goes to: the stacks of all threads, looked at a hundred times a second.
What a thread used since the last look goes to the package's innermost function, with the libraries that it called (Linux)."""

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
    top = [{"stage": stage, "function": name, "seconds": round(seconds, 2), "share": round(seconds / whole, 4)}
           for (stage, name), seconds in counts.most_common(TOP)]
    name = clip.resolve().name if clip.resolve().name != "frames" else clip.resolve().parent.name
    keep_beside("costs", {f"{name} {lines or 'standard'}": {"seconds": round(whole, 1), "load": round(os.getloadavg()[0], 2), "top": top}})
    print(table(f"Seconds of the processor: {whole:.1f} in all", ["function", "stage", "seconds", "%"],
                [[row["function"], row["stage"], f"{row['seconds']:.1f}", f"{100 * row['share']:.1f}"] for row in top]))


def sampled(clip: Path, settings: Settings) -> Counter[tuple[str, str]]:
    """Seconds of the processor by (stage, function), over all threads but the one that looks."""
    counts: Counter[tuple[str, str]] = Counter()
    stages, over = _Stages(), threading.Event()

    def look() -> None:
        used = {thread.native_id: _seconds_of(thread.native_id) for thread in threading.enumerate()}
        while not over.wait(INTERVAL):
            frames = sys._current_frames()
            for thread in threading.enumerate():
                if thread is watcher or thread.ident not in frames:
                    continue
                now = _seconds_of(thread.native_id)
                counts[stages.name, _place(frames[thread.ident])] += max(0.0, now - used.get(thread.native_id, 0.0))
                used[thread.native_id] = now

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        with tempfile.TemporaryDirectory() as out:
            decompose(clip, Path(out), settings=settings, report=stages)
    finally:
        over.set()
        watcher.join()
    return counts


def _seconds_of(thread: int) -> float:
    """What a thread of this process used of the processor; nothing if it has ended."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


def _place(frame: FrameType | None) -> str:
    """The innermost function of the package on the stack, named by module."""
    while frame is not None and PACKAGE not in frame.f_code.co_filename:
        frame = frame.f_back
    if frame is None:
        return "outside"
    return f"{frame.f_code.co_filename.rpartition(PACKAGE)[2].removesuffix('.py').replace(os.sep, '.')}.{frame.f_code.co_qualname}"
