# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of this Blender: one queue and one installation, heard by a persistent timer, mirrored into the WindowManager.
No bpy reference outlives a tick; the timer's work is an ordinary call, because timers do not fire in the bpy module."""

from __future__ import annotations

import atexit
import traceback
from dataclasses import replace
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from ..jobs.environment import BUILDS, child_environment, free_bytes, recommended_build
from ..jobs.queue import Job, JobQueue
from ..jobs.spec import JOB_FILE, write_record
from ..jobs.store import FAILED, IMPORTED, READY, JobState, folder_error
from ..jobs.supervisor import Supervisor, is_last
from ..preferences import engine_home, job_store, preferences
from ..protocol import Done, Progress, SceneError, ToonError
from ..scene import versions
from ..scene.importing import Imported, import_result
from ..scene.prerender import StripRender
from ..scene.sprites import JOB_ID
from .mirror import mirror_engine, mirror_jobs, mirror_store

__all__ = ["Session", "current", "refresh_engine", "register", "unregister"]

BUSY_INTERVAL, IDLE_INTERVAL = 0.1, 1.0     # seconds between two ticks
POLL_SECONDS = 0.002                        # of each tick, at most, for hearing: with the mirror a tick stays below 5 ms
RENDER_SECONDS = 0.1                        # of each tick for a strip that is rendered first: about half of Blender's time
UNINSTALL_SECONDS = 20.0                    # that a cancelled installation may take to delete thousands of files
LINGERING = {"RENDER_OT_render"}            # a render that is done keeps its operator until the next event comes
STRIP_JOB = JOB_ID                          # custom property of a strip, as of a collection: the id of the imported job

_session: Session | None = None


class Session:
    """What this Blender runs.  Ask `current()` for it."""

    def __init__(self):
        self.queue = self._new_queue()
        self.installer: Supervisor | None = None
        self.install_progress: Progress | None = None
        self.install_error: ToonError | None = None
        self.document = bpy.data.filepath
        self.renders: dict[str, StripRender] = {}   # by the id of the job whose clip is being made
        self.finished: set[str] = set()     # ids of jobs that became ready in this session and wait for a safe moment

    def _new_queue(self) -> JobQueue:
        return JobQueue(job_store(), lambda arguments: engine_home().command(arguments), env=lambda: child_environment(engine_home().root))

    @property
    def busy(self) -> bool:
        return self.queue.busy or self.installer is not None

    def tick(self) -> float:
        """Hear, import what is ready if it is safe, mirror; returns the seconds until the next tick."""
        for job, message in self.queue.tick(POLL_SECONDS):
            if isinstance(message, Done):
                self.finished.add(job.id)
            if is_last(message):
                mirror_store(self.queue.store)
        self._hear_installer()
        self._render_strips()
        self._import_finished()
        mirror_jobs(self.queue.jobs.values())
        return BUSY_INTERVAL if self.busy or self.finished else IDLE_INTERVAL

    # Jobs

    def use_folders(self) -> None:
        """The folders were chosen anew in the preferences."""
        if not self.queue.busy and self.queue.store.root != job_store().root:
            self.queue = self._new_queue()

    def render(self, job_id: str, render: StripRender) -> None:
        """Let a held job wait for its clip, which is rendered a few frames a tick."""
        self.renders[job_id] = render
        self.queue.jobs[job_id].progress = _rendered(render)

    def _render_strips(self) -> None:
        """Go on with the first strip that is rendered; not while Blender itself renders or plays."""
        for job_id in [job_id for job_id in self.renders if job_id not in self.queue.jobs]:
            del self.renders[job_id]        # cancelled
        if not self.renders or is_moving():
            return
        job_id, render = next(iter(self.renders.items()))
        try:
            finished = render.step(RENDER_SECONDS)
            self.queue.jobs[job_id].progress = None if finished else _rendered(render)
            if finished:
                self.queue.release(job_id)
        except ToonError as error:
            finished = True
            self.queue.fail(job_id, error)
        if finished:
            del self.renders[job_id]

    def import_job(self, job: Job) -> Imported:
        """Build the scene of a ready job, tell its strip, and make one undo step.  Raises `ResultError`."""
        spec = job.spec
        imported = import_result(job.folder, bake=spec.motion, blending=spec.blending, name=f"{Path(spec.name).stem} Sprites")
        strip = find_strip(spec.origin.scene, spec.origin.strip)
        if strip is not None:
            strip[STRIP_JOB] = job.id
        self.finished.discard(job.id)
        self.queue.mark(job.id, JobState(IMPORTED))
        self.queue.dismiss(job.id)
        return imported

    def _import_finished(self) -> None:
        """Import by itself what was finished in the open file; what cannot be imported now keeps its Import button."""
        for job_id in sorted(self.finished):
            job = self.queue.jobs.get(job_id)
            if job is None or job.state.status != READY or job.spec.origin.blend != self.document or job.spec.is_handed_over:
                self.finished.discard(job_id)
            elif is_safe():
                self._import_safely(job)

    def _import_safely(self, job: Job) -> None:
        """Import, or let the job say why not; whatever goes wrong, the timer must live on for the other jobs."""
        try:
            self.import_job(job)
            push_undo("Import Sprites")
        except Exception as error:
            self.finished.discard(job.id)
            if not isinstance(error, ToonError):
                traceback.print_exc()
                error = SceneError("scene.import", f"The sprites could not be imported: {error}", "Send the report from Copy Report.")
            self.queue.mark(job.id, JobState(FAILED, code=error.code, message=error.message, remedy=error.remedy))

    def file_opened(self) -> None:
        """Another file: show its own unfinished jobs; those of other files that still run go on."""
        self.document = bpy.data.filepath
        for job in [job for job in self.queue.jobs.values() if not job.running and job.spec.origin.blend != self.document]:
            self.queue.dismiss(job.id)
        for folder, _, state in self.queue.store.find_by_origin(self.document):
            if state.status != IMPORTED and folder.name not in self.queue.jobs:
                self.queue.show(folder)
        mirror_jobs(self.queue.jobs.values(), afresh=True)
        mirror_store(self.queue.store)
        refresh_engine()

    def file_saved(self) -> None:
        """The file has a name, perhaps a new one: its jobs must be found under it."""
        if bpy.data.filepath == self.document:
            return
        for job in self.queue.jobs.values():
            if job.spec.origin.blend == self.document:
                job.spec = replace(job.spec, origin=replace(job.spec.origin, blend=bpy.data.filepath))
                try:
                    write_record(job.folder / JOB_FILE, job.spec)
                except OSError:
                    continue        # the job itself goes on; only its way back to the file is lost
        self.document = bpy.data.filepath

    # The engine's installation

    def install(self, action: str, arguments: list[str]) -> None:
        """Start the installer.  Raises `EngineError`."""
        home = engine_home()
        try:
            home.root.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise folder_error(home.root, cause) from cause
        self.install_progress = self.install_error = None
        self.installer = Supervisor(home.install_command(action, arguments), home.root, env=child_environment(home.root),
                                    patience=UNINSTALL_SECONDS)
        refresh_engine()

    def _hear_installer(self) -> None:
        if self.installer is None:
            return
        for message in self.installer.poll(POLL_SECONDS):
            if isinstance(message, Progress):
                self.install_progress = message
            elif is_last(message):
                self.installer = None
                code = getattr(message, "code", "")
                self.install_error = ToonError(code, message.message, message.remedy) if code else None
            refresh_engine()

    def close(self) -> None:
        """Blender leaves, or the add-on goes: nothing may stay behind."""
        self.queue.close()
        if self.installer is not None:
            self.installer.close()
            self.installer = None


