# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts pieces that hold two things of one paint, which were apart for long and touch for a while: a yellow mouth, and a yellow car behind.
It knows pieces and flow; it must not know motions, layers or sprites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from scipy.ndimage import find_objects
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..paged import paged, stacked
from ..parallel import map_ordered

__all__ = ["cut_apart"]

LEAST = 2e-3        # share of the picture that a region fills: smaller ones are details
LASTING = 8         # frames that show two parts at once, if they are two things (judgement)
ROAMING = 1.0       # sizes by which two things move against each other: parts of one keep their places (judgement)
SAME = 0.3          # share of the smaller of two regions of successive frames that flows into the other, if they are one part (judgement)


@dataclass(frozen=True)
class _Regions:
    """The large connected regions of pieces in all frames, in order: the `frame`, `piece` and `area` px of each, its `center` (n, 2) px."""
    frame: np.ndarray
    piece: np.ndarray
    area: np.ndarray
    center: np.ndarray


def cut_apart(labels: np.ndarray, flow) -> np.ndarray:
    """`labels` int32 (T, h, w) of pieces 0..n-1, changed in place: parts of a piece that move against each other got numbers of their own
    for as long as they do not touch.  `flow` is that of `build_supervoxels`."""
    several = np.unique(np.concatenate(list(map_ordered(_of_several_regions, labels))))
    if not len(several) or len(labels) < LASTING:
        return labels
    shown = stacked(map_ordered(lambda pieces: _regions_of(pieces, several), labels), len(labels), np.int16)
    regions = _described(shown, labels)
    first = np.searchsorted(regions.frame, np.arange(len(labels) + 1))
    pairs = map_ordered(lambda t: _flowing(shown[t], shown[t + 1], flow, t) + (first[t], first[t + 1]), range(len(labels) - 1))
    links = np.concatenate(list(pairs))
    part = _parts(links[regions.piece[links[:, 0]] == regions.piece[links[:, 1]]], len(regions.piece))
    new = _numbered(part, regions, several, int(labels.max()) + 1)
    for t, numbers in enumerate(paged(shown)):
        mine = np.append(new[first[t]:first[t + 1]], -1)    # the last: of no region
        labels[t] = np.where(mine[numbers] >= 0, mine[numbers], labels[t])
    return _without_gaps(labels)


def _of_several_regions(pieces: np.ndarray) -> np.ndarray:
    """Which of a frame's `pieces` (h, w) have more than one large connected region."""
    large = np.flatnonzero(np.bincount(pieces.ravel()) >= 2 * LEAST * pieces.size)
    return np.array([piece for piece, _, parts in _connected(pieces, large) if parts.max() > 1], np.int64)


def _regions_of(pieces: np.ndarray, several: np.ndarray) -> np.ndarray:
    """The number of the large connected region of one of `several` pieces at each pixel of a frame's `pieces` (h, w), -1 for none."""
    result, count = np.full(pieces.shape, -1, np.int16), 0
    for _, place, parts in _connected(pieces, several):
        result[place][parts > 0] = (count - 1 + parts)[parts > 0]
        count += int(parts.max())
    return result


def _connected(pieces: np.ndarray, wanted: np.ndarray) -> Iterator[tuple[int, tuple[slice, slice], np.ndarray]]:
    """Those of the `wanted` pieces that a frame (h, w) shows, each with its box, and its large regions there from 1 on, 0 elsewhere."""
    boxes = find_objects(pieces + 1)
    for piece in wanted[wanted < len(boxes)].tolist():
        place = boxes[piece]
        if place is not None:
            _, parts, stats, _ = cv2.connectedComponentsWithStats((pieces[place] == piece).astype(np.uint8), connectivity=4)
            large = stats[:, cv2.CC_STAT_AREA] >= LEAST * pieces.size
            large[0] = False
            yield piece, place, (np.cumsum(large) * large)[parts]


