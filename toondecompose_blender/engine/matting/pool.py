# SPDX-License-Identifier: GPL-3.0-or-later
"""What all exposures of a drawing say together, pixel by pixel on its canvas: evidence, one random walk, and moments of the colors.
It sees exposures already brought onto the canvas; where the drawing ends, and its alpha, are solved from what stands here."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..layers.evidence import FLAT_TRUST, TOLERANCE, Evidence, interval, residual_evidence
from .random_walker import edge_weights, random_walk

__all__ = ["Exposure", "Pool", "astray", "certain", "few", "gain", "looked_at", "pooled", "surroundings", "walk_input"]

PRIOR_TRUST = 0.06      # what the mask found at analysis size is worth against the evidence at full size
UNSEEN_TRUST = 0.12     # ... where the plate was never seen; by trial on toon clips
CERTAIN_TRUST = 1.0     # ... where it is certain, and told by motion rather than by a plate (measured)
CERTAIN = 13, 242       # of 255: such a mask is certain that a pixel is none of the sprite up to the first, and all of it from the second
BELIEVED, FAINT = 64, 16  # of 255: above the first that mask says foreground, below the second surely background
ASTRAY = 0.5            # share of the surely background pixels around that differ from the plate: there the plate is not believed ...
AROUND = 31             # px across; a wipe or a light that goes on changes more than that (judgement)
FEWEST_AROUND = 0.02    # ... and the least share of them that says so
FEWEST_SURROUNDINGS = 100  # px
MOST_GAIN = 4.0         # more noise than this leaves nothing to be believed
EDGE_SIGHTS = 4         # exposures whose contrasts are looked at


@dataclass(frozen=True)
class Exposure:
    """One sight of a drawing, on its canvas: `color` and the `background` behind it uint8 (H, W, 3); bool (H, W): `seen` (the
    background is known), `visible` (inside the frame, nothing in front), `certain` (`prior` is worth more than what the background
    tells); `prior` uint8 (H, W), the soft mask from analysis."""
    color: np.ndarray
    background: np.ndarray
    seen: np.ndarray
    visible: np.ndarray
    certain: np.ndarray
    prior: np.ndarray


@dataclass(frozen=True)
class Pool:
    """float32 (H, W): `soft`, the random walk's answer; `open`, mean evidence of background; `sights`, number of visible exposures;
    `covariance` of color with background and `variance` of the background, sums over exposures in squared levels.
    float32 (H, W, 3): mean `color` and mean `background`.  bool (H, W): `hidden`, visible in no exposure; `known`, background seen
    in all; `quiet`, no exposure differs from the background, though all that are visible know it."""
    soft: np.ndarray
    open: np.ndarray
    hidden: np.ndarray
    known: np.ndarray
    quiet: np.ndarray
    sights: np.ndarray
    color: np.ndarray
    background: np.ndarray
    covariance: np.ndarray
    variance: np.ndarray


def pooled(exposures: list[Exposure]) -> Pool:
    """The pool of at least one exposure."""
    strongest, open_, hint, believed, quiet = _evidence(exposures)
    value, confidence = walk_input(strongest, open_, hint, believed)
    soft = random_walk(value, confidence, *_bonds(exposures))
    visible = np.logical_or.reduce([sight.visible for sight in exposures])
    known = np.logical_and.reduce([sight.seen | ~sight.visible for sight in exposures])
    return Pool(soft, open_, ~visible, known & visible, quiet & visible, *_moments(exposures))


def _evidence(exposures: list[Exposure]) -> tuple[np.ndarray, ...]:
    """Evidence of foreground, if a few exposures say so, and of background, if all do; what the mask from analysis is worth and says,
    on average; and where all is quiet."""
    count = len(exposures)
    stack = np.empty((count, *exposures[0].seen.shape), np.uint8)
    background, hint, believed, sights = (np.zeros(exposures[0].seen.shape, np.float32) for _ in range(4))
    quiet = np.ones(exposures[0].seen.shape, bool)
    for i, sight in enumerate(exposures):
        evidence = residual_evidence(sight.color, sight.background, sight.seen)
        stack[i] = np.rint(evidence.foreground * sight.visible * 255)
        background += evidence.background * sight.visible * _gain(evidence, sight)
        trust = np.where(sight.certain, np.float32(CERTAIN_TRUST), PRIOR_TRUST + (UNSEEN_TRUST - PRIOR_TRUST) * evidence.unseen)
        trust *= sight.visible
        hint += trust
        believed += trust * (sight.prior > BELIEVED)
        sights += sight.visible
        quiet &= ~sight.visible | (sight.seen & (evidence.foreground == 0))
    rank = count - 1 - few(np.maximum(sights, 1).astype(np.int64))
    strongest = np.take_along_axis(np.sort(stack, axis=0), rank[None], 0)[0].astype(np.float32) / 255
    return strongest, background / np.maximum(sights, 1) * (1 - strongest), hint / count, believed / count, quiet


def certain(prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the mask `prior` uint8 (H, W) is certain for 2 px around: of background and of the sprite, bool (H, W) each."""
    near = np.ones((5, 5), np.uint8)
    return cv2.dilate(prior, near) <= CERTAIN[0], cv2.erode(prior, near) >= CERTAIN[1]


