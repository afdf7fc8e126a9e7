# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons for drawings: repaint one, open their folder, find them again.
They must not know how files become pictures."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.app.handlers import persistent
from bpy.props import StringProperty

from ..protocol import ToonError
from ..scene import drawings, packing, repainting, retiming
from ..scene.sprites import sprites_of
from .reasons import report_error
from .selected import (
    ActiveSpriteOperator,
    SceneSpritesOperator,
    SpriteOperator,
    active_sprite,
    class_registration,
    refresh,
    selected_sprites,
)

__all__ = ["register", "unregister"]


class TOON_OT_drawing_replace(ActiveSpriteOperator, bpy.types.Operator):
    """Show a repainted file wherever the drawing at the playhead is exposed"""
    bl_idname, bl_label = "toon.drawing_replace", "Replace Drawing"
    filepath: StringProperty(subtype="FILE_PATH")
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def reason(cls, context) -> str:
        reason = super().reason(context)
        if not reason and drawings.is_packed(active_sprite(context)):
            reason = "Unpack the drawings first"
        return reason or ("" if _drawing(context) else "The sprite is hidden in this frame")

    def invoke(self, context, _event):
        self.filepath = str(drawings.drawing_path(active_sprite(context), _drawing(context)))
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        try:
            repainting.replace_drawing(active_sprite(context), _drawing(context), Path(bpy.path.abspath(self.filepath)))
        except ToonError as error:
            return report_error(self, error)
        refresh(context)
        return {"FINISHED"}


class TOON_OT_drawings_open(ActiveSpriteOperator, bpy.types.Operator):
    """Open the folder of the sprite's drawings"""
    bl_idname, bl_label = "toon.drawings_open", "Open Folder"
    bl_options = {"REGISTER"}

    def execute(self, context):
        bpy.ops.wm.path_open(filepath=str(drawings.drawing_path(active_sprite(context), 1).parent))
        return {"FINISHED"}


class TOON_OT_relink(SceneSpritesOperator, bpy.types.Operator):
    """Choose the folder in which the result of these sprites is now"""
    bl_idname, bl_label = "toon.relink", "Relink Result"
    directory: StringProperty(subtype="DIR_PATH")
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context, _event):
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        try:
            drawings.relink(sprites_of(context.scene), Path(bpy.path.abspath(self.directory)))
        except ToonError as error:
            return report_error(self, error)
        note_lost_files()
        refresh(context)
        return {"FINISHED"}


class TOON_OT_reload(SpriteOperator, bpy.types.Operator):
    """Read the drawings of the selected sprites from disk again"""
    bl_idname, bl_label = "toon.reload", "Reload Result"
    bl_options = {"REGISTER"}

    def execute(self, context):
        for sprite_object in selected_sprites(context):
            drawings.reload(sprite_object)
        note_lost_files()
        refresh(context)
        return {"FINISHED"}


class TOON_OT_pack(SceneSpritesOperator, bpy.types.Operator):
    """Keep the drawings of all sprites of this scene inside the .blend file; Blender itself cannot pack image sequences"""
    bl_idname, bl_label = "toon.pack", "Pack Drawings"

    @classmethod
    def reason(cls, context) -> str:
        reason = super().reason(context)
        if not reason and all(map(drawings.is_packed, sprites_of(context.scene))):
            return "All drawings are packed"
        return reason

    def execute(self, context):
        manager = context.window_manager
        manager.progress_begin(0, 100)
        try:
            packing.pack(sprites_of(context.scene), packed=lambda done, total: manager.progress_update(100 * done // total))
        except ToonError as error:
            return report_error(self, error)
        finally:
            manager.progress_end()
        note_lost_files()
        return {"FINISHED"}


class TOON_OT_unpack(SceneSpritesOperator, bpy.types.Operator):
    """Show the drawings' files again, which can be repainted; lost ones are written beside the .blend file"""
    bl_idname, bl_label = "toon.unpack", "Unpack Drawings"

    @classmethod
    def reason(cls, context) -> str:
        reason = super().reason(context)
        if not reason and not any(map(drawings.is_packed, sprites_of(context.scene))):
            return "No drawing is packed"
        return reason

    def execute(self, context):
        try:
            folders = packing.unpack(sprites_of(context.scene))
        except ToonError as error:
            return report_error(self, error)
        if folders:
            self.report({"INFO"}, f"Lost drawings are now in {folders[0].parent}")
        refresh(context)
        return {"FINISHED"}


@persistent
def note_lost_files(*_) -> None:
    """Tell which sprites of the open file miss pictures: called whenever a file was opened."""
    lost = {}
    for scene in bpy.data.scenes:
        for sprite_object in sprites_of(scene):
            paths = drawings.lost_files(sprite_object)
            if paths:
                lost[sprite_object.name] = f"{sprite_object.name} misses {len(paths)} files, first {paths[0].name} in {paths[0].parent}"
    bpy.context.window_manager.toondecompose.lost = "\n".join(lost.values())


def _drawing(context) -> int:
    sprite_object = active_sprite(context)
    return drawings.drawing_shown(sprite_object, retiming.shown_frame(sprite_object, context.scene.frame_current))


_register_classes, _unregister_classes = class_registration(TOON_OT_drawing_replace, TOON_OT_drawings_open, TOON_OT_relink, TOON_OT_reload,
                                                            TOON_OT_pack, TOON_OT_unpack)


def register() -> None:
    _register_classes()
    bpy.app.handlers.load_post.append(note_lost_files)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(note_lost_files)
    _unregister_classes()
