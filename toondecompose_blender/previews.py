# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of files as icons: contact sheets, thumbnails of drawings.
It must not know what the files are."""

from __future__ import annotations

import os

import bpy.utils.previews

__all__ = ["icon_of", "register", "unregister"]

_previews = None


def icon_of(path: os.PathLike | str, version: int = 0) -> int:
    """Icon id of a picture, 0 if there is none yet; another `version` of the same file is read anew."""
    name = f"{path} {version}"
    if name not in _previews:
        if not os.path.isfile(path):
            return 0
        _previews.load(name, str(path), "IMAGE")
    return _previews[name].icon_id


def register() -> None:
    global _previews
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    global _previews
    bpy.utils.previews.remove(_previews)
    _previews = None
