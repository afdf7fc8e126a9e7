# SPDX-License-Identifier: GPL-3.0-or-later
"""Toon Decompose: animated clips taken apart into sprites, edited and rendered again in Blender.
Registers and unregisters, nothing else; importable without bpy, for the engine lives in the same package."""

import importlib

# In order: properties before what shows them, operators before the panels that name them.
_MODULES = ("previews", "properties", "preferences", "operators", "ui_panel", "ui_sprites", "ui_character", "command")


def register() -> None:
    """Register everything; if one part fails, what was registered before it goes again and the error is raised."""
    done = []
    try:
        for name in _MODULES:
            module = importlib.import_module(f".{name}", __package__)
            module.register()
            done.append(module)
    except BaseException:
        for module in reversed(done):
            module.unregister()
        raise


def unregister() -> None:
    """Take everything out again, last first."""
    for name in reversed(_MODULES):
        importlib.import_module(f".{name}", __package__).unregister()
