# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's panels for decomposing: source, settings, the button, the job, advanced settings.
draw() only reads; one class an editor for a shared panel, one draw function for both."""

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

from .properties import SOURCE_ICONS, active_strip, refusal, shown_frames, works_on_strip
from .ui_rows import big_button, icon, value_row, wrapped

__all__ = ["SequencerPanel", "ViewPanel", "split", "draw_job", "register", "unregister"]

ENDED = {"failed", "stopped", "ready"}
PREVIEW_SCALE = 6.0         # of an icon, always square: larger ones push the buttons out of a sidebar at 1x


class SequencerPanel:
    """A panel of the Sequencer's sidebar."""
    bl_space_type, bl_region_type, bl_category = "SEQUENCE_EDITOR", "UI", "Toon"


class ViewPanel:
    """A panel of the 3D View's sidebar."""
    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Toon"


class TOON_PT_decompose_sequencer(SequencerPanel, bpy.types.Panel):
    bl_label = "Decompose"

    def draw(self, context) -> None:
        layout = split(self.layout)
        strip = active_strip(context)
        if strip is None or strip.type not in SOURCE_ICONS:
            layout.active = False
            value_row(layout, "Strip", "None")
        else:
            value_row(layout, "Strip", strip.name, SOURCE_ICONS[strip.type])
            first, last = shown_frames(strip)
            value_row(layout, "Frames", f"{first} \N{EN DASH} {last}")
        _draw_start(layout, context)


class TOON_PT_decompose_view3d(ViewPanel, bpy.types.Panel):
    bl_label, bl_options, bl_order = "Decompose", {"DEFAULT_CLOSED"}, 40

    def draw(self, context) -> None:
        layout = split(self.layout)
        layout.prop(context.scene.toondecompose, "filepath")
        _draw_start(layout, context)


def split(layout):
    """The layout with labels left and controls right, without decorators."""
    layout.use_property_split, layout.use_property_decorate = True, False
    return layout


def _draw_start(layout, context) -> None:
    """Sprites, Quality, and the button; where it cannot be pressed, the reason or what has to be done first stands there."""
    settings, status = context.scene.toondecompose, context.window_manager.toondecompose
    layout.prop(settings, "sprites")
    layout.prop(settings, "quality")
    if status.installing:
        layout.label(text="Installing engine")
        row = layout.row(align=True)
        row.progress(factor=status.install_fraction, text=status.install_text)
        row.operator("toon.engine_cancel", text="", icon="X")
    elif status.engine in ("missing", "broken", "outdated"):
        missing = status.engine == "missing"
        text = {"missing": "Engine not installed", "broken": "Engine does not start", "outdated": "Engine is of another version"}
        layout.label(text=text[status.engine], icon=icon("STATUS_WARNING" if missing else "STATUS_ERROR"))
        big_button(layout, "toon.engine_setup", icon="PREFERENCES")
    else:
        big_button(layout, "toon.decompose")
        reason = refusal(context)
        if reason and not _own_job(context):
            wrapped(layout, context, reason, active=False)


def _own_job(context):
    """The job of the active strip, or of no strip in the 3D View; the newest if there are several."""
    strip = active_strip(context) if works_on_strip(context) else None
    wanted = strip.name if strip else ""
    jobs = [job for job in context.window_manager.toondecompose.jobs if job.strip == wanted]
    return jobs[-1] if jobs else None


def _shown_job(context):
    """The job to show: the one that runs, else this clip's, else the newest that ended."""
    jobs = list(context.window_manager.toondecompose.jobs)
    running = [job for job in jobs if job.status == "running"]
    ended = [job for job in jobs if job.status in ENDED]
    own = _own_job(context)
    return running[0] if running else own if own else ended[-1] if ended else jobs[0] if jobs else None


class JobPanel:
    bl_label = "Job"

    @classmethod
    def poll(cls, context):
        return len(context.window_manager.toondecompose.jobs) > 0

    def draw_header_preset(self, context) -> None:
        job = _shown_job(context)
        if job.status in ENDED:
            self.layout.emboss = "NONE"
            self.layout.operator("toon.dismiss_job", text="", icon="X").job = job.name

    def draw(self, context) -> None:
        draw_job(split(self.layout), context, _shown_job(context))


class TOON_PT_job_sequencer(JobPanel, SequencerPanel, bpy.types.Panel):
    bl_parent_id = "TOON_PT_decompose_sequencer"


class TOON_PT_job_view3d(JobPanel, ViewPanel, bpy.types.Panel):
    bl_parent_id = "TOON_PT_decompose_view3d"


