# SPDX-License-Identifier: GPL-3.0-or-later
"""The button Decompose: the frames of the active strip, or a file, become a job.
It starts the job and leaves; the session hears the engine and imports the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy

from ..jobs.environment import READY
from ..jobs.queue import Job
from ..jobs.spec import JobSpec, Origin
from ..jobs.store import PREPARING
from ..preferences import engine_home
from ..properties import active_strip, refusal, spec_options, works_on_strip
from ..protocol import ToonError
from ..scene.hints import Shown
from ..scene.prerender import StripRender
from ..scene.strips import remember_cut
from ..scene.versions import sequencer_scene, strip_range
from . import session
from .clips import Clip, file_clip, fill_folder, shown_file, shown_strip, strip_clip
from .hints import are_drawn, drawn_hints
from .reasons import ReasonedOperator, report_error

__all__ = ["start_strip", "start_file", "refuse_without_engine", "register", "unregister"]


class TOON_OT_decompose(ReasonedOperator, bpy.types.Operator):
    """Split the clip into sprites; Blender stays usable while it runs"""
    bl_idname, bl_label = "toon.decompose", "Decompose"

    @classmethod
    def reason(cls, context) -> str:
        return refusal(context)

    def execute(self, context):
        try:
            job = start_strip(context) if works_on_strip(context) else start_file(context)
        except ToonError as error:
            return report_error(self, error)
        rendered = job.state.status == PREPARING
        session.current().tick()
        if job.state.code:
            self.report({"ERROR"}, f"{job.state.message} {job.state.remedy}")
            return {"CANCELLED"}
        settings = context.scene.toondecompose
        if settings.use_hints and not job.spec.hints:
            self.report({"WARNING"}, "No hints lie in the clip's frames; it is decomposed without")
        elif rendered:
            self.report({"INFO"}, f"{job.spec.name} is rendered first, then decomposed")
        else:
            self.report({"INFO"}, f"{job.spec.name} is being decomposed")
        return {"FINISHED"}


def start_strip(context, **more) -> Job:
    """A job for what the active strip shows, with `more` fields of its request.  Raises `ToonError` before anything long is begun."""
    scene, strip = sequencer_scene(context), active_strip(context)
    refuse_without_engine()
    clip = strip_clip(scene, strip)
    origin = Origin(bpy.data.filepath, scene.name, strip.name, strip_range(strip)[0])
    job = _submit(context, clip, origin, lambda: shown_strip(scene, strip, clip), scene.frame_current, **more)
    remember_cut(strip)
    if clip.rendered:
        session.current().render(job.id, StripRender(scene.name, strip.name, Path(job.spec.clip)))
    return job


def start_file(context, **more) -> Job:
    """A job for the file or folder that is chosen in the 3D View's sidebar."""
    refuse_without_engine()
    clip = file_clip(context.scene.toondecompose.filepath)
    origin = Origin(bpy.data.filepath, context.scene.name)
    return _submit(context, clip, origin, lambda: shown_file(clip), context.scene.frame_current, **more)


def refuse_without_engine() -> None:
    """Raises `EngineError` unless the engine is ready: a strip may take long to prepare."""
    home = engine_home()
    if home.status().state != READY:
        home.command([])


def _submit(context, clip: Clip, origin: Origin, shown: Callable[[], Shown], current: int, **more) -> Job:
    """Make the job's folder with links and hints; a clip that has to be rendered first is held."""
    settings = context.scene.toondecompose
    spec = JobSpec(clip=clip.path or str(Path(clip.name).absolute()), name=clip.name, frames=clip.frames, origin=origin,
                   **spec_options(settings), **more)

    def prepare(folder: Path) -> JobSpec:
        hints = spec.hints
        if are_drawn(settings):
            hints = drawn_hints(settings, shown(), folder, current=current, sprites=spec.sprites)
        return replace(spec, clip=fill_folder(clip, folder), hints=hints)

    return session.current().queue.submit(spec, prepare=prepare, hold=bool(clip.rendered))


register, unregister = bpy.utils.register_classes_factory((TOON_OT_decompose,))
