# SPDX-License-Identifier: GPL-3.0-or-later
"""How well each piece agrees with the whole clip's background: seen through the camera, do other frames show the same there?
It knows the camera and colors; it must not know proposals or labels."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from ..geometry import relative
from ..parallel import map_ordered
from .supervoxels import Supervoxels

__all__ = ["Agreement", "measure_agreement"]

VIEWS = 12              # other frames, spread over the clip, that a frame is compared with
FEWEST_VIEWS = 4        # of them that must show a place before it counts
FEWEST_A_SIDE = 2       # views before as well as after, so that a place can disagree with both
ALIKE = 8               # color distance to the 3x3 range up to which two frames show the same
TEXTURED = 40           # contrast of a 3x3 window that agrees by chance hardly ever
MOSTLY = 0.5            # share of views from which agreeing counts for the background
DRAWN = 120             # contrast of a line that agrees although the frame resembles itself as much (drawn clips)
SELDOM = 0.3            # share of views below which disagreeing counts against it


@dataclass(frozen=True)
class Agreement:
    """Pixels of each piece that speak `for_` and `against` its being background, weighted 0..1: float64 (n,)."""
    for_: np.ndarray
    against: np.ndarray


def measure_agreement(voxels: Supervoxels, camera: np.ndarray) -> Agreement:
    """The agreement of each piece under `camera` float64 (T, 3, 3), background plane -> frame."""
    frames = len(voxels.sharp)
    views = np.unique(np.linspace(0, frames - 1, VIEWS + 1).round().astype(int))

    def votes(t: int) -> np.ndarray:
        counts = np.zeros((3, 2, *voxels.labels.shape[1:]), np.uint8)    # seen, same and alike, before and after t
        for s in views[views != t]:
            _compare(voxels.sharp[t], voxels.low[t], voxels.high[t], voxels.low[s], voxels.high[s], relative(camera[t], camera[s]),
                     *counts[:, int(s > t)])
        both = _voted(counts, voxels.low[t], voxels.high[t], min(FEWEST_VIEWS, len(views) - 1))
        return np.stack([np.bincount(voxels.labels[t].ravel(), votes.ravel(), voxels.count) for votes in both])

    total = np.zeros((2, voxels.count))
    for counted in map_ordered(votes, range(frames)):
        total += counted
    return Agreement(*total)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _compare(sharp, own_low, own_high, low, high, homography, seen, same, alike):
    """Count (in place) the pixels of which another frame tells something, those of them that it shows alike, and the others that
    look alike under any such shift."""
    h, w = seen.shape
    us, vs = np.empty(w, np.int32), np.empty(w, np.int32)
    for y in range(h):
        _row_moved(homography, y, h, us, vs)
        for x in range(w):
            u, v = us[x], vs[x]
            if u < 0 or v < 0 or u >= w or v >= h:
                continue
            agrees = _distance(sharp, y, x, low, high, v, u) <= ALIKE
            if agrees and max(abs(u - x), abs(v - y)) > 1 and _distance(sharp, y, x, own_low, own_high, v, u) <= ALIKE:
                alike[y, x] += 1    # the frame resembles itself under this shift: that it resembles the other says little
                continue
            seen[y, x] += 1
            same[y, x] += agrees


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _row_moved(homography, y, h, us, vs):
    """Column and row, in place, to which each pixel of row `y` is moved; what is outside of `h` rows stays outside.  A loop of its
    own, which the compiler makes vectors of."""
    w = len(us)
    (h00, h01, h02), (h10, h11, h12), (h20, h21, h22) = homography[0], homography[1], homography[2]
    for x in range(w):
        z = h20 * x + h21 * y + h22
        across, down = np.floor((h00 * x + h01 * y + h02) / z + 0.5), np.floor((h10 * x + h11 * y + h12) / z + 0.5)
        us[x], vs[x] = np.int32(min(max(across, -1.0), w)), np.int32(min(max(down, -1.0), h))


@numba.njit(nogil=True, cache=True, inline="always")
def _distance(picture, y, x, low, high, v, u):
    """How far a pixel's color is from a range of colors at another place: the largest of its channels."""
    distance = np.int32(0)
    for c in range(3):
        value = np.int32(picture[y, x, c])
        distance = max(distance, np.int32(low[v, u, c]) - value, value - np.int32(high[v, u, c]))
    return distance


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _voted(counts, low, high, fewest):
    """How much each pixel says for its being background, and how much against, 0..1 (2, h, w); `counts` (3, 2, h, w): views, before and
    after, that show it, that show it alike, and that look alike anyway."""
    h, w = low.shape[:2]
    votes = np.zeros((2, h, w))
    for y in range(h):
        for x in range(w):
            contrast = np.int32(0)
            for c in range(3):
                contrast = max(contrast, np.int32(high[y, x, c]) - np.int32(low[y, x, c]))
            (seen, later), (same, same_later) = counts[0, :, y, x], counts[1, :, y, x]
            views, agreeing, alike = seen + later, same + same_later, counts[2, 0, y, x] + counts[2, 1, y, x]
            votes[0, y, x] = max(min(1.0, contrast / TEXTURED) * _agreeing(agreeing, views, fewest),
                                 min(1.0, contrast / DRAWN) * _agreeing(agreeing + alike, views + alike, fewest))
            if min(seen, later) >= FEWEST_A_SIDE and views >= alike:
                # What is hidden from some time on was background all the same.
                often = max(same / max(seen, 1), same_later / max(later, 1))
                votes[1, y, x] = min(max((SELDOM - often) / SELDOM, 0.0), 1.0)
    return votes


@numba.njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _agreeing(same, views, fewest):
    """How far `views` that show a place agree with it, 0..1; 0 where fewer than `fewest` show it."""
    if views < fewest:
        return 0.0
    return min(max((same / max(views, 1) - MOSTLY) / (1 - MOSTLY), 0.0), 1.0)
