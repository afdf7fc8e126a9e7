# SPDX-License-Identifier: GPL-3.0-or-later
"""Edgels: the places where two neighboring pixels differ, the only ones that can tell motions apart in flat drawings.
It measures how badly a motion explains each edgel; it must not know which layer owns it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np

from ..channels import apart
from ..parallel import map_ordered
from .supervoxels import Supervoxels

__all__ = ["CONTRAST", "LONG", "Edgels", "find_edgels", "motion_cost", "lasting_cost", "chained", "bridged"]

CONTRAST = 12               # smallest max-channel difference of an edgel (by trial on toon clips)
SOFT = 4                    # px over which the two sides of a blurred edge are compared (a near plane out of focus)
SOFT_CONTRAST = 14          # difference over that distance that makes one: shading of large round forms stays below (judgement)
FULL_WEIGHT = 40            # contrast at which an edgel counts fully (by trial on toon clips)
PER_FRAME = 6000            # edgels a frame ...
IN_ALL = 480_000            # ... and of the clip: a long clip is thinned, so that time and memory stay bounded
LAGS = (1, -1, 4, -4)       # frames at which a motion is checked, in pairs of signs (by trial on toon clips)
LONG, SHORTEST = 16, 6      # frames to both sides up to which what stands still is looked for again, and the fewest (judgement)
FORGIVEN = 6.0              # color distance that noise and sub-pixel shifts explain (by trial on toon clips)
PERSISTING = 0.5            # share of its contrast that an edge over a changing background keeps
CHUNK = 20_000              # edgels a thread works on at once


@dataclass(frozen=True)
class Edgels:
    """`places` int32 (n, 6): t, y, x, y', x', contrast, in frame order; `weight` (n,) float64; `target` float64 (n, 2) where the
    flow takes (x, y), `trusted` where that flow is consistent; `begin` (T + 1,) first edgel of each frame; `pieces` int32 (n, 2)."""
    places: np.ndarray
    weight: np.ndarray
    target: np.ndarray
    trusted: np.ndarray
    begin: np.ndarray
    pieces: np.ndarray


def find_edgels(voxels: Supervoxels, flow) -> Edgels:
    """The edgels of the sharpened clip, at most 6000 a frame on average."""
    frames = len(voxels.sharp)
    found = list(map_ordered(_of_frame, voxels.sharp))
    first = np.cumsum([0] + [len(places) for places in found])
    stride = int(first[-1]) // min(PER_FRAME * frames, IN_ALL) + 1
    thinned = [places[-start % stride::stride].astype(np.int32) for places, start in zip(found, first.tolist(), strict=False)]
    begin = np.cumsum([0] + [len(places) for places in thinned])

    def followed(t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        y, x, y2, x2 = thinned[t][:, :4].T
        target = np.stack([x, y], 1) + flow.forward[min(t, frames - 2), y, x].astype(np.float64)
        trusted = flow.consistent(t)[y, x] if t < frames - 1 else np.zeros(len(y), bool)
        return target, trusted, np.stack([voxels.labels[t, y, x], voxels.labels[t, y2, x2]], 1)

    target, trusted, pieces = (np.concatenate(column) for column in zip(*map_ordered(followed, range(frames)), strict=True))
    places = np.column_stack([np.repeat(np.arange(frames, dtype=np.int32), np.diff(begin)), np.concatenate(thinned)])
    return Edgels(places, np.minimum(1, places[:, 5] / FULL_WEIGHT) * stride, target, trusted, begin, pieces)


def _of_frame(picture: np.ndarray) -> np.ndarray:
    """Edgels of one frame (n, 5), uint16 because a long clip has many: y, x, y', x', contrast; sharp and then soft ones, of right-hand
    neighbors and of lower ones."""
    found = []
    for reach in (1, SOFT):
        for dy, dx in ((0, reach), (reach, 0)):
            step = apart(picture[dy:, dx:], picture[:len(picture) - dy, :picture.shape[1] - dx])
            y, x = np.nonzero(step >= CONTRAST if reach == 1 else _soft(picture, step, dy > 0))
            found.append(np.stack([y, x, y + dy, x + dx, step[y, x]], 1).astype(np.uint16))
    return np.concatenate(found)


def _soft(picture: np.ndarray, step: np.ndarray, upright: bool) -> np.ndarray:
    """Which of the differences over `SOFT` px are the middle of a blurred edge: steepest along the axis, without a sharp edge there."""
    near = apart(picture[1:], picture[:-1]) if upright else apart(picture[:, 1:], picture[:, :-1])
    window = np.ones((SOFT + 1, 1) if upright else (1, SOFT + 1), np.uint8)
    anchor = (0, 0)
    sharpest = cv2.dilate(near, window[:-1] if upright else window[:, :-1], anchor=anchor)[:step.shape[0], :step.shape[1]]
    steepest = cv2.dilate(step, window)
    return (step >= SOFT_CONTRAST) & (step == steepest) & (sharpest < CONTRAST)


def chained(motion: np.ndarray, lags: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Homographies t -> t + lag of a `motion` (T-1, 3, 3) with NaN gaps: (lags, T, 3, 3), and where they are known (lags, T)."""
    motion = bridged(motion)
    frames = len(motion) + 1
    known = np.isfinite(motion[:, 0, 0])
    inverse = np.full_like(motion, np.nan)
    inverse[known] = np.linalg.inv(motion[known])
    result = np.full((len(lags), frames, 3, 3), np.nan)
    for n, lag in enumerate(lags):
        if abs(lag) >= frames:
            continue
        span = frames - abs(lag)
        total = np.broadcast_to(np.eye(3), (span, 3, 3))
        for i in range(abs(lag)):
            step = motion[i:i + span] if lag > 0 else inverse[abs(lag) - 1 - i:abs(lag) - 1 - i + span]
            total = step @ total
        result[n, slice(0, span) if lag > 0 else slice(-lag, frames)] = total
    valid = np.isfinite(result).all((2, 3))
    result[~valid] = 0
    return result, valid


