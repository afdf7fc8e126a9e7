# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a plane is transparent: its own plate against what is behind it, over all frames, and whether its edge really occludes.
It compares pictures that others stitched; it does not know how many planes there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ..matting.random_walker import edge_weights, random_walk
from ..parallel import map_ordered
from ..resampling import warp_to
from .evidence import interval
from .plate import Canvas, Plate, view

__all__ = ["UNKNOWN", "misses", "opening_of", "unknown", "verified"]

UNKNOWN = 255              # a miss where nothing is known
LEVELS = 4                 # steps of a miss per gray level
CLIPPED = 30.0             # gray levels: a worse miss says no more (a sprite misses every plane)
MATCH = 7.2                # gray levels; the masks' residual threshold
NEAR_TRUST = 2e-3          # of the plane being opaque, where nothing is known
LEAST_VIEWS = 6.0
BAND = 6                   # px at 360 lines: how far inside and outside an edge its two sides are compared
CONTRADICTED = 0.25        # at most, of the views inside an opening: the plane itself is seen there
LEAST_AREA = 1e-3          # of a frame


def misses(frames: np.ndarray, plate: Plate) -> np.ndarray:
    """By how much the picture of `plate` misses each of its frames uint8 (T, h, w, 3): uint8 (T, h, w) in quarters of a gray level up to
    120 = 30 levels, filled parts as well."""
    height, width = frames.shape[1:3]

    def miss(t: int) -> np.ndarray:
        colors, _ = view(plate, t, width, height, interpolation=cv2.INTER_LINEAR)
        return np.rint(np.minimum(interval(frames[t], colors), CLIPPED) * LEVELS).astype(np.uint8)

    return np.stack(list(map_ordered(miss, range(len(frames)))))


def unknown(plate: Plate, width: int, height: int) -> np.ndarray:
    """Where its frames show nothing of `plate` that was seen: uint8 (T, height, width), `UNKNOWN` there, else 0."""
    def at(homography: np.ndarray) -> np.ndarray:
        return np.where(warp_to(plate.seen, homography, width, height) > 0.99, 0, UNKNOWN).astype(np.uint8)

    return np.stack(list(map_ordered(at, plate.canvas.homographies)))


@dataclass(frozen=True)
class _Look:
    """One frame's misses, brought onto the plane's canvas: uint8 (H, W) each, and where something is known of both, bool."""
    own: np.ndarray
    behind: np.ndarray
    known: np.ndarray


def _looks(own: np.ndarray, behind: np.ndarray, canvas: Canvas, use: Callable[[_Look], np.ndarray]) -> Iterator[np.ndarray]:
    def look(t: int) -> np.ndarray:
        both = np.dstack([own[t], behind[t]])
        moved = warp_to(both, np.linalg.inv(canvas.homographies[t]), canvas.width, canvas.height, flags=cv2.INTER_NEAREST, beyond=UNKNOWN)
        one, other = moved[..., 0], moved[..., 1]
        return use(_Look(one, other, (other != UNKNOWN) & (one != UNKNOWN)))

    return map_ordered(look, range(len(own)))


def opening_of(own: np.ndarray, behind: np.ndarray, plate: Plate) -> np.ndarray:
    """Where `plate` is transparent, soft uint8 on its canvas: there the misses of what is `behind` it are smaller than its `own`
    (uint8 (T, h, w) each, as `misses` gives them)."""
    def compared(look: _Look) -> np.ndarray:
        gain = np.where(look.known, look.own.astype(np.int16) - look.behind, 0)
        return np.stack([gain, look.known.astype(np.int16)])

    gain, views = sum(_looks(own, behind, plate.canvas, compared), start=np.zeros((2, plate.canvas.height, plate.canvas.width), np.int32))
    mean = (gain / np.maximum(views, LEAST_VIEWS) / (CLIPPED * LEVELS)).astype(np.float32)
    confidence = np.abs(mean) + NEAR_TRUST
    soft = random_walk(np.maximum(mean, 0) / confidence, confidence, *edge_weights(plate.picture))
    return np.rint(np.clip(soft * 3 - 1, 0, 1) * 255).astype(np.uint8)


def verified(own: np.ndarray, behind: np.ndarray, plate: Plate, opening: np.ndarray, *, least: float, sweep: float) -> np.ndarray:
    """The `opening` without the parts that are none: each part must be explained by what is behind it, rarely show the plane itself,
    and its edge must be the plane's: where the far side is seen, the near side is seen beside it.  `least` (0..1): the share of
    the views that must say so.  `sweep` px: how far what is behind moves against the plane; a part larger both ways is not believed,
    because a sprite might fill it all the time.

    A sprite that stays long also hides a part of the plane from most frames; but beside its edge one sees the sprite again.
    """
    count_frames, height, width = own.shape
    band = max(2, round(BAND * min(height, width) / 360))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats((opening > 127).astype(np.uint8))
    pairs = _edge_pairs(opening > 127, band)
    sure = plate.seen > 0.99
    tallies = _looks(own, behind, plate.canvas, lambda look: _tally(look, labels, sure, pairs, count))
    views, missed, explained, contradicted, far, beside = sum(tallies)
    good = (views > LEAST_AREA * height * width * count_frames) & (explained > least * missed)
    good &= (contradicted < CONTRADICTED * views) & (beside > least * far) & (far > 0)
    good &= boxes[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].min(1) <= sweep
    good[0] = False
    kept = cv2.dilate(good[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.where(kept > 0, opening, 0).astype(np.uint8)


def _edge_pairs(opening: np.ndarray, band: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of pixels inside the opening along its edge, and of a pixel of the plane itself across the edge for each."""
    inside = opening.astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    solid = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) >= band / 2
    if not solid.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    _, nearest = cv2.distanceTransformWithLabels(1 - solid.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    place = np.zeros(int(nearest.max()) + 1, np.int64)
    place[nearest[solid]] = np.flatnonzero(solid)
    edge = np.flatnonzero((depth >= band / 2) & (depth <= band))
    return edge, place[nearest.ravel()[edge]]


def _tally(look: _Look, labels: np.ndarray, sure: np.ndarray, pairs: tuple[np.ndarray, np.ndarray], count: int) -> np.ndarray:
    """Per part of the opening (6, count): pixels in view with something known behind; where the plane misses; of these explained from
    behind; where only the plane itself matches; edge pixels that only what is
    behind explains; of these with the plane itself seen across the edge."""
    own, behind = look.own < MATCH * LEVELS, look.behind < MATCH * LEVELS
    inside = look.known & (labels > 0)
    counted = [inside, inside & ~own, inside & ~own & behind, inside & own & ~behind]
    rows = [np.bincount(labels[mask], minlength=count) for mask in counted]
    edge, across = pairs
    far = (look.known & ~own & behind).ravel()[edge] & (look.own != UNKNOWN).ravel()[across]
    beside = far & (own & sure).ravel()[across]
    owner = labels.ravel()[edge]
    return np.stack([*rows, *(np.bincount(owner[mask], minlength=count) for mask in (far, beside))]).astype(np.float64)
