# SPDX-License-Identifier: GPL-3.0-or-later
"""At which fractions of the camera's motion the pictures behind the near plane move: a vote over long time lags.
It proposes; whether a plane is there is decided on the whole clip, elsewhere."""

from __future__ import annotations

import cv2
import numpy as np

from ..geometry import normalized, relative, resized
from ..paged import Recalled
from ..parallel import map_ordered
from ..resampling import warp_to
from .evidence import interval
from .plate import Canvas

__all__ = ["slower", "peaks", "proposed_fractions"]

FRACTIONS = np.arange(0, 1.2001, 0.05)
FARTHEST = 0.9             # fraction: nearer to 1 a plane is the near plane, measured badly
LAGS = (6, 12, 24)         # frames
SAMPLES = 16               # frames that vote
CLIPPED = 50.0             # gray levels, as in the masks' motion evidence
BOX = 5
MATCH, DISTINCT = 5.0, 20.0   # gray levels: the best fraction must match this well, the worst differ this much
LEAST_VOTES = 0.06         # of a region's votes, at a peak and its two neighbors
MOST = 4


def slower(camera: np.ndarray, fraction: float) -> np.ndarray:
    """The motion (T, 3, 3) of a plane that moves `fraction` of what `camera` (T, 3, 3) does, from the same reference frame."""
    camera = normalized(camera)
    return normalized(np.eye(3) + fraction * (camera - np.eye(3)))


def proposed_fractions(frames: np.ndarray, camera: np.ndarray, canvas: Canvas, regions: np.ndarray) -> list[float]:
    """Fractions of the motion of `canvas` that explain parts of `regions` int32 (labels on the canvas, 0: none), best first.

    `frames` RGB uint8 (T, h, w, 3); compared at half size.
    """
    count, height, width = frames.shape[:3]
    size = (max(8, width // 2), max(8, height // 2))
    halves = Recalled(lambda t: cv2.resize(frames[t], size, interpolation=cv2.INTER_AREA), count, size=3 * size[0] * size[1])
    motions = [resized(slower(camera, a), size[0] / width, size[1] / height) for a in FRACTIONS]
    to_half = resized(np.eye(3), 1, 1)
    to_half[0, 0], to_half[1, 1] = size[0] / width, size[1] / height
    total, colored = int(regions.max()) + 1, regions.astype(np.float32)

    def votes(t: int) -> np.ndarray:
        labels = cv2.warpPerspective(colored, to_half @ canvas.homographies[t], size, flags=cv2.INTER_NEAREST).astype(int)
        inside = np.flatnonzero(labels.ravel())
        table = np.zeros((total, len(FRACTIONS)))
        if len(inside):
            costs = _costs(halves, motions, t, inside)
            sure = (costs.min(0) < MATCH) & (costs.max(0) > DISTINCT)
            np.add.at(table, (labels.ravel()[inside][sure], costs.argmin(0)[sure]), 1)
        return table

    return peaks(sum(map_ordered(votes, np.unique(np.linspace(0, count - 1, SAMPLES).astype(int)))))


def _costs(frames: Recalled[np.ndarray], motions: list[np.ndarray], t: int, inside: np.ndarray) -> np.ndarray:
    """Per fraction and pixel the mean of the two best differences to frames far away in time."""
    height, width = frames[t].shape[:2]
    others = [t + sign * lag for lag in LAGS for sign in (-1, 1) if 0 <= t + sign * lag < len(frames)]
    costs = []
    for motion in motions:
        rows = np.full((max(2, len(others)), len(inside)), CLIPPED, np.float32)
        for row, s in zip(rows, others, strict=False):
            step = relative(motion[s], motion[t])
            moved = warp_to(frames[s], step, width, height, border=cv2.BORDER_REPLICATE)
            valid = warp_to(np.ones((height, width), np.float32), step, width, height) > 0.99
            error = cv2.blur(np.minimum(interval(frames[t], moved), CLIPPED), (BOX, BOX))
            row[:] = np.where(valid, error, CLIPPED).ravel()[inside]
        costs.append(np.partition(rows, 1, axis=0)[:2].mean(0))
    return np.stack(costs)


def peaks(votes: np.ndarray) -> list[float]:
    """Fractions at the local maxima of `votes` (regions, FRACTIONS), the first region's none, below the camera's own motion, the best
    supported first."""
    votes = np.maximum(votes - np.median(votes, axis=1, keepdims=True), 0)     # what every motion gets is chance
    found: dict[int, float] = {}
    padded = np.pad(votes, ((0, 0), (1, 1)))
    wide = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    for region in range(1, len(votes)):
        row, broad = votes[region], wide[region]
        for k in np.flatnonzero(FRACTIONS < FARTHEST):
            top = row[k] >= padded[region, k] and row[k] > padded[region, k + 2]
            if top and row[k] > 0 and broad[k] >= LEAST_VOTES * row.sum():
                found[k] = max(found.get(k, 0.0), float(broad[k]))
    chosen: list[int] = []
    for k in sorted(found, key=lambda k: (-found[k], k)):
        if all(abs(k - other) > 1 for other in chosen):
            chosen.append(k)
    return [_centroid(votes[_owner(wide, k)], k) for k in chosen[:MOST]]


def _owner(wide: np.ndarray, k: int) -> int:
    """The region with the most votes at a peak."""
    return int(np.argmax(wide[1:, k])) + 1


def _centroid(row: np.ndarray, k: int) -> float:
    """A peak's place between the steps."""
    near = slice(max(0, k - 1), k + 2)
    return round(float((row[near] * FRACTIONS[near]).sum() / row[near].sum()), 3)
