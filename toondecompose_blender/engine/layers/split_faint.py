# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells layers apart by what other frames show at their places: where nothing is sharp enough to be an edgel, as in pale ice, the right
motion still brings the pictures closest; and what a firm plane never shows again is not of it.  It knows no proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from ..channels import apart
from ..motion.tracks import chained as placed
from ..parallel import map_ordered
from ..resampling import warp_to
from .edgels import CONTRAST, chained
from .ownership_moves import relaxed
from .split_agreement import measure_agreement
from .split_search import Layers
from .supervoxels import Supervoxels

__all__ = ["told_apart", "misfits"]

LAGS = (-6, -2, 2, 6)   # frames at which pictures are compared: slow planes need far ones, fast ones leave the picture soon (measured)
WINDOW = 5              # px: the side of the squares that are compared
EXPLAINED = 2.0         # gray levels up to which a motion explains a place
NOISE = 0.5             # gray levels that tell nothing
CLEARLY = 0.5           # of what the best motion leaves, and noise: how much more another one leaves before that counts
NOWHERE = 255.0         # gray levels: more than tells anything
PRICE = 0.15            # energy of a pixel that another layer's motion explains wholly better (measured: .1 to .2 are as good)
STRANGE = 0.05          # energy of a pixel that a plane shows at no other time (measured: .05 and .1 are as good)
LARGE = 0.01            # share of the clip from which a sprite may be a plane
FIRM = 0.07             # share of itself that a plane shows at no other time, at most (measured: up to .066, of limbs that move .08)


def told_apart(frames: np.ndarray, layers: Layers) -> tuple[Layers, np.ndarray]:
    """`layers` of a moving camera, found in RGB `frames` uint8 (T, h, w, 3), with what comparing the pictures says about them, and the
    pieces, bool (n,), that sprites have by that alone."""
    voxels = layers.energy.graph.voxels
    unary = layers.energy.unary + PRICE * misfits(frames, voxels, layers.motions)
    for label in range(1, len(layers.motions)):
        unary[:, label] += STRANGE * _strange(layers, label)
    energy = replace(layers.energy, unary=unary)
    labels = relaxed(energy, layers.labels, cycles=2)
    return replace(layers, labels=labels, energy=energy), (labels > 0) & (layers.labels == 0)


def misfits(frames: np.ndarray, voxels: Supervoxels, motions: Sequence[np.ndarray]) -> np.ndarray:
    """The pixels of each piece that another of the `motions` (T-1, 3, 3) explains better, 0..1 each: float64 (n, motions)."""
    keys = [motion.tobytes() for motion in motions]
    places = {key: chained(motion, LAGS) for key, motion in zip(keys, motions, strict=True)}    # some layers move alike

    def of_frame(t: int) -> np.ndarray:
        before, after = ([_misfit(frames, t, LAGS[n], [(homographies[n, t], valid[n, t]) for homographies, valid in places.values()])
                          for n in side if 0 <= t + LAGS[n] < len(frames)] for side in ((0, 1), (2, 3)))
        if not before or not after:
            return np.zeros((voxels.count, len(places)))
        # What is hidden for a while fits badly on one side only.
        worse = np.minimum(np.mean(before, 0), np.mean(after, 0))
        return np.stack([np.bincount(voxels.labels[t].ravel(), misfit.ravel(), voxels.count) for misfit in worse], 1)

    total = np.zeros((voxels.count, len(places)))
    for counted in map_ordered(of_frame, range(len(frames))):
        total += counted
    columns = {key: column for column, key in enumerate(places)}
    return total[:, [columns[key] for key in keys]]


def _misfit(frames: np.ndarray, t: int, lag: int, moves: Sequence[tuple[np.ndarray, bool]]) -> np.ndarray:
    """How clearly each of the `moves`, (3, 3) from frame t to t + lag and whether it is known, is worse than the best: float32 0..1
    (moves, h, w)."""
    left = np.stack([_left(frames, t, lag, move) if known else np.full(frames.shape[1:3], NOWHERE, np.float32) for move, known in moves])
    least = left.min(0)
    told = left < CONTRAST      # what differs more the edgels tell, or something hides it
    worse = np.clip((left - least) / (least + NOISE) - CLEARLY, 0, 1, where=told, out=np.zeros_like(left))
    # Of what is not told nothing is known: it is as good as the others are.
    guess = worse.sum(0) / np.maximum(1, told.sum(0))
    return np.where(least < EXPLAINED, np.where(told, worse, guess), 0).astype(np.float32)


def _left(frames: np.ndarray, t: int, lag: int, move: np.ndarray) -> np.ndarray:
    """What differs around each pixel of frame t when `move` has brought frame t + lag there: gray levels, float32 (h, w)."""
    height, width = frames.shape[1:3]
    back, square = np.linalg.inv(move), (WINDOW, WINDOW)
    brought = warp_to(frames[t + lag], back, width, height)
    seen = warp_to(np.ones((height, width), np.uint8), back, width, height, flags=cv2.INTER_NEAREST)
    left = cv2.boxFilter(apart(brought, frames[t]), cv2.CV_32F, square)
    left[cv2.erode(seen, np.ones(square, np.uint8)) == 0] = NOWHERE
    return left


def _strange(layers: Layers, label: int) -> np.ndarray:
    """The pixels of each piece that a sprite as firm as a plane shows at no other time, (n,); none if that one is not firm."""
    voxels, motion, own = layers.energy.graph.voxels, layers.motions[label], layers.labels == label
    size = voxels.size[own].sum()
    if size < LARGE * voxels.size.sum() or not np.isfinite(motion).all():
        return np.zeros(voxels.count)
    against = measure_agreement(voxels, placed(motion, 0)).against
    return against if against[own].sum() < FIRM * size else np.zeros(voxels.count)
