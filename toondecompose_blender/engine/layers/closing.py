# SPDX-License-Identifier: GPL-3.0-or-later
"""Closing gaps of a soft mask by a disc, as OpenCV does, in a time that grows with the disc's height, not with its area.
It knows one picture; how large a gap is one is its caller's business."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

__all__ = ["closed"]


def closed(mask: np.ndarray, size: int) -> np.ndarray:
    """The morphological closing of float32 (H, W) by OpenCV's disc `size` (odd) px across; beyond its border is nothing."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    reaches = (disc.sum(1, dtype=np.int64) - 1) // 2
    return -_highest(-_highest(mask, reaches), reaches)


@njit(nogil=True, cache=True, error_model="numpy")
def _highest(picture, reaches):
    """The highest value around each pixel: as far as `reaches` px to both sides in each row of a window around it.

    What is highest in a window of a row is that of two windows as long as a power of two, which may overlap.
    """
    height, width = picture.shape
    margin, powers = len(reaches) // 2, 1
    while 2 ** powers <= len(reaches):
        powers += 1
    result = np.full((height, width), -np.inf, np.float32)
    windows = np.full((powers, width + 2 * margin), -np.inf, np.float32)
    for i in range(height):
        windows[0, margin:margin + width] = picture[i]
        for power in range(1, powers):
            _raise(windows[power], windows[power - 1], windows[power - 1, 2 ** (power - 1):], width + 2 * margin + 1 - 2 ** power)
        for row in range(len(reaches)):
            target = i + margin - row
            if 0 <= target < height:
                power = 0
                while 2 ** (power + 1) <= 2 * reaches[row] + 1:
                    power += 1
                left = windows[power, margin - reaches[row]:]
                right = windows[power, margin + reaches[row] + 1 - 2 ** power:]
                _raise_further(result[target], left, right, width)
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def _raise(result, one, other, count):
    for j in range(count):
        result[j] = one[j] if one[j] > other[j] else other[j]


@njit(nogil=True, cache=True, error_model="numpy")
def _raise_further(result, one, other, count):
    for j in range(count):
        highest = one[j] if one[j] > other[j] else other[j]
        result[j] = result[j] if result[j] > highest else highest
