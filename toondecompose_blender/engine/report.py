# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine tells of its progress and learns that it shall stop.
Work calls a `Report`; what becomes of it (a bar, JSON lines, nothing) is decided by the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

__all__ = ["Report", "Silent", "Stopped", "ticked"]

Item = TypeVar("Item")


class Stopped(Exception):
    """The artist cancelled, or the parent is gone: leave, keep what is finished."""


class Report(Protocol):
    """Where work reports to; every method may raise `Stopped`."""

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

    def stage(self, name: str, total: int) -> None:
        pass

    def step(self, count: int = 1) -> None:
        pass

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        pass

    def artifact(self, kind: str, path: str) -> None:
        pass


def ticked(items: Iterable[Item], report: Report) -> Iterator[Item]:
    """The items, one step of the report after each."""
    for item in items:
        yield item
        report.step()
