# SPDX-License-Identifier: GPL-3.0-or-later
"""Toon Decompose: animated clips taken apart into sprites, edited and rendered again in Blender.
Registers and unregisters, nothing else; importable without bpy, for the engine lives in the same package."""

from .registration import register_all, unregister_all

# In order: properties before what shows them, operators before the panels that name them.
_MODULES = ("previews", "properties", "preferences", "operators", "ui_panel", "ui_hints", "ui_sprites", "ui_character", "command")


def register() -> None:
    """Register everything, or nothing."""
    register_all(__package__, _MODULES)


def unregister() -> None:
    unregister_all(__package__, _MODULES)
