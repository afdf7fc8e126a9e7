# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a plane is transparent: its own plate against what is behind it, over all frames, and whether its edge really occludes.
It compares pictures that others stitched; it does not know how many planes there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..matting.random_walker import edge_weights, random_walk
from ..parallel import map_ordered
from .evidence import interval
from .plate import Plate, view

__all__ = ["Behind", "opening_of", "verified"]

# t -> float32 (h, w): gray levels by which what is behind the plane misses frame t; NaN where nothing is known of it
Behind = Callable[[int], np.ndarray]

CLIPPED = 30.0             # gray levels: a worse miss says no more (a sprite misses every plane)
MATCH = 7.2                # gray levels; the masks' residual threshold, engine design S7
NEAR_TRUST = 2e-3          # of the plane being opaque, where nothing is known
LEAST_VIEWS = 6.0
BAND = 6                   # px at 360 lines: how far inside and outside an edge its two sides are compared
EXPLAINED = 0.5            # of the views in which the plane itself misses, those that what is behind must explain
CONTRADICTED = 0.25        # at most, of the views inside an opening: the plane itself is seen there
OCCLUDING = 0.4            # of the views of an edge's far side, those in which its near side is seen beside it
FRAMES = 48                # evenly in time, that are compared
LEAST_AREA = 1e-3          # of a frame


@dataclass(frozen=True)
class _Look:
    """One frame's misses, brought onto the plane's canvas: float32 (H, W) each, where the frame reaches, and where
    something is known of what is behind, bool."""
    own: np.ndarray
    behind: np.ndarray
    inside: np.ndarray
    known: np.ndarray


def _sampled(count: int) -> list[int]:
    return sorted(set(np.linspace(0, count - 1, FRAMES).round().astype(int).tolist()))


def opening_of(frames: np.ndarray, plate: Plate, behind: Behind) -> np.ndarray:
    """Where `plate` is transparent, soft uint8 on its canvas: there frames uint8 (T, h, w, 3) look like what is `behind`."""
    gain = np.zeros((plate.canvas.height, plate.canvas.width), np.float32)
    views = np.zeros_like(gain)
    for look in map_ordered(lambda t: _look(frames, plate, behind, t), _sampled(len(frames))):
        gain += (np.minimum(look.own, CLIPPED) - np.minimum(look.behind, CLIPPED)) * look.inside
        views += look.inside
    mean = gain / np.maximum(views, LEAST_VIEWS) / CLIPPED
    confidence = np.abs(mean) + NEAR_TRUST
    value = np.maximum(mean, 0) / confidence
    soft = random_walk(value, confidence, *edge_weights(plate.picture))
    return np.rint(np.clip(soft * 3 - 1, 0, 1) * 255).astype(np.uint8)


def _look(frames: np.ndarray, plate: Plate, behind: Behind, t: int) -> _Look:
    height, width = frames.shape[1:3]
    own = interval(frames[t], view(plate, t, width, height)[0])
    missed = behind(t)
    known = ~np.isnan(missed)
    # Where nothing is known of what is behind, the comparison is a draw.
    both = np.dstack([own, np.where(known, missed, own), np.ones_like(own), known])
    size = (plate.canvas.width, plate.canvas.height)
    moved = cv2.warpPerspective(both, np.linalg.inv(plate.canvas.homographies[t]), size, flags=cv2.INTER_LINEAR)
    return _Look(moved[..., 0], moved[..., 1], moved[..., 2] > 0.99, moved[..., 3] > 0.99)


def verified(frames: np.ndarray, plate: Plate, behind: Behind, opening: np.ndarray) -> np.ndarray:
    """The `opening` without the parts that are none: each part must be explained by what is behind it, never show the plane itself,
    and its edge must be the plane's: where the far side is seen, the near side is seen beside it.

    A sprite that stays long also hides a part of the plane from most frames; but beside its edge one sees the sprite again.
    """
    height, width = frames.shape[1:3]
    band = max(2, round(BAND * min(height, width) / 360))
    count, labels = cv2.connectedComponents((opening > 127).astype(np.uint8))
    pairs = _edge_pairs(opening > 127, band)
    table = sum(map_ordered(lambda t: _tally(_look(frames, plate, behind, t), labels, pairs, count), _sampled(len(frames))))
    views, missed, explained, contradicted, far, beside = table
    good = (views > LEAST_AREA * height * width * len(_sampled(len(frames)))) & (explained > EXPLAINED * missed)
    good &= (contradicted < CONTRADICTED * views) & (beside > OCCLUDING * far) & (far > 0)
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


def _tally(look: _Look, labels: np.ndarray, pairs: tuple[np.ndarray, np.ndarray], count: int) -> np.ndarray:
    """Per part of the opening (6, count): pixels in view with something known behind; where the plane misses; of these explained from behind; where only the plane
    itself matches; edge pixels that only what is behind explains; of these with the plane itself seen across the edge."""
    own, behind = look.own < MATCH, look.behind < MATCH
    inside = look.inside & look.known & (labels > 0)
    counted = [inside, inside & ~own, inside & ~own & behind, inside & own & ~behind]
    rows = [np.bincount(labels[mask], minlength=count) for mask in counted]
    edge, across = pairs
    far = (look.inside & ~own & behind).ravel()[edge] & look.inside.ravel()[across]
    beside = far & own.ravel()[across]
    owner = labels.ravel()[edge]
    return np.stack([*rows, *(np.bincount(owner[mask], minlength=count) for mask in (far, beside))]).astype(np.float64)
