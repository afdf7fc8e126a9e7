# SPDX-License-Identifier: GPL-3.0-or-later
"""Another picture in the place of a drawing, wherever it is exposed; swatches find its regions as they found those of the old one.
It must not know nodes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ..protocol import SceneError
from . import palette
from .drawings import file_of, free_number, is_packed, renumber, sequences_of
from .pixels import read_pixels, write_pixels

__all__ = ["replace_drawing"]

# As in the engine's index maps: a color farther than this from every swatch, in 8-bit values over RGB, belongs to none.
_FAR_FROM_ANY = 90 / 255


def replace_drawing(sprite_object, drawing: int, picture: Path) -> Path:
    """Show `picture` wherever `drawing` (1-based) is exposed; it is copied beside the others, which stay.  Returns the copy.

    Raises `SceneError`: scene.packed, scene.picture (unreadable or of another size), scene.folder; nothing has changed then.
    """
    if is_packed(sprite_object):
        raise SceneError("scene.packed", f"The drawings of {sprite_object.name} are packed.", "Unpack them first.")
    sequences = sequences_of(sprite_object)
    numbers = [free_number(sequence) for sequence in sequences]
    files = [file_of(sequence, number) for sequence, number in zip(sequences, numbers, strict=True)]
    pixels = _checked(picture, tuple(sprite_object["toondecompose_canvas"]), files[0].suffix)
    try:
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, files[0])
        for file in files[1:]:
            write_pixels(file, _index_map(pixels, palette.original_colors(sprite_object)))
    except OSError as cause:
        for file in files:
            file.unlink(missing_ok=True)
        raise SceneError("scene.folder", f"{files[0]} cannot be written: {cause.strerror or cause}.",
                         "Make the folder of the drawings writable.") from cause
    renumber(sprite_object, drawing, numbers)
    return files[0]


def _checked(picture: Path, canvas: tuple[int, int], suffix: str) -> np.ndarray:
    if picture.suffix.lower() != suffix.lower():
        raise SceneError("scene.picture", f"{picture.name} is no {suffix} file like the other drawings.",
                         f"Save it as {suffix} with alpha.")
    pixels = read_pixels(picture)
    height, width = pixels.shape[:2]
    if (width, height) != canvas:
        raise SceneError("scene.picture", f"{picture.name} is {width} x {height} px, the drawing {canvas[0]} x {canvas[1]}.",
                         "Repaint on the canvas of the drawing; do not crop it.")
    return pixels


def _index_map(pixels: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Gray RGBA (H, W, 4): the 1-based swatch of each pixel of 255, 0 where it is like none of `colors` (N, 3)."""
    nearest, best = np.zeros(pixels.shape[:2], np.float32), np.full(pixels.shape[:2], _FAR_FROM_ANY**2)
    for number, color in enumerate(colors, start=1):
        distance = ((pixels[..., :3] - color) ** 2).sum(-1)
        nearest, best = np.where(distance < best, number / 255, nearest), np.minimum(distance, best)
    return np.dstack([nearest] * 3 + [np.ones_like(nearest)])
