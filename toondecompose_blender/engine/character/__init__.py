# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing a character from its sheet: CoNR and its weightless companion, color transfer in pose space.
Heavy parts are imported when they are asked for, so that `toondecompose_blender.engine.character` costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .renderer import Renderer, load_renderer

__all__ = ["Renderer", "load_renderer"]


def __getattr__(name: str):
    if name in __all__:
        from . import renderer
        return getattr(renderer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
