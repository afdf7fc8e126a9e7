# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a drawing is: one region from all its exposures, pooled evidence first, then one random walk.
It sees exposures already brought onto the sprite's canvas; alpha and color are solved elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..layers.evidence import FLAT_TRUST, Evidence, residual_evidence
from .random_walker import edge_weights, random_walk

__all__ = ["Exposure", "Region", "find_region"]

PRIOR_TRUST = 0.06      # what the mask found at analysis size is worth against the evidence at full size
UNSEEN_TRUST = 0.12     # ... where the plate was never seen; by trial on toon clips
SMALLEST_PART = 0.02    # of the largest part's area; smaller ones are noise
SMALLEST_CUT_PART = 0.06  # ... of parts that touch the frame's border, where the background is seen least
LARGEST_HOLE = 0.01     # of the canvas; larger ones are real gaps
HOLE_EVIDENCE = 0.02    # mean background evidence above which a gap stays open; by trial on toon clips
FEWEST_SURROUNDINGS = 100  # px
MOST_GAIN = 4.0         # more noise than this leaves nothing to be believed
EDGE_SIGHTS = 4         # exposures whose contrasts are looked at


@dataclass(frozen=True)
class Exposure:
    """One sight of a drawing, on its canvas: `color` and the `background` behind it uint8 (H, W, 3); bool (H, W): `seen` (the
    background is known), `visible` (inside the frame, nothing in front); `prior` uint8 (H, W), the soft mask from analysis."""
    color: np.ndarray
    background: np.ndarray
    seen: np.ndarray
    visible: np.ndarray
    prior: np.ndarray


@dataclass(frozen=True)
class Region:
    """`soft` float32 (H, W): the random walk's answer, 0 far away; `solid` bool (H, W): the region without specks and pinholes."""
    soft: np.ndarray
    solid: np.ndarray


def find_region(exposures: list[Exposure], *, scale: float) -> Region:
    """The drawing's region; `scale` is the frame's short side over 360 px, by which radii grow."""
    value, confidence, background = _pooled(exposures)
    right, down = _bonds(exposures)
    soft = random_walk(value, confidence, right, down)
    ends = ~np.logical_or.reduce([sight.visible for sight in exposures])
    solid = _without_specks(soft > 0.5, cv2.dilate(ends.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
    solid = _without_pinholes(solid, background, ends)
    soft = np.where(solid & (soft < 0.5), 1.0, soft)
    reach = cv2.dilate(solid.astype(np.uint8), np.ones((odd(9 * scale),) * 2, np.uint8)) > 0
    return Region(np.where(reach, soft, 0).astype(np.float32), solid)


def odd(size: float) -> int:
    """The nearest odd whole number, at least 3."""
    return max(3, 2 * int(round((size - 1) / 2)) + 1)


def _pooled(exposures: list[Exposure]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value and confidence of the random walk, and the mean background evidence: foreground if a few exposures say so,
    background only if all do."""
    count = len(exposures)
    stack = np.empty((count, *exposures[0].seen.shape), np.uint8)
    background, hint, believed, sights = (np.zeros(exposures[0].seen.shape, np.float32) for _ in range(4))
    for i, sight in enumerate(exposures):
        evidence = residual_evidence(sight.color, sight.background, sight.seen)
        stack[i] = np.rint(evidence.foreground * sight.visible * 255)
        background += evidence.background * sight.visible * _gain(evidence, sight)
        trust = (PRIOR_TRUST + (UNSEEN_TRUST - PRIOR_TRUST) * evidence.unseen) * sight.visible
        hint += trust
        believed += trust * (sight.prior > 64)
        sights += sight.visible
    rank = count - 1 - min(count - 1, count // 4)
    strongest = np.partition(stack, rank, axis=0)[rank].astype(np.float32) / 255
    mean = np.maximum(sights, 1)
    background = background / mean * (1 - strongest)
    hint, believed = hint / count, believed / count
    confidence = 0.6 * strongest + background + hint + 1e-4
    return (0.6 * strongest + believed + 3e-5) / confidence, confidence, background


def _gain(evidence: Evidence, sight: Exposure) -> float:
    """What background evidence is to be multiplied by so that grain or compression, of which the surroundings have as much, do
    not pass for a sprite."""
    surely = sight.seen & sight.visible & (sight.prior < 16)
    if np.count_nonzero(surely) < FEWEST_SURROUNDINGS:
        return 1.0
    return float(np.clip(FLAT_TRUST / max(float(np.median(evidence.background[surely])), 1e-3), 1, MOST_GAIN))


def _bonds(exposures: list[Exposure]) -> tuple[np.ndarray, np.ndarray]:
    """An edge is real only if every exposure looked at shows it: the background's edges move on, the drawing's stay."""
    step = max(1, len(exposures) // EDGE_SIGHTS)
    looked_at = [edge_weights(sight.color, sight.background) for sight in exposures[::step][:EDGE_SIGHTS]]
    return np.maximum.reduce([r for r, _ in looked_at]), np.maximum.reduce([d for _, d in looked_at])


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
    evidence = np.bincount(labels.ravel(), background.ravel(), count) / np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    height, width = mask.shape
    x, y = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    inner = (x > 0) & (y > 0) & (x + stats[:, cv2.CC_STAT_WIDTH] < width) & (y + stats[:, cv2.CC_STAT_HEIGHT] < height)
    holes = inner & (stats[:, cv2.CC_STAT_AREA] < LARGEST_HOLE * mask.size) & (evidence < HOLE_EVIDENCE)
    holes[0] = False
    return mask | holes[labels]
