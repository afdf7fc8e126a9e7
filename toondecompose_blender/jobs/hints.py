# SPDX-License-Identifier: GPL-3.0-or-later
"""The hints' file of a job: boxes, scribbles and mask pictures on frames of the clip, as the engine reads them.
Values only; it must not know where hints were drawn."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Box", "Scribble", "Mask", "Hint", "HINTS_FOLDER", "HINTS_FILE", "write_hints"]

HINTS_FOLDER, HINTS_FILE = "hints", "hints.json"
DIGITS = 2                  # of a pixel's position; a hundredth is finer than any pen


@dataclass(frozen=True)
class Box:
    """Sprite `sprite` (0 = the background) is inside of `box` (left, top, right, bottom; px) on `frame` (from 1)."""
    frame: int
    sprite: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Scribble:
    """A line of `width` px through `scribble`, points (x, y) in px, lies on the sprite."""
    frame: int
    sprite: int
    scribble: tuple[tuple[float, float], ...]
    width: float


@dataclass(frozen=True)
class Mask:
    """`mask` is a picture in the hints' folder: what is not black is the sprite."""
    frame: int
    sprite: int
    mask: str


Hint = Box | Scribble | Mask


def write_hints(folder: Path, hints: list[Hint]) -> Path:
    """Write the file into `folder` and return its path.  Raises OSError."""
    path = folder / HINTS_FILE
    text = json.dumps({"hints": [_rounded(asdict(hint)) for hint in hints]}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def _rounded(value):
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, tuple) else value