def bridged(motion: np.ndarray) -> np.ndarray:
    """Pairs without a motion take that of the nearest known pair: a guess costs no more than not knowing."""
    known = np.flatnonzero(np.isfinite(motion[:, 0, 0]))
    if len(known) in (0, len(motion)):
        return motion
    nearest = np.abs(np.arange(len(motion))[:, None] - known).argmin(1)
    return motion[known[nearest]]


def motion_cost(edgels: Edgels, voxels: Supervoxels, motion: np.ndarray, *, only: np.ndarray | None = None) -> np.ndarray:
    """How badly `motion` (T-1, 3, 3) explains each edgel, float32 (n, 3) in 0..1, .5 if not checkable, in three cases; 0 for
    edgels that are not among `only` (bool (n,)), if those are given.

    0: both sides move so, the two pixels reappear.  1: only the first side does, and it hides what the other shows: its
    pixel reappears, and beside it is still something else.  2: only the second side does.
    """
    homographies, valid = chained(motion, LAGS)
    cost = np.zeros((len(edgels.places), 3), np.float32)
    wanted = np.ones(len(cost), bool) if only is None else only

    def part(begin: int) -> None:
        chunk = slice(begin, begin + CHUNK)
        _cost(edgels.places[chunk], wanted[chunk], voxels.sharp, voxels.low, voxels.high, homographies, np.array(LAGS), valid,
              cost[chunk])

    for _ in map_ordered(part, range(0, len(cost), CHUNK)):
        pass
    return cost


