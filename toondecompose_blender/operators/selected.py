# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sprites an operator works on, and why it cannot; the same words in the button's tooltip and below it.
It must not know what is done to them."""

from __future__ import annotations

import bpy

from ..protocol import ToonError
from ..scene.sprites import is_sprite, sprites_of

__all__ = ["active_sprite", "selected_sprites", "SpriteOperator", "report_error", "refresh", "class_registration"]


def active_sprite(context):
    """The active object if it is a sprite, else None."""
    return context.object if is_sprite(context.object) else None


def selected_sprites(context) -> list:
    """The selected sprites, the active one first; without a selection, the active one."""
    active = active_sprite(context)
    chosen = [candidate for candidate in context.selected_objects if is_sprite(candidate) and candidate != active]
    return ([active] if active is not None else []) + chosen


class SpriteOperator:
    """For operators on sprites: a poll with a reason that subclasses refine in `reason`."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context) -> bool:
        reason = cls.reason(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    @classmethod
    def reason(cls, context) -> str:
        """Why the operator cannot run now; empty if it can."""
        if active_sprite(context) is None and not selected_sprites(context):
            return "Select a sprite" if sprites_of(context.scene) else "No sprites in this scene"
        return ""


def report_error(operator, error: ToonError) -> set[str]:
    """Tell the artist, and end the operator without an undo step."""
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}


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
