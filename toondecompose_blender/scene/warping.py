# SPDX-License-Identifier: GPL-3.0-or-later
"""The other way to move a drawing: the plane stays, UV Warp modifiers carry the picture across it.  For affine motion only.
It must not know depth, nor materials.

One modifier computes S R (uv + offset): it cannot shear.  Two can, by the singular value decomposition U S V of the map
from frame to canvas: the first scales by S after turning by V, the second turns by U and moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol import SceneError
from .lifting import View, edge_homographies, visible_corners
from .planes import UV_LAYER, set_quad
from .timing import drive, steps

__all__ = ["MAX_ERROR", "affine_error", "bake_uv_warp", "clear_uv_warp", "canvas_middles"]

MAX_ERROR = 0.1
"""Pixels: the largest corner error up to which motion counts as affine (measured as invisible on line art)."""

_MODIFIERS = ("Canvas Scale", "Canvas Place")


@dataclass(frozen=True)
class _Affine:
    """Maps (T, 2, 3) from canvas to frame in pixel edges, and the largest distance in px to the homographies they stand for."""
    maps: np.ndarray
    error: float


def affine_error(homographies: np.ndarray, exposure: list[int], width: int, height: int, view: View) -> float:
    """Largest error in px, in the corners of what is seen, of the affine maps nearest to the homographies of shown frames."""
    return _affine(homographies, exposure, width, height, view).error


def bake_uv_warp(sprite_object, homographies: np.ndarray, exposure: list[int], width: int, height: int, view: View) -> float:
    """Fix the plane and drive its texture coordinates by the sprite's clip frame; returns the largest corner error in px.

    Raises `SceneError` (scene.not_affine) above `MAX_ERROR`, before anything is changed.
    """
    affine = _affine(homographies, exposure, width, height, view)
    if affine.error > MAX_ERROR:
        raise SceneError("scene.not_affine", f"{sprite_object.name} moves in perspective: a UV warp would be off by {affine.error:.2f} px, "
                         f"more than {MAX_ERROR} px.", "Keep Shape Keys for this sprite.")
    corners, uv = _covering_quad(affine.maps, width, height, view)
    clear_uv_warp(sprite_object)
    set_quad(sprite_object, corners, uv)
    for name in _MODIFIERS:
        modifier = sprite_object.modifiers.new(name, "UV_WARP")
        modifier.uv_layer = UV_LAYER
        modifier.center = (0.0, 0.0)
    _drive(sprite_object, _frame_to_canvas(affine.maps, width, height, view))
    return affine.error


def clear_uv_warp(sprite_object) -> None:
    """Remove the modifiers of an earlier bake and their drivers."""
    for name in _MODIFIERS:
        for channel in ("rotation", "scale", "offset"):
            sprite_object.driver_remove(f'modifiers["{name}"].{channel}')
        modifier = sprite_object.modifiers.get(name)
        if modifier is not None:
            sprite_object.modifiers.remove(modifier)


def canvas_middles(homographies: np.ndarray, width: int, height: int) -> np.ndarray:
    """Where the middle of the canvas lies in each frame, (T, 2) in px of the frame, y downwards."""
    middles = edge_homographies(homographies) @ (width / 2, height / 2, 1)
    return middles[:, :2] / middles[:, 2:]


def _affine(homographies: np.ndarray, exposure: list[int], width: int, height: int, view: View) -> _Affine:
    maps, error = np.empty((len(homographies), 2, 3)), 0.0
    for index, homography in enumerate(homographies):
        canvas = visible_corners(homography, width, height, view)
        points = np.column_stack([canvas, np.ones(len(canvas))])
        image = points @ edge_homographies(homography).T
        frame = image[:, :2] / image[:, 2:]
        maps[index] = np.linalg.lstsq(points, frame, rcond=None)[0].T
        if exposure[index]:
            error = max(error, float(np.linalg.norm(points @ maps[index].T - frame, axis=1).max()))
    return _Affine(maps, error)


def _covering_quad(maps: np.ndarray, width: int, height: int, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Corners (4, 3) of a plane at depth 1, seen from the object's origin, that the canvas never leaves; its coordinates (4, 2)."""
    canvas = np.array([[-1, -1, 1], [width + 1, -1, 1], [width + 1, height + 1, 1], [-1, height + 1, 1.0]])
    seen = (canvas @ maps.transpose(0, 2, 1)).reshape(-1, 2)
    left, top = np.minimum(seen.min(0), 0.0)
    right, bottom = np.maximum(seen.max(0), (view.width, view.height))
    uv = _upright(np.array([[left, bottom], [right, bottom], [right, top], [left, top]]), view)
    corners = np.column_stack([uv - (0.5, 0.5 * view.height / view.width), np.zeros(4)])
    return corners, uv


def _upright(points: np.ndarray, view: View) -> np.ndarray:
    """Frame px, y downwards, as the plane's own coordinates: y upwards, in widths of the frame."""
    return np.column_stack([points[:, 0], view.height - points[:, 1]]) / view.width


def _frame_to_canvas(maps: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """Affine maps (T, 3, 3) from the plane's own coordinates to the drawing's texture coordinates."""
    square = np.tile(np.eye(3), (len(maps), 1, 1))
    square[:, :2] = maps
    to_frame = np.array([[view.width, 0, 0], [0, -view.width, view.height], [0, 0, 1.0]])
    to_uv = np.array([[1 / width, 0, 0], [0, -1 / height, 1], [0, 0, 1.0]])
    return to_uv @ np.linalg.inv(square) @ to_frame


def _drive(sprite_object, maps: np.ndarray) -> None:
    turned, scales, turns = np.linalg.svd(maps[:, :2, :2])
    # Both turns must be free of mirroring; a mirrored sprite has a negative scale instead.
    for turn, axis in ((turned, (slice(None), 1)), (turns, (1, slice(None)))):
        mirrored = np.linalg.det(turn) < 0
        turn[(mirrored, *axis)] *= -1
        scales[mirrored, 1] *= -1
    moves = (np.linalg.inv(turned) @ maps[:, :2, 2:])[..., 0]
    scale, place = _MODIFIERS
    channels = [(scale, "rotation", -1, _angles(turns)), (scale, "scale", 0, scales[:, 0]), (scale, "scale", 1, scales[:, 1]),
                (place, "rotation", -1, _angles(turned)), (place, "offset", 0, moves[:, 0]), (place, "offset", 1, moves[:, 1])]
    for name, channel, axis, values in channels:
        drive(sprite_object, f'modifiers["{name}"].{channel}', sprite_object, steps(values), index=axis)


def _angles(turns: np.ndarray) -> np.ndarray:
    return np.arctan2(turns[:, 1, 0], turns[:, 0, 0])
