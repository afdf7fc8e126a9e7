# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist pointed at in Blender: strokes of an annotation, as boxes and scribbles in the clip's pixels, and who they are for.
It must not know masks' curves, jobs' folders, or what an engine makes of hints.

One layer is one sprite, known by its name: layers of the same name, of an annotation and of a mask, are for the same sprite; a
layer called Background is for the background.  A stroke that closes around a sprite is a box, any other is a scribble on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..jobs.hints import Box, Hint, Scribble
from . import versions

__all__ = ["BACKGROUND", "Shown", "HintLayer", "annotation_hints", "hint_layers", "sprite_numbers", "preview_matrix", "whole_matrix"]

BACKGROUND = "background"
UNIT_REACH = 2.0            # the Image and Clip Editors count in widths of the picture, the preview in px from its middle
CLOSED = 0.2                # of its box's diagonal: how far apart the ends of a stroke may be that goes around something
AROUND = 0.4                # of its box: the area that such a stroke encloses (a diamond: 0.5), more than a scribble to and fro
LEAST_BOX = 8               # px; what is smaller is a dot
LINE_SHARE = 1 / 90         # of the clip's height: the width of a scribble, 8 px at 720


@dataclass(frozen=True)
class Shown:
    """How the artist sees the clip: its size in px, the scene frame of its first picture, how many there are, and `matrix` (2, 3)
    from the preview (px from its middle, y up) to the clip (pixel centers at integers, y down)."""
    width: int
    height: int
    first: int
    count: int
    matrix: np.ndarray

    def number(self, frame: int) -> int | None:
        """The clip's frame (from 1) that is seen in scene frame `frame`, or None."""
        return frame - self.first + 1 if 0 <= frame - self.first < self.count else None


@dataclass(frozen=True)
class HintLayer:
    """A layer as the sidebar lists it: the sprite's number, and the scene frames on which something is drawn."""
    name: str
    sprite: int
    frames: tuple[int, ...]


def whole_matrix(width: int, height: int) -> np.ndarray:
    """The preview's matrix where the clip fills it."""
    return np.array([[1.0, 0.0, width / 2 - 0.5], [0.0, -1.0, height / 2 - 0.5]])


def preview_matrix(scene, strip, width: int, height: int) -> np.ndarray:
    """The preview's matrix for a strip whose pictures have this size: its flips, move, turn and scale undone.

    Blender turns and moves the picture first, and flips what came of it about the middle of the preview.
    """
    seen = strip.transform
    cosine, sine = math.cos(seen.rotation), math.sin(seen.rotation)
    scale = np.diag([seen.scale_x or 1e-6, seen.scale_y or 1e-6])
    inverse = np.linalg.inv(np.array([[cosine, -sine], [sine, cosine]]) @ scale)
    pivot = (np.array(seen.origin) - 0.5) * (width, height)
    shift = pivot - inverse @ (pivot + (seen.offset_x, seen.offset_y))
    flips = np.diag([-1.0 if strip.use_flip_x else 1.0, -1.0 if strip.use_flip_y else 1.0])
    squeeze = np.diag([scene.render.pixel_aspect_y / scene.render.pixel_aspect_x, 1.0])
    centered = np.column_stack([inverse @ flips @ squeeze, shift])
    whole = whole_matrix(width, height)
    return np.column_stack([whole[:, :2] @ centered[:, :2], whole[:, :2] @ centered[:, 2] + whole[:, 2]])


def sprite_numbers(annotation, mask) -> dict[str, int]:
    """The sprite of each layer's name, in small letters: 0 for the background, the others from 1 in their order."""
    layers = [*(annotation_layers(annotation) if annotation else ()), *(mask_layers(mask) if mask else ())]
    names = dict.fromkeys(_name(layer) for layer in layers)
    numbers = {name: number for number, name in enumerate((name for name in names if name != BACKGROUND), 1)}
    return numbers | ({BACKGROUND: 0} if BACKGROUND in names else {})


def hint_layers(annotation, mask) -> list[HintLayer]:
    """The layers of an annotation, as they are listed."""
    numbers = sprite_numbers(annotation, mask)
    return [HintLayer(layer.info, numbers[_name(layer)], tuple(frame.frame_number for frame in layer.frames if len(frame.strokes)))
            for layer in annotation_layers(annotation)]


def annotation_hints(annotation, mask, shown: Shown) -> list[Hint]:
    """All strokes on frames of the clip; `mask` only counts for the sprites' numbers."""
    numbers, hints = sprite_numbers(annotation, mask), []
    strokes = list(_strokes(annotation))
    flat = [points for _, _, points in strokes]
    in_units = bool(flat) and max(np.abs(points).max() for points in flat) <= UNIT_REACH
    matrix = shown.matrix if not in_units else _unit_matrix(shown)
    for layer, frame, points in strokes:
        number = shown.number(frame)
        if number is not None:
            hints.append(_hint(number, numbers[layer], points @ matrix[:, :2].T + matrix[:, 2], shown))
    return hints


def annotation_layers(annotation) -> list:
    return [layer for layer in annotation.layers if not layer.annotation_hide and not layer.is_ruler]


def mask_layers(mask) -> list:
    return [layer for layer in mask.layers if not layer.hide and not layer.hide_render]


def _name(layer) -> str:
    return (layer.info if hasattr(layer, "info") else layer.name).strip().lower()


def _strokes(annotation):
    """(layer's name, scene frame, points (n, 2)) of each flat stroke; those that float in the space of a 3D View mean nothing here."""
    for layer in annotation_layers(annotation):
        for frame in layer.frames:
            for stroke in frame.strokes:
                points = np.array([point.co for point in stroke.points], np.float64).reshape(-1, 3)
                if len(points) and versions.is_flat(stroke) and np.isfinite(points).all() and not points[:, 2].any():
                    yield _name(layer), frame.frame_number, points[:, :2]


def _unit_matrix(shown: Shown) -> np.ndarray:
    return np.array([[shown.width, 0.0, -0.5], [0.0, -shown.height, shown.height - 0.5]])


def _hint(frame: int, sprite: int, points: np.ndarray, shown: Shown) -> Hint:
    """A box if the stroke closes around something, else a scribble."""
    low = np.maximum(points.min(0), 0)
    high = np.minimum(points.max(0), (shown.width - 1, shown.height - 1))
    if _goes_around(points) and (high - low).min() >= LEAST_BOX:
        return Box(frame, sprite, tuple(map(float, (*low, *high))))
    line = points if len(points) > 1 else np.repeat(points, 2, 0)
    return Scribble(frame, sprite, tuple((float(x), float(y)) for x, y in line), max(2.0, round(shown.height * LINE_SHARE)))


def _goes_around(points: np.ndarray) -> bool:
    sides = np.ptp(points, axis=0)
    ends = np.linalg.norm(points[0] - points[-1])
    x, y = points.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return len(points) > 3 and ends <= CLOSED * np.linalg.norm(sides) and area >= AROUND * sides[0] * sides[1]
