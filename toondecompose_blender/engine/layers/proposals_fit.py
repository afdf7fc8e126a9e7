# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits one motion to some edgels, pair of frames by pair of frames: a translation, or a similarity where that clearly pays.
It must not know where the edgels were taken from."""

from __future__ import annotations

import numba
import numpy as np

from .edgels import Edgels

__all__ = ["fit_motion"]

FEWEST = 6          # trusted edgels a pair needs
MOST = 600          # edgels of a pair that take part
SEEDS = 16          # flows tried as a first translation
RADIUS = 1.0        # px: an edgel this near its prediction supports it
ROUNDS = 6
SIMILARITY_GAIN = 0.08      # share of the weight that a similarity must save (by trial on toon clips)
SIMILARITY_EDGELS = 30
SMALLEST = 0.25     # nothing shrinks, or grows, by more from frame to frame (judgement)


def fit_motion(edgels: Edgels, weight: np.ndarray) -> np.ndarray:
    """The motion (T-1, 3, 3) of the edgels with a positive `weight` (n,); NaN for pairs with too few of them."""
    frames = len(edgels.begin) - 1
    chosen = np.flatnonzero((weight > 0) & edgels.trusted)
    begin = np.searchsorted(edgels.places[chosen, 0], np.arange(frames))
    motion = np.full((frames - 1, 3, 3), np.nan)
    source = edgels.places[chosen][:, [2, 1]].astype(np.float64)
    _fit_pairs(source, edgels.target[chosen], weight[chosen].astype(np.float64), begin, motion)
    return motion


@numba.njit(nogil=True, cache=True)
def _fit_pairs(source, target, weight, begin, motion):
    for t in range(len(motion)):
        count = begin[t + 1] - begin[t]
        if count < FEWEST:
            continue
        stride = count // (MOST + 1) + 1
        a = source[begin[t]:begin[t + 1]:stride]
        b = target[begin[t]:begin[t + 1]:stride]
        motion[t] = _fit(a, b, weight[begin[t]:begin[t + 1]:stride])


@numba.njit(nogil=True, cache=True)
def _fit(a, b, weight):
    """Homography a -> b: the best supported translation, polished; a similarity if it saves enough."""
    best, support = np.zeros(2), -1.0
    for seed in range(min(SEEDS, len(a)) + 1):
        shift = np.zeros(2)
        if seed:
            index = (seed - 1) * len(a) // min(SEEDS, len(a))
            shift = b[index] - a[index]
        votes = 0.0
        for i in range(len(a)):
            if (b[i, 0] - a[i, 0] - shift[0]) ** 2 + (b[i, 1] - a[i, 1] - shift[1]) ** 2 < RADIUS * RADIUS:
                votes += weight[i]
        if votes > 1.02 * support:
            best, support = shift, votes
    start = np.eye(3)
    start[:2, 2] = best
    moved = _polished(start, a, b, weight, False, 2.5 * RADIUS)
    turned = _polished(start, a, b, weight, True, 4 * RADIUS)
    saved = _loss(moved, a, b, weight) - _loss(turned, a, b, weight)
    scale = np.hypot(turned[0, 0], turned[1, 0])
    if not SMALLEST < scale < 1 / SMALLEST:     # edgels whose flow ends in one point
        return moved
    return turned if len(a) > SIMILARITY_EDGELS and saved > SIMILARITY_GAIN * weight.sum() + 2 else moved


@numba.njit(nogil=True, cache=True)
def _polished(model, a, b, weight, turning, radius):
    """`model` refined by least squares with Tukey weights of a shrinking radius."""
    strength = np.empty(len(a))
    for _ in range(ROUNDS):
        for i in range(len(a)):
            strength[i] = weight[i] * max(0.0, 1 - _error(model, a[i], b[i]) / radius ** 2) ** 2
        radius = max(1.5 * RADIUS, 0.7 * radius)
        if strength.sum() < 3:
            break
        model = _solved(a, b, strength, turning)
    return model


@numba.njit(nogil=True, cache=True)
def _solved(a, b, strength, turning):
    """Weighted least squares translation, or similarity."""
    total, ax, ay, bx, by = strength.sum(), 0.0, 0.0, 0.0, 0.0
    for i in range(len(a)):
        ax += strength[i] * a[i, 0] / total
        ay += strength[i] * a[i, 1] / total
        bx += strength[i] * b[i, 0] / total
        by += strength[i] * b[i, 1] / total
    cosine, sine = 1.0, 0.0
    if turning:
        spread, along, across = 1e-9, 0.0, 0.0
        for i in range(len(a)):
            px, py, qx, qy = a[i, 0] - ax, a[i, 1] - ay, b[i, 0] - bx, b[i, 1] - by
            spread += strength[i] * (px * px + py * py)
            along += strength[i] * (px * qx + py * qy)
            across += strength[i] * (px * qy - py * qx)
        cosine, sine = along / spread, across / spread
    model = np.eye(3)
    model[0, 0], model[0, 1], model[0, 2] = cosine, -sine, bx - cosine * ax + sine * ay
    model[1, 0], model[1, 1], model[1, 2] = sine, cosine, by - sine * ax - cosine * ay
    return model


@numba.njit(nogil=True, cache=True)
def _error(model, source, target):
    """Squared distance in px between the prediction of an affine `model` and `target`."""
    x = model[0, 0] * source[0] + model[0, 1] * source[1] + model[0, 2] - target[0]
    y = model[1, 0] * source[0] + model[1, 1] * source[1] + model[1, 2] - target[1]
    return x * x + y * y


@numba.njit(nogil=True, cache=True)
def _loss(model, a, b, weight):
    total = 0.0
    for i in range(len(a)):
        total += weight[i] * min(1.0, _error(model, a[i], b[i]) / RADIUS ** 2)
    return total
