# SPDX-License-Identifier: GPL-3.0-or-later
"""Registering modules through one ordered list: all of them or, if one fails, none.
It knows no Blender types; each module's own register() does."""

from __future__ import annotations

import importlib

__all__ = ["register_all", "unregister_all"]


def register_all(package: str, names: tuple[str, ...]) -> None:
    """Register the modules `names` of `package` in order; if one fails, those before it go again and the error is raised."""
    done = []
    try:
        for name in names:
            module = importlib.import_module(f".{name}", package)
            module.register()
            done.append(module)
    except BaseException:
        for module in reversed(done):
            module.unregister()
        raise


def unregister_all(package: str, names: tuple[str, ...]) -> None:
    """Take the modules out again, last first."""
    for name in reversed(names):
        importlib.import_module(f".{name}", package).unregister()
