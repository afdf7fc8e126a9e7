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

__all__ = ["BORDER", "View", "edge_homographies", "corner_uv", "lifted", "depth_ranges", "visible_corners"]

BORDER = 1.0
"""Transparent border around a canvas in px: bilinear lookup fades out within half a pixel, so one is enough."""

# A plane seen edge-on reaches from the camera to infinity; nobody sees more of it than this range of depth.
_DEPTHS = 1e4
# Pixel centers are integers in OpenCV; in Blender integers are pixel edges.
_TO_EDGES = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
_TO_CENTRES = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])


@dataclass(frozen=True)
class View:
    """Size of the frame in px; the width is also the focal length."""
    width: int
    height: int


def edge_homographies(homographies: np.ndarray) -> np.ndarray:
    """The homographies (..., 3, 3) between pixel-edge coordinates instead of pixel centers."""
    return _TO_EDGES @ homographies @ _TO_CENTRES


def corner_uv(width: int, height: int) -> np.ndarray:
    """Texture coordinates (4, 2) of the plane's corners, its border included: bottom left, bottom right, top right, top left."""
    x, y = BORDER / width, BORDER / height
    return np.array([[-x, -y], [1 + x, -y], [1 + x, 1 + y], [-x, 1 + y]])


def lifted(homographies: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """Corners (T, 4, 3) of a canvas of `width` x `height` px in the camera's space, the visible middle at depth 1.

    `homographies` (T, 3, 3) map canvas to frame, pixel centers at integers.
    """
    uv = corner_uv(width, height)
    canvas = np.stack([uv[:, 0] * width, (1 - uv[:, 1]) * height, np.ones(4)])
    image = edge_homographies(homographies) @ canvas
    x, y, w = image[:, 0], image[:, 1], image[:, 2]
    rays = np.stack([(x - w * view.width / 2) / view.width, -(y - w * view.height / 2) / view.width, -w], -1)
    return rays / _middle_weights(homographies, width, height, view)[:, None, None]


def depth_ranges(homographies: np.ndarray, width: int, height: int, view: View) -> tuple[float, float]:
    """Nearest and farthest depth, over all frames, of the part of the canvas inside the frame, its visible middle being 1."""
    middles = _middle_weights(homographies, width, height, view)
    nearest, farthest = 1.0, 1.0
    for homography, middle in zip(edge_homographies(homographies), middles, strict=True):
        weights = _visible_weights(homography, width, height, view)
        if weights.size:
            nearest = min(nearest, float(weights.min() / middle))
            farthest = max(farthest, float(weights.max() / middle))
    return max(nearest, 1 / _DEPTHS), min(farthest, _DEPTHS)


def visible_corners(homography: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """Corners (N, 2) of what the frame sees of the canvas, in canvas pixel edges; the canvas's own corners if it sees nothing."""
    edges = edge_homographies(homography)
    polygon = _visible_polygon(edges, width, height, view)
    canvas = polygon @ np.linalg.inv(edges).T if len(polygon) else _canvas(width, height)
    return canvas[:, :2] / canvas[:, 2:]


def _middle_weights(homographies: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """Projective weight (T,) in the middle of what the frame sees of the canvas; of the canvas itself where it sees nothing."""
    middles = np.empty(len(homographies))
    for index, homography in enumerate(edge_homographies(homographies)):
        weights = _visible_weights(homography, width, height, view)
        middles[index] = weights.mean() if weights.size else homography[2] @ (width / 2, height / 2, 1)
    # A canvas that is out of sight may have its center on the horizon; any finite scale does there.
    return np.where(np.abs(middles) < 1e-9, 1.0, middles)


def _visible_weights(homography: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """Projective weights at the corners of canvas and frame's intersection: the weight is linear, so they span its range."""
    return _visible_polygon(homography, width, height, view)[:, 2]


def _visible_polygon(homography: np.ndarray, width: int, height: int, view: View) -> np.ndarray:
    """Corners (N, 3), homogeneous and in the frame, of the intersection of canvas and frame; N is 0 where there is none.

    The sign of a homography means nothing: where it turns the canvas away (all weights negative), its negative is looked at.
    """
    for signed in (homography, -homography):
        polygon = list(_canvas(width, height) @ signed.T)
        for plane in np.array([[1, 0, 0], [-1, 0, view.width], [0, 1, 0], [0, -1, view.height]], np.float64):
            polygon = _clipped(polygon, plane)
        if polygon and max(point[2] for point in polygon) > 0:
            return np.array(polygon) if signed is homography else -np.array(polygon)
    return np.empty((0, 3))


def _canvas(width: int, height: int) -> np.ndarray:
    return np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1.0]])


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
