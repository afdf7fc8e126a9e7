# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a result for people: a contact sheet, and a movie of the clip beside its recomposition and its sprites pulled apart.
Reads a result folder; decides nothing about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..protocol import Decomposition
from . import geometry, resampling
from .movie import MovieWriter
from .pictures import write_picture
from .recompose import SpriteRenderer, over, rounded, whole_sprites

__all__ = ["contact_sheet", "checkerboard", "exploded", "ResultPictures"]

_PAPER, _INK, _FRAME = (247, 245, 240), (58, 54, 66), (176, 172, 178)
_GLASS = np.float32(0.1)  # a breath of white, so that empty panes are seen
_GAP = 8
_STRIP, _HEADING = 112, 26  # px for the names of the rows, and for the numbers of the frames
_SHEET_WIDTH, _CELL_WIDTH = 1680, 480  # px at most
_ROW_CELLS = (3, 8)
_PREVIEW_WIDTH = 480  # px of one of the three panels


def checkerboard(width: int, height: int, *, cell: int = 12) -> np.ndarray:
    """The soft gray squares that stand for transparency: RGB uint8."""
    dark = (np.arange(height)[:, None] // cell + np.arange(width) // cell) % 2 == 1
    return np.where(dark[..., None], np.uint8(214), np.uint8(236)).repeat(3, 2)


def contact_sheet(pictures: Sequence[np.ndarray], *, columns: int, cell_width: int, labels: Sequence[str] = (),
                  headings: Sequence[str] = ()) -> np.ndarray:
    """Pictures (RGB uint8, all of one size) in rows of `columns`, each `cell_width` px wide.

    `labels` name the rows, `headings` the columns; either may be left out.  Returns RGB uint8.
    """
    height = max(1, round(cell_width * pictures[0].shape[0] / pictures[0].shape[1]))
    left, top = (_STRIP if labels else _GAP), (_HEADING if headings else _GAP)
    rows = -(-len(pictures) // columns)
    sheet = np.full((top + rows * (height + _GAP), left + columns * (cell_width + _GAP), 3), _PAPER, np.uint8)
    for number, picture in enumerate(pictures):
        y, x = top + number // columns * (height + _GAP), left + number % columns * (cell_width + _GAP)
        sheet[y - 1:y + height + 1, x - 1:x + cell_width + 1] = _FRAME
        sheet[y:y + height, x:x + cell_width] = _resized(picture, cell_width, height)
    for row, label in enumerate(labels):
        _write(sheet, label, 10, top + row * (height + _GAP) + height // 2 + 5, width=left - 16)
    for column, heading in enumerate(headings):
        _write(sheet, heading, left + column * (cell_width + _GAP), top - 9, width=cell_width)
    return sheet


def _resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    smaller = width <= picture.shape[1]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def _write(sheet: np.ndarray, text: str, x: int, y: int, *, width: int) -> None:
    """Text no wider than `width`."""
    scale = 0.5
    wide = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, min(scale, scale * width / max(1, wide)), _INK, 1, cv2.LINE_AA)


def exploded(sprites: Sequence[np.ndarray]) -> np.ndarray:
    """Sprites of one frame (premultiplied RGBA float32 in 0..1, back to front) as standing glass panes one behind the other: RGB uint8."""
    height, width = sprites[0].shape[:2]
    scene = np.full((height, width, 3), _PAPER, np.uint8)
    count = len(sprites)
    size = 0.66 if count < 3 else 0.56
    pane_width, pane_height = width * size, height * size * 1.06
    reach_x, reach_y = width * 0.94 - pane_width, height * 0.92 - pane_height
    for k, sprite in enumerate(sprites):
        share = k / max(1, count - 1) if count > 1 else 0.5
        x, y = width * 0.03 + share * reach_x, height * 0.04 + share * reach_y
        far, near = 0.86 * pane_height, pane_height  # the right edge stands nearer
        corners = np.float32([(x, y + 0.04 * height), (x + pane_width, y), (x + pane_width, y + near), (x, y + 0.04 * height + far)])
        scene = _stand(scene, sprite, corners)
    return scene


def _stand(scene: np.ndarray, sprite: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The scene, RGB uint8, with a sprite on a pane of glass with the given corners (4, 2) before it."""
    height, width = sprite.shape[:2]
    glass = sprite + _GLASS * (1 - sprite[..., 3:])
    onto = cv2.getPerspectiveTransform(np.float32(geometry.corners(width, height)), corners)
    seen = resampling.warp_to(glass, onto, scene.shape[1], scene.shape[0])
    shown = rounded(over(seen, scene / np.float32(255)))
    return cv2.polylines(shown, [np.round(corners * 16).astype(np.int32)], True, _FRAME, 1, cv2.LINE_AA, 4)


class ResultPictures:
    """Writes the contact sheet and the preview movie of a result while its frames go by; use it in a `with` block.

    The sheet shows sampled frames in columns: the original, the recomposition, each sprite over a checkerboard.
    The movie shows original | recomposition | sprites pulled apart.
    """

    def __init__(self, sheet: Path, preview: Path, decomposition: Decomposition, sprites: Sequence[SpriteRenderer]):
        """`sprites` back to front, of the clip's size."""
        self._sheet, self._names = Path(sheet), [sprite.name for sprite in whole_sprites(decomposition)]
        clip = decomposition.clip
        self._columns, self._cell = _layout(clip.width, clip.height, clip.frames, len(self._names) + 2)
        chosen = (np.arange(self._columns) + 0.5) * clip.frames / self._columns
        self._headings = {int(t): f"frame {clip.first_frame + int(t)}" for t in chosen}
        self._cells: dict[int, list[np.ndarray]] = {}
        self._full = sprites
        self._size = _even(min(_PREVIEW_WIDTH, clip.width), clip)
        # Twice the panel's size, then averaged: lines stay smooth.
        size = 2 * self._size[0], 2 * self._size[1]
        self._small = [sprite.of_size(size) for sprite in sprites]
        self._movie = MovieWriter(preview, 3 * self._size[0], self._size[1], fps=clip.fps)

    def __enter__(self) -> ResultPictures:
        return self

    def panel(self, t: int, original: np.ndarray, recomposed: np.ndarray) -> np.ndarray:
        """The movie's picture of frame t, RGB uint8; the frames are of the clip's size.  For any thread."""
        width, height = self._size
        panes = [cv2.resize(small.frame(t), (width, height), interpolation=cv2.INTER_AREA) for small in self._small]
        return np.hstack([_resized(original, width, height), _resized(recomposed, width, height), exploded(panes)])

    def add(self, t: int, original: np.ndarray, recomposed: np.ndarray, panel: np.ndarray) -> None:
        """Frame t (every frame from 0, in order), RGB uint8 of the clip's size, and its `panel`."""
        self._movie.write(panel)
        if t in self._headings:
            height, width = original.shape[:2]
            board = checkerboard(width, height, cell=max(4, height // 24)).astype(np.float32) / 255
            shown = [sprite.frame(t) for sprite in self._full]
            sprites = [np.round(255 * np.clip(rgba[..., :3] + (1 - rgba[..., 3:]) * board, 0, 1)).astype(np.uint8) for rgba in shown]
            cell_height = max(1, round(self._cell * height / width))
            self._cells[t] = [_resized(picture, self._cell, cell_height) for picture in (original, recomposed, *sprites)]

    def __exit__(self, kind, error, trace) -> None:
        self._movie.__exit__(kind, error, trace)
        if kind is None and self._cells:
            times = sorted(self._cells)
            cells = [self._cells[t][row] for row in range(len(self._names) + 2) for t in times]
            sheet = contact_sheet(cells, columns=len(times), cell_width=self._cell, labels=["original", "recomposed", *self._names],
                                  headings=[self._headings[t] for t in times])
            write_picture(self._sheet, sheet)


def _layout(width: int, height: int, frames: int, rows: int) -> tuple[int, int]:
    """How many frames, and how wide, make a sheet that is a little wider than high."""
    columns = int(np.clip(round(1.3 * rows * height / width), *_ROW_CELLS))
    columns = min(columns, frames)
    return columns, min(_CELL_WIDTH, (_SHEET_WIDTH - _STRIP) // columns - _GAP)


def _even(width: int, clip) -> tuple[int, int]:
    """An even size of the clip's shape, for the encoder."""
    return max(2, width // 2 * 2), max(2, round(width * clip.height / clip.width / 2) * 2)