def astray(color: np.ndarray, background: np.ndarray, telling: np.ndarray) -> np.ndarray:
    """Where the `background` is not what is behind the sprite in this picture, `color`, uint8 (H, W, 3) both, by the pixels around
    that are surely background, `telling` bool (H, W): bool (H, W)."""
    differs = telling & (interval(color, background) > TOLERANCE)
    box = surroundings(*telling.shape)
    share, around = (cv2.blur(part.astype(np.float32), (box, box)) for part in (differs, telling))
    return (around > FEWEST_AROUND) & (share > ASTRAY * around)


def surroundings(height: int, width: int) -> int:
    """How many px across are around a pixel of a canvas of that size: what is mirrored at its border must be on it."""
    return min(AROUND, 2 * min(height, width) - 1)


def few(count):
    """How many of `count` exposures, an int or an array of them, may say more than what a quarter of them says."""
    return np.minimum(count - 1, count // 4)


def walk_input(strongest, open_, hint, believed):
    """Value and confidence of the random walk, arrays or tensors alike."""
    confidence = 0.6 * strongest + open_ + hint + 1e-4
    return (0.6 * strongest + believed + 3e-5) / confidence, confidence


def _gain(evidence: Evidence, sight: Exposure) -> float:
    """What background evidence is to be multiplied by so that grain or compression, of which the surroundings have as much, do
    not pass for a sprite."""
    surely = sight.seen & sight.visible & (sight.prior < FAINT)
    if np.count_nonzero(surely) < FEWEST_SURROUNDINGS:
        return 1.0
    return gain(float(np.median(evidence.background[surely])))


def gain(median: float) -> float:
    """... by the median of the background evidence around."""
    return float(np.clip(FLAT_TRUST / max(median, 1e-3), 1, MOST_GAIN))


def looked_at(count: int) -> range:
    """Which of `count` exposures show which edges are real."""
    step = max(1, count // EDGE_SIGHTS)
    return range(0, count, step)[:EDGE_SIGHTS]


def _bonds(exposures: list[Exposure]) -> tuple[np.ndarray, np.ndarray]:
    """An edge is real only if every exposure looked at shows it: the background's edges move on, the drawing's stay."""
    weights = [edge_weights(exposures[i].color, exposures[i].background) for i in looked_at(len(exposures))]
    return np.maximum.reduce([r for r, _ in weights]), np.maximum.reduce([d for _, d in weights])


def _moments(exposures: list[Exposure]) -> tuple[np.ndarray, ...]:
    """Number of visible exposures, their mean color and mean background, and the joint scatter where the background is known."""
    shape = exposures[0].seen.shape
    sights = np.zeros(shape, np.float32)
    color, background = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 3), np.float32)
    for sight in exposures:
        sights += sight.visible
        color += sight.color * sight.visible[..., None]
        background += sight.background * sight.visible[..., None]
    divisor = np.maximum(sights, 1e-3)[..., None]
    color, background = color / divisor, background / divisor
    covariance, variance = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    if len(exposures) > 1:
        for sight in exposures:
            step = (sight.background - background) * (sight.visible * sight.seen)[..., None]
            covariance += np.einsum("hwc,hwc->hw", sight.color - color, step)
            variance += np.einsum("hwc,hwc->hw", sight.background - background, step)
    return sights, color, background, covariance, variance
