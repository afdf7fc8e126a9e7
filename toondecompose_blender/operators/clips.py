# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the artist chose, a strip or a file, to what the engine reads: exactly the frames that the strip shows.
Reads and, for what no file holds, renders; it must not know jobs."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..protocol import ClipError
from ..scene import versions

__all__ = ["Clip", "strip_clip", "file_clip", "fill_folder"]

CLIP_FOLDER = "clip"
RATE_TOLERANCE = 1e-3       # frames a second; 23.976 is written with three digits


@dataclass(frozen=True)
class Clip:
    """`path` with `frames` (first, last, from 1; None = all), or, if `pictures` are named, these in their order;
    `rendered` is the name of a strip that no file holds: it has to be rendered by the sequencer."""
    name: str
    path: str = ""
    frames: tuple[int, int] | None = None
    pictures: tuple[str, ...] = ()
    rendered: str = ""


def strip_clip(scene, strip) -> Clip:
    """What `strip` shows between its handles.  Raises `ClipError` (clip.missing) if files are gone."""
    start, end = versions.strip_range(strip)
    if strip.type == "IMAGE":
        shown = [strip.strip_elem_from_frame(frame) for frame in range(start, end)]
        folder = bpy.path.abspath(strip.directory)
        return Clip(strip.name, pictures=_existing([os.path.join(folder, element.filename) for element in shown if element]))
    path = bpy.path.abspath(strip.filepath) if strip.type == "MOVIE" else ""
    if path and _plays_straight(scene, strip):
        _existing([path])
        hidden, _, trimmed = versions.strip_offsets(strip)
        first = hidden + trimmed + 1
        return Clip(strip.name, path, (first, first + end - start - 1))
    return Clip(strip.name, rendered=strip.name)


def file_clip(chosen: str) -> Clip:
    """A movie, a folder of images, or the sequence that an image belongs to.  Raises `ClipError` (clip.missing)."""
    path = Path(bpy.path.abspath(chosen))
    _existing([str(path)])
    is_image = path.is_file() and path.suffix.lower() in bpy.path.extensions_image
    return Clip(path.parent.name or path.stem if is_image else path.stem, str(path.parent if is_image else path))


def fill_folder(clip: Clip, scene, folder: Path) -> str:
    """The path for the engine: the clip's own, or a folder below `folder` made of links or rendered pictures.  Raises `ClipError`."""
    if clip.path:
        return clip.path
    made = folder / CLIP_FOLDER
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    if clip.rendered:
        _render_strip(scene, clip.rendered, made)
    for number, picture in enumerate(clip.pictures, 1):
        _link(Path(picture), made / f"{number:05d}{Path(picture).suffix}")
    return str(made)


def _plays_straight(scene, strip) -> bool:
    """True if each frame of the scene shows the next frame of the movie, and none beyond its ends."""
    rate = scene.render.fps / scene.render.fps_base
    changed = len(strip.retiming_keys) or strip.use_reverse_frames or strip.strobe > 1 or strip.use_flip_x or strip.use_flip_y
    before, after, _ = versions.strip_offsets(strip)
    return not changed and abs(strip.fps - rate) < RATE_TOLERANCE and before >= 0 and after >= 0


def _existing(paths: list[str]) -> tuple[str, ...]:
    missing = [path for path in dict.fromkeys(paths) if not os.path.exists(path)]
    if missing or not paths:
        names = ", ".join(os.path.basename(path) for path in missing[:3]) + (" ..." if len(missing) > 3 else "")
        text = f"{len(missing)} files of the clip are missing: {names}." if paths else "The strip shows no images."
        raise ClipError("clip.missing", text, "Find them with File, External Data, Find Missing Files.")
    return tuple(paths)


def _link(source: Path, target: Path) -> None:
    """`target` is `source`: a link where the system allows it, else a copy.  Raises OSError."""
    try:
        os.symlink(source.absolute(), target)
    except OSError:
        shutil.copyfile(source, target)


def _render_strip(scene, name: str, folder: Path) -> None:
    """Render one strip alone through a copy of its scene's sequencer, in the clip's own colors, as PNG."""
    copy = scene.copy()
    try:
        strips = versions.strips_of(copy.sequence_editor)
        chosen = strips[name]
        for other in list(strips):
            if other != chosen:
                strips.remove(other)
        chosen.mute = False
        start, end = versions.strip_range(chosen)
        copy.frame_start, copy.frame_end, copy.frame_step = start, end - 1, 1
        copy.render.use_sequencer, copy.render.resolution_percentage, copy.render.use_file_extension = True, 100, True
        copy.view_settings.view_transform, copy.view_settings.look = "Standard", "None"
        versions.set_image_output(copy.render.image_settings, file_format="PNG", color_mode="RGB", color_depth="8")
        copy.render.dither_intensity = 0.0
        copy.render.filepath = os.path.join(str(folder), "#####")
        bpy.ops.render.render(animation=True, scene=copy.name)
    except (KeyError, RuntimeError) as cause:
        text = f"The strip {name} could not be rendered: {str(cause).strip()}"
        raise ClipError("clip.render", text, "Render it to images first.") from cause
    finally:
        bpy.data.scenes.remove(copy)
