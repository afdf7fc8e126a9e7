# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the sprites is their depth: far enough apart that no plane cuts through another, wherever its frames take it.
It must not know why a sprite lies where it lies."""

from __future__ import annotations

from .planes import set_depth
from .stage import set_camera_range

__all__ = ["stack"]

# Depth of the front-most sprite's middle; only ratios matter.
_FRONT = 10.0
# Room between the farthest point of one sprite and the nearest of the next.
_GAP = 1.05


def stack(scene, objects: list) -> None:
    """Put the sprites' objects, back to front, at depths whose ranges do not meet, over all frames and so all retimings."""
    reached, nearest = _FRONT, None
    for sprite_object in reversed(objects):
        near, far = sprite_object["toondecompose_reach"]
        depth = reached / near * _GAP
        set_depth(sprite_object, depth)
        nearest = depth * near if nearest is None else nearest
        reached = depth * far
    if objects:
        set_camera_range(scene, nearest, reached)
