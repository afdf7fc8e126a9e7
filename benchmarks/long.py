# SPDX-License-Identifier: GPL-3.0-or-later
"""Long clips: what every stage takes of time and memory for more and more frames of a drawn clip, and what 1,000 frames would.
It tabulates what was watched; it starts no engine itself."""

from __future__ import annotations

from toondecompose_blender.engine.memory import needed_bytes
from toondecompose_blender.engine.settings import Settings

from .cases import Measured, drawn_case, measured, warm_up
from .machine import keep
from .tables import table

__all__ = ["measure", "of_thousand"]

SPRITES = 4                 # with the background
GOAL = "at most 4 GB, and 2 s a frame on 2 cores, for 1,000 frames of 1920x1080 with four sprites"


def measure(*, size: tuple[int, int], frames: list[int]) -> None:
    """Print a table for each number of `frames` of `size` (width, height); keep all as benchmarks/results/long_<height>.json."""
    warm_up()
    done: list[Measured] = []
    for count in sorted(frames):
        done.append(measured(drawn_case(f"{count} frames of {size[0]}x{size[1]}", size=size, frames=count, sprites=SPRITES)))
        print(_table(done[-1]), flush=True)
        keep(f"long_{size[1]}", {"runs": [one.record() | {"estimate_gb": _estimate(one)} for one in done], "of_1000": of_thousand(done)})
    print("1,000 frames by the line through the first run and the last:",
          ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in of_thousand(done).items()))
    print("Goal:", GOAL)


def _table(one: Measured) -> str:
    rows = [[stage.name, f"{stage.seconds:.1f}", f"{stage.seconds / one.frames:.3f}", f"{stage.busy / one.frames:.3f}",
             f"{stage.alone / one.frames:.3f}", f"{stage.peak_gb:.2f}", f"{stage.own_gb:.2f}"] for stage in one.run.stages]
    rows.append(["all", f"{one.run.seconds:.1f}", f"{one.run.seconds / one.frames:.3f}", f"{one.run.busy / one.frames:.3f}",
                 f"{one.run.alone / one.frames:.3f}", f"{one.run.peak_gb:.2f}", f"{one.run.own_gb:.2f}"])
    return table(f"{one.case.name}, {SPRITES} sprites: estimate {_estimate(one)} GB (peak: with pages of files, which the system may take "
                 "back at any time; own: without them; alone: if nothing else had run)",
                 ["stage", "seconds", "a frame", "CPU a frame", "alone a frame", "peak GB", "own GB"], rows)


def _estimate(one: Measured) -> float:
    native = (one.width, one.height)
    return round(needed_bytes(frames=one.frames, analyzed=Settings().analysis_size(*native), native=native) / 2**30, 2)


def of_thousand(done: list[Measured]) -> dict[str, float]:
    """Seconds, seconds of the processor and GB that the line through the first and the last run gives 1,000 frames.

    It overstates GB if the first run is so short that all of it stays in memory (70 frames analyzed at 640x360, 280 at 320x180).
    """
    first, last = done[0], done[-1]
    if first.frames == last.frames:
        return {}
    share = (1000 - first.frames) / (last.frames - first.frames)
    figures = {"seconds": "seconds", "seconds_alone": "alone", "cpu_seconds": "busy", "peak_gb": "peak_gb", "own_gb": "own_gb"}
    ends = {name: (getattr(first.run, figure), getattr(last.run, figure)) for name, figure in figures.items()}
    return {name: round(a + share * (b - a), 2) for name, (a, b) in ends.items()}
