# SPDX-License-Identifier: GPL-3.0-or-later
"""Shading that stays with the camera while the background moves: a lens's dark corners, a gradient laid over the shot.
It is told apart from sprites by being the same in every frame and smooth; it belongs to no layer, and only evidence uses it."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

from ..parallel import map_ordered
from .plate import Look

__all__ = ["find_shade", "under"]

CELL = 20          # px of the frame over which a difference is averaged before the median over time
LARGEST = 16.0     # gray levels; more is a thing, not a shade
FEWEST_SHARE = 0.3  # of the frames must have seen background in a cell


def find_shade(frames: np.ndarray, look: Look, foreground: np.ndarray) -> np.ndarray:
    """float32 (h, w, 3) gray levels: by how much frames uint8 (T, h, w, 3) are usually brighter than the
    background that `look(t)` shows, at each place.

    `foreground` float32 (T, h, w) are soft masks of what is not the background.
    """
    height, width = frames.shape[1:3]
    grid = (max(2, width // CELL), max(2, height // CELL))

    def difference(t: int) -> np.ndarray:
        shown, seen = look(t)
        weight = ((foreground[t] < 0.3) & seen).astype(np.float32)
        change = (frames[t].astype(np.float32) - shown) * weight[..., None]
        share = cv2.resize(weight, grid, interpolation=cv2.INTER_AREA)[..., None]
        mean = cv2.resize(change, grid, interpolation=cv2.INTER_AREA) / np.maximum(share, 1e-6)
        return np.where(share > 0.5, mean, np.nan)

    differences = np.stack(list(map_ordered(difference, range(len(frames)))))
    enough = np.isfinite(differences[..., 0]).mean(0) >= FEWEST_SHARE
    median = np.where(enough[..., None], _median(differences), 0)
    smooth = cv2.GaussianBlur(np.clip(median, -LARGEST, LARGEST).astype(np.float32), (0, 0), 0.8)
    return cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC)


def _median(values: np.ndarray) -> np.ndarray:
    """Over the first axis, of the finite values only; 0 where there is none."""
    ordered = np.sort(values, axis=0)  # not-a-number goes last
    count = np.isfinite(values).sum(0)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, 0)[0]
    return np.where(count > 0, middle, 0)


def under(look: Look, shade: np.ndarray) -> Look:
    """The background as `look` shows it, under the shade."""
    if np.abs(shade).max() < 0.5:      # it would be rounded away
        return look

    def darkened(t: int) -> tuple[np.ndarray, np.ndarray]:
        shown, seen = look(t)
        return _shaded(shown, shade), seen
    return darkened if shade.any() else look


@njit(nogil=True, cache=True, error_model="numpy")
def _shaded(picture, shade):
    height, width, channels = picture.shape
    result = np.empty_like(picture)
    for i in range(height):
        for j in range(width):
            for c in range(channels):
                level = np.rint(np.float32(picture[i, j, c]) + shade[i, j, c])
                result[i, j, c] = np.uint8(min(max(level, np.float32(0)), np.float32(255)))
    return result
