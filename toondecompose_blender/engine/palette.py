# SPDX-License-Identifier: GPL-3.0-or-later
"""The flat cel colors of a sprite, and which of them each pixel of its drawings belongs to, so that one swatch recolors one region.
It sees finished drawings only."""

from __future__ import annotations

import cv2
import numpy as np

from ..protocol import Swatch

__all__ = ["MOST_SWATCHES", "find_palette", "index_map"]

MOST_SWATCHES = 16         # the demo's runner has 15 paints; with 8, shoes changed with the hair, and line art with the scarf
SAME_COLOR = 26.0          # gray levels (Euclidean over RGB) within which two shades are one paint
FAR_FROM_ANY = 90.0        # a pixel farther than this from every swatch belongs to none
SMALLEST_SHARE = 0.004     # of the sprite's area
FLAT_RANGE = 10            # gray levels: a 3x3 neighborhood that varies less is flat paint, not an edge
BITS = 6                   # of each channel that tell colors apart here
REFINEMENTS = 6
BAND = 256                  # rows that are looked at together


def find_palette(drawings: list[np.ndarray], shown: list[int]) -> tuple[Swatch, ...]:
    """The sprite's paints by share of area, largest first, at most `MOST_SWATCHES`.

    `drawings` are straight RGBA uint8 (H, W, 4); `shown[d]` is the number of frames that show drawing d, its weight.
    """
    histogram = np.zeros(1 << 3 * BITS, np.float64)
    for drawing, weight in zip(drawings, shown, strict=True):
        flat = _flat(drawing)
        for band, level in zip(_bands(drawing), _bands(flat), strict=True):
            histogram += weight * np.bincount(_codes(band[level][:, :3]), minlength=histogram.size)
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
    if not palette:
        return np.zeros(drawing.shape[:2], np.uint8)
    centers = np.array([swatch.color for swatch in palette], np.float64)
    distances = _distances(_color_of(np.arange(1 << 3 * BITS)), centers)
    table = np.where(distances.min(1) < FAR_FROM_ANY**2, distances.argmin(1) + 1, 0).astype(np.uint8)
    return np.concatenate([table[_codes(band[..., :3].reshape(-1, 3))].reshape(band.shape[:2]) for band in _bands(drawing)])


def _bands(picture: np.ndarray) -> list[np.ndarray]:
    """A picture in parts of some rows: its codes take eight times its bytes."""
    return [picture[top:top + BAND] for top in range(0, len(picture), BAND)]


def _flat(drawing: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(np.ascontiguousarray(drawing[..., :3]), cv2.COLOR_RGB2GRAY)
    kernel = np.ones((3, 3), np.uint8)
    return (cv2.dilate(gray, kernel) - cv2.erode(gray, kernel) < FLAT_RANGE) & (cv2.erode(drawing[..., 3], kernel) > 250)


def _codes(colors: np.ndarray) -> np.ndarray:
    top = (colors >> (8 - BITS)).astype(np.int64)
    return (top[:, 0] << 2 * BITS) | (top[:, 1] << BITS) | top[:, 2]


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