def lasting_cost(edgels: Edgels, voxels: Supervoxels, cost: np.ndarray) -> np.ndarray:
    """The `cost` (n, 3) of standing still, raised where an edgel is found at none of several times up to `LONG` frames before and
    after: a cloud may need as long to drift by a few px, and what only something passed before is found at one of them."""
    cost = cost.copy()

    def part(begin: int) -> None:
        chunk = slice(begin, begin + CHUNK)
        _outlasted(edgels.places[chunk], voxels.sharp, voxels.low, voxels.high, cost[chunk])

    for _ in map_ordered(part, range(0, len(cost), CHUNK)):
        pass
    return cost


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _cost(places, wanted, sharp, low, high, homographies, lags, valid, cost):
    frames = len(sharp)
    for q in range(len(places)):
        if not wanted[q]:
            continue
        t, y, x, down, across, step = places[q]
        own, other = _color(sharp, t, y, x), _color(sharp, t, down, across)
        both = first = second = 0.0
        checked = 0
        for pair in range(0, len(lags), 2):
            least = (9.0, 9.0, 9.0)
            for n in range(pair, pair + 2):
                s = t + lags[n]
                if 0 <= s < frames and valid[n, t]:
                    v, u = _moved(homographies, n, t, y, x, low.shape)
                    below, beside = _moved(homographies, n, t, down, across, low.shape)
                    if v < 0 or below < 0:
                        continue
                    first_moved, second_lost = _found(own, other, step, low, high, s, v, u)
                    second_moved, first_lost = _found(other, own, step, low, high, s, below, beside)
                    least = (min(least[0], max(first_moved, second_moved)), min(least[1], max(first_moved, first_lost)),
                             min(least[2], max(second_moved, second_lost)))
            if least[0] < 2:
                both, first, second = both + least[0], first + least[1], second + least[2]
                checked += 1
        cost[q, 0] = both / checked if checked else 0.5
        cost[q, 1] = first / checked if checked else 0.5
        cost[q, 2] = second / checked if checked else 0.5


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _outlasted(places, sharp, low, high, cost):
    """Raise (in place) the `cost` of edgels that are found, where they are, at none of several times far away."""
    for q in range(len(places)):
        t, y, x, down, across, step = places[q]
        lag = min(LONG, t, len(sharp) - 1 - t)
        if lag < SHORTEST:
            continue
        own, other = _color(sharp, t, y, x), _color(sharp, t, down, across)
        least = (9.0, 9.0, 9.0)
        for s in (t - lag, t + lag, t - 3 * lag // 4, t + 3 * lag // 4, t - lag // 2, t + lag // 2):
            first_moved, second_lost = _found(own, other, step, low, high, s, y, x)
            second_moved, first_lost = _found(other, own, step, low, high, s, down, across)
            least = (min(least[0], max(first_moved, second_moved)), min(least[1], max(first_moved, first_lost)),
                     min(least[2], max(second_moved, second_lost)))
        for case in range(3):
            cost[q, case] = max(cost[q, case], least[case])


@numba.njit(nogil=True, cache=True, inline="always")
def _color(picture, t, y, x):
    return np.int32(picture[t, y, x, 0]), np.int32(picture[t, y, x, 1]), np.int32(picture[t, y, x, 2])


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _moved(homographies, n, t, y, x, shape):
    """The row and column of a pixel after homography n of frame t; -1 where that is outside of pictures of this `shape`."""
    z = homographies[n, t, 2, 0] * x + homographies[n, t, 2, 1] * y + homographies[n, t, 2, 2]
    across = homographies[n, t, 0, 0] * x + homographies[n, t, 0, 1] * y + homographies[n, t, 0, 2]
    down = homographies[n, t, 1, 0] * x + homographies[n, t, 1, 1] * y + homographies[n, t, 1, 2]
    if z != 1:      # dividing takes longer than all the rest
        across, down = across / z, down / z
    u, v = int(np.floor(across + 0.5)), int(np.floor(down + 0.5))
    if u < 0 or v < 0 or u >= shape[2] or v >= shape[1]:
        return -1, -1
    return v, u


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _found(own, other, step, low, high, s, v, u):
    """How far the color of one side of an edgel, `own`, is not at a place of frame s, and how far that of the `other` side is lost
    there, 0..1."""
    distance = contrast = np.int32(0)
    for c in range(3):
        darkest, lightest = np.int32(low[s, v, u, c]), np.int32(high[s, v, u, c])
        distance = max(distance, darkest - own[c], own[c] - lightest)
        contrast = max(contrast, lightest - other[c], other[c] - darkest)
    moved = 0.0 if distance <= FORGIVEN else min(1.0, (distance - FORGIVEN) / max(10.0, 0.5 * step))
    return moved, 0.0 if contrast >= PERSISTING * step else 1 - contrast / (PERSISTING * step)
