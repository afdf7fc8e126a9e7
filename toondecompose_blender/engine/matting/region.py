# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a drawing is: one region from what all its exposures say together, without specks and pinholes.
It sees that pool, on the sprite's canvas; alpha and color are solved elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..channels import apart
from .pool import Pool
from .pool_kernels import painted_alike, parts_chosen, sums_of_parts

__all__ = ["Region", "find_region", "odd"]

SMALLEST_PART = 0.02    # of the largest part's area; smaller ones are noise
SMALLEST_CUT_PART = 0.06  # ... of parts that touch the frame's border, where the background is seen least
LARGEST_HOLE = 0.01     # of the canvas; larger ones are real gaps
HOLE_EVIDENCE = 0.02    # mean background evidence above which a gap stays open; by trial on toon clips
LINED, FEWEST_LINED = 40.0, 40  # gray levels, 5 px across, of a background that is lined, and how many px of it tell
HIDES = 0.2             # of those px, that a gap without its lines lacks
SMALLEST_GAP = 8        # px: less is where two paints of the drawing blend
DRAWN, OUTLINED = 24.0, 0.7     # contrast that what is drawn around a gap has, on this share of its rim: shades that meet have none
SLIT, OPEN = 7, 2       # px at 360 lines: a gap between houses is that narrow; px that it has in common with the outside
SAME = 4.0              # gray levels between two flat paints that are one; compression included
STEADY = 25.0           # squared gray levels a sight by which a background varies that does not change (judgement)
COLORED = 24            # gray levels between its channels from which a paint is no white, gray or black, which sprites have, too


@dataclass(frozen=True)
class Region:
    """`soft` float32 (H, W): the random walk's answer, 0 far away; bool (H, W): `solid`, the region without specks and pinholes;
    `through`, gaps in it through which the background is seen, whether or not it was ever seen beside the drawing."""
    soft: np.ndarray
    solid: np.ndarray
    through: np.ndarray


def find_region(pool: Pool, *, scale: float, before: Callable[[], np.ndarray], told: np.ndarray | None = None) -> Region:
    """The drawing's region; `scale` is the frame's short side over 360 px, by which radii grow; `before()`, bool (H, W): other sprites are
    behind it; `told` bool (H, W): no gap, an artist says."""
    soft = pool.soft
    solid = _without_specks(soft > 0.5, cv2.dilate(pool.hidden.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
    solid = _without_pinholes(solid, pool.open, pool.hidden)
    solid = solid | _painted_over(solid, pool, before)
    soft = np.where(solid & (soft < 0.5), 1.0, soft)
    through = _seen_through(solid if told is None else solid & ~told, pool, scale)
    solid, soft = solid & ~through, np.where(through, 0, soft)
    reach = cv2.dilate(solid.astype(np.uint8), np.ones((odd(9 * scale),) * 2, np.uint8)) > 0
    return Region(np.where(reach, soft, 0).astype(np.float32), solid, through)


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
    return parts_chosen(labels, areas >= least * areas.max()) & mask


def _without_pinholes(mask: np.ndarray, background: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Fill small holes, also those that the frame's border closes (`ends`: beyond it), unless the background was clearly seen there."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~mask & ~ends).astype(np.uint8), connectivity=4)
    evidence = sums_of_parts(labels, background, count) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    small = stats[:, cv2.CC_STAT_AREA] < LARGEST_HOLE * mask.size
    return mask | parts_chosen(labels, _inner(stats, mask.shape) & small & (evidence < HOLE_EVIDENCE))


def _painted_over(mask: np.ndarray, pool: Pool, before: Callable[[], np.ndarray]) -> np.ndarray:
    """Gaps within the mask that have the background's color but hide its lines: paper that was cut out, a wall's paint on a figure.
    Lines of other drawings, `before` which this one is, may not be quite where they were."""
    shape, bright = np.ones((5, 5), np.uint8), pool.background.max(2)
    lined = pool.known & (cv2.morphologyEx(bright, cv2.MORPH_GRADIENT, shape) > LINED)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    lined &= cv2.erode((~mask).astype(np.uint8), shape) > 0
    if np.count_nonzero(lined) >= FEWEST_LINED:
        lined &= ~before()
    hidden = lined & (apart(pool.color, pool.background) > DRAWN)
    seen, gone = (np.bincount(labels[part], minlength=count) for part in (lined, hidden))
    return parts_chosen(labels, _inner(stats, mask.shape) & (seen >= FEWEST_LINED) & (gone > HIDES * seen))


def _inner(stats: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Which of the parts with these statistics of OpenCV, the first of which is none, do not touch the border: bool (n,)."""
    x, y, width, height = stats[:, :cv2.CC_STAT_AREA].T
    return (x > 0) & (y > 0) & (x + width < shape[1]) & (y + height < shape[0]) & (np.arange(len(stats)) > 0)


def _seen_through(mask: np.ndarray, pool: Pool, scale: float) -> np.ndarray:
    """Parts of the region that always show the very paint of the background behind them: sky between the pickets of a fence.

    Where the background never changes, or was never seen, no picture tells such a part from one painted alike.  Of a color, the
    first is likelier; white, gray and black are everybody's paints, and left to the sprite, but for slits that are open to the outside.
    """
    telling = pool.known & ~pool.quiet & (pool.variance > STEADY * pool.sights)     # it changed, and the drawing did not with it
    paint = painted_alike(mask, telling, pool.hidden, pool.color, pool.background, SAME, COLORED)
    x, y, width, height = cv2.boundingRect(paint)
    window = np.s_[max(0, y - 2):y + height + 2, max(0, x - 2):x + width + 2]
    through = np.zeros(mask.shape, bool)
    if width:
        contrast = apart(pool.color[window], pool.background[window])
        through[window] = _gaps(paint[window], mask[window] | pool.hidden[window], contrast, odd(SLIT * scale))
    return through


def _gaps(paint: np.ndarray, mask: np.ndarray, contrast: np.ndarray, slit: int) -> np.ndarray:
    """The parts of the `paint`, 2 where it is colored, that have a visible outline: what of the sprite lies around them has this
    `contrast` to what is behind it, float32 gray levels; and that are colored, or narrower than `slit` px and open to where the
    `mask` ends."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((paint > 0).astype(np.uint8), connectivity=4)
    near, around = (cv2.dilate(labels.astype(np.float32), np.ones((size, size))).astype(np.int32) for size in (3, 5))
    rim = np.where(mask & (near == 0), around, 0)
    outlined = np.bincount(rim[contrast >= DRAWN], minlength=count) >= OUTLINED * np.maximum(np.bincount(rim.ravel(), minlength=count), 1)
    colored = np.bincount(labels[paint == 2], minlength=count) > 0
    wide = np.bincount(labels[cv2.erode(paint, np.ones((slit, slit), np.uint8)) > 0], minlength=count) > 0
    opened = np.bincount(near[~mask], minlength=count) >= OPEN
    gaps = outlined & (colored | (opened & ~wide)) & (stats[:, cv2.CC_STAT_AREA] >= SMALLEST_GAP)
    return (paint > 0) & parts_chosen(labels, gaps)
