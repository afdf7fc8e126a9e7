# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pose tells of the surface it shows: which side, how much it faces the viewer, how near its contours are.
Knows one pose at a time; all lengths are in units of the resting character's longest side."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

__all__ = ["Surface", "surface_of"]

FRONTAL = 10  # percentile of the pixels' areas on the surface that is taken as seen from the front
STEP = 0.04  # a jump to a neighbor that leaves the surface: the gap between an arm and the body behind it
STEP_PIXELS = 6  # ... or, in coarse poses, this many pixels: a surface at 80 degrees


@dataclass(frozen=True)
class Surface:
    """The pixels of a pose that show the character, N of them in reading order.

    `mask` bool (H, W); `places` float64 (N, 3) in proportion; `facing` float64 (N,), the cosine to the viewer, 0..1;
    `depth` float64 (N,), the distance to the nearest contour, the silhouette or an edge in front of something else;
    `normals` float64 (N, 3), of length 1, on the side that is seen, 0 where unknown; `pixel` the length of a pixel on a frontal surface.
    """
    mask: np.ndarray
    places: np.ndarray
    facing: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    pixel: float


def surface_of(pose: np.ndarray, extent: np.ndarray) -> Surface:
    """The surface of a pose float32 (H, W, 4); `extent` (3,) restores the proportions of its channels."""
    places = pose[..., :3].astype(np.float64) * extent
    mask = (pose[..., 3] > 0.5) & pose[..., :3].any(-1)
    across, across_length = _difference(places, mask, 1)
    down, down_length = _difference(places, mask, 0)
    normals = np.cross(across, down)
    area = np.linalg.norm(normals, axis=-1)
    inner = mask & np.isfinite(across_length) & np.isfinite(down_length)
    frontal = float(np.percentile(area[inner], FRONTAL)) if inner.any() else 0.0
    pixel = max(np.sqrt(frontal), 1e-6)
    facing = np.where(inner, (frontal / np.maximum(area, 1e-12)).clip(0, 1), 0)
    depth = _contour_distance(places, mask, max(STEP, STEP_PIXELS * pixel)) * pixel
    normals = np.where(inner[..., None], normals / np.maximum(area, 1e-12)[..., None], 0)
    return Surface(mask, places[mask], facing[mask], depth[mask], normals[mask], float(pixel))


def _difference(places: np.ndarray, mask: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The step to the next or the previous pixel, whichever is shorter: the longer one may leave the surface."""
    steps, lengths = [], []
    for shift in (-1, 1):
        step = (np.roll(places, shift, axis) - places) * -shift
        both = mask & np.roll(mask, shift, axis)
        steps.append(step)
        lengths.append(np.where(both, np.linalg.norm(step, axis=-1), np.inf))
    first = lengths[0] < lengths[1]
    return np.where(first[..., None], *steps), np.minimum(*lengths)


def _contour_distance(places: np.ndarray, mask: np.ndarray, step: float) -> np.ndarray:
    contour = ~mask
    for axis in (0, 1):
        jump = mask & np.roll(mask, -1, axis) & (np.linalg.norm(np.roll(places, -1, axis) - places, axis=-1) > step)
        contour |= jump | np.roll(jump, 1, axis)
    padded = np.pad(~contour, 1).astype(np.uint8)
    return cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1].astype(np.float64)
