# SPDX-License-Identifier: GPL-3.0-or-later
"""A render that runs on its own, in a window: what must hold while it runs, and what happens to its movie afterwards.
It must not know operators."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import bpy

from ..protocol import SceneError
from .movies import keep_movie, unfinished
from .rendering import sharp_textures

__all__ = ["Watch"]

_SECONDS = 0.25


class Watch:
    """`sharp_textures` and a movie that is complete or not there, from now until Blender's render is done or cancelled.

    Blender tells so from the render's thread; everything here is done in the main one, by a timer.
    """

    def __init__(self, scene, *, failed: Callable[[SceneError], None]):
        """`failed` is called with what went wrong after the render, when no `end` is there to raise it."""
        self._scene, self._failed = scene.name, failed
        self._states: list[bool] = []
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(sharp_textures())
        self._movie = self._begin_movie(scene) if scene.render.is_movie_format else None
        self._frames = len(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))
        self._listen(bpy.app.handlers.render_complete, True)
        self._listen(bpy.app.handlers.render_cancel, False)
        if not bpy.app.background:
            bpy.app.timers.register(self._look, first_interval=_SECONDS, persistent=True)

    def end(self) -> None:
        """Restore everything; once is enough.  Raises `SceneError` (scene.movie) if the movie lacks frames."""
        complete = self._states == [True]
        self._states = self._states or [False]
        with self._stack.pop_all():
            if complete and self._movie is not None:
                movie, self._movie = self._movie, None
                keep_movie(movie, self._frames)

    def _listen(self, handlers: list, complete: bool) -> None:
        def tell(*_) -> None:
            self._states.append(complete)
        handlers.append(tell)
        self._stack.callback(lambda: handlers.remove(tell) if tell in handlers else None)

    def _begin_movie(self, scene) -> Path:
        """Let the scene's movie have another name."""
        render = scene.render
        path = Path(bpy.path.abspath(render.frame_path()))
        before = render.filepath, render.use_file_extension
        render.filepath, render.use_file_extension = str(unfinished(path)), False
        self._stack.callback(self._restore_name, path, before)
        return path

    def _restore_name(self, path: Path, before: tuple[str, bool]) -> None:
        unfinished(path).unlink(missing_ok=True)
        if self._scene in bpy.data.scenes:
            render = bpy.data.scenes[self._scene].render
            render.filepath, render.use_file_extension = before

    def _look(self) -> float | None:
        if not self._states:
            return _SECONDS
        try:
            self.end()
        except SceneError as error:
            self._failed(error)
        return None
