# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine tells of its progress and learns that it shall stop.
Work calls a `Report`; what becomes of it (a bar, JSON lines, nothing) is decided by the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

__all__ = ["Report", "Silent", "Portion", "Stopped", "ticked"]

Item = TypeVar("Item")


class Stopped(Exception):
    """The artist cancelled, or the parent is gone: leave, keep what is finished."""


class Report(Protocol):
    """Where work reports to; every method may raise `Stopped`."""

    def plan(self, stages: dict[str, float]) -> None:
        """The work will have these stages, each of some weight in time, and not the usual ones."""

    def stage(self, name: str, total: int) -> None:
        """A stage of `total` units begins."""

    def step(self, count: int = 1) -> None:
        """`count` more units of the stage are done."""

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        """Tell the artist something; the work goes on."""

    def artifact(self, kind: str, path: str) -> None:
        """A file (relative to the job folder) can be looked at."""


class Silent:
    """A report that says nothing, for tests and for use as a library."""

    def plan(self, stages: dict[str, float]) -> None:
        pass

    def stage(self, name: str, total: int) -> None:
        pass

    def step(self, count: int = 1) -> None:
        pass

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        pass

    def artifact(self, kind: str, path: str) -> None:
        pass


class Portion:
    """A part of a stage that reports as if it were one of its own: whatever stages it announces fill `units` of the parent's."""

    def __init__(self, report: Report, units: int):
        self.report, self.left = report, units
        self.units, self.total, self.done, self.sent = 0, 1, 0, 0

    def plan(self, stages: dict[str, float]) -> None:
        pass        # a part has the stages that its parent has

    def stage(self, name: str, total: int) -> None:
        # How many stages will come is not known: each takes half of what is left.
        self.units = (self.left + 1) // 2
        self.total, self.done, self.sent = max(1, total), 0, 0

    def step(self, count: int = 1) -> None:
        self.done = min(self.total, self.done + count)
        due = self.units * self.done // self.total - self.sent
        self.sent += due
        self.left -= due
        self.report.step(due)

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        self.report.warn(code, message, remedy)

    def artifact(self, kind: str, path: str) -> None:
        self.report.artifact(kind, path)

    def close(self) -> None:
        """The part is done: the rest of its units."""
        self.report.step(self.left)
        self.left = 0


def ticked(items: Iterable[Item], report: Report) -> Iterator[Item]:
    """The items, one step of the report after each."""
    for item in items:
        yield item
        report.step()
