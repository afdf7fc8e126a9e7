# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: where the engine and the jobs live, and how the engine gets there.
draw() only reads status; installing is the operators' work."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from .jobs.environment import BUILDS, EngineHome, cache_folder, data_folder
from .jobs.store import JobStore
from .ui_rows import button_row, value_row

__all__ = ["Preferences", "preferences", "engine_home", "job_store", "register", "unregister"]

SOURCES = [("INTERNET", "Internet", "Download the packages from Python's and PyTorch's package indexes"),
           ("WHEELS", "Folder of Wheels", "Install the packages from files, without a connection"),
           ("PYTHON", "Existing Python", "Use an interpreter that has the packages already; it is not changed")]
CHOICES = [("auto", "Automatic", "The build that suits this machine's graphics card"),
           *((build.id, build.label, f"PyTorch for {build.label}") for build in BUILDS)]


def _moved(self, _context) -> None:
    """A path was chosen: show it absolute, and let the status follow."""
    from .operators import session
    session.refresh_engine()


class Preferences(bpy.types.AddonPreferences):
    """Blender shows this under Add-ons, Toon Decompose."""
    bl_idname = __package__

    source: EnumProperty(name="Install From", items=SOURCES, description="Where the engine's packages come from")
    build: EnumProperty(name="Build", items=CHOICES, description="Which PyTorch to install", update=_moved)
    wheels: StringProperty(name="Wheels", subtype="DIR_PATH", description="Folder with the wheels of all packages")
    python: StringProperty(name="Python", subtype="FILE_PATH", description="The interpreter to use")
    engine_folder: StringProperty(name="Folder", subtype="DIR_PATH", default=str(data_folder() / "engine"), update=_moved,
                                  description="The engine's own folder; nothing is written elsewhere")
    jobs_folder: StringProperty(name="Folder", subtype="DIR_PATH", default=str(cache_folder() / "jobs"), update=_moved,
                                description="Where decompositions are kept")

    def draw(self, context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        status = context.window_manager.toondecompose
        header, body = layout.panel("toondecompose_engine")
        header.label(text="Engine")
        if body:
            if status.installing:
                _draw_installing(body, status)
            elif status.engine == "missing":
                _draw_missing(body, status, self)
            else:
                _draw_installed(body, status, self)
        header, body = layout.panel("toondecompose_jobs")
        header.label(text="Jobs")
        if body:
            body.prop(self, "jobs_folder")
            value_row(body, "Used", status.jobs_size)
            button_row(body).operator("toon.cache_clear")


def _draw_missing(layout, status, choice: Preferences) -> None:
    value_row(layout, "Status", "Not installed", "STATUS_WARNING")
    layout.prop(choice, "source")
    if choice.source == "PYTHON":
        layout.prop(choice, "python")
    else:
        if choice.source == "WHEELS":
            layout.prop(choice, "wheels")
        layout.prop(choice, "build", text=f"Build ({status.build})" if choice.build == "auto" and status.build else "Build")
        layout.prop(choice, "engine_folder")
        value_row(layout, "Space", status.engine_space)
    row = button_row(layout)
    row.scale_y = 1.5
    row.operator("toon.engine_install", icon="IMPORT")
    _draw_reason(layout, status, choice)


def _draw_reason(layout, status, choice: Preferences) -> None:
    """Why Install is grey, or why the last try failed."""
    reason = install_reason(status, choice) or status.engine_remedy and f"{status.engine_message} {status.engine_remedy}"
    if reason:
        value_row(layout, "", reason, "STATUS_WARNING")


def install_reason(status, choice: Preferences) -> str:
    """Why the engine cannot be installed now, or ""."""
    if status.installing:
        return "The engine is being installed"
    if choice.source == "INTERNET" and not bpy.app.online_access:
        return "Allow online access in System"
    if choice.source == "WHEELS" and not choice.wheels:
        return "Choose the folder of wheels"
    if choice.source == "PYTHON":
        return "" if choice.python else "Choose the interpreter"
    return "" if status.engine_enough_space else "There is too little free space"


def _draw_installing(layout, status) -> None:
    value_row(layout, "Status", "Installing")
    split = layout.split(factor=0.4)
    left = split.row()
    left.alignment = "RIGHT"
    left.label(text=status.install_stage)
    row = split.row(align=True)
    row.progress(factor=status.install_fraction, text=status.install_text)
    row.operator("toon.engine_cancel", text="", icon="X")
    button_row(layout).operator("toon.open_log", text="Open Log").folder = status.engine_folder


def _draw_installed(layout, status, choice: Preferences) -> None:
    if status.engine == "ready":
        value_row(layout, "Status", "Ready", "CHECKMARK")
    else:
        row = value_row(layout, "Status", status.engine_message, "STATUS_ERROR")
        row.alert = True
        value_row(layout, "Remedy", status.engine_remedy)
        layout.prop(choice, "build")
    marks = {"warning": "STATUS_WARNING", "error": "STATUS_ERROR"}
    for finding in status.findings:
        value_row(layout, finding.name, finding.value, marks.get(finding.state, "CHECKMARK"))
    value_row(layout, "Folder", status.engine_folder)
    value_row(layout, "Disk", status.engine_size)
    row = button_row(layout)
    row.operator("toon.engine_check")
    row.operator("toon.copy_report")
    row = button_row(layout)
    row.operator("toon.engine_repair")
    row.operator("toon.engine_remove")


def preferences() -> Preferences | None:
    """The add-on's preferences; None where the package was registered without being an add-on."""
    addon = bpy.context.preferences.addons.get(__package__)
    return addon.preferences if addon else None


def engine_home() -> EngineHome:
    """The engine's folder, as chosen."""
    chosen = preferences()
    return EngineHome(Path(bpy.path.abspath(chosen.engine_folder)) if chosen and chosen.engine_folder else data_folder() / "engine")


def job_store() -> JobStore:
    """The jobs' folder, as chosen."""
    chosen = preferences()
    return JobStore(Path(bpy.path.abspath(chosen.jobs_folder)) if chosen and chosen.jobs_folder else cache_folder() / "jobs")


def register() -> None:
    bpy.utils.register_class(Preferences)


def unregister() -> None:
    bpy.utils.unregister_class(Preferences)
