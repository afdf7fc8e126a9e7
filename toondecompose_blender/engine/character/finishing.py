# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a network drew to a drawing: straight color without dark fringes, full size along the pose's own edges, a clean matte.
Knows single pictures; networks and files live elsewhere."""

from __future__ import annotations

import cv2
import numpy as np

from .holes import push_pull

__all__ = ["straight_color", "enlarged", "despeckled", "thresholded"]

TRUSTED_ALPHA = 0.5  # below, dividing by alpha says more about rounding than about color
GUIDE_SPREAD = 0.02  # of the pose's range: farther places belong to another surface
TAPS = (-1, 0, 1, 2)
ISLAND_SHARE = 0.002  # of the character's area; smaller islands and pinholes are specks
SOLID = 128


def straight_color(premultiplied: np.ndarray) -> np.ndarray:
    """Color float (H, W, 3) in 0..1 of premultiplied RGBA float (H, W, 4), continued beyond the outline."""
    alpha = premultiplied[..., 3:]
    color = premultiplied[..., :3] / np.maximum(alpha, 1e-6)
    return push_pull(color.clip(0, 1).astype(np.float64), alpha[..., 0] >= min(TRUSTED_ALPHA, alpha.max()))


def enlarged(values: np.ndarray, small: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """`values` (s, s, C), drawn for the pose `small` (s, s, 4), at the size of `pose` (S, S, 4), S >= s.

    Every pixel mixes the 4 x 4 drawn pixels around it that show nearly the same place, so edges are those of the large pose.
    Pixels without the character come out as plain bilinear.
    """
    size, count = len(pose), len(small)
    plain = cv2.resize(values, (size, size), interpolation=cv2.INTER_LINEAR).reshape(size, size, -1).astype(np.float64)
    ys, xs = np.nonzero(pose[..., 3] > 0)
    at_y, at_x = ((axis + 0.5) * count / size - 0.5 for axis in (ys, xs))
    base_y, base_x = np.floor(at_y).astype(int), np.floor(at_x).astype(int)
    total, weights = np.zeros((len(ys), plain.shape[2])), np.zeros(len(ys))
    for dy in TAPS:
        for dx in TAPS:
            y, x = (base_y + dy).clip(0, count - 1), (base_x + dx).clip(0, count - 1)
            apart = ((small[y, x, :3] - pose[ys, xs, :3]) ** 2).sum(-1) / (2 * GUIDE_SPREAD ** 2)
            away = ((base_y + dy - at_y) ** 2 + (base_x + dx - at_x) ** 2) / 2
            weight = np.exp(-apart - away) * small[y, x, 3]
            total += weight[:, None] * values[y, x].reshape(len(ys), -1)
            weights += weight
    found = weights > 1e-6
    plain[ys[found], xs[found]] = total[found] / weights[found, None]
    return plain


def despeckled(alpha: np.ndarray) -> np.ndarray:
    """Alpha uint8 (H, W) without small islands and pinholes."""
    limit = ISLAND_SHARE * (alpha >= SOLID).sum()
    islands, holes = _specks(alpha > 0, limit), _specks(alpha < SOLID, limit)
    return np.where(holes, 255, np.where(islands, 0, alpha)).astype(np.uint8)


def thresholded(alpha: np.ndarray, threshold: int, erosion: int) -> np.ndarray:
    """A hard matte, 255 where alpha uint8 (H, W) exceeds `threshold`, drawn in by `erosion` px on every side."""
    hard = np.where(alpha > threshold, 255, 0).astype(np.uint8)
    return cv2.erode(hard, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * erosion + 1,) * 2)) if erosion else hard


def _specks(mask: np.ndarray, limit: float) -> np.ndarray:
    """Connected parts of `mask` of fewer pixels than `limit`; the largest part is never one."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    small = areas < limit
    small[0] = False
    if len(areas) > 1:
        small[1 + np.argmax(areas[1:])] = False
    return small[labels]
