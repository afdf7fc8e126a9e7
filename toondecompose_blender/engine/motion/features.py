# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions between two pictures from the few places in them that are like no other: however far these went, repeats do not fool them.
It proposes; whether the pictures agree is for others to say."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..geometry import project, translation

__all__ = ["LARGEST_FEATURES", "Features", "features", "feature_motions"]

_MOST = 500
_FEW = 100
_CONTRAST = 0.02  # half of SIFT's usual: flat backgrounds have little else
_RATIO = 0.8  # to the second nearest; Lowe 2004, section 7.1
_NEAR = 3.0  # px at 360 lines: matches that go the same way
_LEAST = 2  # matches that agree
_MOTIONS = 4
LARGEST_FEATURES = 4 * _MOST * (128 + 2)  # bytes of those of one picture


@dataclass(frozen=True)
class Features:
    """`points` float32 (N, 2) px, and their `descriptors` float32 (N, 128)."""

    points: np.ndarray
    descriptors: np.ndarray


def features(gray: np.ndarray) -> Features:
    """SIFT features of a picture, uint8 (h, w): of half its size, where there are enough, since SIFT doubles what it is given."""
    detector = cv2.SIFT_create(nfeatures=_MOST, contrastThreshold=_CONTRAST)
    for factor in (0.5, 1.0):
        picture = gray if factor == 1 else cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        keys, descriptors = detector.detectAndCompute(picture, None)
        if len(keys) >= _FEW:
            break
    if not keys:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    points = np.float32([key.pt for key in keys])
    return Features((points + 0.5) / np.float32(factor) - 0.5, descriptors)


def feature_motions(early: Features, late: Features, *, scale: float) -> list[np.ndarray]:
    """Up to eight motions (3, 3), early -> late, the best supported first; `scale`: px for one at 360 lines."""
    source, target = _matched(early, late)
    found = []
    for _ in range(_MOTIONS):
        if len(source) < _LEAST:
            break
        motion = _similarity(source, target, scale)
        if motion is None:
            break
        near = np.linalg.norm(project(motion, source) - target, axis=1) < _NEAR * scale
        if near.sum() < _LEAST:
            break
        # matches close together say where something went, hardly how it turned
        shift = translation(*np.median(target[near] - source[near], axis=0))
        found += [motion, shift]
        source, target = source[~near], target[~near]
    return found


def _matched(early: Features, late: Features) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) in both pictures that are each other's best match, and by far."""
    if len(early.points) < 2 or len(late.points) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    nearest = matcher.knnMatch(early.descriptors, late.descriptors, k=2)
    back = {match.queryIdx: match.trainIdx for match, in matcher.knnMatch(late.descriptors, early.descriptors, k=1)}
    mutual = [match for match, other in nearest if match.distance < _RATIO * other.distance and back[match.trainIdx] == match.queryIdx]
    source = np.array([early.points[match.queryIdx] for match in mutual], np.float64).reshape(-1, 2)
    return source, np.array([late.points[match.trainIdx] for match in mutual], np.float64).reshape(-1, 2)


def _similarity(source: np.ndarray, target: np.ndarray, scale: float) -> np.ndarray | None:
    found, _ = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=_NEAR * scale)
    if found is None or not np.isfinite(found).all():
        return None
    return np.vstack([found, [0, 0, 1.0]])
