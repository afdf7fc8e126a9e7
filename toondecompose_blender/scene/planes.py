# SPDX-License-Identifier: GPL-3.0-or-later
"""One sprite's plane: four vertices in the camera's space, moved from frame to frame by absolute shape keys.
It must not know what the plane shows, nor where in the stack it lies."""

from __future__ import annotations

import bpy
import numpy as np

from .lifting import View, corner_uv, lifted
from .timing import drive

__all__ = ["UV_LAYER", "new_plane", "bake_shape_keys", "set_quad", "set_depth"]

UV_LAYER = "Canvas"


def new_plane(name: str, width: int, height: int):
    """An object with one quad for a canvas of `width` x `height` px, lying anyhow: baking puts it in its place."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(x - 0.5, (y - 0.5) * height / width, 0.0) for x, y in corner_uv(width, height)], [], [(0, 1, 2, 3)])
    mesh.uv_layers.new(name=UV_LAYER)
    sprite_object = bpy.data.objects.new(name, mesh)
    sprite_object.lock_rotation = (True, True, True)
    return sprite_object


def bake_shape_keys(sprite_object, homographies: np.ndarray, width: int, height: int, view: View) -> None:
    """Give the plane one absolute key a clip frame, and let the sprite's clip frame choose among them."""
    corners = lifted(homographies, width, height, view)
    # Seen from the object's origin, which lies in the visible middle's depth on the camera's axis (see `set_depth`).
    corners = (corners + (0.0, 0.0, 1.0)).astype(np.float32)
    set_quad(sprite_object, corners[0], corner_uv(width, height))
    for frame, coordinates in enumerate(corners, start=1):
        block = sprite_object.shape_key_add(name=f"Frame {frame}", from_mix=False)
        block.interpolation = "KEY_LINEAR"
        block.data.foreach_set("co", coordinates.ravel())
    keys = sprite_object.data.shape_keys
    keys.use_relative = False
    # Blender adds the keys' positions up in float32 (the fourth reads 30.000002): ask each for its own.
    positions = [(float(frame), block.frame, "LINEAR") for frame, block in enumerate(keys.key_blocks, start=1)]
    drive(keys, "eval_time", sprite_object, positions)


def set_quad(sprite_object, corners: np.ndarray, uv: np.ndarray) -> None:
    """Give the plane, without shape keys, its corners (4, 3) as seen from the object's origin, and their texture coordinates (4, 2)."""
    sprite_object.shape_key_clear()
    mesh = sprite_object.data
    mesh.vertices.foreach_set("co", corners.astype(np.float32).ravel())
    mesh.uv_layers[UV_LAYER].uv.foreach_set("vector", uv.astype(np.float32).ravel())
    mesh.update()


def set_depth(sprite_object, depth: float) -> None:
    """Put the plane at `depth`: scaled along the camera's rays, so that its picture stays the same."""
    sprite_object.location = (0.0, 0.0, -depth)
    sprite_object.scale = (depth, depth, depth)
