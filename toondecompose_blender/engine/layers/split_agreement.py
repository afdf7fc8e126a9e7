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
        seen, same, alike = np.zeros((3, 2, *voxels.labels.shape[1:]), np.uint8)    # before and after t
        for s in views[views != t]:
            side = int(s > t)
            _compare(voxels.sharp[t], voxels.low[t], voxels.high[t], voxels.low[s], voxels.high[s], relative(camera[t], camera[s]),
                     seen[side], same[side], alike[side])
        contrast = (voxels.high[t].astype(np.int16) - voxels.low[t]).max(2)
        fewest = min(FEWEST_VIEWS, len(views) - 1)
        pro = np.maximum(np.minimum(1, contrast / TEXTURED) * _agreeing(same, seen, fewest),
                         np.minimum(1, contrast / DRAWN) * _agreeing(same + alike, seen + alike, fewest))
        often = (same / np.maximum(seen, 1)).max(0)     # what is hidden from some time on was background all the same
        telling = (seen.min(0) >= FEWEST_A_SIDE) & (seen.sum(0) >= alike.sum(0))
        contra = telling * np.clip((SELDOM - often) / SELDOM, 0, 1)
        return np.stack([np.bincount(voxels.labels[t].ravel(), votes.ravel(), voxels.count) for votes in (pro, contra)])

    total = np.zeros((2, voxels.count))
    for counted in map_ordered(votes, range(frames)):
        total += counted
    return Agreement(*total)


def _agreeing(same: np.ndarray, seen: np.ndarray, fewest: int) -> np.ndarray:
    """How far the views (2, h, w) that show a place agree with it, 0..1 (h, w); 0 where fewer than `fewest` show it."""
    views = seen.sum(0)
    return (views >= fewest) * np.clip((same.sum(0) / np.maximum(views, 1) - MOSTLY) / (1 - MOSTLY), 0, 1)


@numba.njit(nogil=True, cache=True)
def _compare(sharp, own_low, own_high, low, high, homography, seen, same, alike):
    """Count (in place) the pixels of which another frame tells something, those of them that it shows alike, and the others that
    look alike under any such shift."""
    h, w = seen.shape
    (h00, h01, h02), (h10, h11, h12), (h20, h21, h22) = homography[0], homography[1], homography[2]
    for y in range(h):
        for x in range(w):
            z = h20 * x + h21 * y + h22
            across, down = h00 * x + h01 * y + h02, h10 * x + h11 * y + h12
            if z != 1:      # dividing takes longer than all the rest
                across, down = across / z, down / z
            u, v = int(np.floor(across + 0.5)), int(np.floor(down + 0.5))
            if u < 0 or v < 0 or u >= w or v >= h:
                continue
            here = there = 0
            for c in range(3):
                value = np.int32(sharp[y, x, c])
                there = max(there, np.int32(low[v, u, c]) - value, value - np.int32(high[v, u, c]))
                here = max(here, np.int32(own_low[v, u, c]) - value, value - np.int32(own_high[v, u, c]))
            if there <= ALIKE and here <= ALIKE and max(abs(u - x), abs(v - y)) > 1:
                alike[y, x] += 1    # the frame resembles itself under this shift: that it resembles the other says little
                continue
            seen[y, x] += 1
            if there <= ALIKE:
                same[y, x] += 1
