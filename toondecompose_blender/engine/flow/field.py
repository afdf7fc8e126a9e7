# SPDX-License-Identifier: GPL-3.0-or-later
"""Optical flow of a clip as data: what moved where between neighboring frames, and which of it can be believed.
It does not know how flow is estimated."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

__all__ = ["Flow", "agreement"]

_ELSEWHERE = 1e4  # px: what leaves the frame has no way back
_CONSTANT, _PROPORTION = 1.0, 0.01  # px² and share of |f|²; after Sundaram et al. 2010 (.5 and .01), by trial on toon clips


@dataclass(frozen=True)
class Flow:
    """`forward` float16 (T-1, h, w, 2): frame t -> t+1 in px as x, y; `backward` the same for t+1 -> t, on the grid of t+1."""

    forward: np.ndarray
    backward: np.ndarray

    def consistent(self, t: int) -> np.ndarray:
        """Where frame t is seen again in t+1, bool (h, w): there and back is |f + b(x+f)|² < 1 + .01 |f|² px²."""
        return agreement(self.forward[t], self.backward[t])

    def consistent_back(self, t: int) -> np.ndarray:
        """Where frame t+1 was seen already in t, bool (h, w), by the same test from the other side."""
        return agreement(self.backward[t], self.forward[t])


def agreement(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Where following `there` (h, w, 2) and then `back` (h, w, 2) returns to the start: bool (h, w)."""
    there, back = there.astype(np.float32), back.astype(np.float32)
    height, width = there.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    home = cv2.remap(back, x + there[..., 0], y + there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                     borderValue=(_ELSEWHERE, _ELSEWHERE))
    return _returned(there, home)


@njit(nogil=True, cache=True, error_model="numpy")
def _returned(there, home):
    """Where `there` and then `home`, float32 (h, w, 2), nearly cancel out."""
    height, width = there.shape[:2]
    result = np.empty((height, width), np.bool_)
    for i in range(height):
        for j in range(width):
            x, y = there[i, j, 0], there[i, j, 1]
            left, up = x + home[i, j, 0], y + home[i, j, 1]
            result[i, j] = left * left + up * up < np.float32(_CONSTANT) + np.float32(_PROPORTION) * (x * x + y * y)
    return result
