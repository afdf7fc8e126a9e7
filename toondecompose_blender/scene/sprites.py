# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects are sprites, and of which import; found by the marks they carry, so that renaming and moving them is free.
It must not know what sprites are made of."""

from __future__ import annotations

__all__ = ["SPRITE_ID", "JOB_ID", "SOURCE", "FIRST_FRAME", "is_sprite", "sprites_of", "stacked", "collection_of"]

SPRITE_ID, JOB_ID = "toondecompose_sprite", "toondecompose_job"
"""Marks on an object: the sprite's id in its result; on a collection: the job, which is the name of the result's folder."""

SOURCE, FIRST_FRAME = "toondecompose_source", "toondecompose_first_frame"
"""Marks on a scene: the clip that its sprites were made of, and the number of its first frame there."""


def is_sprite(candidate) -> bool:
    """Whether an object (or None) is a sprite."""
    return candidate is not None and candidate.type == "MESH" and SPRITE_ID in candidate


def sprites_of(scene) -> list:
    """The scene's sprites, back to front."""
    return stacked(candidate for candidate in scene.objects if is_sprite(candidate))


def stacked(objects) -> list:
    """Objects back to front, by depth."""
    return sorted(objects, key=lambda sprite_object: sprite_object.location.z)


def collection_of(sprite_object):
    """The imported collection that a sprite lies in, or None."""
    return next((collection for collection in sprite_object.users_collection if JOB_ID in collection), None)
