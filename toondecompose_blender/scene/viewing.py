# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a scene of sprites into a window as it should be looked at: through its camera, with its colors.
It must not know what is in the scene."""

from __future__ import annotations

__all__ = ["show"]


def show(window, scene) -> None:
    """Switch the window to the scene; its 3D views look through the camera, at materials instead of gray planes."""
    window.scene = scene
    for area in window.screen.areas:
        if area.type == "VIEW_3D":
            space = area.spaces.active
            space.region_3d.view_perspective = "CAMERA"
            if space.shading.type in ("WIREFRAME", "SOLID"):
                space.shading.type = "MATERIAL"
