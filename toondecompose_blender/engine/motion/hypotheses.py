# SPDX-License-Identifier: GPL-3.0-or-later
"""Several plane motions for a pair of neighboring frames, out of its flow: each explains what the ones before left over.
It does not judge which of them is the background."""

from __future__ import annotations

import cv2
import numpy as np

from ..geometry import normalized, project, translation
from .models import fit_homography

__all__ = ["flow_homographies", "flow_shifts"]

# All by trial on toon clips, lengths for 360 lines
_GRID = 6
_MOTIONS = 4
_INLIER = 1.0
_TUKEY = 2.5
_REFITS = 3
_SHIFTS = 8  # mean shifts towards a mode
_LEAST_SHARE, _LEAST_POINTS = 0.03, 12
_TEXTURE = 3.0  # gray levels per px
_ATTEMPTS, _CERTAINTY = 600, 0.999


def flow_homographies(flow: np.ndarray, believed: np.ndarray, gray: np.ndarray) -> list[np.ndarray]:
    """Up to four homographies (3, 3), frame -> next frame, the best supported first.

    `flow` (h, w, 2) px, `believed` bool (h, w) from the forward-backward test, `gray` uint8 (h, w) the frame.
    """
    scale = gray.shape[0] / 360
    source, target = _matches(flow, believed & _textured(gray), max(3, round(_GRID * scale)))
    left = np.ones(len(source), bool)
    found = []
    for _ in range(_MOTIONS):
        if left.sum() < max(_LEAST_POINTS, _LEAST_SHARE * len(source)):
            break
        homography = _dominant(source[left], target[left], max(1.0, scale))
        if homography is None:
            break
        distance = np.linalg.norm(project(homography, source) - target, axis=1)
        explained = left & (distance < 2 * _INLIER * max(1.0, scale))
        if explained.sum() < max(_LEAST_POINTS, _LEAST_SHARE * len(source)):
            break
        found.append(homography)
        left &= ~explained
    return found


def flow_shifts(flow: np.ndarray, believed: np.ndarray, gray: np.ndarray) -> list[np.ndarray]:
    """Up to four plain shifts (3, 3), frame -> next frame: the modes of the flow, the largest first.

    Where planes at different depths slide past each other, one homography would fit them all, badly; shifts keep them apart.
    """
    scale = max(1.0, gray.shape[0] / 360)
    source, target = _matches(flow, believed & _textured(gray), max(3, round(_GRID * gray.shape[0] / 360)))
    velocity = target - source
    found = []
    for _ in range(_MOTIONS):
        if len(velocity) < max(_LEAST_POINTS, _LEAST_SHARE * len(source)):
            break
        values, counts = np.unique(np.round(velocity / scale), axis=0, return_counts=True)
        mode = values[counts.argmax()] * scale
        for _ in range(_SHIFTS):
            weight = np.maximum(0, 1 - (np.linalg.norm(velocity - mode, axis=1) / (_INLIER * scale)) ** 2) ** 2
            if weight.any():
                mode = (velocity * weight[:, None]).sum(0) / weight.sum()
        found.append(translation(*mode))
        velocity = velocity[np.linalg.norm(velocity - mode, axis=1) >= _INLIER * scale]
    return found


def _textured(gray: np.ndarray) -> np.ndarray:
    gx, gy = cv2.Sobel(gray, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(gray, cv2.CV_32F, 0, 1, scale=0.25)
    return cv2.dilate((gx**2 + gy**2 > _TEXTURE**2).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def _matches(flow: np.ndarray, usable: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    height, width = usable.shape
    y, x = np.mgrid[step // 2:height:step, step // 2:width:step].reshape(2, -1)
    keep = usable[y, x]
    y, x = y[keep], x[keep]
    source = np.stack([x, y], 1).astype(np.float64)
    return source, source + flow[y, x]


def _dominant(source: np.ndarray, target: np.ndarray, scale: float) -> np.ndarray | None:
    """The homography of most matches: MAGSAC (Barath et al. 2019), then weighted fits with Tukey's biweight."""
    try:
        homography, _ = cv2.findHomography(source, target, cv2.USAC_MAGSAC, _INLIER * scale, maxIters=_ATTEMPTS, confidence=_CERTAINTY)
    except cv2.error:  # degenerate samples only
        return None
    if homography is None or not np.isfinite(homography).all() or abs(homography[2, 2]) < 1e-9:
        return None
    for _ in range(_REFITS):
        distance = np.linalg.norm(project(homography, source) - target, axis=1)
        weights = np.maximum(0, 1 - (distance / (_TUKEY * scale)) ** 2) ** 2
        if (weights > 0).sum() < _LEAST_POINTS:
            return None
        homography = fit_homography(source, target, weights)
        if not np.isfinite(homography).all():
            return None
    return normalized(homography)
