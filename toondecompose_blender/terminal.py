# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminal of a Blender without a window: our own words on it, Blender's silenced, Ctrl-C heard between two frames.
It must not know what is rendered, nor bpy."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import TextIO

__all__ = ["Bar", "quiet", "interruptible"]


class Bar:
    """One line on a terminal that is written over; a line a picture where there is none."""

    def __init__(self, terminal: TextIO, first: int, last: int):
        self._terminal, self._first, self._last, self._start = terminal, first, last, time.monotonic()

    def show(self, frame: int) -> bool:
        """Tell that `frame` is done; always True, so that it can stand in a condition."""
        done, total = frame - self._first + 1, self._last - self._first + 1
        left = (time.monotonic() - self._start) / done * (total - done)
        line = f"Rendering frame {frame} ({done} of {total}, {int(left) // 60}:{int(left) % 60:02d} left)"
        overwrite = self._terminal.isatty()
        self._terminal.write(f"\r{line}\033[K" if overwrite else f"{line}\n")
        if overwrite and done == total:
            self._terminal.write("\n")
        self._terminal.flush()
        return True


@contextlib.contextmanager
def quiet() -> Iterator[TextIO]:
    """Silence what Blender itself writes on standard output; yields the terminal for our own words."""
    sys.stdout.flush()
    terminal = os.dup(1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    try:
        with os.fdopen(os.dup(terminal), "w", encoding="utf-8") as stream:
            yield stream
    finally:
        sys.stdout.flush()
        os.dup2(terminal, 1)
        os.close(terminal)


@contextlib.contextmanager
def interruptible() -> Iterator[list[int]]:
    """A list that is empty until Ctrl-C: a render cannot be left in its middle, so the loop around it asks."""
    signals: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: signals.append(number))
    try:
        yield signals
    finally:
        signal.signal(signal.SIGINT, before)
