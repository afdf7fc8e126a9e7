# SPDX-License-Identifier: GPL-3.0-or-later
"""The energy of a labeling of supervoxels: each edge belongs to the region in front and must move like it.
It knows pieces, edges and the costs of motions; it must not know how labelings are found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numba
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..channels import apart
from ..parallel import map_ordered
from .edgels import CONTRAST, Edgels, chained
from .successions import successions
from .supervoxels import Supervoxels

__all__ = ["Graph", "Conflicts", "Energy", "build_graph", "build_conflicts", "components_of", "edge_table", "owner_cost",
           "surfaces_tied"]

CONFLICT_LAGS = (1, 4, 12)      # frames between which one place of the background must keep its color (by trial on toon clips)
CONFLICT_STEP = 18              # color difference that is a conflict (by trial on toon clips)
CONFLICT_WEIGHT = 0.1           # energy of a pixel in conflict (by trial on toon clips)
SHARP_SHARE = 0.5       # of a sharp border's length counts: it is where one sprite ends rather than a faint one
SHARP, FAINT, UNTOLD, SHADED = range(4)     # kinds of a border px; faint: by a step, or in flat paint; untold: beside an edge
KINDS = 4
BAND = 2                # gray levels: the largest step between two bands of a gradient, of which a renderer may leave one out
BAND_SHARE = 0.9        # of their common border from which two pieces are such bands (measured: of 18,000 pairs 28 were not) ...
BANDED = 4.0            # ... and what a px of that border is worth besides: to cut there costs as much as an edge that no motion explains
FOLLOWING = 0.3         # px of border that a px of two pieces that follow each other is worth (measured; at .7 white before white is lost)
CONFLICT_FEWEST = 4             # samples between two pieces that count
SAMPLED = 4.0 / len(CONFLICT_LAGS)  # every other pixel both ways is looked at, at each lag
BORDER_TOUCH = 8                # border px a frame from which a piece is backdrop: two such pieces never conflict


@dataclass(frozen=True)
class Graph:
    """Pairs of pieces that share edgels or a faint border, or that follow each other: `first`, `second` int32 (P,) (equal: edgels inside
    a piece), `length` (P,) their weighted border, `tie` (P,) that and how closely they follow, in the same unit, `band` (P,) px of it
    between two bands of a gradient, `pair_of` (edgels,) each edgel's pair; `start` (n+1,), `incident`: the pairs of each piece, `across`
    int32 the piece on their other side, -1 where that is itself, and `ahead`, whether the piece is their first; `by_size`: the pieces,
    small ones first."""
    first: np.ndarray
    second: np.ndarray
    length: np.ndarray
    tie: np.ndarray
    band: np.ndarray
    pair_of: np.ndarray
    start: np.ndarray
    incident: np.ndarray
    across: np.ndarray
    ahead: np.ndarray
    by_size: np.ndarray
    voxels: Supervoxels


@dataclass(frozen=True)
class Conflicts:
    """Pieces that cannot both be background, in both directions: those of piece i are `neighbor[start[i]:start[i+1]]`."""
    start: np.ndarray
    neighbor: np.ndarray
    weight: np.ndarray

    def rows(self) -> np.ndarray:
        """The piece to which each entry of `neighbor` belongs."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))


@dataclass(frozen=True)
class Energy:
    """`ownership` (P, K, 3): cost of pair p when label k owns it, because both pieces have that label (0), because the first
    is in front (1), or the second (2); `unary` (n, K); `potts`: cost of a border a unit of tie.

    Labels are in layer order, 0 the background; a pair belongs to the larger label of its two pieces.
    """
    graph: Graph
    conflicts: Conflicts
    ownership: np.ndarray
    unary: np.ndarray
    potts: float

    def of(self, labels: np.ndarray) -> float:
        """The energy of `labels` int64 (n,)."""
        graph, conflicts = self.graph, self.conflicts
        owned, outline = _pair_terms(labels, graph.first, graph.second, graph.tie, self.ownership)
        total = owned.sum() + (self.potts * outline.sum() + self.unary[np.arange(len(labels)), labels].sum())
        return float(total + 0.5 * _clash_terms(labels, conflicts.start, conflicts.neighbor, conflicts.weight).sum())

    def kept(self, columns: list[int]) -> Energy:
        """The energy of the labels `columns` only."""
        return replace(self, ownership=self.ownership[:, columns], unary=self.unary[:, columns])


@numba.njit(nogil=True, cache=True)
def _pair_terms(labels, first, second, tie, ownership):
    """The ownership cost of each pair, and the tie of each whose pieces have different labels."""
    owned, outline, count = np.empty(len(first)), np.empty(len(first)), 0
    for p in range(len(first)):
        a, b = labels[first[p]], labels[second[p]]
        owned[p] = ownership[p, max(a, b), 1 if a > b else 2 if a < b else 0]
        if a != b:
            outline[count] = tie[p]
            count += 1
    return owned, outline[:count]


