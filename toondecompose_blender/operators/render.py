# SPDX-License-Identifier: GPL-3.0-or-later
"""The Render button: the scene's output settings, then Blender's own animation render with its progress and Esc.
It must not know file formats."""

from __future__ import annotations

import bpy

from ..protocol import ToonError
from ..scene import output, strips
from ..scene.sprites import sprites_of
from ..scene.watching import Watch
from .reasons import ReasonedOperator, report_error
from .selected import class_registration

__all__ = ["register", "unregister"]


class TOON_OT_render(ReasonedOperator, bpy.types.Operator):
    """Render the sprites to the chosen output"""
    bl_idname, bl_label = "toon.render", "Render"
    bl_options = {"REGISTER"}

    @classmethod
    def reason(cls, context) -> str:
        path = context.scene.render.filepath
        if not sprites_of(context.scene):
            return "No sprites in this scene"
        if context.scene.camera is None:
            return "Add a camera"
        return "Choose an output folder" if not path or (path.startswith("//") and not bpy.data.filepath) else ""

    def invoke(self, context, _event):
        return self._run(context, "INVOKE_DEFAULT")

    def execute(self, context):
        return self._run(context, "EXEC_DEFAULT")

    def _run(self, context, how: str):
        scene, settings = context.scene, context.scene.toondecompose
        kind = settings.output.lower()
        sound = kind in output.MOVIES and strips.keep_clip_sound(scene, settings.use_sound)
        try:
            output.set_output(scene, kind, sound=sound)
        except ToonError as error:
            return report_error(self, error)
        watch = Watch(scene, failed=tell_later)
        state = {"CANCELLED"}
        try:
            state = bpy.ops.render.render(how, animation=True)
            if "RUNNING_MODAL" not in state:
                watch.end()
        except ToonError as error:
            return report_error(self, error)
        except RuntimeError as cause:
            watch.end()
            self.report({"ERROR"}, str(cause).strip().removeprefix("Error: "))
        return state


def tell_later(error: ToonError) -> None:
    """Show an error when no operator is there any more to report it."""
    bpy.context.window_manager.popup_menu(lambda menu, _: menu.layout.label(text=str(error)), title="Render", icon="ERROR")


register, unregister = class_registration(TOON_OT_render)