def draw_job(layout, context, job) -> None:
    """One job in its state, and below it those that wait."""
    others = [other for other in context.window_manager.toondecompose.jobs if other.status == "waiting" and other.name != job.name]
    strip = active_strip(context) if works_on_strip(context) else None
    if others or strip is None or job.strip != strip.name:
        value_row(layout, "Clip", job.clip)
    {"running": _draw_running, "failed": _draw_failed, "stopped": _draw_stopped, "ready": _draw_ready}.get(job.status, _draw_running)(
        layout, context, job)
    for other in others:
        row = value_row(layout, "Waiting", other.clip)
        row.operator("toon.cancel_job", text="", icon="X", emboss=False).job = other.name


def _draw_running(layout, context, job) -> None:
    if job.stage:
        value_row(layout, "Stage", job.stage)
    row = layout.row(align=True)
    row.progress(factor=job.fraction, text=job.text)
    row.operator("toon.cancel_job", text="", icon="X").job = job.name
    if job.message:
        wrapped(layout, context, f"{job.message} {job.remedy}", icon_name="STATUS_WARNING")
    if job.preview:
        layout.template_icon(job.preview, scale=PREVIEW_SCALE)
    if job.status != "preparing":
        layout.operator("toon.open_log").folder = job.folder


def _draw_failed(layout, context, job) -> None:
    wrapped(layout, context, job.message, icon_name="STATUS_ERROR", alert=True)
    wrapped(layout, context, job.remedy, icon_name="BLANK1")
    if job.can_resume:
        layout.operator("toon.resume_job").job = job.name
    row = layout.row(align=True)
    row.operator("toon.open_log").folder = job.folder
    row.operator("toon.copy_report").folder = job.folder


def _draw_stopped(layout, context, job) -> None:
    value_row(layout, "Stopped", job.stage or "Before the first stage")
    layout.operator("toon.resume_job").job = job.name
    layout.operator("toon.open_log").folder = job.folder


def _draw_ready(layout, context, job) -> None:
    if job.submitted:
        wrapped(layout, context, f"For the farm, in {job.folder}", icon_name="CHECKMARK")
    else:
        layout.label(text="Sprites are ready", icon="CHECKMARK")
    if job.preview:
        layout.template_icon(job.preview, scale=PREVIEW_SCALE)
    layout.operator("toon.import_job").job = job.name


class AdvancedPanel:
    bl_label, bl_options, bl_order = "Advanced", {"DEFAULT_CLOSED"}, 3

    def draw_header_preset(self, context) -> None:
        TOON_PT_presets.draw_panel_header(self.layout)

    def draw(self, context) -> None:
        layout, settings = split(self.layout), context.scene.toondecompose
        column = layout.column()
        for name in ("device", "size", "flow", "seed"):
            column.prop(settings, name)
        column = layout.column()
        column.prop(settings, "farm")
        if settings.farm == "DASK":
            column.prop(settings, "scheduler")
        column.operator("toon.submit")
        column = layout.column()
        column.prop(settings, "motion")
        column.prop(settings, "blending")


class TOON_PT_advanced_sequencer(AdvancedPanel, SequencerPanel, bpy.types.Panel):
    bl_parent_id = "TOON_PT_decompose_sequencer"


class TOON_PT_advanced_view3d(AdvancedPanel, ViewPanel, bpy.types.Panel):
    bl_parent_id = "TOON_PT_decompose_view3d"


class TOON_PT_presets(PresetPanel, bpy.types.Panel):
    bl_label = "Decompose Presets"
    preset_subdir, preset_operator, preset_add_operator = "toondecompose", "script.execute_preset", "toon.preset_add"


class TOON_OT_preset_add(AddPresetBase, bpy.types.Operator):
    """Add or remove a preset of the settings for decomposing"""
    bl_idname, bl_label, preset_menu = "toon.preset_add", "Add Decompose Preset", "TOON_PT_presets"
    preset_defines = ["settings = bpy.context.scene.toondecompose"]
    preset_values = [f"settings.{name}" for name in ("sprites", "quality", "device", "size", "flow", "seed", "motion", "blending")]
    preset_subdir = "toondecompose"


_CLASSES = (TOON_PT_presets, TOON_OT_preset_add, TOON_PT_decompose_sequencer, TOON_PT_job_sequencer, TOON_PT_advanced_sequencer,
            TOON_PT_decompose_view3d, TOON_PT_job_view3d, TOON_PT_advanced_view3d)
register, unregister = bpy.utils.register_classes_factory(_CLASSES)
