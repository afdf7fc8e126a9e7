# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering a scene of sprites, or an edit that contains one, to pictures, frame by frame, so that it can report and stop.
It must not know who asks, nor print."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..protocol import SceneError
from . import versions
from .movies import keep_movie, unfinished
from .output import MOVIES, set_output, use_sprite_layers

__all__ = ["ENGINES", "Pictures", "render_pictures", "sharp_textures", "engine_of", "scene_to_render"]

ENGINES = ("cycles", "eevee")


@dataclass(frozen=True)
class Pictures:
    """Files `folder`/0001.png ... of frames `first` to `last`, `depth` 8 or 16 bit, over black unless `alpha`.

    `kind` is one of `output.OUTPUTS`; a movie is one file, named by its frames.
    """
    folder: Path
    first: int
    last: int
    kind: str = "png"
    depth: int = 8
    alpha: bool = False
    sound: bool = False


def scene_to_render(name: str = ""):
    """The scene called `name`; without one that of the window.  Raises `SceneError` (scene.missing, scene.camera)."""
    scene = bpy.data.scenes.get(name) if name else bpy.context.window.scene
    if scene is None:
        raise SceneError("scene.missing", f"The file has no scene {name!r}.", f"Choose one of: {', '.join(bpy.data.scenes.keys())}.")
    if scene.camera is None and not _has_strips(scene):
        raise SceneError("scene.camera", f"Scene {scene.name!r} has no camera.", "Choose the scene of an imported result.")
    return scene


def engine_of(name: str) -> str:
    """Blender's identifier of "cycles" or "eevee"."""
    return "CYCLES" if name == "cycles" else versions.eevee_engine()


def render_pictures(scene, pictures: Pictures, *, rendered: Callable[[int], bool]) -> list[Path]:
    """Render and return the files; `rendered` is told each frame, and False from it stops after that frame.

    Pictures made until then stay; a movie is complete or not there.  The scene's settings are as before afterwards.
    Raises `SceneError` (scene.folder, scene.render, scene.movie).
    """
    try:
        pictures.folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise SceneError("scene.folder", f"The folder {pictures.folder} cannot be made: {cause.strerror}.",
                         "Choose another output folder.") from cause
    with _restored(scene), sharp_textures(), _in_window(scene):
        set_output(scene, pictures.kind, depth=pictures.depth, alpha=pictures.alpha, sound=pictures.sound)
        scene.frame_start, scene.frame_end, scene.frame_step = pictures.first, pictures.last, 1
        if pictures.kind in MOVIES:
            return _render_movie(scene, pictures, rendered)
        scene.render.filepath = str(pictures.folder.absolute() / "####")
        files = []
        for frame in range(pictures.first, pictures.last + 1):
            # One frame as an animation of one: a still of an edit shows frame 1 of its scene strips.
            scene.frame_start = scene.frame_end = frame
            files.append(Path(scene.render.frame_path(frame=frame)))
            _render(scene, files[-1])
            if not rendered(frame):
                break
        return files


@contextlib.contextmanager
def sharp_textures() -> Iterator[None]:
    """EEVEE with textures read as they are: anisotropic filtering (a preference) costs 40 dB, so it pauses."""
    system = bpy.context.preferences.system
    before = system.anisotropic_filter
    system.anisotropic_filter = "FILTER_0"
    try:
        yield
    finally:
        system.anisotropic_filter = before


def _render_movie(scene, pictures: Pictures, rendered: Callable[[int], bool]) -> list[Path]:
    """One movie, under another name until it is complete; none if it was stopped."""
    render = scene.render
    path = pictures.folder.absolute() / f"{pictures.first:04d}-{pictures.last:04d}{MOVIES[pictures.kind]}"
    written = unfinished(path)
    render.use_file_extension = False
    render.filepath = str(written)
    stopped: list[int] = []

    def tell(*_) -> None:
        if not rendered(scene.frame_current):
            stopped.append(scene.frame_current)
            # Blender's loop over the frames counts with the scene's own: it ends after the last one.
            scene.frame_current = pictures.last
    bpy.app.handlers.render_write.append(tell)
    try:
        _render(scene, written)
        return [] if stopped else [keep_movie(path, pictures.last - pictures.first + 1)]
    finally:
        bpy.app.handlers.render_write.remove(tell)
        written.unlink(missing_ok=True)


def _render(scene, path: Path) -> None:
    try:
        bpy.ops.render.render(animation=True, scene=scene.name)
    except RuntimeError as cause:
        raise SceneError("scene.render", f"Blender could not render {path.name}: {_first_line(cause)}",
                         "Check the output folder and the free space.") from cause
    if not path.is_file():
        raise SceneError("scene.render", f"Blender wrote no {path.name}.", "Check the output folder and the free space.")


@contextlib.contextmanager
def _restored(scene) -> Iterator[None]:
    """The scene's range and output settings, as they were, afterwards."""
    render, images, ffmpeg = scene.render, scene.render.image_settings, scene.render.ffmpeg
    frame = scene.frame_current
    before = [(owner, name, getattr(owner, name)) for owner, names in (
        (scene, ("frame_start", "frame_end", "frame_step")), (render, ("filepath", "use_file_extension")),
        (images, ("media_type", "file_format", "color_mode", "color_depth")), (ffmpeg, ("format", "codec", "audio_codec")),
    ) for name in names if hasattr(owner, name)]
    try:
        yield
    finally:
        use_sprite_layers(scene, False)
        for owner, name, value in before:
            setattr(owner, name, value)
        scene.frame_set(frame)


@contextlib.contextmanager
def _in_window(scene) -> Iterator[None]:
    """With `scene` in the window: the sequencer renders the window's."""
    window = bpy.context.window
    before = window.scene
    window.scene = scene
    try:
        yield
    finally:
        window.scene = before


def _has_strips(scene) -> bool:
    return scene.sequence_editor is not None and len(versions.strips_of(scene.sequence_editor)) > 0


def _first_line(cause: Exception) -> str:
    return str(cause).strip().removeprefix("Error: ").splitlines()[0]
