# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons for rigged characters: poses of the motion, the pose of a view, and a drawn character in a sprite's place.
They must not know how poses are rendered or how a character is drawn."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..protocol import SceneError, ToonError
from ..scene.character import RestPose, render_poses, render_view_pose
from ..scene.character_swap import replace_by_character
from .reasons import ReasonedOperator, report_error
from .selected import SpriteOperator, active_sprite, class_registration, refresh

__all__ = ["register", "unregister", "rest_of", "frame_size"]

FORMS = (("NPZ", "NPZ", "Small, as the published code reads them"), ("EXR", "EXR", "32-bit pictures, for compositing"))


def rest_of(settings) -> RestPose:
    """The A-pose that the sidebar names."""
    return RestPose(settings.rest_frame if settings.rest == "FRAME" else None)


class _RigOperator(ReasonedOperator):
    """What the operators on a rig share: the chosen armature, and a reason without one."""

    @classmethod
    def reason(cls, context) -> str:
        if context.scene.toondecompose.character.armature is None:
            return "Choose an armature"
        return "" if context.scene.camera is not None else "Add a camera"


class TOON_OT_character_poses(_RigOperator, bpy.types.Operator):
    """Render the poses of the frame range through the scene's camera, ready to be drawn"""
    bl_idname, bl_label = "toon.character_poses", "Render Poses"
    directory: StringProperty(subtype="DIR_PATH")
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})
    form: EnumProperty(name="Format", items=FORMS, description="How each frame's pose is written")

    def invoke(self, context, _event):
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        settings = context.scene.toondecompose.character
        frames = range(settings.frame_start, settings.frame_end + 1)
        manager = context.window_manager
        manager.progress_begin(0, max(1, len(frames)))
        try:
            if not self.directory:
                raise SceneError("scene.character_folder", "No folder is chosen.", "Choose a folder for the poses.")
            if not frames:
                raise SceneError("scene.character_frames", "The last frame lies before the first.", "Choose another range of frames.")
            for done, _ in enumerate(render_poses(context.scene, settings.armature, Path(bpy.path.abspath(self.directory)), frames=frames,
                                                  size=frame_size(context.scene), rest=rest_of(settings),
                                                  soft_edges=settings.method == "TRANSFER",
                                                  suffix=f".{self.form.lower()}"), start=1):
                manager.progress_update(done)
        except (ToonError, OSError) as error:
            return report_error(self, error)
        finally:
            manager.progress_end()
        self.report({"INFO"}, f"{len(frames)} poses were rendered")
        return {"FINISHED"}


class TOON_OT_character_view_pose(_RigOperator, bpy.types.Operator):
    """Render the pose that belongs to a view of the sheet, through the scene's camera, beside the view"""
    bl_idname, bl_label = "toon.character_view_pose", "Pose of a View"
    filepath: StringProperty(subtype="FILE_PATH")
    filter_image: BoolProperty(default=True, options={"HIDDEN"})
    at_rest: BoolProperty(name="At Rest", default=True, description="The view shows the A-pose; else the current frame's pose")

    def invoke(self, context, _event):
        self.filepath = context.scene.toondecompose.character.sheet
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        settings, view = context.scene.toondecompose.character, Path(bpy.path.abspath(self.filepath))
        try:
            written = render_view_pose(context.scene, settings.armature, view.with_suffix(".npz"), size=_picture_size(view),
                                       at_rest=self.at_rest, rest=rest_of(settings))
        except (ToonError, OSError) as error:
            return report_error(self, error)
        self.report({"INFO"}, f"{written.name} holds the pose of {view.name}")
        return {"FINISHED"}


class TOON_OT_character_replace(SpriteOperator, bpy.types.Operator):
    """Put a drawn character in the place of the active sprite: same order, motion and timing"""
    bl_idname, bl_label = "toon.character_replace", "Replace by Character"
    directory: StringProperty(subtype="DIR_PATH")
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def reason(cls, context) -> str:
        return "" if active_sprite(context) is not None else "Select a sprite"

    def invoke(self, context, _event):
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        try:
            new = replace_by_character(context.scene, active_sprite(context), bpy.path.abspath(self.directory))
        except ToonError as error:
            return report_error(self, error)
        context.view_layer.objects.active = new
        new.select_set(True)
        refresh(context)
        return {"FINISHED"}


def frame_size(scene) -> tuple[int, int]:
    """The render's size in px, so that drawings fit the frame."""
    share = scene.render.resolution_percentage / 100
    return max(1, int(scene.render.resolution_x * share)), max(1, int(scene.render.resolution_y * share))


def _picture_size(path: Path) -> tuple[int, int]:
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError:
        raise SceneError("scene.picture", f"{path} cannot be read.", "Choose a view that Blender can open.") from None
    size = tuple(image.size)
    bpy.data.images.remove(image)
    if 0 in size:
        raise SceneError("scene.picture", f"{path} cannot be read.", "Choose a view that Blender can open.")
    return size


register, unregister = class_registration(TOON_OT_character_poses, TOON_OT_character_view_pose, TOON_OT_character_replace)
