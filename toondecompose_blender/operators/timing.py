# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons that retime the selected sprites by writing keys.
They must not know how keys are computed: `scene.retiming` does."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from ..protocol import ToonError
from ..scene import retiming
from .reasons import report_error
from .selected import SpriteOperator, class_registration, refresh, selected_sprites

__all__ = ["register", "unregister"]


class _Retime(SpriteOperator):
    """One change of the curve of every selected sprite."""

    def execute(self, context):
        try:
            for sprite_object in selected_sprites(context):
                self.retime(context, sprite_object)
        except ToonError as error:
            return report_error(self, error)
        refresh(context)
        return {"FINISHED"}


class TOON_OT_speed(_Retime, bpy.types.Operator):
    """Play the selected sprites faster or slower, from their first key on"""
    bl_idname, bl_label = "toon.speed", "Speed"
    factor: FloatProperty(name="Factor", default=2.0, soft_min=-4.0, soft_max=4.0, description="2: twice as fast; below 0: backwards")

    def retime(self, context, sprite_object) -> None:
        retiming.speed(sprite_object, self.factor)


class TOON_OT_reverse(_Retime, bpy.types.Operator):
    """Play the selected sprites backwards"""
    bl_idname, bl_label = "toon.reverse", "Reverse"

    def retime(self, context, sprite_object) -> None:
        retiming.reverse(sprite_object)


class TOON_OT_hold(_Retime, bpy.types.Operator):
    """Hold each drawing for this many frames"""
    bl_idname, bl_label = "toon.hold", "Hold"
    step: IntProperty(name="Frames", default=2, min=1, soft_max=4, description="1: on ones, a new drawing every frame")

    def retime(self, context, sprite_object) -> None:
        retiming.hold(sprite_object, self.step)


class TOON_OT_freeze(_Retime, bpy.types.Operator):
    """Show in all frames what the selected sprites show at the playhead"""
    bl_idname, bl_label = "toon.freeze", "Freeze"

    def retime(self, context, sprite_object) -> None:
        retiming.freeze(sprite_object, context.scene.frame_current)


class TOON_OT_offset(_Retime, bpy.types.Operator):
    """Let the selected sprites start later, or earlier below 0"""
    bl_idname, bl_label = "toon.offset", "Offset"
    frames: IntProperty(name="Frames", default=1, soft_min=-24, soft_max=24, description="Frames later")

    def retime(self, context, sprite_object) -> None:
        retiming.offset(sprite_object, self.frames)


class TOON_OT_repeat(_Retime, bpy.types.Operator):
    """Repeat a range of frames up to the end of the scene"""
    bl_idname, bl_label = "toon.repeat", "Repeat"
    mode: EnumProperty(name="Mode", items=[("LOOP", "Loop", "From the start again"), ("PINGPONG", "Ping-Pong", "In turns backwards")],
                       description="What follows the last frame")
    first: IntProperty(name="First", min=0, description="First frame of the range; 0: of the preview range, or of the sprite's keys")
    last: IntProperty(name="Last", min=0, description="Last frame of the range; 0: of the preview range, or of the sprite's keys")

    def retime(self, context, sprite_object) -> None:
        scene = context.scene
        first, last = retiming.span(sprite_object)
        if scene.use_preview_range:
            first, last = scene.frame_preview_start, scene.frame_preview_end
        first, last = self.first or first, self.last or last
        retiming.repeat(sprite_object, first=first, last=last, until=scene.frame_end, pingpong=self.mode == "PINGPONG")


class TOON_OT_timing_restore(_Retime, bpy.types.Operator):
    """Play the selected sprites as in the clip again"""
    bl_idname, bl_label = "toon.timing_restore", "Restore Timing"

    @classmethod
    def reason(cls, context) -> str:
        reason = super().reason(context)
        if not reason and all(retiming.is_restored(sprite_object) for sprite_object in selected_sprites(context)):
            return "The timing was not changed"
        return reason

    def retime(self, context, sprite_object) -> None:
        retiming.restore(sprite_object)


class TOON_OT_inbetweens(_Retime, bpy.types.Operator):
    """Let the place of the selected sprites glide between clip frames, for slow motion; drawings are held all the same"""
    bl_idname, bl_label = "toon.inbetweens", "In-Betweens"
    on: BoolProperty(name="Glide", default=True, description="Move between two drawings too; off: hold each place")

    def retime(self, context, sprite_object) -> None:
        retiming.set_inbetweens(sprite_object, self.on)


register, unregister = class_registration(TOON_OT_speed, TOON_OT_reverse, TOON_OT_hold, TOON_OT_freeze, TOON_OT_offset, TOON_OT_repeat,
                                          TOON_OT_timing_restore, TOON_OT_inbetweens)
