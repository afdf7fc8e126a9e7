# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks.squeeze FRAMES MOVIE: pictures through H.264 at crf 23, on the interpreter that has bpy (its x264).
It knows nothing of the engine; it made the squeezed clip of the tests."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bpy

from toondecompose_blender.scene.versions import strips_of

__all__ = ["squeeze"]


def squeeze(frames: Path, movie: Path) -> None:
    """Encode the pictures in `frames`, in the order of their names, as `movie` (.mp4)."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    first, *others = sorted(frames.glob("*.png"))
    strip = strips_of(scene.sequence_editor_create()).new_image("Clip", str(first), 1, 1)
    for picture in others:
        strip.elements.append(picture.name)
    scene.render.resolution_x, scene.render.resolution_y = strip.elements[0].orig_width, strip.elements[0].orig_height
    scene.frame_end = 1 + len(others)
    scene.view_settings.view_transform = "Standard"
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.ffmpeg.constant_rate_factor = "MEDIUM"  # crf 23, says Blender's manual
    scene.render.filepath, scene.render.use_file_extension = str(movie), False
    bpy.ops.render.render(animation=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.squeeze", description="Encode pictures as H.264.")
    parser.add_argument("frames", type=Path, metavar="FRAMES")
    parser.add_argument("movie", type=Path, metavar="MOVIE")
    options = parser.parse_args()
    squeeze(options.frames.resolve(), options.movie.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
