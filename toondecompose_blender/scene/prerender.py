# SPDX-License-Identifier: GPL-3.0-or-later
"""A strip that no file holds (a meta, a scene, a retimed movie) as pictures, rendered a few frames at a time so that Blender lives on.
It keeps no bpy data between two steps, and must not know jobs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import bpy

from ..protocol import ClipError
from . import versions

__all__ = ["StripRender"]


class StripRender:
    """Frames of the strip `strip` of the scene `scene`, by their names, into `folder`/00001.png ...; `done` of `total` are there."""

    def __init__(self, scene: str, strip: str, folder: Path):
        self.scene, self.strip, self.folder, self.done = scene, strip, folder, 0
        start, end = versions.strip_range(self._found())
        self._start, self.total = start, end - start

    def step(self, seconds: float) -> bool:
        """Render for about `seconds`, at least one frame; True when all are done.  Raises `ClipError` (clip.render)."""
        deadline = time.monotonic() + seconds
        try:
            self._found()
            with _alone(bpy.data.scenes[self.scene], self.strip) as copy:
                while self.done < self.total:
                    self._render(copy)
                    if time.monotonic() >= deadline:
                        break
        except (OSError, RuntimeError) as cause:
            raise self._failed(str(cause).strip()) from cause
        return self.done == self.total

    def _render(self, copy) -> None:
        copy.frame_start = copy.frame_end = self._start + self.done
        copy.render.filepath = str(self.folder / "frame_######")
        bpy.ops.render.render(animation=True, scene=copy.name)
        os.replace(copy.render.frame_path(frame=copy.frame_start), self.folder / f"{self.done + 1:05d}.png")
        self.done += 1

    def _found(self):
        scene = bpy.data.scenes.get(self.scene)
        editor = scene.sequence_editor if scene else None
        strip = versions.strips_of(editor).get(self.strip) if editor else None
        if strip is None:
            raise self._failed("it is gone")
        return strip

    def _failed(self, why: str) -> ClipError:
        return ClipError("clip.render", f"The strip {self.strip} could not be rendered: {why}.",
                         "Press Decompose again, or render it to images.")


@contextlib.contextmanager
def _alone(scene, name: str) -> Iterator:
    """A copy of a scene whose sequencer holds one strip alone, set to write what the strip shows as PNG."""
    copy = scene.copy()
    try:
        strips = versions.strips_of(copy.sequence_editor)
        for other in [strip for strip in strips if strip.name != name]:
            strips.remove(other)
        strips[name].mute = False
        copy.frame_step = 1
        copy.render.use_sequencer, copy.render.resolution_percentage, copy.render.use_file_extension = True, 100, True
        copy.view_settings.view_transform, copy.view_settings.look = "Standard", "None"
        versions.set_image_output(copy.render.image_settings, file_format="PNG", color_mode="RGB", color_depth="8")
        copy.render.dither_intensity = 0.0
        yield copy
    finally:
        bpy.data.scenes.remove(copy)
