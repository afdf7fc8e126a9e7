# SPDX-License-Identifier: GPL-3.0-or-later
"""The button Submit: the clip's shots become a farm's job, found and written by the engine while Blender stays usable.
It must not know what a farm reads; Dask's work is done at once and its sprites come as from this computer."""

from __future__ import annotations

import bpy

from ..properties import refusal, works_on_strip
from ..protocol import ToonError
from . import session
from .decompose import start_file, start_strip
from .reasons import ReasonedOperator, report_error

__all__ = ["register", "unregister"]


class TOON_OT_submit(ReasonedOperator, bpy.types.Operator):
    """Hand the clip to the farm, one task a shot; the jobs' folder (Preferences) and the clip must lie where all machines see them"""
    bl_idname, bl_label = "toon.submit", "Submit to Farm"

    @classmethod
    def reason(cls, context) -> str:
        return refusal(context)

    def execute(self, context):
        settings = context.scene.toondecompose
        farm = {"farm": settings.farm.lower(), "scheduler": settings.scheduler if settings.farm == "DASK" else ""}
        try:
            job = start_strip(context, **farm) if works_on_strip(context) else start_file(context, **farm)
        except ToonError as error:
            return report_error(self, error)
        session.current().tick()
        self.report({"INFO"}, f"The shots of {job.spec.name} go into {job.folder}")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((TOON_OT_submit,))
