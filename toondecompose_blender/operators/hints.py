# SPDX-License-Identifier: GPL-3.0-or-later
"""Hints from the sidebar: buttons that make drawing them easy, and the file that a job gets of what was drawn.
It must not know how strokes and masks become pixels."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..jobs.hints import HINTS_FOLDER, write_hints
from ..protocol import SettingsError
from ..scene import versions
from ..scene.hints import Shown, annotation_hints
from ..scene.masks import write_masks
from .reasons import ReasonedOperator

__all__ = ["are_drawn", "drawn_hints", "register", "unregister"]

TOOL = "builtin.annotate"
NAME, FIRST_LAYER = "Hints", "Sprite 1"
# Of a new layer: far from each other, and bright enough over any clip (Okabe and Ito's palette for all kinds of sight).
COLORS = ((0.0, 0.45, 0.7), (0.9, 0.62, 0.0), (0.0, 0.62, 0.45), (0.8, 0.4, 0.0), (0.8, 0.47, 0.65), (0.34, 0.7, 0.91), (0.94, 0.89, 0.26))


def are_drawn(settings) -> bool:
    """True if hints are wanted and come from this file's annotations or masks."""
    return settings.use_hints and (settings.hint_annotation is not None or settings.hint_mask is not None)


def drawn_hints(settings, shown: Shown, job_folder: Path, *, current: int, sprites: int | None) -> str:
    """Write what was drawn on the clip's frames below `job_folder`; the path of the file, "" if nothing lies in them.

    `current` is the scene's frame, in which a mask without keys counts; `sprites` how many are asked for, None for auto.
    Raises `SettingsError` (settings.hints), OSError.
    """
    folder = job_folder / HINTS_FOLDER
    folder.mkdir()
    annotation, mask = settings.hint_annotation, settings.hint_mask
    hints = annotation_hints(annotation, mask, shown) if annotation else []
    hints += write_masks(mask, annotation, shown, current, folder) if mask else []
    numbered = max((hint.sprite for hint in hints), default=0) + 1
    if sprites is not None and numbered > sprites:
        raise SettingsError("settings.hints", f"The hints are for {numbered} sprites, the background included.",
                            f"Choose {numbered} sprites, or Auto.")
    return str(write_hints(folder, hints)) if hints else ""


def preview_of(context):
    """The area of a Sequencer's preview in this window, the editor in front first; None if none is open."""
    areas = [context.area, *context.screen.areas] if context.screen else []
    return next((area for area in areas if area and area.type == "SEQUENCE_EDITOR" and area.spaces.active.view_type != "SEQUENCER"), None)


class TOON_OT_hints_draw(ReasonedOperator, bpy.types.Operator):
    """Take Blender's annotation tool: draw a line on a sprite in the preview, or a circle around it"""
    bl_idname, bl_label = "toon.hints_draw", "Draw Hints"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context) -> str:
        return "" if preview_of(context) is not None else "Open a preview of the Sequencer"

    def execute(self, context):
        area, settings = preview_of(context), context.scene.toondecompose
        space = area.spaces.active
        region = next(region for region in area.regions if region.type == "PREVIEW")
        with context.temp_override(area=area, region=region):
            if settings.hint_annotation is None:
                settings.hint_annotation = versions.new_annotation(space, NAME)
                first = settings.hint_annotation.layers[0]
                first.info, first.color = FIRST_LAYER, COLORS[0]
            versions.set_space_annotation(space, settings.hint_annotation)
            if not bpy.app.background:
                bpy.ops.wm.tool_set_by_id(name=TOOL, space_type="SEQUENCE_EDITOR")
        space.show_overlays = space.preview_overlay.show_annotation = True
        settings.use_hints = True
        area.tag_redraw()
        return {"FINISHED"}


class LayerOperator(ReasonedOperator):
    """For buttons on the layers of the annotation."""
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context) -> str:
        return "" if context.scene.toondecompose.hint_annotation is not None else "Choose an annotation, or draw hints first"


class TOON_OT_hints_sprite_add(LayerOperator, bpy.types.Operator):
    """Add a layer for one more sprite; the next strokes are for it"""
    bl_idname, bl_label = "toon.hints_sprite_add", "Add Sprite"

    def execute(self, context):
        layers = context.scene.toondecompose.hint_annotation.layers
        layer = layers.new(f"Sprite {len(layers) + 1}", set_active=True)
        layer.color = COLORS[(len(layers) - 1) % len(COLORS)]
        return {"FINISHED"}


class TOON_OT_hints_sprite_remove(LayerOperator, bpy.types.Operator):
    """Remove the chosen layer and what is drawn on it"""
    bl_idname, bl_label = "toon.hints_sprite_remove", "Remove Sprite"

    def execute(self, context):
        layers = context.scene.toondecompose.hint_annotation.layers
        if 0 <= layers.active_index < len(layers):
            layers.remove(layers[layers.active_index])
        return {"FINISHED"}


class TOON_OT_hints_clear(LayerOperator, bpy.types.Operator):
    """Remove all strokes of the annotation; its layers stay"""
    bl_idname, bl_label = "toon.hints_clear", "Clear"

    def execute(self, context):
        for layer in context.scene.toondecompose.hint_annotation.layers:
            for frame in list(layer.frames):
                layer.frames.remove(frame)
        return {"FINISHED"}


_CLASSES = (TOON_OT_hints_draw, TOON_OT_hints_sprite_add, TOON_OT_hints_sprite_remove, TOON_OT_hints_clear)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
