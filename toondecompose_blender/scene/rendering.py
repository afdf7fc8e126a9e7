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

__all__ = ["ENGINES", "Pictures", "render_pictures", "sharp_textures", "engine_of", "scene_to_render"]

ENGINES = ("cycles", "eevee")


@dataclass(frozen=True)
class Pictures:
    """PNG files `folder`/0001.png ... of `first` to `last`, `depth` 8 or 16 bit, over black unless `alpha`."""
    folder: Path
    first: int
    last: int
    depth: int = 8
    alpha: bool = False


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
    """Render and return the files; `rendered` is told each frame, and False from it stops the work after that frame.

    The scene's settings are as before afterwards.  Raises `SceneError` (scene.folder, scene.render).
    """
    try:
        pictures.folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise SceneError("scene.folder", f"The folder {pictures.folder} cannot be made: {cause.strerror}.",
                         "Choose another output folder.") from cause
    files = []
    with _restored(scene), sharp_textures(), _in_window(scene):
        versions.set_image_output(scene.render.image_settings, file_format="PNG",
                                  color_mode="RGBA" if pictures.alpha else "RGB", color_depth=str(pictures.depth))
        scene.render.filepath = str(pictures.folder.absolute() / "####")
        for frame in range(pictures.first, pictures.last + 1):
            files.append(_render_frame(scene, frame))
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


def _render_frame(scene, frame: int) -> Path:
    """One frame as an animation of one: a still of an edit shows frame 1 of its scene strips."""
    scene.frame_start = scene.frame_end = frame
    path = Path(scene.render.frame_path(frame=frame))
    try:
        bpy.ops.render.render(animation=True, scene=scene.name)
    except RuntimeError as cause:
        raise SceneError("scene.render", f"Blender could not render frame {frame}: {_first_line(cause)}",
                         "Check the output folder and the free space.") from cause
    if not path.is_file():
        raise SceneError("scene.render", f"Blender wrote no picture for frame {frame}.", "Check the output folder and the free space.")
    return path


@contextlib.contextmanager
def _restored(scene) -> Iterator[None]:
    """The scene's range and output settings, as they were, afterwards."""
    render, images = scene.render, scene.render.image_settings
    names = [name for name in ("media_type", "file_format", "color_mode", "color_depth") if hasattr(images, name)]
    before = [(scene, name, getattr(scene, name)) for name in ("frame_start", "frame_end")]
    before += [(render, name, getattr(render, name)) for name in ("filepath", "engine")]
    before += [(images, name, getattr(images, name)) for name in names]
    frame = scene.frame_current
    try:
        yield
    finally:
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
