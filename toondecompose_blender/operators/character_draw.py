# SPDX-License-Identifier: GPL-3.0-or-later
"""The button Draw Character: the rig's poses are rendered into a job's folder, and the engine draws them from the sheet.
It starts the job and leaves, like Decompose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy

from ..jobs.queue import Job
from ..jobs.spec import JobSpec, Origin
from ..properties import character_refusal, character_switches
from ..protocol import ToonError
from ..scene.character import character_meshes, render_poses
from ..scene.character_sheet import check_sheet, check_weights
from . import session
from .character import frame_size, rest_of
from .decompose import refuse_without_engine
from .reasons import ReasonedOperator, report_error

__all__ = ["register", "unregister"]

POSES_FOLDER = "poses"


class TOON_OT_character_draw(ReasonedOperator, bpy.types.Operator):
    """Draw the character of the sheet in the rig's motion; the poses are rendered first"""
    bl_idname, bl_label = "toon.character_draw", "Draw Character"

    @classmethod
    def reason(cls, context) -> str:
        return character_refusal(context)

    def execute(self, context):
        try:
            job = start(context)
        except ToonError as error:
            return report_error(self, error)
        session.current().tick()
        self.report({"INFO"}, f"{job.spec.name} is being drawn")
        return {"FINISHED"}


def start(context) -> Job:
    """A job that draws the character.  Raises `ToonError` before a pose is rendered if something is missing."""
    scene, settings = context.scene, context.scene.toondecompose.character
    refuse_without_engine()
    character_meshes(scene, settings.armature)
    sheet = bpy.path.abspath(settings.sheet)
    weights = bpy.path.abspath(settings.weights) if settings.method == "CONR" else ""
    check_sheet(sheet)
    if weights:
        check_weights(weights)
    spec = JobSpec(clip=sheet, name=settings.armature.name, sheet=sheet, method=settings.method.lower(), size=int(settings.size),
                   weights=weights, background=bpy.path.abspath(settings.background), switches=character_switches(settings),
                   device=scene.toondecompose.device.lower(), origin=Origin(bpy.data.filepath, scene.name))
    return session.current().queue.submit(spec, prepare=lambda folder: replace(spec, clip=str(_poses(context, settings, folder))))


def _poses(context, settings, folder: Path) -> Path:
    """Render the poses of the frame range, as large as the frame, into `folder`; returns their folder."""
    scene, made = context.scene, folder / POSES_FOLDER
    frames = range(settings.frame_start, settings.frame_end + 1)
    context.window_manager.progress_begin(0, len(frames))
    try:
        rendered = render_poses(scene, settings.armature, made, frames=frames, size=frame_size(scene), rest=rest_of(settings),
                                soft_edges=settings.method == "TRANSFER")
        for done, _ in enumerate(rendered, start=1):
            context.window_manager.progress_update(done)
    finally:
        context.window_manager.progress_end()
    return made


register, unregister = bpy.utils.register_classes_factory((TOON_OT_character_draw,))
