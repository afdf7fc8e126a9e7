# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference of a picture to what is behind it, compiled: one pass over the pixels where arrays would take a dozen.
What the figures mean is said in `evidence`, which calls this."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["distances", "weighed"]


@njit(nogil=True, cache=True, error_model="numpy")
def distances(picture, low, high, margins):
    """Distance, float32 (H, W), of each color in `picture` uint8 (H, W, 3) to the range from `low` to `high`, each channel's range
    wider on both sides by `margins` int32 (256,) at its width."""
    height, width, _ = picture.shape
    result = np.empty((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            total = np.int32(0)
            for c in range(3):
                value, least, most = np.int32(picture[i, j, c]), np.int32(low[i, j, c]), np.int32(high[i, j, c])
                if least <= value <= most:
                    continue
                margin = margins[np.uint8(most - least)]
                outside = max(max(least - margin, np.int32(0)) - value, value - min(most + margin, np.int32(255)), np.int32(0))
                total += outside * outside
            result[i, j] = np.sqrt(np.float32(total))
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def weighed(sharp, blurred, mean, squared, seen, threshold, tolerance, flat, texture):
    """Evidence of foreground and of background, float32 (H, W) each, from the residual, `sharp` and `blurred`, and from the local
    mean of the background's gray and of its square; all figures float32."""
    height, width = sharp.shape
    foreground, background = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    zero, one = np.float32(0), np.float32(1)
    for i in range(height):
        for j in range(width):
            if seen[i, j]:
                residual = min(blurred[i, j], sharp[i, j] * np.float32(1.6) + np.float32(3))
                foreground[i, j] = min(max((residual - threshold) / tolerance, zero), one)
                deviation = np.sqrt(max(squared[i, j] - mean[i, j] * mean[i, j], zero))
                trust = flat + texture * min(max(deviation / np.float32(12), zero), one)
                background[i, j] = min(max((threshold - residual) / threshold, zero), one) * trust
    return foreground, background