def current() -> Session:
    """The session of this Blender, made on first use."""
    global _session
    if _session is None:
        _session = Session()
    return _session


def find_strip(scene_name: str, strip_name: str):
    """The strip of that name, or None."""
    scene = bpy.data.scenes.get(scene_name)
    editor = scene.sequence_editor if scene else None
    return versions.strips_of(editor).get(strip_name) if editor else None


def _rendered(render: StripRender) -> Progress:
    return Progress("Strip", 1, 1, render.done, render.total)


def is_moving() -> bool:
    """True while Blender renders or plays."""
    return bpy.app.is_job_running("RENDER") or any(w.screen.is_animation_playing for w in bpy.context.window_manager.windows)


def is_safe() -> bool:
    """True when data may be added: no render, no playback, no editing mode, no running operator."""
    if is_moving():
        return False
    for window in bpy.context.window_manager.windows:
        if any(operator.bl_idname not in LINGERING for operator in window.modal_operators):
            return False
        active = window.view_layer.objects.active
        if active is not None and active.mode != "OBJECT":
            return False
    return True


def push_undo(message: str) -> None:
    """One undo step for what a timer did; without a window (in background) there is no undo."""
    windows = bpy.context.window_manager.windows
    if windows and not bpy.app.background:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.ed.undo_push(message=message)


def refresh_engine() -> None:
    """Let the panels see the engine's state anew."""
    session, home, chosen = current(), engine_home(), preferences()
    session.use_folders()
    build = recommended_build()
    named = next((b for b in BUILDS if chosen and b.id == chosen.build), build[0])
    mirror_engine(home, session, named, build[1], free_bytes(home.root))


def _tick() -> float:
    """The timer.  Blender drops one that raises, and all jobs would stand still: so an error is told, and the next tick comes."""
    try:
        return current().tick()
    except Exception:
        traceback.print_exc()
        return IDLE_INTERVAL


@persistent
def _file_opened(*_) -> None:
    current().file_opened()


@persistent
def _file_saved(*_) -> None:
    current().file_saved()


def _close() -> None:
    global _session
    if _session is not None:
        _session.close()
        _session = None


def _first_look() -> None:
    """What register() may not do yet: at start there is no window manager to write to."""
    current().file_opened()


def register() -> None:
    bpy.app.handlers.load_post.append(_file_opened)
    bpy.app.handlers.save_post.append(_file_saved)
    bpy.app.timers.register(_first_look, first_interval=0.0, persistent=True)   # else 4.2 and 4.5 crash when they leave
    bpy.app.timers.register(_tick, first_interval=IDLE_INTERVAL, persistent=True)
    atexit.register(_close)


def unregister() -> None:
    for timer in (_tick, _first_look):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    bpy.app.handlers.load_post.remove(_file_opened)
    bpy.app.handlers.save_post.remove(_file_saved)
    atexit.unregister(_close)
    _close()
