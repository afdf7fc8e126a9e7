# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons for whole sprites: order, copies, visibility, motion, place.
They must not know how planes are built."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ..protocol import ToonError
from ..scene import editing, placement
from .selected import ActiveSpriteOperator, SpriteOperator, active_sprite, class_registration, refresh, selected_sprites

__all__ = ["register", "unregister"]


class TOON_OT_sprite_move(ActiveSpriteOperator, bpy.types.Operator):
    """Move the active sprite one place to the front or the back"""
    bl_idname, bl_label = "toon.sprite_move", "Move Sprite"
    direction: EnumProperty(name="Direction", items=[("UP", "Up", "To the front"), ("DOWN", "Down", "To the back")],
                            description="Where in the order of layers")

    def execute(self, context):
        moved = editing.move(context.scene, active_sprite(context), forward=self.direction == "UP")
        return {"FINISHED"} if moved else {"CANCELLED"}


class TOON_OT_sprite_duplicate(SpriteOperator, bpy.types.Operator):
    """Put an independent copy in front of each selected sprite"""
    bl_idname, bl_label = "toon.sprite_duplicate", "Duplicate"

    def execute(self, context):
        for sprite_object in selected_sprites(context):
            copy = editing.duplicate(context.scene, sprite_object)
            sprite_object.select_set(False)
            copy.select_set(True)
            context.view_layer.objects.active = copy
        refresh(context)
        return {"FINISHED"}


class TOON_OT_sprite_solo(SpriteOperator, bpy.types.Operator):
    """Hide all other sprites; once more shows them again"""
    bl_idname, bl_label = "toon.sprite_solo", "Solo"

    def execute(self, context):
        editing.solo(context.scene, selected_sprites(context)[0])
        return {"FINISHED"}


class TOON_OT_bake(SpriteOperator, bpy.types.Operator):
    """Change how the selected sprites move; timing, color and place stay"""
    bl_idname, bl_label = "toon.bake", "Change Motion"
    kind: EnumProperty(name="Motion", description="How the sprite's motion is kept", items=[
        ("SHAPE_KEYS", "Shape Keys", "Exact for any motion"),
        ("UV_WARP", "UV Warp", "The plane stays and the drawing moves over it; only for motion without perspective")])

    def execute(self, context):
        refused = []
        for sprite_object in selected_sprites(context):
            try:
                error = editing.change_bake(context.scene, sprite_object, self.kind.lower().replace("_", "-"))
                self.report({"INFO"}, f"{sprite_object.name}: largest corner error {error:.3f} px")
            except ToonError as refusal:
                refused.append(refusal)
        refresh(context)
        if refused:
            self.report({"WARNING"}, " ".join(map(str, refused)))
        return {"FINISHED"} if len(refused) < len(selected_sprites(context)) else {"CANCELLED"}


class TOON_OT_placement_restore(SpriteOperator, bpy.types.Operator):
    """Put the selected sprites where the clip has them"""
    bl_idname, bl_label = "toon.placement_restore", "Restore Placement"

    def execute(self, context):
        for sprite_object in selected_sprites(context):
            placement.restore_placement(sprite_object)
        refresh(context)
        return {"FINISHED"}


register, unregister = class_registration(TOON_OT_sprite_move, TOON_OT_sprite_duplicate, TOON_OT_sprite_solo, TOON_OT_bake,
                                          TOON_OT_placement_restore)
