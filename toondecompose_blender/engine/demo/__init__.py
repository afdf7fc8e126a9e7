# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own demo clip, drawn with its truth; at smaller sizes it is also what tests decompose.
Draws and writes; must not know how clips are decomposed or scored."""

from .scene import Layer, Scene, compose_scene, draw_demo

__all__ = ["Layer", "Scene", "compose_scene", "draw_demo"]
