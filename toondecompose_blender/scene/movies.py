# SPDX-License-Identifier: GPL-3.0-or-later
"""A movie is complete or not there: it gets its name when all of its frames are in it.
It must not know who renders."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..protocol import SceneError

__all__ = ["unfinished", "keep_movie"]


def unfinished(path: Path) -> Path:
    """The name of a movie that is being written."""
    return path.with_name(f"unfinished-{path.name}")


def keep_movie(path: Path, frames: int) -> Path:
    """Give the unfinished movie of `path` its own name.

    Raises `SceneError` (scene.movie), and removes it, if it has not `frames` frames: Blender calls a movie finished that a full disk cut.
    """
    written = unfinished(path)
    found = _frames_of(written)
    if found != frames:
        written.unlink(missing_ok=True)
        raise SceneError("scene.movie", f"Only {found} of {frames} frames of {path.name} were written.",
                         "Make room on the disk, then render again.")
    return written.replace(path)


def _frames_of(movie: Path) -> int:
    try:
        clip = bpy.data.movieclips.load(str(movie))
    except RuntimeError:
        return 0
    frames = clip.frame_duration if clip.size[0] else 0
    bpy.data.movieclips.remove(clip)
    return frames
