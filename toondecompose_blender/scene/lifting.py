# SPDX-License-Identifier: GPL-3.0-or-later
"""From homographies to space: a canvas seen through a homography is a plane that a pinhole camera sees exactly.
Pure numpy; it must not know bpy.

The camera stands at the origin and looks along -Z with a focal length of W pixels (lens = sensor width), so the frame's
pixel edge (x, y) lies on the ray ((x - W/2) / W, -(y - H/2) / W, -1).  A canvas point of homogeneous frame position (X, Y, w)
is lifted to w times its ray: affine in the canvas position, hence four vertices are exact, even with a horizon in the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["BORDER", "View", "edge_homographies", "corner_uv", "lifted", "depth_ranges", "unlifted"]

BORDER = 1.0
"""Transparent border around a canvas in px: bilinear lookup fades out within half a pixel, so one is enough."""

# Pixel centres are integers in OpenCV; in Blender integers are pixel edges.
_TO_EDGES = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
_TO_CENTRES = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])


@dataclass(frozen=True)
class View:
    """Size of the frame in px; the width is also the focal length."""
    width: int
    height: int


def edge_homographies(homographies: np.ndarray) -> np.ndarray:
    """The homographies (..., 3, 3) between pixel-edge coordinates instead of pixel centres."""
    return _TO_EDGES @ homographies @ _TO_CENTRES


def corner_uv(width: int, height: int) -> np.ndarray:
    """Texture coordinates (4, 2) of the plane's corners, its border included: bottom left, bottom right, top right, top left."""
    x, y = BORDER / width, BORDER / height
    return np.array([[-x, -y], [1 + x, -y], [1 + x, 1 + y], [-x, 1 + y]])


def lifted(homographies: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """Corners (T, 4, 3) of a canvas of `width` x `height` px in the camera's space, the visible middle at depth 1.

    `homographies` (T, 3, 3) map canvas to frame, pixel centres at integers.
    """
    uv = corner_uv(width, height)
    canvas = np.stack([uv[:, 0] * width, (1 - uv[:, 1]) * height, np.ones(4)])
    image = edge_homographies(homographies) @ canvas
    x, y, w = image[:, 0], image[:, 1], image[:, 2]
    rays = np.stack([(x - w * view.width / 2) / view.width, -(y - w * view.height / 2) / view.width, -w], -1)
    return rays / _middle_weights(homographies, width, height, view)[:, None, None]


def unlifted(corners: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """The homographies (T, 3, 3), last entry 1, whose `lifted` corners (up to a factor) are `corners` (T, 4, 3)."""
    w = -corners[..., 2]
    image = np.stack([corners[..., 0] * view.width + w * view.width / 2, w * view.height / 2 - corners[..., 1] * view.width, w], 1)
    uv = corner_uv(width, height)
    canvas = np.stack([uv[:, 0] * width, (1 - uv[:, 1]) * height, np.ones(4)])
    homographies = _TO_CENTRES @ (image @ np.linalg.pinv(canvas)) @ _TO_EDGES
    return homographies / homographies[:, 2:3, 2:3]


def depth_ranges(homographies: np.ndarray, width: int, height: int, view: View) -> tuple[float, float]:
    """Nearest and farthest depth, over all frames, of the part of the canvas inside the frame, its visible middle being 1."""
    middles = _middle_weights(homographies, width, height, view)
    nearest, farthest = 1.0, 1.0
    for homography, middle in zip(edge_homographies(homographies), middles, strict=True):
        weights = _visible_weights(homography, width, height, view)
        if weights.size:
            nearest = min(nearest, float(weights.min() / middle))
            farthest = max(farthest, float(weights.max() / middle))
    return nearest, farthest


def _middle_weights(homographies: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """Projective weight (T,) in the middle of what the frame sees of the canvas; of the canvas itself where it sees nothing."""
    middles = np.empty(len(homographies))
    for index, homography in enumerate(edge_homographies(homographies)):
        weights = _visible_weights(homography, width, height, view)
        middles[index] = weights.mean() if weights.size else homography[2] @ (width / 2, height / 2, 1)
    # A canvas that is out of sight may have its centre on the horizon; any finite scale does there.
    return np.where(np.abs(middles) < 1e-9, 1.0, middles)


def _visible_weights(homography: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """Projective weights at the corners of canvas and frame's intersection: the weight is linear, so they span its range.

    Where the sign of the homography turns the canvas away (all weights negative), the weights are those of its negative.
    """
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1.0]])
    for signed in (homography, -homography):
        polygon = list(corners @ signed.T)
        for plane in np.array([[1, 0, 0], [-1, 0, view.width], [0, 1, 0], [0, -1, view.height]], np.float64):
            polygon = _clipped(polygon, plane)
        weights = np.array([point[2] for point in polygon])
        if weights.size and weights.max() > 0:
            return weights if signed is homography else -weights
    return np.empty(0)


def _clipped(polygon: list[np.ndarray], plane: np.ndarray) -> list[np.ndarray]:
    """The part of a convex polygon of homogeneous points where plane . point >= 0."""
    sides = [float(plane @ point) for point in polygon]
    kept = []
    for index, (point, side) in enumerate(zip(polygon, sides, strict=True)):
        before, before_side = polygon[index - 1], sides[index - 1]
        if side * before_side < 0:
            kept.append(before + (point - before) * (before_side / (before_side - side)))
        if side >= 0:
            kept.append(point)
    return kept
