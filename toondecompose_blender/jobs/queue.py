# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of one session: one runs, the others wait; each ends as stopped, failed or ready, and its folder says so.
Must not know bpy: Blender's timer, the command line and the tests call `tick` alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..protocol import Artifact, Cancelled, ClipError, Done, Failed, Message, Progress, ToonError, Warned
from .spec import JOB_FILE, JobSpec, engine_arguments, read_spec, write_record
from .store import FAILED, PREPARING, READY, RUNNING, STOPPED, WAITING, JobState, JobStore, Lock, folder_error
from .supervisor import Supervisor

__all__ = ["Job", "JobQueue", "UNMADE"]

UNMADE = "clip.render"      # the code of a job that cannot be resumed: it has no whole clip


@dataclass
class Job:
    """A job as this session knows it; `state` is what its folder says, the rest comes from its engine's words."""
    id: str
    folder: Path
    spec: JobSpec
    state: JobState
    progress: Progress | None = None
    device: str = ""
    artifacts: dict[str, Path] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)
    supervisor: Supervisor | None = None
    held: Lock | None = None

    @property
    def running(self) -> bool:
        return self.supervisor is not None

    @property
    def fraction(self) -> float:
        """How far the whole job is, 0..1, by its stages."""
        p = self.progress
        return 0.0 if p is None else max(0.0, min(1.0, (p.stage_number - 1 + p.done / max(1, p.total)) / max(1, p.stage_count)))


