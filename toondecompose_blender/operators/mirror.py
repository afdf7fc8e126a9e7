# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what jobs and the engine do into the WindowManager's status, where the panels read it, and has them redrawn.
Only writes on change; it must not start or stop anything."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from ..jobs.environment import EngineHome
from ..jobs.queue import UNMADE, Job
from ..jobs.store import IMPORTED, PREPARING, RUNNING, STOPPED, WAITING, JobStore
from ..previews import icon_of

__all__ = ["mirror_jobs", "mirror_engine", "mirror_store", "duration"]

SILENCE_SECONDS = 30        # without a word from the engine, then the bar says so
AREAS = {"SEQUENCE_EDITOR", "VIEW_3D", "PREFERENCES"}
PREVIEW = "contact_sheet"

_shown: tuple = ()


def duration(seconds: float) -> str:
    """Seconds as an artist reads them: 0:45, 12:03, 1:02:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def mirror_jobs(jobs: Iterable[Job], *, afresh: bool = False) -> None:
    """Show the jobs that are not imported yet; `afresh` after a file was loaded, which empties the status."""
    global _shown
    rows = tuple(_row(job) for job in jobs if job.state.status != IMPORTED)
    if rows == _shown and not afresh:
        return
    _shown = rows
    status = bpy.context.window_manager.toondecompose
    status.jobs.clear()
    for row in rows:
        item = status.jobs.add()
        for name, value in row:
            setattr(item, name, value)
    redraw()


def _row(job: Job) -> tuple[tuple[str, object], ...]:
    """Names and values of a job's status."""
    state = job.state
    stage = f"{state.stage}, {state.stage_number} of {state.stage_count}" if state.stage else ""
    stage = "Rendering the strip" if state.status == PREPARING else stage
    note = job.warnings[-1] if job.warnings and state.status in (RUNNING, STOPPED) else None
    return (("name", job.id), ("clip", job.spec.name), ("strip", job.spec.origin.strip), ("folder", str(job.folder)),
            ("status", state.status), ("stage", stage), ("fraction", round(job.fraction, 3)), ("text", _text(job)),
            ("message", state.message or (note.message if note else "")), ("remedy", state.remedy or (note.remedy if note else "")),
            ("preview", _preview(job)), ("can_resume", state.code != UNMADE),
            ("submitted", job.spec.is_handed_over))


def _text(job: Job) -> str:
    """What stands on the bar."""
    if job.state.status == WAITING:
        return "Waiting"
    if job.state.status == PREPARING:
        return f"{job.progress.done} of {job.progress.total} frames" if job.progress else "Starting"
    if job.supervisor is None:
        return ""
    if job.supervisor.cancelling:
        return "Stopping"
    if job.supervisor.silent_seconds > SILENCE_SECONDS:
        return f"No word for {duration(job.supervisor.silent_seconds)}"
    if job.progress is None:
        return "Starting"
    left = job.progress.seconds_left
    return f"{job.fraction:.0%}" + (f" \N{EN DASH} {duration(left)} left" if left is not None else "")


def _preview(job: Job) -> int:
    """Icon of the newest contact sheet, 0 without one."""
    path = job.artifacts.get(PREVIEW) or job.folder / "contact_sheet.png"
    try:
        return icon_of(path, path.stat().st_mtime_ns)
    except OSError:
        return 0


def mirror_store(store: JobStore) -> None:
    """Show what all jobs take on the disk."""
    bpy.context.window_manager.toondecompose.jobs_size = f"{store.used_bytes() / 1e9:.1f} GB in {len(store.find())} jobs"


def mirror_engine(home: EngineHome, session, build, card: str, free: int) -> None:
    """Show the engine's state, its report, and what an installation would take or does."""
    status, shown = home.status(), bpy.context.window_manager.toondecompose
    error = session.install_error
    shown.engine = status.state
    shown.engine_message, shown.engine_remedy = (error.message, error.remedy) if error else (status.message, status.remedy)
    shown.engine_folder = str(home.root)
    record = home.record()
    shown.engine_size = f"{record.size / 1e9:.1f} GB" if record and record.size else "Not known"
    shown.findings.clear()
    for finding in status.findings:
        row = shown.findings.add()
        row.name, row.value, row.state = finding.name, finding.value, finding.state
    shown.build = build.label + (f", found {card}" if card else "")
    shown.engine_space = f"{build.download / 1000:.1f} GB to download, {build.disk / 1000:.1f} GB on disk, {free / 1e9:.0f} GB free"
    shown.engine_enough_space = free >= build.disk << 20
    _mirror_installation(shown, session)
    redraw()


def _mirror_installation(shown, session) -> None:
    progress = session.install_progress
    shown.installing = session.installer is not None
    if progress is None:
        shown.install_stage, shown.install_fraction, shown.install_text = "", 0.0, "Starting"
        return
    share = progress.done / max(1, progress.total)
    shown.install_stage = f"{progress.stage}, {progress.stage_number} of {progress.stage_count}"
    shown.install_fraction = share if progress.total > 1 else (progress.stage_number - 1) / progress.stage_count
    left = f" \N{EN DASH} {duration(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    amount = f"{progress.done / 1000:.1f} of {progress.total / 1000:.1f} GB" if progress.total > 1 else progress.stage
    shown.install_text = amount + left


def redraw() -> None:
    """Have the editors that show status drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in AREAS:
                area.tag_redraw()
