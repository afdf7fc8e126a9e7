# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pieces follow each other in time: where a drawing gives way to the next, no motion leads from its parts to those of the next,
but most stay near their place and keep their color.
It must not know motions or labels: only pieces, colors and flow."""

from __future__ import annotations

from collections.abc import Iterator

import numba
import numpy as np

from ..paged import paged
from ..parallel import map_ordered
from .supervoxels import Supervoxels

__all__ = ["successions"]

LIKE = 18               # color difference below which the two sides of a succession look like one thing


def successions(voxels: Supervoxels, flow) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Per pair of frames, the pieces of which one ends where the `flow` leads from it to the other, or the other begins there, in nearly
    its color: as `first * count + second` with first < second, int64 (p,), and how many px lead from one to the other, (p,)."""
    first, last = _lives(voxels)

    def following(t: int) -> tuple[np.ndarray, np.ndarray]:
        pairs = _following(voxels.labels[t], voxels.labels[t + 1], voxels.sharp[t], voxels.sharp[t + 1], flow.forward[t].astype(np.float32),
                           last == t, first == t + 1).astype(np.int64)
        return np.unique(pairs.min(1) * voxels.count + pairs.max(1), return_counts=True)

    return map_ordered(following, range(len(voxels.labels) - 1))


def _lives(voxels: Supervoxels) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last frame of each piece, (n,) each."""
    first, last = np.full(voxels.count, len(voxels.labels)), np.zeros(voxels.count, np.int64)
    for t, pieces in enumerate(paged(voxels.labels)):
        seen = np.unique(pieces)
        first[seen] = np.minimum(first[seen], t)
        last[seen] = t
    return first, last


@numba.njit(nogil=True, cache=True)
def _following(labels, next_labels, picture, next_picture, flow, ending, beginning):
    """Pieces (n, 2) of a frame's pixels and of where the flow takes them, if they are two that look alike and one ends or begins."""
    h, w = labels.shape
    found, count = np.empty((h * w, 2), np.int32), 0
    for y in range(h):
        for x in range(w):
            u, v = int(np.rint(x + flow[y, x, 0])), int(np.rint(y + flow[y, x, 1]))
            if u < 0 or v < 0 or u >= w or v >= h:
                continue
            one, other = labels[y, x], next_labels[v, u]
            if one == other or not (ending[one] or beginning[other]):
                continue
            apart = 0
            for c in range(3):
                apart = max(apart, abs(np.int32(picture[y, x, c]) - np.int32(next_picture[v, u, c])))
            if apart < LIKE:
                found[count, 0], found[count, 1] = one, other
                count += 1
    return found[:count]
