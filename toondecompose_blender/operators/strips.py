# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons between the edit and the sprites' scene.
They must not know how strips are placed."""

from __future__ import annotations

import bpy

from ..protocol import ToonError
from ..scene import strips, versions
from ..scene.sprites import JOB_ID
from ..scene.viewing import show
from .reasons import ReasonedOperator, report_error
from .selected import class_registration

__all__ = ["register", "unregister"]


class _ImportedStrip(ReasonedOperator):
    """For operators on a strip whose sprites were imported."""
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context) -> str:
        strip = _active_strip(context)
        if strip is None:
            return "Select a movie or image strip"
        return "" if _sprite_scene(strip) is not None else "The strip has no imported sprites"


class TOON_OT_add_strip(_ImportedStrip, bpy.types.Operator):
    """Put the sprites' scene over the strip, at the same frames"""
    bl_idname, bl_label = "toon.add_strip", "Add as Strip"

    def execute(self, context):
        strip = _active_strip(context)
        try:
            strips.add_scene_strip(versions.sequencer_scene(context), strip, _sprite_scene(strip))
        except ToonError as error:
            return report_error(self, error)
        return {"FINISHED"}


class TOON_OT_show_sprites(_ImportedStrip, bpy.types.Operator):
    """Switch to the scene of the strip's sprites"""
    bl_idname, bl_label = "toon.show_sprites", "Edit Sprites"
    bl_options = {"REGISTER"}

    def execute(self, context):
        show(context.window, _sprite_scene(_active_strip(context)))
        return {"FINISHED"}


def _active_strip(context):
    editor = versions.sequencer_scene(context).sequence_editor
    return editor.active_strip if editor is not None else None


def _sprite_scene(strip):
    return strips.scene_of_job(strip.get(JOB_ID, ""))


register, unregister = class_registration(TOON_OT_add_strip, TOON_OT_show_sprites)
