# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons for color: original swatches again, another blending.
They must not know materials."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ..scene import blending, palette
from .selected import SceneSpritesOperator, SpriteOperator, class_registration, refresh, selected_sprites

__all__ = ["register", "unregister"]


class TOON_OT_palette_restore(SpriteOperator, bpy.types.Operator):
    """Give all swatches of the selected sprites their original color"""
    bl_idname, bl_label = "toon.palette_restore", "Restore Colors"

    @classmethod
    def reason(cls, context) -> str:
        reason = super().reason(context)
        if not reason and not any(palette.is_recolored(sprite_object) for sprite_object in selected_sprites(context)):
            return "No color was changed"
        return reason

    def execute(self, context):
        for sprite_object in selected_sprites(context):
            palette.restore_palette(sprite_object)
        refresh(context)
        return {"FINISHED"}


class TOON_OT_blending(SceneSpritesOperator, bpy.types.Operator):
    """Choose how the sprites of this scene mix"""
    bl_idname, bl_label = "toon.blending", "Change Blending"
    mode: EnumProperty(name="Blending", description="How sprites mix where they overlap", items=[
        ("DISPLAY", "Display", "On the values of the screen, like the clip: exact; without lamps and view transforms"),
        ("LINEAR", "Scene Linear", "In linear light, like other 3D: flat colors stay, soft edges come out a little lighter")])

    def execute(self, context):
        blending.set_blending(context.scene, self.mode.lower())
        return {"FINISHED"}


register, unregister = class_registration(TOON_OT_palette_restore, TOON_OT_blending)
