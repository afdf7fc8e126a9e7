# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sprites an operator works on, and why it cannot; the same words in the button's tooltip and below it.
It must not know what is done to them."""

from __future__ import annotations

import bpy

from ..scene.sprites import is_sprite, sprites_of
from .reasons import ReasonedOperator

__all__ = ["active_sprite", "selected_sprites", "SpriteOperator", "ActiveSpriteOperator", "SceneSpritesOperator", "refresh",
           "class_registration"]


def active_sprite(context):
    """The active object if it is a sprite, else None."""
    return context.object if is_sprite(context.object) else None


def selected_sprites(context) -> list:
    """The selected sprites, the active one first; without a selection, the active one."""
    active = active_sprite(context)
    chosen = [candidate for candidate in context.selected_objects if is_sprite(candidate) and candidate != active]
    return ([active] if active is not None else []) + chosen


class SpriteOperator(ReasonedOperator):
    """For operators on the selected sprites."""
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context) -> str:
        if active_sprite(context) is None and not selected_sprites(context):
            return "Select a sprite" if sprites_of(context.scene) else "No sprites in this scene"
        return ""


class ActiveSpriteOperator(SpriteOperator):
    """For operators on one sprite."""

    @classmethod
    def reason(cls, context) -> str:
        return "" if active_sprite(context) is not None else "Select a sprite"


class SceneSpritesOperator(SpriteOperator):
    """For operators on all sprites of the scene."""

    @classmethod
    def reason(cls, context) -> str:
        return "" if sprites_of(context.scene) else "No sprites in this scene"


def refresh(context) -> None:
    """Evaluate the frame anew: keys written by a program do not do that."""
    context.scene.frame_set(context.scene.frame_current, subframe=context.scene.frame_subframe)


def class_registration(*classes):
    """The `register` and `unregister` of a module of operators."""
    def register() -> None:
        for cls in classes:
            bpy.utils.register_class(cls)

    def unregister() -> None:
        for cls in reversed(classes):
            bpy.utils.unregister_class(cls)
    return register, unregister
