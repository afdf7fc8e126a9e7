# SPDX-License-Identifier: GPL-3.0-or-later
"""What all exposures of a drawing say together, pixel by pixel on its canvas: evidence, one random walk, and moments of the colors.
It sees exposures already brought onto the canvas; where the drawing ends, and its alpha, are solved from what stands here."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..layers.evidence import FLAT_TRUST, TOLERANCE, Evidence, interval, residual_evidence
from .pool_kernels import add_colors, add_evidence, add_scatter, divide, ranked, surroundings_count
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

# What the mask is worth where the background is seen, where it is not, and where the mask is certain, as `add_evidence` takes it.
_TRUSTS = np.array([PRIOR_TRUST, np.float32(PRIOR_TRUST) + np.float32(UNSEEN_TRUST - PRIOR_TRUST), CERTAIN_TRUST], np.float32)


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
    strongest, open_, hint, believed, sights, quiet, known = _evidence(exposures)
    value, confidence = walk_input(strongest, open_, hint, believed)
    soft = random_walk(value, confidence, *_bonds(exposures))
    hidden = sights == 0
    return Pool(soft, open_, hidden, known & ~hidden, quiet & ~hidden, sights, *_moments(exposures, sights))


def _evidence(exposures: list[Exposure]) -> tuple[np.ndarray, ...]:
    """Evidence of foreground, if a few exposures say so, and of background, if all do; what the mask from analysis is worth and says,
    on average; the number of visible exposures; where all is quiet, and where the background is known in all."""
    count, shape = len(exposures), exposures[0].seen.shape
    levels, sums = np.empty((count, *shape), np.uint8), np.zeros((4, *shape), np.float32)
    quiet, known = np.ones(shape, bool), np.ones(shape, bool)
    for sight, level in zip(exposures, levels, strict=True):
        evidence = residual_evidence(sight.color, sight.background, sight.seen)
        add_evidence(evidence.foreground, evidence.background, sight.seen, sight.visible, sight.certain, sight.prior > BELIEVED,
                     np.float32(_gain(evidence, sight)), _TRUSTS, level, sums, quiet, known)
    background, hint, believed, sights = sums
    strongest = ranked(levels, few(sights.astype(np.int64)))
    open_ = background / np.maximum(sights, 1) * (1 - strongest)
    return strongest, open_, hint / count, believed / count, sights, quiet, known


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
    """How many of `count` exposures (a number, an array, a tensor) may say more than what counts as said: a quarter at most."""
    return count // 4


def walk_input(strongest, open_, hint, believed):
    """Value and confidence of the random walk, arrays or tensors alike."""
    confidence = 0.6 * strongest + open_ + hint + 1e-4
    return (0.6 * strongest + believed + 3e-5) / confidence, confidence


def _gain(evidence: Evidence, sight: Exposure) -> float:
    """What background evidence is to be multiplied by so that grain or compression, of which the surroundings have as much, do
    not pass for a sprite."""
    enough = np.float32(FLAT_TRUST)
    count, reaching = surroundings_count(evidence.background, sight.seen, sight.visible, sight.prior, FAINT, enough)
    if count < FEWEST_SURROUNDINGS or 2 * reaching > count + 1:     # then the median reaches it, too
        return 1.0
    return gain(float(np.median(evidence.background[sight.seen & sight.visible & (sight.prior < FAINT)])))


def gain(median: float) -> float:
    """... by the median of the background evidence around."""
    return float(np.clip(FLAT_TRUST / max(median, 1e-3), 1, MOST_GAIN))


def looked_at(count: int) -> range:
    """Which of `count` exposures show which edges are real."""
    step = max(1, count // EDGE_SIGHTS)
    return range(0, count, step)[:EDGE_SIGHTS]


def _bonds(exposures: list[Exposure]) -> tuple[np.ndarray, np.ndarray]:
    """An edge is real only if every exposure looked at shows it: the background's edges move on, the drawing's stay."""
    right, down = np.zeros((2, *exposures[0].seen.shape), np.float32)
    for i in looked_at(len(exposures)):
        for strongest, bonds in zip((right, down), edge_weights(exposures[i].color, exposures[i].background), strict=True):
            np.maximum(strongest, bonds, out=strongest)
    return right, down


def _moments(exposures: list[Exposure], sights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean color and mean background of the visible exposures, `sights` in number, and the joint scatter where the background is
    known."""
    color, background = np.zeros((*sights.shape, 3), np.float32), np.zeros((*sights.shape, 3), np.float32)
    for sight in exposures:
        add_colors(sight.color, sight.background, sight.visible, color, background)
    divide(color, sights)
    divide(background, sights)
    covariance, variance = np.zeros_like(sights), np.zeros_like(sights)
    if len(exposures) > 1:
        for sight in exposures:
            add_scatter(sight.color, sight.background, sight.visible, sight.seen, color, background, covariance, variance)
    return color, background, covariance, variance
