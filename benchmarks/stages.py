# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time and the memory of a decomposition go, stage by stage: the published test clip, the demo, long clips, many sprites.
It lays tables of what was watched; it starts no engine itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from .cases import Case, Measured, demo_case, drawn_case, measured, violet_case, warm_up
from .tables import keep_beside, table
from .watch import StageUse

__all__ = ["QUICK", "measure", "measure_clip", "standard_cases", "tables_of"]

LONG, LONGEST = (drawn_case(f"{frames} frames", size=(320, 180), frames=frames) for frames in (240, 1000))
MANY = tuple(drawn_case(f"K = {sprites}", size=(480, 270), frames=60, sprites=sprites) for sprites in (2, 4, 6))
QUICK = drawn_case("quick", size=(128, 96), frames=12)


def standard_cases(clips: Path) -> tuple[Case, ...]:
    """The cases of the table; violet only where it is among `clips`."""
    violet = violet_case(clips, height=360), violet_case(clips), violet_case(clips, lines=720)
    return (*filter(None, violet), demo_case(), LONG, LONGEST, *MANY)


def measure(clips: Path, *, only: list[str], quick: bool = False) -> None:
    """Print the tables; keep each case as soon as it is measured in benchmarks/results/stages.json (not the quick one)."""
    cases = (QUICK,) if quick else [case for case in standard_cases(clips) if not only or case.name in only]
    if not quick and not (clips / "violet").exists():
        print(f"violet is left out: it is not in {clips}.")
    if not quick:
        warm_up()
    done = []
    for case in cases:
        done.append(measured(case))
        if not quick:
            keep_beside("stages", {case.name: done[-1].record()})
            print(f"{case.name}: {done[-1].run.seconds:.1f} s", flush=True)
    print(tables_of(done))


def measure_clip(clip: Path, *, sprites: int, lines: int | None) -> None:
    """The same tables for one clip of the reader's own; they are not kept."""
    warm_up()
    print(tables_of([measured(Case(clip.name, sprites, lines, clip))]))


def tables_of(done: Iterable[Measured]) -> str:
    """Seconds, use of the cores and peak memory: a row a case, a column a stage."""
    done = list(done)
    names = list(dict.fromkeys(stage.name for one in done for stage in one.run.stages))
    count = done[0].run.cores

    def rows(cell: Callable[[StageUse], str], whole: Callable[[Measured], list[str]]) -> list[list[str]]:
        return [[_label(one), *(_cell(one, name, cell) for name in names), *whole(one)] for one in done]

    return "\n".join((
        table("Seconds of each stage; alone: without the other programs of the machine, estimated from the threads that were ready",
              ["clip", *names, "whole", "alone", "a frame"],
              rows(lambda stage: f"{stage.seconds:.1f}",
                   lambda one: [f"{one.run.seconds:.1f}", f"{one.run.alone:.1f}", f"{one.run.alone / one.frames:.2f}"])),
        table(f"Use of {count} cores, %; in brackets: alone (load: the machine's before the start, others: their share of the cores, %)",
              ["clip", *names, "whole", "load", "others"],
              rows(lambda stage: _use(stage.busy, stage.seconds, stage.alone, count),
                   lambda one: [_use(one.run.busy, one.run.seconds, one.run.alone, count), f"{one.run.load:.1f}", _others(one)])),
        table("Peak of resident memory, GB (whole: in brackets without pages of files, which the system can take back)",
              ["clip", *names, "whole"],
              rows(lambda stage: f"{stage.peak_gb:.2f}", lambda one: [f"{one.run.peak_gb:.2f} ({one.run.own_gb:.2f})"]))))


def _label(one: Measured) -> str:
    return f"{one.case.name}: {one.frames} of {one.width}x{one.height}, K = {one.case.sprites}"


def _cell(one: Measured, name: str, cell: Callable[[StageUse], str]) -> str:
    return next((cell(stage) for stage in one.run.stages if stage.name == name), "-")


def _use(busy: float, seconds: float, alone: float, count: int) -> str:
    """Per cent of the cores, measured and alone; nothing for a stage too short for the system's clock."""
    if min(seconds, alone) < 0.1:
        return "-"
    return f"{100 * busy / (seconds * count):.0f} ({100 * busy / (alone * count):.0f})"


def _others(one: Measured) -> str:
    return f"{100 * sum(stage.others for stage in one.run.stages) / (one.run.seconds * one.run.cores):.0f}"
