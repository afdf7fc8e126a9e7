# SPDX-License-Identifier: GPL-3.0-or-later
"""Dense inverse search flow (Kroeger et al. 2016), as OpenCV has it: the default, with nothing to download.
It decides how carefully a clip must be searched; it knows nothing of what its flow is used for."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ["DenseInverseSearch"]

_SMALL, _ENLARGED = 256, 360  # px of the short side: smaller frames are searched at the second size
_TEXTURE = 6.0  # gray levels per px: a gradient that patches can hold on to
_BUSY_CELL = 12  # textured pixels in a cell of 16 x 9 at 360 lines
_POOR = 0.5  # share of busy cells below which the careful preset pays
_SAMPLES = 8


class DenseInverseSearch:
    """Flow of frame pairs by DIS: the fast preset, or the medium one for clips with little texture."""

    threaded = True

    def __init__(self, frames: np.ndarray):
        """`frames` RGB uint8 (T, h, w, 3): their size and texture choose the preset and the size of the search."""
        height, width = frames.shape[1:3]
        factor = max(1.0, _ENLARGED / min(height, width)) if min(height, width) < _SMALL else 1.0
        self._size = (round(width * factor), round(height * factor))
        poor = _busy_share(frames) < _POOR
        self._preset = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM if poor else cv2.DISOPTICAL_FLOW_PRESET_FAST

    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flow first -> second and second -> first of two RGB frames, each float32 (h, w, 2)."""
        height, width = first.shape[:2]
        a, b = self._prepared(first), self._prepared(second)
        search = cv2.DISOpticalFlow_create(self._preset)
        return self._restored(search.calc(a, b, None), width, height), self._restored(search.calc(b, a, None), width, height)

    def _prepared(self, frame: np.ndarray) -> np.ndarray:
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        same = gray.shape[::-1] == self._size
        return gray if same else cv2.resize(gray, self._size, interpolation=cv2.INTER_CUBIC)

    def _restored(self, flow: np.ndarray, width: int, height: int) -> np.ndarray:
        if flow.shape[1::-1] == (width, height):
            return flow
        shrink = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
        return cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) * shrink


def _busy_share(frames: np.ndarray) -> float:
    """Share of the 16 x 9 cells with texture, over a few frames evenly in time."""
    shares = []
    for t in np.unique(np.linspace(0, len(frames) - 1, _SAMPLES).astype(int)):
        gray = cv2.cvtColor(frames[t], cv2.COLOR_RGB2GRAY)
        gx, gy = cv2.Sobel(gray, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(gray, cv2.CV_32F, 0, 1, scale=0.125)
        textured = (gx**2 + gy**2 > _TEXTURE**2).astype(np.float32)
        share = cv2.resize(textured, (16, 9), interpolation=cv2.INTER_AREA)
        shares.append((share > _BUSY_CELL / 1600).mean())
    return float(np.mean(shares))
