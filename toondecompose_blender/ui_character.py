# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's panel for drawing a rigged character from its sheet.
draw() only reads; it must not know how characters are drawn."""

from __future__ import annotations

import bpy

from .properties import character_refusal
from .ui_panel import ViewPanel, split
from .ui_rows import big_button, wrapped

__all__ = ["register", "unregister"]


class TOON_PT_character(ViewPanel, bpy.types.Panel):
    bl_label, bl_order, bl_options = "Character", 30, {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout, settings = split(self.layout), context.scene.toondecompose.character
        layout.prop(settings, "armature")
        layout.prop(settings, "rest")
        if settings.rest == "FRAME":
            layout.prop(settings, "rest_frame")
        layout.prop(settings, "sheet")
        layout.operator("toon.character_view_pose", text="Render Pose of a View...")
        layout.prop(settings, "method")
        if settings.method == "CONR":
            layout.prop(settings, "weights")
        layout.prop(settings, "size")
        column = layout.column(align=True)
        column.prop(settings, "frame_start")
        column.prop(settings, "frame_end")
        big_button(layout, "toon.character_draw")
        reason = character_refusal(context)
        if reason:
            wrapped(layout, context, reason, active=False)
        layout.operator("toon.character_poses", text="Render Poses Only...")
        layout.operator("toon.character_replace", text="Replace Sprite by Result...")


register, unregister = bpy.utils.register_classes_factory((TOON_PT_character,))
