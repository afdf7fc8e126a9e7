# SPDX-License-Identifier: GPL-3.0-or-later
"""Buttons on the engine's installation and on the jobs' folder.
Each starts, stops or asks the session's installer; none waits for it."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..jobs.spec import read_spec
from ..preferences import install_reason, preferences
from ..protocol import ToonError
from ..scene.sprites import JOB_ID
from . import session
from .mirror import mirror_store
from .reasons import ReasonedOperator, report_error

__all__ = ["register", "unregister"]


class EngineOperator(ReasonedOperator):
    """What all of these share: one action of the installer, refused while another runs."""
    bl_options = {"INTERNAL"}
    action = ""

    @classmethod
    def reason(cls, context) -> str:
        return "" if session.current().installer is None else "The engine is being installed or checked"

    def arguments(self) -> list[str]:
        return []

    def execute(self, context):
        try:
            session.current().install(self.action, self.arguments())
        except ToonError as error:
            return report_error(self, error)
        return {"FINISHED"}


class TOON_OT_engine_install(EngineOperator, bpy.types.Operator):
    """Install the engine into its own folder, check it, and use it"""
    bl_idname, bl_label = "toon.engine_install", "Install"

    @classmethod
    def reason(cls, context) -> str:
        chosen = preferences()
        return install_reason(context.window_manager.toondecompose, chosen) if chosen else "The extension is not enabled"

    @property
    def action(self):
        return "adopt" if preferences().source == "PYTHON" else "install"

    def arguments(self):
        chosen = preferences()
        if chosen.source == "PYTHON":
            return ["--python", bpy.path.abspath(chosen.python)]
        wheels = ["--wheels", bpy.path.abspath(chosen.wheels)] if chosen.source == "WHEELS" else []
        return ["--build", chosen.build, *wheels]


class TOON_OT_engine_repair(TOON_OT_engine_install):
    """Install the engine anew beside the old one, check it, then remove the old one"""
    bl_idname, bl_label = "toon.engine_repair", "Repair"


class TOON_OT_engine_check(EngineOperator, bpy.types.Operator):
    """Start the engine and ask what it has, what it runs on, and what is wrong"""
    bl_idname, bl_label, action = "toon.engine_check", "Check Again", "check"


class TOON_OT_engine_remove(EngineOperator, bpy.types.Operator):
    """Delete what was installed; an existing Python that you chose is kept"""
    bl_idname, bl_label, action = "toon.engine_remove", "Remove", "remove"

    def invoke(self, context, event):
        return context.window_manager.invoke_confirm(self, event)


class TOON_OT_engine_cancel(bpy.types.Operator):
    """Stop the installation; nothing of it stays, an engine that was there is kept"""
    bl_idname, bl_label, bl_options = "toon.engine_cancel", "Stop Installing", {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        return session.current().installer is not None

    def execute(self, context):
        session.current().installer.cancel()
        return {"FINISHED"}


class TOON_OT_engine_setup(bpy.types.Operator):
    """Show the engine in the preferences"""
    bl_idname, bl_label, bl_options = "toon.engine_setup", "Set Up Engine...", {"INTERNAL"}

    def execute(self, context):
        package = __package__.rpartition(".")[0]
        if preferences() is None:
            self.report({"WARNING"}, "The extension is not enabled in the preferences")
            return {"CANCELLED"}
        bpy.ops.preferences.addon_show(module=package)
        return {"FINISHED"}


class TOON_OT_cache_clear(bpy.types.Operator):
    """Delete the jobs whose .blend file is gone; sprites of files that exist are kept"""
    bl_idname, bl_label, bl_options = "toon.cache_clear", "Clear Unused", {"INTERNAL"}

    def invoke(self, context, event):
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context):
        store, shown = session.current().queue.store, set(session.current().queue.jobs)
        used = {collection.get(JOB_ID) for collection in bpy.data.collections}
        removed = 0
        for folder in store.find():
            if folder.name in shown or folder.name in used or has_file(folder):
                continue
            try:
                store.remove(folder)
                removed += 1
            except ToonError:
                continue        # another Blender works on it
        mirror_store(store)
        self.report({"INFO"}, f"{removed} jobs were deleted")
        return {"FINISHED"}


def has_file(folder: Path) -> bool:
    """True if the .blend that a job was started from exists: its sprites' pictures lie in the job's folder."""
    try:
        return Path(read_spec(folder).origin.blend).is_file()
    except ToonError:
        return False


_CLASSES = (TOON_OT_engine_install, TOON_OT_engine_repair, TOON_OT_engine_check, TOON_OT_engine_remove, TOON_OT_engine_cancel,
            TOON_OT_engine_setup, TOON_OT_cache_clear)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
