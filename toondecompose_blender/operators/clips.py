# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the artist chose, a strip or a file, to what the engine reads: exactly the frames that the strip shows.
It only reads; what no file holds is rendered elsewhere.  It must not know jobs."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..protocol import ClipError
from ..scene import versions
from ..scene.hints import Shown, preview_matrix, whole_matrix

__all__ = ["Clip", "strip_clip", "file_clip", "fill_folder", "shown_strip", "shown_file"]

CLIP_FOLDER = "clip"
MANY_FRAMES = 100_000       # a movie's own count is the engine's to tell
RATE_TOLERANCE = 1e-3       # frames a second; 23.976 is written with three digits


@dataclass(frozen=True)
class Clip:
    """`path` with `frames` (first, last, from 1; None for all, and for a last one that is the movie's), or, if `pictures` are
    named, these in their order; `rendered` is the name of a strip that no file holds: the sequencer has to render it."""
    name: str
    path: str = ""
    frames: tuple[int, int | None] | None = None
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
        hidden, hidden_after, trimmed = versions.strip_offsets(strip)
        first = hidden + trimmed + 1
        # Blender takes the longest stream for the length of a movie: where the strip reaches its end, the engine counts for itself.
        return Clip(strip.name, path, (first, first + end - start - 1 if hidden_after or versions.trimmed_end(strip) else None))
    return Clip(strip.name, rendered=strip.name)


def file_clip(chosen: str) -> Clip:
    """A movie, a folder of images, or the sequence that an image belongs to.  Raises `ClipError` (clip.missing)."""
    path = Path(bpy.path.abspath(chosen))
    _existing([str(path)])
    is_image = path.is_file() and path.suffix.lower() in bpy.path.extensions_image
    return Clip(path.parent.name or path.stem if is_image else path.stem, str(path.parent if is_image else path))


def shown_strip(scene, strip, clip: Clip) -> Shown:
    """How the artist sees the clip of a strip: in the preview, turned and scaled as the strip is."""
    start, end = versions.strip_range(strip)
    if clip.rendered:
        width, height = scene.render.resolution_x, scene.render.resolution_y
        return Shown(width, height, start, end - start, whole_matrix(width, height))
    width, height = _picture_size(clip.pictures[0] if clip.pictures else clip.path)
    return Shown(width, height, start, end - start, preview_matrix(scene, strip, width, height))


def shown_file(clip: Clip) -> Shown:
    """How the artist sees a file or folder in the Image or Clip Editor: its first picture in frame 1."""
    path = Path(clip.path)
    if path.is_dir():
        pictures = sorted(child for child in path.iterdir() if child.suffix.lower() in bpy.path.extensions_image)
        width, height = _picture_size(_existing([str(picture) for picture in pictures])[0])
        return Shown(width, height, 1, len(pictures), whole_matrix(width, height))
    width, height = _picture_size(str(path))
    return Shown(width, height, 1, MANY_FRAMES, whole_matrix(width, height))


def _picture_size(path: str) -> tuple[int, int]:
    """Width and height of a picture or movie in px.  Raises `ClipError` (clip.unreadable)."""
    clip = None
    try:
        clip = bpy.data.movieclips.load(path)
        width, height = clip.size
    except RuntimeError:
        width = height = 0
    finally:
        if clip is not None:
            bpy.data.movieclips.remove(clip)
    if not width or not height:
        raise ClipError("clip.unreadable", f"{os.path.basename(path)} cannot be read.", "Choose another file, or convert it.")
    return width, height


def fill_folder(clip: Clip, folder: Path) -> str:
    """The path for the engine: the clip's own, or a folder below `folder`, of links or still empty if it has to be rendered."""
    if clip.path:
        return clip.path
    made = folder / CLIP_FOLDER
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
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