def _described(shown: np.ndarray, labels: np.ndarray) -> _Regions:
    """The regions `shown` (T, h, w), numbered anew in each frame, of pieces `labels` (T, h, w)."""
    def of_frame(t: int) -> tuple[np.ndarray, ...]:
        ys, xs = np.nonzero(shown[t] >= 0)
        at = shown[t][ys, xs]
        area = np.bincount(at) if len(at) else np.zeros(0, np.int64)
        piece = np.zeros(len(area), np.int64)
        piece[at] = labels[t][ys, xs]
        center = np.stack([np.bincount(at, axis, len(area)) for axis in (xs, ys)], 1)[:len(area)] / area[:, None]
        return np.full(len(area), t), piece, area, center

    return _Regions(*(np.concatenate(column) for column in zip(*map_ordered(of_frame, range(len(shown))), strict=True)))


def _flowing(here: np.ndarray, there: np.ndarray, flow, t: int) -> np.ndarray:
    """Regions (n, 2) of frame t and of the next one between which enough flows."""
    ys, xs = np.nonzero((here >= 0) & flow.consistent(t))
    to_x, to_y = (np.rint(axis + flow.forward[t, ys, xs, n].astype(np.float32)).astype(int) for n, axis in enumerate((xs, ys)))
    inside = (to_x >= 0) & (to_y >= 0) & (to_x < here.shape[1]) & (to_y < here.shape[0])
    a, b = here[ys[inside], xs[inside]].astype(np.int64), there[to_y[inside], to_x[inside]]
    areas = [np.bincount(regions[regions >= 0]) for regions in (here, there)]
    flows = np.bincount((a * len(areas[1]) + b)[b >= 0], minlength=len(areas[0]) * len(areas[1])).reshape(len(areas[0]), len(areas[1]))
    return np.argwhere((flows > 0) & (flows >= SAME * np.minimum(areas[0][:, None], areas[1])))


def _parts(links: np.ndarray, count: int) -> np.ndarray:
    """The part that each region is of, (count,): a chain of regions of which each is the only one that flows into the next, and that
    flows out of it."""
    out, into = (np.bincount(ends, minlength=count) for ends in links.T)
    only = links[(out[links[:, 0]] == 1) & (into[links[:, 1]] == 1)]
    return connected_components(coo_matrix((np.ones(len(only)), tuple(only.T)), (count, count)), directed=False)[1]


def _numbered(part: np.ndarray, regions: _Regions, several: np.ndarray, first: int) -> np.ndarray:
    """The new number of each region, from `first` on, -1 where its piece, one of `several`, keeps its own."""
    result = np.full(len(part), -1)
    for piece in several:
        for roaming in _roaming(part, regions, np.flatnonzero(regions.piece == piece)):
            result[roaming] = first
            first += 1
    return result


def _roaming(part: np.ndarray, regions: _Regions, mine: np.ndarray) -> Iterator[np.ndarray]:
    """The regions of each part of a piece, whose regions are `mine`, that is seen beside one against which it moves."""
    numbers, counts = np.unique(part[mine], return_counts=True)
    parts = [mine[part[mine] == number] for number in numbers[counts >= LASTING]]
    tracks = np.full((len(parts), int(regions.frame.max()) + 1, 2), np.nan)
    for track, own in zip(tracks, parts, strict=True):
        track[regions.frame[own]] = regions.center[own]
    sizes, found = [np.sqrt(regions.area[own].mean()) for own in parts], set()
    spans = [(regions.frame[own[0]], regions.frame[own[-1]]) for own in parts]
    for pair in combinations(range(len(parts)), 2):
        if min(spans[n][1] for n in pair) - max(spans[n][0] for n in pair) < LASTING - 1:
            continue
        apart = tracks[pair[0]] - tracks[pair[1]]
        apart = apart[np.isfinite(apart[:, 0])]
        if len(apart) >= LASTING and np.hypot(*np.ptp(apart, axis=0)) >= ROAMING * max(sizes[n] for n in pair):
            found |= set(pair)
    return (parts[number] for number in sorted(found))


def _without_gaps(labels: np.ndarray) -> np.ndarray:
    """`labels` (T, h, w), changed in place: numbers that nothing has any more are taken by the next."""
    there = np.zeros(int(labels.max()) + 1, bool)
    for frame in paged(labels):
        there[frame] = True
    if not there.all():
        numbers = (np.cumsum(there) - 1).astype(labels.dtype)
        for frame in paged(labels):
            frame[...] = numbers[frame]
    return labels
