# SPDX-License-Identifier: GPL-3.0-or-later
"""The button that imports a result folder from disk, one that was not made by a job of this file.
It must not know jobs."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..protocol import ToonError
from ..scene.importing import import_result
from ..scene.viewing import show
from .reasons import ReasonedOperator, report_error
from .selected import class_registration

__all__ = ["register", "unregister"]


class TOON_OT_import_result(ReasonedOperator, bpy.types.Operator):
    """Import the sprites of a result folder into a scene of their own"""
    bl_idname, bl_label = "toon.import_result", "Import Result"
    bl_options = {"REGISTER", "UNDO"}
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def reason(cls, context) -> str:
        return "" if context.mode == "OBJECT" else "Leave the edit mode first"

    def invoke(self, context, _event):
        if self.directory:      # dropped from a file browser
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context):
        settings = context.scene.toondecompose
        try:
            imported = import_result(bpy.path.abspath(self.directory), bake=settings.motion.lower().replace("_", "-"),
                                     blending=settings.blending.lower())
        except ToonError as error:
            return report_error(self, error)
        for warning in imported.warnings:
            self.report({"WARNING"}, warning)
        show(context.window, bpy.data.scenes[imported.scene])
        return {"FINISHED"}


class TOON_FH_result(bpy.types.FileHandler):
    """A result's manifest, dropped into the 3D View or the Sequencer, is imported."""
    bl_idname, bl_label = "TOON_FH_result", "Sprites of a Result"
    bl_import_operator, bl_file_extensions = "toon.import_result", ".json"

    @classmethod
    def poll_drop(cls, context):
        return context.area is not None and context.area.type in {"VIEW_3D", "SEQUENCE_EDITOR"}


register, unregister = class_registration(TOON_OT_import_result, TOON_FH_result)
