# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture files as arrays, with the values that stand in them: no color space, straight alpha.
It must not know sprites."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..protocol import SceneError

__all__ = ["read_pixels", "write_pixels", "keep_values"]


def read_pixels(file: Path) -> np.ndarray:
    """RGBA float32 (H, W, 4) in 0..1, the bottom row first.  Raises `SceneError` (scene.picture)."""
    try:
        image = bpy.data.images.load(str(file))
    except RuntimeError as cause:
        raise SceneError("scene.picture", f"{file} cannot be read.", "Choose a picture that Blender can open.") from cause
    try:
        keep_values(image)
        width, height = image.size
        if not width * height:
            raise SceneError("scene.picture", f"{file} cannot be read.", "Choose a picture that Blender can open.")
        pixels = np.empty((height, width, 4), np.float32)
        image.pixels.foreach_get(pixels.ravel())
        return pixels
    finally:
        bpy.data.images.remove(image)


def write_pixels(file: Path, pixels: np.ndarray) -> None:
    """Write RGBA (H, W, 4) in 0..1, the bottom row first, as PNG of 8 bit.  Raises OSError."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(file.name, width, height, alpha=True)
    try:
        keep_values(image)
        image.file_format, image.filepath_raw = "PNG", str(file)
        image.pixels.foreach_set(np.ascontiguousarray(pixels, np.float32).ravel())
        image.save()
    except RuntimeError as cause:
        raise OSError(str(cause).strip()) from cause
    finally:
        bpy.data.images.remove(image)


def keep_values(image) -> None:
    """Straight alpha and display values, as they stand in the file."""
    image.colorspace_settings.name, image.alpha_mode = "Non-Color", "STRAIGHT"
