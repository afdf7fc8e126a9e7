# SPDX-License-Identifier: GPL-3.0-or-later
"""How layers mix where they are half transparent: on display values like the engine, or in scene-linear light like other 3D.
Both show the same colors where a pixel is opaque; it must not know how materials look inside."""

from __future__ import annotations

from ..protocol import SettingsError
from .materials import set_linear
from .sprites import sprites_of

__all__ = ["BLENDINGS", "set_blending", "blending_of"]

BLENDINGS = ("display", "linear")
"""Display: exact, but no lamps and no view transform.  Linear: mixes with 3D; soft edges come out lighter than painted."""

_KEY = "toondecompose_blending"


def set_blending(scene, blending: str) -> None:
    """Set color management and the materials of the scene's sprites.  Raises `SettingsError` (settings.blending)."""
    if blending not in BLENDINGS:
        raise SettingsError("settings.blending", f"There is no blending {blending!r}.", f"Choose one of: {', '.join(BLENDINGS)}.")
    scene.display_settings.display_device = "sRGB"
    view = scene.view_settings
    view.view_transform = "Raw" if blending == "display" else "Standard"
    view.look = "None"
    view.exposure, view.gamma = 0.0, 1.0
    view.use_curve_mapping = False
    for sprite_object in sprites_of(scene):
        set_linear(sprite_object.data.materials[0], blending == "linear")
    scene[_KEY] = blending


def blending_of(scene) -> str:
    """The blending in force."""
    return scene.get(_KEY, BLENDINGS[0])
