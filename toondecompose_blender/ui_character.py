# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar's panels for drawing a rigged character from its sheet: the choice, the views, the job, the switches.
draw() only reads; it must not know how characters are drawn."""

from __future__ import annotations

import bpy

from .previews import icon_of
from .properties import character_refusal
from .scene.character_sheet import sheet_views
from .ui_panel import ViewPanel, draw_job, split
from .ui_rows import big_button, icon, wrapped

__all__ = ["register", "unregister"]

THUMBNAIL_SCALE = 3.5
MOST_THUMBNAILS = 12
COLUMNS = 4


class TOON_PT_character(ViewPanel, bpy.types.Panel):
    bl_label, bl_order, bl_options = "Character", 30, {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout, settings = split(self.layout), context.scene.toondecompose.character
        layout.prop(settings, "armature")
        layout.prop(settings, "rest")
        if settings.rest == "FRAME":
            layout.prop(settings, "rest_frame")
        layout.prop(settings, "sheet")
        _draw_views(layout, settings)
        layout.prop(settings, "method")
        if settings.method == "CONR":
            layout.prop(settings, "weights")
        layout.prop(settings, "size")
        column = layout.column(align=True)
        column.prop(settings, "frame_start")
        column.prop(settings, "frame_end")
        big_button(layout, "toon.character_draw")
        reason = character_refusal(context)
        if reason:
            wrapped(layout, context, reason, active=False)
        layout.operator("toon.character_poses", text="Render Poses Only...")
        layout.operator("toon.character_replace", text="Replace Sprite by Result...")


def _draw_views(layout, settings) -> None:
    """The sheet's views as thumbnails, each with its name; a view that has no pose yet is marked."""
    views = sheet_views(bpy.path.abspath(settings.sheet)) if settings.sheet else ()
    if views:
        grid = layout.grid_flow(row_major=True, columns=COLUMNS, even_columns=True, align=True)
        for view in views[:MOST_THUMBNAILS]:
            cell = grid.column(align=True)
            cell.template_icon(icon_of(view.path), scale=THUMBNAIL_SCALE)
            cell.label(text=view.path.stem, icon="CHECKMARK" if view.posed else icon("STATUS_WARNING"))
    if len(views) > MOST_THUMBNAILS:
        layout.label(text=f"and {len(views) - MOST_THUMBNAILS} more")
    without = sum(not view.posed for view in views)
    if without and settings.method == "TRANSFER":
        layout.label(text=f"{without} of {len(views)} views have no pose", icon=icon("STATUS_WARNING"))
    layout.operator("toon.character_view_pose", text="Render Pose of a View...")


class TOON_PT_character_job(ViewPanel, bpy.types.Panel):
    bl_label, bl_parent_id, bl_order = "Job", "TOON_PT_character", 0

    @classmethod
    def poll(cls, context):
        return _job(context) is not None

    def draw(self, context) -> None:
        draw_job(split(self.layout), context, _job(context))


def _job(context):
    """The newest job that draws the chosen character, or None."""
    armature = context.scene.toondecompose.character.armature
    jobs = [job for job in context.window_manager.toondecompose.jobs if armature is not None and job.clip == armature.name]
    return jobs[-1] if jobs else None


class TOON_PT_character_switches(ViewPanel, bpy.types.Panel):
    bl_label, bl_parent_id, bl_order, bl_options = "Options", "TOON_PT_character", 1, {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout, settings = split(self.layout), context.scene.toondecompose.character
        layout.prop(settings, "background")
        column = layout.column()
        transfer = ("lines", "ink", "symmetry") if settings.lines else ("lines", "symmetry")
        names = transfer if settings.method == "TRANSFER" else ("published", "steady_crop", "guide", "previous")
        for name in names:
            column.prop(settings, name)
        column = layout.column()
        column.prop(settings, "smoothing")
        column.prop(settings, "despeckle")
        column.prop(settings, "hard_matte")
        if settings.hard_matte:
            column.prop(settings, "threshold")
            column.prop(settings, "erosion")


register, unregister = bpy.utils.register_classes_factory((TOON_PT_character, TOON_PT_character_job, TOON_PT_character_switches))
