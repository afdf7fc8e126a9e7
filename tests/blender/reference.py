# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture must be, in float64: bilinear lookup of straight RGBA, zero outside, layers covering in display values.
It must not know Blender, except to read pictures."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from results import HEIGHT, WIDTH, read_png

from toondecompose_blender.protocol import read_result
from toondecompose_blender.scene.rendering import Pictures, render_pictures


def seen(picture: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """A drawing (h, w, 4) 0..255 through a homography: premultiplied (HEIGHT, WIDTH, 4) 0..1."""
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    points = np.linalg.inv(homography) @ np.stack([xs.ravel(), ys.ravel(), np.ones(xs.size)])
    # The third coordinate is the inverse of the depth: behind the horizon there is nothing to see.
    front = points[2] * np.sign(np.median(points[2])) > 0
    depth = np.where(front, points[2], 1.0)
    x, y = (np.where(front, points[axis] / depth, -9).reshape(xs.shape) for axis in (0, 1))
    straight = _lookup(picture / 255, x, y)
    straight[..., :3] *= straight[..., 3:]
    return straight


def _lookup(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((2, 2), (2, 2), (0, 0)))
    x, y = np.clip(x + 2, 0, width + 2.999), np.clip(y + 2, 0, height + 2.999)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    a, b = (x - left)[..., None], (y - top)[..., None]
    upper = padded[top, left] * (1 - a) + padded[top, left + 1] * a
    lower = padded[top + 1, left] * (1 - a) + padded[top + 1, left + 1] * a
    return upper * (1 - b) + lower * b


def covered(layers: list[np.ndarray]) -> np.ndarray:
    """Premultiplied layers, back to front, over black: (H, W, 3) 0..1."""
    result = np.zeros((HEIGHT, WIDTH, 4))
    for layer in layers:
        result = layer + result * (1 - layer[..., 3:])
    return result[..., :3]


def unedited(name: str, drawing: np.ndarray, homography: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edit that changes nothing."""
    return drawing, homography


def expected(folder: Path, frame: int, *, frames: dict[str, int] | None = None, edit=unedited):
    """Frame `frame` of a result; `frames` lets sprites show other clip frames, `edit` changes drawing (0..255) and homography."""
    layers = []
    for sprite in read_result(folder).sprites:
        shown = (frames or {}).get(sprite.id, frame)
        number = sprite.exposure[shown - 1]
        if number:
            drawing, homography = edit(sprite.id, read_png(folder / sprite.drawings[number - 1]),
                                       np.load(folder / sprite.homographies)[shown - 1])
            layer = seen(drawing, homography)
            layers.append(layer * (sprite.opacity[shown - 1] if sprite.opacity else 1.0))
    return covered(layers)


def rendered(scene, folder: Path, first: int, last: int | None = None) -> list[np.ndarray]:
    """Frames of a scene, 16 bit, over black: each (H, W, 3) 0..1."""
    files = render_pictures(scene, Pictures(folder, first, last or first, depth=16), rendered=lambda frame: True)
    return [read_png(file)[..., :3] / 255 for file in files]


def psnr(picture: np.ndarray, reference: np.ndarray) -> float:
    """Decibels, both 0..1."""
    return float(-10 * np.log10(max(np.mean((picture - reference) ** 2), 1e-12)))


def reloaded(path: Path) -> None:
    """Save the session and open it again."""
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
