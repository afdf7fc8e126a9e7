# SPDX-License-Identifier: GPL-3.0-or-later
"""A first look while the work goes on: as soon as the masks are there, the clip's middle frame and every sprite cut out of it.
It shows what was found at the size of the analysis; it must not decide anything, and no result contains it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from .pictures import write_picture
from .report import Report
from .sheet import checkerboard, contact_sheet

__all__ = ["FIRST_LOOK", "first_look", "show_first_look"]

FIRST_LOOK = "first_look.png"
CELL_WIDTH = 240            # px; the sidebar shows the whole sheet as one icon of 256
HIDDEN = 0.25               # of its light: what a sprite covers in the picture of the background


def first_look(frames: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """The sheet, RGB uint8, near a square: the middle frame, the background with the sprites darkened, each sprite on a board.

    `frames` uint8 (T, h, w, 3), `alphas` uint8 (K, T, h, w), back to front.
    """
    count, height, width = frames.shape[:3]
    middle, board = count // 2, checkerboard(width, height)
    covered = alphas[:, middle].max(0, initial=0)[..., None] / 255
    pictures = [frames[middle], np.rint(frames[middle] * (1 - (1 - HIDDEN) * covered)).astype(np.uint8)]
    for mask in alphas:
        shown = int(mask.sum((1, 2), dtype=np.int64).argmax())      # not every sprite is there in the middle
        share = mask[shown][..., None] / 255
        pictures.append(np.rint(frames[shown] * share + board * (1 - share)).astype(np.uint8))
    columns = max(1, round(math.sqrt(len(pictures) * height / width)))
    return contact_sheet(pictures, columns=columns, cell_width=min(CELL_WIDTH, width))


def show_first_look(out: Path, folder: str, frames: np.ndarray, alphas: np.ndarray, report: Report) -> None:
    """Write the sheet below `out`/`folder` and tell of it.  Raises OSError."""
    write_picture(out / folder / FIRST_LOOK, first_look(frames, alphas))
    report.artifact("contact_sheet", f"{folder}/{FIRST_LOOK}")