class JobQueue:
    """Jobs by id, oldest first.  `command` turns the engine's arguments into an argument list and raises `EngineError`."""

    def __init__(self, store: JobStore, command: Callable[[list[str]], list[str]], *, env: Callable[[], dict[str, str]] | None = None):
        self.store, self.jobs = store, {}
        self._command, self._env = command, env

    def submit(self, spec: JobSpec, *, prepare: Callable[[Path], JobSpec] | None = None, hold: bool = False) -> Job:
        """Add a new job; it starts with the next tick if none runs.  Raises `EngineError` if its folder cannot be made.

        `prepare` may put more into the new folder, and returns the request to keep; if it raises, the folder goes.  With `hold`
        the job keeps its place but does not start before `release`: its clip is still being made.
        """
        folder = self.store.create(spec)
        if prepare is not None:
            try:
                spec = prepare(folder)
                write_record(folder / JOB_FILE, spec)
            except BaseException as cause:
                shutil.rmtree(folder, ignore_errors=True)
                if isinstance(cause, OSError):
                    raise folder_error(folder, cause) from cause
                raise
        job = self.jobs[folder.name] = Job(folder.name, folder, spec, JobState(WAITING))
        if hold:
            job.held = self.store.lock(folder)
            self._set(job, JobState(PREPARING))
        return job

    def release(self, job_id: str) -> None:
        """The clip of a held job is made: it waits for its turn."""
        job = self.jobs[job_id]
        self._let_go(job)
        self._set(job, JobState(WAITING))

    def fail(self, job_id: str, error: ToonError) -> None:
        """The clip of a held job cannot be made; the job is kept to say so."""
        job = self.jobs[job_id]
        self._let_go(job)
        self._set(job, JobState(FAILED, code=error.code, message=error.message, remedy=error.remedy))

    def drop(self, job_id: str) -> None:
        """Forget a held job and delete its folder: half a clip is worth nothing."""
        job = self.jobs.pop(job_id)
        self._let_go(job)
        shutil.rmtree(job.folder, ignore_errors=True)

    def show(self, folder: Path) -> Job:
        """Know a job that an earlier session left, without starting it.  Raises `SettingsError` for a damaged one."""
        job = self.jobs.get(folder.name) or Job(folder.name, folder, read_spec(folder), self.store.state(folder))
        return self.jobs.setdefault(folder.name, job)

    def resume(self, job_id: str) -> Job:
        """Let a stopped or failed job wait for its turn again; finished stages are not repeated.

        Raises `ClipError` (clip.render) for a job whose clip could not be made.
        """
        job = self.jobs[job_id]
        if job.state.code == UNMADE:
            raise ClipError(UNMADE, job.state.message, job.state.remedy)
        if not job.running:
            job.warnings.clear()
            self._set(job, JobState(WAITING, job.state.stage, job.state.stage_number, job.state.stage_count))
        return job

    def cancel(self, job_id: str) -> None:
        """Stop a running job, take a waiting one out of the queue, or drop a held one."""
        job = self.jobs[job_id]
        if job.held is not None:
            self.drop(job_id)
        elif job.supervisor is not None:
            job.supervisor.cancel()
        elif job.state.status == WAITING:
            self._set(job, JobState(STOPPED, job.state.stage, job.state.stage_number, job.state.stage_count))

    def dismiss(self, job_id: str) -> None:
        """Show a finished job no more; its folder stays."""
        if not self.jobs[job_id].running and self.jobs[job_id].held is None:
            del self.jobs[job_id]

    def mark(self, job_id: str, state: JobState) -> None:
        """Note what became of a result, for instance that it was imported."""
        self._set(self.jobs[job_id], state)

    @property
    def busy(self) -> bool:
        """True while a job runs, waits or is held."""
        return any(job.running or job.state.status in (WAITING, PREPARING) for job in self.jobs.values())

    def tick(self, seconds: float = 0.005) -> list[tuple[Job, Message]]:
        """Hear the running engine for about `seconds`, start the next job when none runs; the messages with their jobs."""
        heard = []
        for job in [job for job in self.jobs.values() if job.supervisor is not None]:
            heard += [(job, message) for message in job.supervisor.poll(seconds)]
        for job, message in heard:
            self._note(job, message)
        if not any(job.running for job in self.jobs.values()):
            waiting = next((job for job in self.jobs.values() if job.state.status == WAITING), None)
            failure = waiting and self._start(waiting)
            if failure:
                heard.append((waiting, failure))
        return heard

    def close(self) -> None:
        """The session ends: stop the engine within a second; what waits or ran is stopped and can be resumed later."""
        for job in list(self.jobs.values()):
            if job.held is not None:
                self.drop(job.id)
            elif job.supervisor is not None:
                job.supervisor.close()
                job.supervisor = None
                self._set(job, JobState(STOPPED, job.state.stage, job.state.stage_number, job.state.stage_count))

    def _start(self, job: Job) -> Failed | None:
        lock = None
        try:
            command = self._command(engine_arguments(job.spec, job.folder))
            lock = self.store.lock(job.folder)
            job.supervisor = Supervisor(command, job.folder, lock=lock, env=self._env() if self._env else None)
        except ToonError as error:
            if lock is not None:
                lock.release()
            failure = Failed(error.code, error.message, error.remedy)
            self._set(job, JobState(FAILED, code=error.code, message=error.message, remedy=error.remedy))
            return failure
        self._set(job, JobState(RUNNING))
        return None

    def _note(self, job: Job, message: Message) -> None:
        """What a message changes about its job."""
        stage = (job.state.stage, job.state.stage_number, job.state.stage_count)
        if isinstance(message, Progress):
            job.progress = message
            if message.stage != job.state.stage:
                self._set(job, JobState(RUNNING, message.stage, message.stage_number, message.stage_count))
        elif isinstance(message, Artifact):
            job.artifacts[message.kind] = job.folder / message.path
        elif isinstance(message, Warned):
            job.warnings.append(message)
        elif isinstance(message, Done | Failed | Cancelled):
            job.supervisor = None
            if isinstance(message, Done):
                self._set(job, JobState(READY, *stage))
            elif isinstance(message, Cancelled):
                self._set(job, JobState(STOPPED, *stage))
            else:
                self._set(job, JobState(FAILED, *stage, message.code, message.message, message.remedy))

    def _let_go(self, job: Job) -> None:
        if job.held is not None:
            job.held.release()
            job.held = None

    def _set(self, job: Job, state: JobState) -> None:
        """Remember a state, also in the folder; a full disk must not hide how a job ended."""
        job.state = state
        try:
            self.store.write_state(job.folder, state)
        except ToonError as error:
            job.warnings.append(Warned(error.code, error.message, error.remedy))
