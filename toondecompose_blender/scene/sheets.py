# SPDX-License-Identifier: GPL-3.0-or-later
"""All drawings of a sprite on one sheet, a picture that Blender can pack into the .blend: it packs no image sequences.
Pixels only; it must not know materials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..protocol import SceneError
from .pixels import keep_values, read_pixels, write_pixels

__all__ = ["Grid", "grid_of", "new_sheet", "write_pictures"]

# What graphics cards of Direct3D 11 and later (2011) read; EEVEE would shrink a larger texture.
_MAX_SIDE = 16384
# Blender takes pixels as four floats: 2 GB at this many.
_MAX_PIXELS = 1 << 27
# Transparent px around each drawing: where a neighbor begins, interpolation has faded out as it does outside of a lone picture.
_MARGIN = 1


@dataclass(frozen=True)
class Grid:
    """Cells for `count` pictures of `width` x `height` px, from the bottom left, row by row."""
    count: int
    width: int
    height: int
    columns: int

    @property
    def size(self) -> tuple[int, int]:
        """Of the sheet, px."""
        rows = math.ceil(self.count / self.columns)
        return self.columns * (self.width + 2 * _MARGIN), rows * (self.height + 2 * _MARGIN)

    def origin(self, index: int) -> tuple[int, int]:
        """Bottom left corner, in px of the sheet and y upwards, of picture `index` (from 0)."""
        row, column = divmod(index, self.columns)
        return column * (self.width + 2 * _MARGIN) + _MARGIN, row * (self.height + 2 * _MARGIN) + _MARGIN


def grid_of(count: int, width: int, height: int) -> Grid:
    """A nearly square grid.  Raises `SceneError` (scene.pack_size) if no texture is large enough."""
    square = math.sqrt(count * (height + 2 * _MARGIN) / (width + 2 * _MARGIN))
    grid = Grid(count, width, height, min(count, max(1, round(square), math.ceil(count * (height + 2 * _MARGIN) / _MAX_SIDE))))
    if max(grid.size) > _MAX_SIDE or math.prod(grid.size) > _MAX_PIXELS:
        raise SceneError("scene.pack_size", f"{count} drawings of {width} x {height} px are too many for one texture.",
                         "Leave them in their folder, and give that away together with the .blend file.")
    return grid


def new_sheet(name: str, files: list[Path], grid: Grid):
    """A packed picture of all `files`.  Raises `SceneError` (scene.picture) if one cannot be read or has another size."""
    width, height = grid.size
    pixels = np.zeros((height, width, 4), np.float32)
    for index, file in enumerate(files):
        x, y = grid.origin(index)
        pixels[y:y + grid.height, x:x + grid.width] = _pixels(file, grid)
    sheet = bpy.data.images.new(name, width, height, alpha=True)
    keep_values(sheet)
    sheet.pixels.foreach_set(pixels.ravel())
    sheet.pack()
    return sheet


def write_pictures(sheet, grid: Grid, files: list[Path]) -> None:
    """Write the pictures of a sheet to `files`, PNG.  Raises OSError."""
    width, height = grid.size
    pixels = np.empty((height, width, 4), np.float32)
    sheet.pixels.foreach_get(pixels.ravel())
    for index, file in enumerate(files):
        x, y = grid.origin(index)
        write_pixels(file, pixels[y:y + grid.height, x:x + grid.width])


def _pixels(file: Path, grid: Grid) -> np.ndarray:
    pixels = read_pixels(file)
    height, width = pixels.shape[:2]
    if (width, height) != (grid.width, grid.height):
        raise SceneError("scene.picture", f"{file.name} is {width} x {height} px instead of {grid.width} x {grid.height}.",
                         "Restore the file, or relink the result.")
    return pixels
