# SPDX-License-Identifier: GPL-3.0-or-later
"""The button Decompose: the frames of the active strip, or a file, become a job.
It starts the job and leaves; the session hears the engine and imports the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy

from ..jobs.environment import READY
from ..jobs.queue import Job
from ..jobs.spec import JobSpec, Origin
from ..preferences import engine_home
from ..properties import active_strip, refusal, spec_options, works_on_strip
from ..protocol import ToonError
from ..scene.versions import sequencer_scene, strip_range
from . import session
from .clips import Clip, file_clip, fill_folder, strip_clip

__all__ = ["register", "unregister"]


class TOON_OT_decompose(bpy.types.Operator):
    """Split the clip into sprites; Blender stays usable while it runs"""
    bl_idname, bl_label = "toon.decompose", "Decompose"

    @classmethod
    def poll(cls, context):
        reason = refusal(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context):
        try:
            job = start_strip(context) if works_on_strip(context) else start_file(context)
        except ToonError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        current = session.current()
        current.tick()
        if job.state.code:
            self.report({"ERROR"}, f"{job.state.message} {job.state.remedy}")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{job.spec.name} is being decomposed")
        return {"FINISHED"}


def start_strip(context) -> Job:
    """A job for what the active strip shows.  Raises `ToonError` before anything long is begun."""
    scene, strip = sequencer_scene(context), active_strip(context)
    refuse_without_engine()
    origin = Origin(bpy.data.filepath, scene.name, strip.name, strip_range(strip)[0])
    return _submit(context, strip_clip(scene, strip), scene, origin)


def start_file(context) -> Job:
    """A job for the file or folder that is chosen in the 3D View's sidebar."""
    refuse_without_engine()
    clip = file_clip(context.scene.toondecompose.filepath)
    return _submit(context, clip, context.scene, Origin(bpy.data.filepath, context.scene.name))


def refuse_without_engine() -> None:
    """Raises `EngineError` unless the engine is ready: a strip may take long to prepare."""
    home = engine_home()
    if home.status().state != READY:
        home.command([])


def _submit(context, clip: Clip, scene, origin: Origin) -> Job:
    spec = JobSpec(clip=clip.path or str(Path(clip.name).absolute()), name=clip.name, frames=clip.frames, origin=origin,
                   **spec_options(context.scene.toondecompose))
    prepare = None if clip.path else lambda folder: replace(spec, clip=fill_folder(clip, scene, folder))
    return session.current().queue.submit(spec, prepare=prepare)


register, unregister = bpy.utils.register_classes_factory((TOON_OT_decompose,))
