# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's sub-panel for hints: what was drawn, for which sprite, on which frames, and buttons to draw more.
draw() only reads; how strokes become hints is not its business."""

from __future__ import annotations

import bpy

from .properties import hint_refusal
from .scene.hints import hint_layers, mask_layers, sprite_numbers
from .ui_panel import SequencerPanel, ViewPanel, split
from .ui_rows import value_row, wrapped

__all__ = ["register", "unregister"]

MOST_FRAMES = 4             # numbers that fit into a row


class TOON_UL_hints(bpy.types.UIList):
    """The layers of the annotation: color, name, and the frames on which something is drawn."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:
        row = layout.row()
        swatch = row.row()
        swatch.scale_x = 0.35
        swatch.prop(item, "color", text="")
        row.prop(item, "info", text="", emboss=False)
        found = next((layer for layer in hint_layers(data, None) if layer.name == item.info), None)
        side = row.row()
        side.alignment, side.active = "RIGHT", False
        side.label(text=_frames(found.frames) if found else "Hidden")
        row.prop(item, "annotation_hide", text="", emboss=False)


def _frames(frames: tuple[int, ...]) -> str:
    if not frames:
        return "Empty"
    shown = ", ".join(map(str, frames[:MOST_FRAMES]))
    return shown + (" ..." if len(frames) > MOST_FRAMES else "")


class HintsPanel:
    bl_label, bl_options, bl_order = "Hints", {"DEFAULT_CLOSED"}, 2

    def draw_header(self, context) -> None:
        self.layout.prop(context.scene.toondecompose, "use_hints", text="")

    def draw(self, context) -> None:
        layout, settings = split(self.layout), context.scene.toondecompose
        column = layout.column()
        column.active = settings.use_hints
        column.prop(settings, "hint_annotation")
        annotation, mask = settings.hint_annotation, settings.hint_mask
        if annotation is not None:
            row = column.row()
            row.template_list("TOON_UL_hints", "", annotation, "layers", annotation.layers, "active_index", rows=3)
            side = row.column(align=True)
            side.operator("toon.hints_sprite_add", text="", icon="ADD")
            side.operator("toon.hints_sprite_remove", text="", icon="REMOVE")
        row = column.row(align=True)
        row.operator("toon.hints_draw", icon="GREASEPENCIL")
        row.operator("toon.hints_clear", icon="TRASH")
        column.prop(settings, "hint_mask")
        if mask is not None:
            numbers = sprite_numbers(annotation, mask)
            for layer in mask_layers(mask):
                number = numbers[layer.name.strip().lower()]
                value_row(column, layer.name, f"Sprite {number}" if number else "Background", "MOD_MASK")
        if annotation is None and mask is None:
            column.prop(settings, "hints")
        self._draw_reason(column, context, settings)

    def _draw_reason(self, layout, context, settings) -> None:
        """Why these hints cannot be used, or what is missing."""
        reason = hint_refusal(settings)
        if settings.use_hints and not (settings.hint_annotation or settings.hint_mask or settings.hints):
            reason = "Draw hints, or choose a mask or a file"
        if reason:
            wrapped(layout, context, reason, active=False)


class TOON_PT_hints_sequencer(HintsPanel, SequencerPanel, bpy.types.Panel):
    bl_parent_id = "TOON_PT_decompose_sequencer"


class TOON_PT_hints_view3d(HintsPanel, ViewPanel, bpy.types.Panel):
    bl_parent_id = "TOON_PT_decompose_view3d"


register, unregister = bpy.utils.register_classes_factory((TOON_UL_hints, TOON_PT_hints_sequencer, TOON_PT_hints_view3d))
