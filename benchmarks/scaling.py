# SPDX-License-Identifier: GPL-3.0-or-later
"""How time and memory grow with frames, with pixels and with the number of sprites, on one drawn clip.
It fits a power to what was watched; it starts no engine itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .cases import Case, Measured, drawn_case, measured, warm_up
from .stages import LONG, LONGEST, MANY
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
    Series("frames", "320x180, K = 2", (*(drawn_case(f"{count} frames", size=(320, 180), frames=count) for count in (60, 120)),
                                        LONG, LONGEST), lambda one: one.frames),
    Series("pixels", "24 frames, K = 2, analyzed at their own size",
           tuple(drawn_case(f"{height} lines", size=(height * 16 // 9, height), frames=24, lines=height)
                 for height in (180, 270, 360, 540, 720)), lambda one: one.width * one.height),
    Series("sprites", "60 frames of 480x270", MANY, lambda one: one.case.sprites),
)
FIGURES = ("alone", "busy", "peak_gb", "own_gb")    # of a run
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
    amounts, first = [series.amount(one) for one in done], done[0]
    rows = []
    for amount, one in zip(amounts, done):
        cells = [f"{amount / amounts[0]:.1f}", f"{one.run.seconds:.1f}"]
        for name in FIGURES:
            cells += [f"{getattr(one.run, name):.2f}", f"{getattr(one.run, name) / getattr(first.run, name):.1f}"]
        rows.append([str(amount), *cells, f"{one.run.load:.1f}"])
    powers = [cell for name in FIGURES for cell in ("", f"{power(amounts, [getattr(one.run, name) for one in done]):.2f}")]
    rows.append(["power of it", "", "", *powers, ""])
    head = [series.name, "times", "seconds", "alone s", "times", "CPU s", "times", "peak GB", "times", "own GB", "times", "load"]
    stages = "; ".join(f"{name} {value:.2f}" for name, value in _stage_powers(amounts, done).items())
    return table(f"Scaling with {series.name} ({series.fixed}; the power is fitted to the last half of the rows)", head, rows) + \
        f"The same power for the CPU seconds of each stage: {stages}\n"


def _stage_powers(amounts: list[int], done: list[Measured]) -> dict[str, float]:
    """Of stages that every run had, and worked a tenth of a second in."""
    busy = [{stage.name: stage.busy for stage in one.run.stages} for one in done]
    return {name: power(amounts, [stages[name] for stages in busy]) for name in busy[0]
            if all(stages.get(name, 0) >= 0.1 for stages in busy)}


def power(amounts: list[float], values: list[float]) -> float:
    """p of value ~ amount^p between the middle row and the last one: what is paid once weighs least there."""
    middle = (len(amounts) - 1) // 2
    return math.log(values[-1] / values[middle]) / math.log(amounts[-1] / amounts[middle])
