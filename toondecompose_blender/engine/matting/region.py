# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a drawing is: one region from what all its exposures say together, without specks and pinholes.
It sees that pool, on the sprite's canvas; alpha and color are solved elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .pool import Pool

__all__ = ["Region", "find_region", "odd"]

SMALLEST_PART = 0.02    # of the largest part's area; smaller ones are noise
SMALLEST_CUT_PART = 0.06  # ... of parts that touch the frame's border, where the background is seen least
LARGEST_HOLE = 0.01     # of the canvas; larger ones are real gaps
HOLE_EVIDENCE = 0.02    # mean background evidence above which a gap stays open; by trial on toon clips


@dataclass(frozen=True)
class Region:
    """`soft` float32 (H, W): the random walk's answer, 0 far away; `solid` bool (H, W): the region without specks and pinholes."""
    soft: np.ndarray
    solid: np.ndarray


def find_region(pool: Pool, *, scale: float) -> Region:
    """The drawing's region; `scale` is the frame's short side over 360 px, by which radii grow."""
    soft = pool.soft
    solid = _without_specks(soft > 0.5, cv2.dilate(pool.hidden.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
    solid = _without_pinholes(solid, pool.open, pool.hidden)
    soft = np.where(solid & (soft < 0.5), 1.0, soft)
    reach = cv2.dilate(solid.astype(np.uint8), np.ones((odd(9 * scale),) * 2, np.uint8)) > 0
    return Region(np.where(reach, soft, 0).astype(np.float32), solid)


def odd(size: float) -> int:
    """The nearest odd whole number, at least 3."""
    return max(3, 2 * int(round((size - 1) / 2)) + 1)


def _without_specks(mask: np.ndarray, border: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 3:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    least = np.where(np.bincount(labels[border], minlength=count) > 0, SMALLEST_CUT_PART, SMALLEST_PART)
    return (areas >= least * areas.max())[labels] & mask


def _without_pinholes(mask: np.ndarray, background: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Fill small holes, also those that the frame's border closes (`ends`: beyond it), unless the background was clearly seen there."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~mask & ~ends).astype(np.uint8), connectivity=4)
    evidence = np.bincount(labels.ravel(), background.ravel(), count) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    height, width = mask.shape
    x, y = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    inner = (x > 0) & (y > 0) & (x + stats[:, cv2.CC_STAT_WIDTH] < width) & (y + stats[:, cv2.CC_STAT_HEIGHT] < height)
    holes = inner & (stats[:, cv2.CC_STAT_AREA] < LARGEST_HOLE * mask.size) & (evidence < HOLE_EVIDENCE)
    holes[0] = False
    return mask | holes[labels]
