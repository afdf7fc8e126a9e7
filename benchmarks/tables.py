# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of figures as text, one line a row, and the figures that were kept before.
It knows no topic and measures nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from .machine import RESULTS, keep, machine

__all__ = ["keep_beside", "kept", "table"]


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The title, the heads of the columns, and the rows: the first column to the left, the others to the right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths)))
            for line in lines]
    return "\n".join([title, *(line.rstrip() for line in text), ""])


def kept(topic: str) -> dict:
    """The figures of a topic that were kept on a machine like this one; empty if there are none."""
    path = RESULTS / f"{topic}.json"
    if not path.is_file():
        return {}
    record = json.loads(path.read_text(encoding="utf-8"))
    here = machine()
    same = all(record["machine"].get(key) == here[key] for key in ("cores", "device", "memory_gb", "torch"))
    return record["figures"] if same else {}


def keep_beside(topic: str, figures: dict) -> None:
    """Keep these figures, and those of the same topic and machine that were not measured again."""
    keep(topic, kept(topic) | figures)
