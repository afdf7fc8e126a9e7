# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's masks as pictures: each layer alone, on the frames where the artist set its shape.
Blender draws them, by a mask strip in a scene of its own; it must not know jobs' folders.

A mask's keys cannot be read, but between two keys every point moves along a straight line at an even speed: where the motion of
any point bends is a key.  A mask that never bends is one shape: it counts in the frame that is on screen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from ..jobs.hints import Mask
from ..protocol import SettingsError
from . import versions
from .hints import Shown, mask_layers, sprite_numbers

__all__ = ["write_masks", "key_frames"]

BEND = 1e-5                 # of the picture's larger side; rounding of the interpolation stays below 1e-6
LONGEST = 2000              # frames of a clip in which bends are looked for


def write_masks(mask, annotation, shown: Shown, current: int, folder: Path) -> list[Mask]:
    """Pictures of the layers of `mask` in `folder`; `current` is the scene's frame.  Raises `SettingsError` settings.hints."""
    numbers, written = sprite_numbers(annotation, mask), []
    with _mask_scene(mask, shown) as (scene, copy):
        keys = key_frames(scene, copy, shown)
        for layer in mask_layers(mask):
            sprite = numbers[layer.name.strip().lower()]
            for other in copy.layers:
                other.hide_render = other.name != layer.name
            for frame in keys[layer.name] or [min(max(current, shown.first), shown.first + shown.count - 1)]:
                name = f"mask_{len(written) + 1:03d}.png"
                _draw(scene, frame, folder / name)
                written.append(Mask(shown.number(frame), sprite, name))
    return written


def key_frames(scene, mask, shown: Shown) -> dict[str, list[int]]:
    """The scene frames of the clip in which the motion of each layer of `mask` bends; `scene` shows the mask in a strip."""
    frames = range(shown.first - 1, shown.first + min(shown.count, LONGEST) + 1)
    paths: dict[str, list[np.ndarray]] = {layer.name: [] for layer in mask.layers}
    for frame in frames:
        scene.frame_set(frame)
        for layer in mask.evaluated_get(scene.view_layers[0].depsgraph).layers:
            paths[layer.name].append(_points(layer))
    return {name: [frames[t] for t in range(1, len(frames) - 1) if _bends(path[t - 1:t + 2])] for name, path in paths.items()}


def _bends(three: list[np.ndarray]) -> bool:
    before, now, after = three
    return now.size > 0 and bool(np.abs(before - 2 * now + after).max() > BEND)


def _points(layer) -> np.ndarray:
    return np.array([(*point.co, *point.handle_left, *point.handle_right) for spline in layer.splines for point in spline.points])


@contextlib.contextmanager
def _mask_scene(mask, shown: Shown) -> Iterator[tuple]:
    """A scene of the clip's size that shows a copy of the mask, in the same frames as the mask itself; both go afterwards."""
    copy, scene = mask.copy(), bpy.data.scenes.new("Mask")
    try:
        copy.frame_start, copy.frame_end = shown.first, shown.first + min(shown.count, LONGEST) - 1
        for layer in copy.layers:
            layer.blend = "MERGE_ADD"
        strips = versions.strips_of(scene.sequence_editor_create())
        strips.new_mask(name="Mask", mask=copy, channel=1, frame_start=shown.first)
        scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = shown.width, shown.height, 100
        scene.render.use_sequencer = scene.render.use_file_extension = True
        scene.view_settings.view_transform, scene.render.dither_intensity = "Standard", 0.0
        versions.set_image_output(scene.render.image_settings, file_format="PNG", color_mode="BW", color_depth="8")
        yield scene, copy
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.masks.remove(copy)


def _draw(scene, frame: int, path: Path) -> None:
    scene.frame_start = scene.frame_end = frame
    scene.render.filepath = str(path.with_name("frame_####"))
    try:
        bpy.ops.render.render(animation=True, scene=scene.name)
        Path(scene.render.frame_path(frame=frame)).rename(path)
    except (OSError, RuntimeError) as cause:
        raise SettingsError("settings.hints", f"The mask could not be drawn: {str(cause).strip()}", "Decompose without it.") from cause
