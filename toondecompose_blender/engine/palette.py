# SPDX-License-Identifier: GPL-3.0-or-later
"""The flat cel colors of a sprite, and which of them each pixel of its drawings belongs to, so that one swatch recolors one region.
It sees finished drawings only."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numba import njit

from ..protocol import Swatch
from .parallel import map_ordered

__all__ = ["MOST_SWATCHES", "find_palette", "index_map"]

MOST_SWATCHES = 16         # the demo's runner has 15 paints; with 8, shoes changed with the hair, and line art with the scarf
SAME_COLOR = 26.0          # gray levels (Euclidean over RGB) within which two shades are one paint
FAR_FROM_ANY = 90.0        # a pixel farther than this from every swatch belongs to none
SMALLEST_SHARE = 0.004     # of the sprite's area
FLAT_RANGE = 10            # gray levels: a 3x3 neighborhood that varies less is flat paint, not an edge
BITS = 6                   # of each channel that tell colors apart here
REFINEMENTS = 6


def find_palette(drawings: list[np.ndarray], shown: list[int]) -> tuple[Swatch, ...]:
    """The sprite's paints by share of area, largest first, at most `MOST_SWATCHES`.

    `drawings` are straight RGBA uint8 (H, W, 4); `shown[d]` is the number of frames that show drawing d, its weight.
    """
    histogram = np.zeros(1 << 3 * BITS, np.float64)
    for drawing, weight, flat in zip(drawings, shown, map_ordered(_flat, drawings), strict=True):
        _count(drawing, flat, weight, histogram)
    used = np.flatnonzero(histogram)
    if not len(used):
        return ()
    colors, counts = _color_of(used), histogram[used]
    centers = _peaks(colors, counts)
    for _ in range(REFINEMENTS):
        nearest = _distances(colors, centers).argmin(1)
        mass = np.bincount(nearest, counts, len(centers))
        sums = np.stack([np.bincount(nearest, counts * colors[:, c], len(centers)) for c in range(3)], 1)
        centers = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1)[:, None], centers)
    shares = np.bincount(_distances(colors, centers).argmin(1), counts, len(centers)) / counts.sum()
    order = sorted(range(len(centers)), key=lambda i: (-shares[i], i))
    return tuple(Swatch(tuple(int(round(v)) for v in centers[i]), round(float(shares[i]), 4))
                 for i in order if shares[i] >= SMALLEST_SHARE)


def index_map(drawing: np.ndarray, palette: tuple[Swatch, ...]) -> np.ndarray:
    """uint8 (H, W): the 1-based swatch of each pixel of an RGBA drawing, 0 where it is like none.

    Under alpha 0 too, where drawings continue their colors: half of an edge's color comes from there.
    """
    return _looked_up(drawing, _table(palette))


@lru_cache(1)
def _table(palette: tuple[Swatch, ...]) -> np.ndarray:
    """uint8: the 1-based swatch of each code, 0 where it is like none."""
    codes = np.arange(1 << 3 * BITS)
    if not palette:
        return np.zeros(codes.shape, np.uint8)
    distances = _distances(_color_of(codes), np.array([swatch.color for swatch in palette], np.float64))
    return np.where(distances.min(1) < FAR_FROM_ANY**2, distances.argmin(1) + 1, 0).astype(np.uint8)


@njit(nogil=True, cache=True, error_model="numpy")
def _looked_up(drawing, table):
    height, width = drawing.shape[:2]
    result = np.empty((height, width), np.uint8)
    for i in range(height):
        for j in range(width):
            result[i, j] = table[_code(drawing[i, j, 0], drawing[i, j, 1], drawing[i, j, 2])]
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def _count(drawing, flat, weight, histogram):
    """Add to the `histogram` (codes,) the weight of each pixel of flat paint."""
    for i in range(drawing.shape[0]):
        for j in range(drawing.shape[1]):
            if flat[i, j]:
                histogram[_code(drawing[i, j, 0], drawing[i, j, 1], drawing[i, j, 2])] += weight


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _code(red, green, blue):
    return (np.int64(red >> 8 - BITS) << 2 * BITS) | (np.int64(green >> 8 - BITS) << BITS) | np.int64(blue >> 8 - BITS)


def _flat(drawing: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(drawing, cv2.COLOR_RGBA2GRAY)
    kernel = np.ones((3, 3), np.uint8)
    return (cv2.dilate(gray, kernel) - cv2.erode(gray, kernel) < FLAT_RANGE) & (cv2.erode(drawing[..., 3], kernel) > 250)


def _color_of(codes: np.ndarray) -> np.ndarray:
    mask, half = (1 << BITS) - 1, 1 << (7 - BITS)
    channels = [(codes >> 2 * BITS) & mask, (codes >> BITS) & mask, codes & mask]
    return np.stack(channels, 1).astype(np.float64) * (1 << (8 - BITS)) + half


def _distances(colors: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Squared distances (N, M)."""
    return sum((colors[:, None, c] - centers[None, :, c]) ** 2 for c in range(3))


def _peaks(colors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Start colors: again and again the fullest neighborhood, what lies within it taken away."""
    left, centers = counts.copy(), []
    near = SAME_COLOR**2
    while len(centers) < MOST_SWATCHES and left.sum() > SMALLEST_SHARE * counts.sum():
        candidates = np.argsort(-left, kind="stable")[:64]
        mass = (left[None] * (_distances(colors[candidates], colors) < near)).sum(1)
        center = colors[candidates[int(mass.argmax())]]
        centers.append(center)
        left[_distances(colors, center[None])[:, 0] < near] = 0
    return np.array(centers)
