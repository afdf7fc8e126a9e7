# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts layers in order, back to front: by how their common edges move, by what hides what, and by how their outlines meet.
It must not change what belongs to which layer."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from ..geometry import project
from ..parallel import map_ordered
from .edgels import chained
from .split_search import Layers

__all__ = ["ordered", "meetings"]

HIDDEN = 1.0            # energy of a px that a sprite hides although it is said to be behind (drawn clips)
MEETING = 8.0           # energy of a place and frame where outlines meet against the order (measured: 3 of 4 are right)
LARGER = 2.0            # energy of the larger of two sprites in front: where nothing speaks, details lie before what they belong to
REACH = 7               # px round a place where three layers meet
STRAIGHT = 0.42, 0.6    # share of the surroundings that a layer has whose outline goes straight on there (measured)
CUT_OFF = 0.1           # least share of the others: where less of one is left, the meeting says little
CLEAR = 0.97            # share of the surroundings that the three must have between them

_Y, _X = (axis.ravel() for axis in np.mgrid[-REACH:REACH + 1, -REACH:REACH + 1])
_DISC = (np.hypot(_X, _Y) <= REACH) & (np.hypot(_X, _Y) >= 2)     # the middle is the most uncertain part of any labeling
_Y, _X = _Y[_DISC], _X[_DISC]


def ordered(layers: Layers) -> Layers:
    """`layers` renumbered back to front: the order in which the edges between sprites move most like their front, in which
    what should be seen of a sprite, by its motion, is hidden by one before it, and in which outlines that are cut off are behind."""
    count = len(layers.motions)
    size = np.bincount(layers.labels, layers.energy.graph.voxels.size, count)
    front = _misowned(layers) + HIDDEN * _hidden(layers)    # [i, j]: cost of i being in front of j
    front += MEETING * _met(layers).T + LARGER * (size[:, None] > size)
    best = None
    for sprites in permutations(range(1, count)):
        order = [0, *sprites]
        cost = np.triu(front.T[np.ix_(order, order)], 1).sum()
        if best is None or cost < best[0] - 1e-9:
            best = cost, order
    return layers.kept(best[1])


def _misowned(layers: Layers) -> np.ndarray:
    """What the common edges of each two layers cost if they move like the first: (owner, other)."""
    labels, energy, graph = layers.labels, layers.energy, layers.energy.graph
    result = np.zeros((len(layers.motions),) * 2)
    for case, a, b in ((1, graph.first, graph.second), (2, graph.second, graph.first)):
        edge = np.flatnonzero(labels[a] != labels[b])
        owner = labels[a[edge]]
        np.add.at(result, (owner, labels[b[edge]]), energy.ownership[edge, owner, case] + energy.ownership[edge, owner, 0])
    return result


def _hidden(layers: Layers) -> np.ndarray:
    """Px of each sprite that its motion takes to where the next frame, or the one before, shows another: (sprite, other)."""
    voxels, count = layers.energy.graph.voxels, len(layers.motions)
    frames, height, width = voxels.labels.shape
    chains = [chained(motion, (1, -1)) for motion in layers.motions]

    def hidden(t: int) -> np.ndarray:
        result, shown = np.zeros((count, count)), layers.labels[voxels.labels[t]]
        for k in range(1, count):
            ys, xs = np.nonzero(shown == k)
            for n, s in enumerate((t + 1, t - 1)):
                if len(ys) and 0 <= s < frames and chains[k][1][n, t]:
                    u, v = np.rint(project(chains[k][0][n, t], np.stack([xs, ys], 1).astype(np.float64))).astype(int).T
                    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height)
                    there = layers.labels[voxels.labels[s, v[inside], u[inside]]]
                    result[k] += np.bincount(there, minlength=count)
        return result

    result = sum(map_ordered(hidden, range(frames)), np.zeros((count, count)))
    np.fill_diagonal(result, 0)
    result[:, 0] = 0    # deformation and errors of the motion, not depth
    return result


def _met(layers: Layers) -> np.ndarray:
    """Places, a frame, where the outline of a sprite goes straight on and cuts off two other layers' common one: (sprite, other).

    Such T-junctions are the classic sign of depth in a still picture (Nitzberg and Mumford, The 2.1-D Sketch, 1990).
    """
    voxels, count = layers.energy.graph.voxels, len(layers.motions)
    result = np.zeros((count, count))
    for met in map_ordered(lambda labels: meetings(layers.labels[labels], count), voxels.labels):
        result += met
    result[0] = result[:, 0] = 0    # the background is behind whatever its outline looks like
    return result


def meetings(labels: np.ndarray, count: int) -> np.ndarray:
    """Of one frame's `labels` int (h, w) below `count`: at how many corners of pixels the outline of a label goes straight on and
    cuts off the common one of two others, (count, count): (label, one of the others)."""
    first, *others = labels[:-1, :-1], labels[:-1, 1:], labels[1:, :-1], labels[1:, 1:]
    ys, xs = np.nonzero(np.logical_or.reduce([first != other for other in others]))
    corners = np.stack([labels[ys + down, xs + right] for down in (0, 1) for right in (0, 1)], -1)
    three = (np.diff(np.sort(corners, -1), axis=-1) > 0).sum(-1) == 2
    within = three & (np.minimum(ys, xs) >= REACH) & (ys < labels.shape[0] - REACH) & (xs < labels.shape[1] - REACH)
    ys, xs, corners = ys[within], xs[within], corners[within]
    round_about = labels[ys[:, None] + _Y, xs[:, None] + _X]
    shares = np.stack([(round_about == k).mean(1) for k in range(count)], 1) if len(ys) else np.zeros((0, count))
    meeting = np.stack([(corners == k).any(1) for k in range(count)], 1)
    front = np.where(meeting, shares, 0).argmax(1)
    largest = shares[np.arange(len(ys)), front]
    smallest = np.where(meeting, shares, np.inf).min(1)
    telling = (largest > STRAIGHT[0]) & (largest < STRAIGHT[1]) & (smallest > CUT_OFF) & ((shares * meeting).sum(1) > CLEAR)
    result = np.zeros((count, count))
    for n in np.flatnonzero(telling):
        result[front[n], meeting[n]] += 1
    np.fill_diagonal(result, 0)
    return result
