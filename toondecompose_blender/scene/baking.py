# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sprite moves: its homographies, kept on the object, baked in one of two ways, and baked again at will.
It must not know timing, color or edits: baking leaves them alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol import SettingsError
from . import placement, planes, warping
from .lifting import View, depth_ranges

__all__ = ["BAKES", "Motion", "remember", "motion_of", "bake", "bake_of"]

BAKES = ("shape-keys", "uv-warp")
"""Shape keys follow any motion; a UV warp only affine motion, with the plane at rest."""


@dataclass(frozen=True)
class Motion:
    """Canvas size in px, homographies (T, 3, 3) canvas -> frame, exposure sheet (T,) of 1-based drawings, 0 for none."""
    width: int
    height: int
    homographies: np.ndarray
    exposure: tuple[int, ...]


def remember(sprite_object, motion: Motion, view: View) -> None:
    """Keep the motion on the object: it can be baked and stacked again without the result's folder."""
    sprite_object["toondecompose_canvas"] = (motion.width, motion.height)
    sprite_object["toondecompose_exposure"] = list(motion.exposure)
    sprite_object["toondecompose_homographies"] = motion.homographies.ravel().tolist()
    sprite_object["toondecompose_range"] = depth_ranges(motion.homographies, motion.width, motion.height, view)


def motion_of(sprite_object) -> Motion:
    """The motion kept on a sprite's object."""
    width, height = sprite_object["toondecompose_canvas"]
    homographies = np.array(sprite_object["toondecompose_homographies"][:], np.float64).reshape(-1, 3, 3)
    return Motion(width, height, homographies, tuple(sprite_object["toondecompose_exposure"]))


def bake_of(sprite_object) -> str:
    """The bake in force."""
    return sprite_object["toondecompose_bake"]


def bake(sprite_object, kind: str, view: View) -> float:
    """Bake the kept motion as `kind`, one of `BAKES`; returns the largest corner error in px.

    Raises `SettingsError` (settings.bake), or `SceneError` (scene.not_affine) and leaves the sprite as it was.
    """
    if kind not in BAKES:
        raise SettingsError("settings.bake", f"There is no bake {kind!r}.", f"Choose one of: {', '.join(BAKES)}.")
    motion = motion_of(sprite_object)
    error = 0.0
    if kind == "uv-warp":
        error = warping.bake_uv_warp(sprite_object, motion.homographies, list(motion.exposure), motion.width, motion.height, view)
        sprite_object["toondecompose_reach"] = (1.0, 1.0)
        placement.set_pivots(sprite_object, warping.canvas_middles(motion.homographies, motion.width, motion.height), view)
    else:
        warping.clear_uv_warp(sprite_object)
        planes.bake_shape_keys(sprite_object, motion.homographies, motion.width, motion.height, view)
        sprite_object["toondecompose_reach"] = sprite_object["toondecompose_range"]
        placement.set_pivots(sprite_object, None, view)
    sprite_object["toondecompose_bake"] = kind
    return error