@numba.njit(nogil=True, cache=True)
def _clash_terms(labels, start, neighbor, weight):
    """The weights of the conflicts between pieces that are both background."""
    clashes, count = np.empty(len(neighbor)), 0
    for i in range(len(start) - 1):
        for r in range(start[i], start[i + 1]):
            if labels[i] == 0 and labels[neighbor[r]] == 0:
                clashes[count] = weight[r]
                count += 1
    return clashes[:count]


def build_graph(voxels: Supervoxels, edgels: Edgels, flow) -> Graph:
    """The pairs of pieces between or inside which there are edgels, that a faint border parts, or that follow each other by `flow`."""
    faint, faint_length, band_length = _faint_borders(voxels)
    following, shared = _tallied(successions(voxels, flow))
    low, high = edgels.pieces.min(1).astype(np.int64), edgels.pieces.max(1)
    keys, pair_of = np.unique(np.concatenate([low * voxels.count + high, faint, following]), return_inverse=True)
    first, second = (keys // voxels.count).astype(np.int32), (keys % voxels.count).astype(np.int32)
    edges, faints, follows = np.split(pair_of, np.cumsum([len(low), len(faint)]))
    length = np.bincount(edges, SHARP_SHARE * edgels.weight, len(keys)) + np.bincount(faints, faint_length, len(keys))
    tie = length + FOLLOWING * np.bincount(follows, shared, len(keys))
    band = np.bincount(faints, band_length, len(keys))
    apart = first != second
    nodes = np.concatenate([first, second[apart]])
    pairs = np.concatenate([np.arange(len(keys)), np.flatnonzero(apart)])
    start = np.concatenate([[0], np.cumsum(np.bincount(nodes, minlength=voxels.count))])
    by_size = np.argsort(voxels.size, kind="stable")
    order = np.argsort(nodes, kind="stable")
    nodes, incident = nodes[order], pairs[order]
    ahead = first[incident] == nodes
    across = np.where(apart[incident], np.where(ahead, second[incident], first[incident]), -1)
    return Graph(first, second, length, tie, band, edges, start, incident, across, ahead, by_size, voxels)


def _faint_borders(voxels: Supervoxels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pieces whose common border is too faint for edgels, as `first * count + second`, the px of it, and those of them between two bands of
    a gradient.

    No motion can be told from such a border, but what it parts is the more likely one sprite's.
    """
    def of_frame(t: int) -> tuple[np.ndarray, np.ndarray]:
        labels, picture = voxels.labels[t].astype(np.int64), voxels.sharp[t]
        found = []
        for axis, (a, b) in enumerate(((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:]))):
            border = labels[a] != labels[b]
            ends = labels[a][border], labels[b][border]
            step, around = apart(picture[a], picture[b])[border], _around(picture, axis)[border]
            kind = np.select([step >= CONTRAST, (step > BAND) | (around == 0), around >= CONTRAST], [SHARP, FAINT, UNTOLD], SHADED)
            found.append(KINDS * (np.minimum(*ends) * voxels.count + np.maximum(*ends)) + kind)
        return np.unique(np.concatenate(found), return_counts=True)

    keys, counts = _tallied(map_ordered(of_frame, range(len(voxels.labels))))
    pairs, index = np.unique(keys // KINDS, return_inverse=True)
    px = np.stack([np.bincount(index, np.where(keys % KINDS == kind, counts, 0), len(pairs)) for kind in range(KINDS)])
    shaded = (px[SHADED] > 0) & (px[SHADED] >= BAND_SHARE * (px[SHARP] + px[FAINT] + px[SHADED]))
    shaded, faint = np.where(shaded, px[SHADED] + px[UNTOLD], 0), px.sum(0) - px[SHARP]
    return pairs[faint > 0], faint[faint > 0], shaded[faint > 0]


def _around(picture: np.ndarray, axis: int) -> np.ndarray:
    """By how much the color of a `picture` (h, w, 3) changes from two px before to two px behind each pair of neighbors along an axis
    (0 down, 1 right), (h - 1, w) or (h, w - 1): in a gradient a little, where one flat paint was cut apart not at all."""
    wide = np.pad(picture, [(2, 2) if n == axis else (0, 0) for n in range(3)], mode="edge")
    return apart(wide[:-5], wide[5:]) if axis == 0 else apart(wide[:, :-5], wide[:, 5:])


def _tallied(parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Of keys with their counts, some twice: each key once with its sum, in order.  The keys wait in heaps that double."""
    heaps = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for part in parts:
        heaps.append(part)
        while len(heaps) > 1 and 2 * len(heaps[-1][0]) > len(heaps[-2][0]):
            heaps.append(_merged_tallies(heaps.pop(), heaps.pop()))
    while len(heaps) > 1:
        heaps.append(_merged_tallies(heaps.pop(), heaps.pop()))
    return heaps[0]


def _merged_tallies(*parts: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    keys, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    keys, index = np.unique(keys, return_inverse=True)
    return keys, np.bincount(index, counts, len(keys)).astype(np.int64)


def surfaces_tied(graph: Graph) -> Graph:
    """`graph` in which the bands of a gradient are tied to each other: before what stands still no motion tells that they are one surface.
    (Before what moves, flat ice of two planes would be tied, too.)"""
    return replace(graph, tie=graph.tie + BANDED * graph.band)


def edge_table(graph: Graph, edgels: Edgels, cost: np.ndarray, cap: float) -> np.ndarray:
    """The cost of each pair (P, 3) under a motion of edgel costs `cost` (n, 3), an edgel costing at most `cap`."""
    cost = edgels.weight[:, None] * np.minimum(cost, cap)
    turned = edgels.pieces[:, 0] > edgels.pieces[:, 1]
    cases = cost[:, 0], np.where(turned, cost[:, 2], cost[:, 1]), np.where(turned, cost[:, 1], cost[:, 2])
    return np.stack([np.bincount(graph.pair_of, case, len(graph.first)) for case in cases], 1)


def owner_cost(edgels: Edgels, labels: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The label that owns each edgel when the pieces have `labels`, and of `cost` (n, 3) the case that then applies."""
    first, second = labels[edgels.pieces].T
    case = np.where(first > second, 1, np.where(first < second, 2, 0))
    return np.maximum(first, second), cost[np.arange(len(cost)), case]


def components_of(graph: Graph, member: np.ndarray, pairs: np.ndarray | bool = True) -> np.ndarray:
    """Connected pieces among the `member` ones (bool (n,)), by these `pairs` (bool (P,)) if any are given: component numbers (n,) without
    gaps, -1 outside."""
    inside = member[graph.first] & member[graph.second] & pairs & (graph.length > 0)    # what only follows is never beside it
    links = coo_matrix((np.ones(inside.sum()), (graph.first[inside], graph.second[inside])), (len(member),) * 2)
    _, parts = connected_components(links, directed=False)
    result = np.full(len(member), -1)
    result[member] = np.unique(parts[member], return_inverse=True)[1]      # tables of components are as large as these numbers
    return result


def build_conflicts(voxels: Supervoxels, motion: np.ndarray, *, still: bool = False) -> Conflicts:
    """Pieces that show two colors at one place of a background that moves by `motion` (T-1, 3, 3).

    `still`: it is known to stand still, so that nothing was resampled; backgrounds that are to be compared are judged alike.
    """
    homographies, valid = chained(motion, CONFLICT_LAGS)
    jobs = [(n, t) for n in range(len(CONFLICT_LAGS)) for t in np.flatnonzero(valid[n])]

    def conflicts(job: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        n, t = job
        s = t + CONFLICT_LAGS[n]
        found = _conflicts(voxels.labels[t], voxels.labels[s], voxels.sharp[t], voxels.low[t], voxels.high[t],
                           voxels.sharp[s], voxels.low[s], voxels.high[s], homographies[n, t], still).astype(np.int64)
        return np.unique(found.min(1) * voxels.count + found.max(1), return_counts=True)

    keys, hits = _tallied(map_ordered(conflicts, jobs))
    a, b = keys // voxels.count, keys % voxels.count
    backdrop = voxels.border / np.maximum(voxels.life, 1) > BORDER_TOUCH
    kept = (hits >= CONFLICT_FEWEST) & ~(backdrop[a] & backdrop[b])
    a, b, weight = a[kept], b[kept], hits[kept] * SAMPLED * CONFLICT_WEIGHT
    nodes = np.concatenate([a, b])
    order = np.argsort(nodes, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(nodes, minlength=voxels.count))])
    return Conflicts(start, np.concatenate([b, a])[order], np.concatenate([weight, weight])[order])


@numba.njit(nogil=True, cache=True)
def _conflicts(labels, other_labels, sharp, low, high, other_sharp, other_low, other_high, homography, still):
    """Pieces (n, 2) at places that look different in the two frames, sampled on a checkerboard of 2 px."""
    h, w = labels.shape
    found = np.empty((h * w // 4 + h + w, 2), np.int32)
    count = 0
    for y in range(0, h, 2):
        for x in range((y // 2) % 2, w, 2):
            z = homography[2, 0] * x + homography[2, 1] * y + homography[2, 2]
            u = int(np.floor((homography[0, 0] * x + homography[0, 1] * y + homography[0, 2]) / z + 0.5))
            v = int(np.floor((homography[1, 0] * x + homography[1, 1] * y + homography[1, 2]) / z + 0.5))
            if u < 1 or v < 1 or u >= w - 1 or v >= h - 1 or labels[y, x] == other_labels[v, u]:
                continue
            forth = back = 0
            for c in range(3):
                here, there = np.int32(sharp[y, x, c]), np.int32(other_sharp[v, u, c])
                forth = max(forth, np.int32(other_low[v, u, c]) - here, here - np.int32(other_high[v, u, c]))
                back = max(back, np.int32(low[y, x, c]) - there, there - np.int32(high[y, x, c]))
            # What is resampled may be off by a pixel either way; what stands still is not, and may be busier the one time than the other.
            if ((forth + back) / 2 if still else min(forth, back)) >= CONFLICT_STEP:
                found[count, 0], found[count, 1] = labels[y, x], other_labels[v, u]
                count += 1
    return found[:count]
