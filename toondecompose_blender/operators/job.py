# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons on a job: cancel, resume, import, dismiss, its log and its report.
Each is one call of the session; they make no undo step, for a job is no data of the file."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty

from ..jobs.store import LOG_FILE, log_tail
from ..protocol import ToonError
from . import session
from .reasons import report_error

__all__ = ["register", "unregister", "report_of"]


class JobOperator:
    """What all of these share: the job that they are for."""
    bl_options = {"INTERNAL"}
    job: StringProperty(name="Job", description="Its id, the name of its folder", options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context):
        if self.job not in session.current().queue.jobs:
            self.report({"WARNING"}, "This job is gone")
            return {"CANCELLED"}
        try:
            self.act(session.current())
        except ToonError as error:
            return report_error(self, error)
        session.current().tick()
        return {"FINISHED"}


class TOON_OT_cancel_job(JobOperator, bpy.types.Operator):
    """Stop the job; finished stages are kept"""
    bl_idname, bl_label = "toon.cancel_job", "Stop"

    def act(self, current):
        current.queue.cancel(self.job)


class TOON_OT_resume_job(JobOperator, bpy.types.Operator):
    """Go on with the first stage that is not finished, with the same settings"""
    bl_idname, bl_label = "toon.resume_job", "Resume"

    def act(self, current):
        current.queue.resume(self.job)


class TOON_OT_dismiss_job(JobOperator, bpy.types.Operator):
    """Show this job no more; its folder is kept"""
    bl_idname, bl_label = "toon.dismiss_job", "Dismiss"

    def act(self, current):
        current.queue.dismiss(self.job)


class TOON_OT_import_job(JobOperator, bpy.types.Operator):
    """Build a scene with the sprites of this job"""
    bl_idname, bl_label = "toon.import_job", "Import"
    bl_options = {"INTERNAL", "UNDO"}

    def act(self, current):
        current.import_job(current.queue.jobs[self.job])


class TOON_OT_open_log(bpy.types.Operator):
    """Open the log with the system's program for text"""
    bl_idname, bl_label, bl_options = "toon.open_log", "Open Log", {"INTERNAL"}
    folder: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context):
        path = Path(self.folder, LOG_FILE)
        if not path.is_file():
            self.report({"WARNING"}, "There is no log yet")
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(path))
        return {"FINISHED"}


class TOON_OT_copy_report(bpy.types.Operator):
    """Copy what is known about the engine, and the end of the log, to the clipboard"""
    bl_idname, bl_label, bl_options = "toon.copy_report", "Copy Report", {"INTERNAL"}
    folder: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context):
        status = context.window_manager.toondecompose
        context.window_manager.clipboard = report_of(status, self.folder or status.engine_folder)
        self.report({"INFO"}, "The report is on the clipboard")
        return {"FINISHED"}


def report_of(status, folder: str) -> str:
    """What helps to find out why a job failed: versions, the engine's state, the jobs in `folder` and the end of its log."""
    lines = [f"Blender {bpy.app.version_string}", f"Engine {status.engine}: {status.engine_message} {status.engine_remedy}".strip()]
    lines += [f"{finding.name}: {finding.value} ({finding.state})" for finding in status.findings]
    lines += [f"{job.name}: {job.status}, {job.stage} {job.message}" for job in status.jobs if job.folder == folder]
    return "\n".join([*lines, f"Log of {folder}:", log_tail(folder)])


_CLASSES = (TOON_OT_cancel_job, TOON_OT_resume_job, TOON_OT_dismiss_job, TOON_OT_import_job, TOON_OT_open_log, TOON_OT_copy_report)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
