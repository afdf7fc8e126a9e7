# SPDX-License-Identifier: GPL-3.0-or-later
"""How time and memory grow with frames, with pixels and with the number of sprites, on one drawn clip.
It fits a power to what was watched; it starts no engine itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .cases import Case, Measured, drawn_case, measured, warm_up
from .stages import LONGEST
from .tables import keep_beside, table

__all__ = ["SERIES", "Series", "measure", "power"]


@dataclass(frozen=True)
class Series:
    """Cases that differ in one thing, `amount`; the rest of them is `fixed`."""
    name: str
    fixed: str
    cases: tuple[Case, ...]
    amount: Callable[[Measured], int]


SERIES = (
    Series("frames", "320x180, K = 2", (*(drawn_case(f"{count} frames", size=(320, 180), frames=count) for count in (60, 120, 240, 480)),
                                        LONGEST), lambda one: one.frames),
    Series("pixels", "48 frames, K = 2, analyzed at their own size",
           tuple(drawn_case(f"{height} lines", size=(height * 16 // 9, height), frames=48, lines=height)
                 for height in (180, 270, 360, 540, 720)), lambda one: one.width * one.height),
    Series("sprites", "60 frames of 640x360", tuple(drawn_case(f"K = {sprites}", size=(640, 360), frames=60, sprites=sprites)
                                                    for sprites in (2, 4, 6)), lambda one: one.case.sprites),
)
QUICK = Series("frames", "128x96, K = 2", tuple(drawn_case(f"quick {count}", size=(128, 96), frames=count) for count in (8, 16)),
               lambda one: one.frames)


def measure(*, only: list[str], quick: bool = False) -> None:
    """Print a table a series; keep them in benchmarks/results/scaling.json (not the quick one)."""
    if not quick:
        warm_up()
    for series in (QUICK,) if quick else [series for series in SERIES if not only or series.name in only]:
        done = [measured(case) for case in series.cases]
        if not quick:
            keep_beside("scaling", {series.name: {"fixed": series.fixed, "points": [
                one.record() | {"amount": series.amount(one)} for one in done]}})
        print(_table(series, done), flush=True)


def _table(series: Series, done: list[Measured]) -> str:
    first = done[0]
    rows = []
    for one in done:
        more = series.amount(one) / series.amount(first)
        growth = [f"{figure(one) / figure(first):.1f}" for figure in (_seconds, _busy, _peak)]
        rows.append([str(series.amount(one)), f"{more:.1f}", f"{one.run.seconds:.1f}", growth[0], f"{one.run.busy:.1f}", growth[1],
                     f"{one.run.peak_gb:.2f}", growth[2], f"{one.run.load:.1f}"])
    powers = [f"{power([series.amount(one) for one in done], [figure(one) for one in done]):.2f}" for figure in (_seconds, _busy, _peak)]
    rows.append(["power of it", "", "", powers[0], "", powers[1], "", powers[2], ""])
    return table(f"Scaling with {series.name} ({series.fixed}; the power is fitted to the last half of the rows)",
                 [series.name, "times", "seconds", "times", "CPU s", "times", "peak GB", "times", "load"], rows)


def power(amounts: list[float], values: list[float]) -> float:
    """p of value ~ amount^p between the middle row and the last one: what is paid once weighs least there."""
    middle = (len(amounts) - 1) // 2
    return math.log(values[-1] / values[middle]) / math.log(amounts[-1] / amounts[middle])


def _seconds(one: Measured) -> float:
    return one.run.seconds


def _busy(one: Measured) -> float:
    return one.run.busy


def _peak(one: Measured) -> float:
    return one.run.peak_gb
