# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the separate bodies of a foreground through time: what deforms as it runs has no motion of its own, but stays one body.
It must not know motions, labels or energies: it sees where the foreground is, and its pieces."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from ..parallel import map_ordered
from .supervoxels import Supervoxels, tones_of

__all__ = ["Bodies", "find_bodies"]

LEAST = 1e-3            # share of the picture that a body fills
SAME = 0.2              # share of the smaller of two regions of successive frames that overlaps, if they are one body
BRIEF = 5               # frames: what is apart for less is a part of a body
PART = 0.1              # share of a body up to which what leaves it, or joins it, is a part of it
TONES = 32              # gray levels a channel that are one color
GROWN = 1.5             # times its area that a body has at most after a part joined it, or before one left it (judgement)
JUMP = 2.0              # times the area of a frame before that a body's is not: then it met another, or left it
MORE = 0.2              # share of its colors, or of its area, that two bodies together explain more than one, if it is both of them
EXACT, EVEN = 0.1, 0.02     # of its area what two miss at most, if it is both by that; of its colors what they may explain less (judgement)
MET = 16                # stretches that may be one of two, the largest ones: a long clip has many
ALIKE = 0.3             # share of colors that a body has in common before and after it met another (judgement)


@dataclass(frozen=True)
class Bodies:
    """Each sighting of a piece of the foreground, in one frame and one connected region: its `frame`, `piece`, `area` px, and `body`
    (-1 where several meet, or none is known), all int64 (m,); `links` int64 (l, 2): sightings in successive frames at the same place,
    `overlap` px (l,); `count` of bodies."""
    frame: np.ndarray
    piece: np.ndarray
    area: np.ndarray
    body: np.ndarray
    links: np.ndarray
    overlap: np.ndarray
    count: int


@dataclass(frozen=True)
class _Sightings:
    """The same before bodies are known: by the `region` (-1: a small one); `regions`: how many there are."""
    frame: np.ndarray
    piece: np.ndarray
    region: np.ndarray
    area: np.ndarray
    links: np.ndarray
    overlap: np.ndarray
    regions: int


@dataclass(frozen=True)
class _Stretch:
    """A body while it is apart from others: its `regions`, frame by frame from `begin` to `end` (the first after it), its mean `area`
    px, and whether it is `several`: it comes of more than one, or becomes more than one."""
    regions: list[int]
    begin: int
    end: int
    area: float
    several: bool

    @property
    def lasts(self) -> bool:
        return self.end - self.begin >= BRIEF


def find_bodies(foreground: np.ndarray, voxels: Supervoxels) -> Bodies:
    """The bodies of the `foreground`, bool (n,) of the pieces, the larger and longer seen ones first."""
    seen = _sighted(foreground, voxels)
    bodies = _identified([stretch for stretch in _stretches(seen) if not stretch.several], seen, voxels)
    return Bodies(seen.frame, seen.piece, seen.area, _owners(bodies, seen), seen.links, seen.overlap, len(bodies))


def _sighted(foreground: np.ndarray, voxels: Supervoxels) -> _Sightings:
    """Where the pieces of the `foreground`, bool (n,), are seen, frame by frame."""
    least = LEAST * voxels.labels[0].size
    parts, links, overlap, begin, regions, last = [], [], [], 0, 0, None
    for t, (pieces, area, region, at) in enumerate(map_ordered(lambda labels: _of_frame(foreground, labels, least), voxels.labels)):
        parts.append((np.full(len(pieces), t), pieces, np.where(region >= 0, region + regions, -1), area))
        if last is not None:
            both, before = (last >= 0) & (at >= 0), len(parts[-2][1])
            pairs, px = np.unique(last[both] * len(pieces) + at[both], return_counts=True)
            links.append(np.stack([pairs // max(1, len(pieces)) + begin - before, pairs % max(1, len(pieces)) + begin], 1))
            overlap.append(px)
        last = at
        begin += len(pieces)
        regions += int(region.max(initial=-1)) + 1
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    joined = np.concatenate(links) if links else np.zeros((0, 2), np.int64)
    return _Sightings(*columns, joined, np.concatenate(overlap) if links else np.zeros(0, np.int64), regions)


def _of_frame(foreground: np.ndarray, labels: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of a frame's pieces (h, w): the piece, area and region of each sighting, and which of them is at each pixel, -1 for none."""
    shown = foreground[labels]
    count, regions, stats, _ = cv2.connectedComponentsWithStats(shown.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    number = np.where(large, np.cumsum(large) - 1, -1)
    there = labels[shown]
    pieces = np.flatnonzero(np.bincount(there, minlength=len(foreground)))
    compact = np.zeros(len(foreground), np.int64)
    compact[pieces] = np.arange(len(pieces))
    keys = compact[there] * count + regions[shown]
    area = np.bincount(keys)
    sightings = np.flatnonzero(area)
    place = np.zeros(len(area), np.int64)
    place[sightings] = np.arange(len(sightings))
    where = np.full(labels.shape, -1)
    where[shown] = place[keys]
    return pieces[sightings // count], area[sightings], number[sightings % count], where


def _stretches(seen: _Sightings) -> list[_Stretch]:
    """What is apart from others for a while, in order of its first frame; small and brief bodies are taken for parts."""
    area = np.bincount(seen.region[seen.region >= 0], seen.area[seen.region >= 0], seen.regions)
    frame = np.zeros(seen.regions, np.int64)
    frame[seen.region[seen.region >= 0]] = seen.frame[seen.region >= 0]
    same = _overlapping(seen, area)
    alive = np.ones(seen.regions, bool)
    while True:
        found, beside = _chained(same[alive[same].all(1)], np.flatnonzero(alive), frame, area)
        parts = {number: body.area for number, body in enumerate(found) if _is_part(body, [found[other] for other in beside[number]])}
        if not parts:
            return found
        for number, size in parts.items():
            near = set().union(beside[number], *(beside[other] for other in beside[number]))
            if size <= min((parts[other] for other in near if other in parts), default=np.inf):     # the smaller of two first
                alive[found[number].regions] = False


def _is_part(body: _Stretch, beside: list[_Stretch]) -> bool:
    """Whether a stretch is too small for a body, or too brief and does not go on in one `beside` it: a body goes on when a part leaves it,
    or joins it."""
    goes_on = any(other.lasts and 1 / GROWN < other.area / body.area < GROWN for other in beside)
    return not (body.lasts or goes_on) or body.area < PART * max((other.area for other in beside), default=0)


def _overlapping(seen: _Sightings, area: np.ndarray) -> np.ndarray:
    """Regions (l, 2) of successive frames that are one body, or a part of it: at the same place, or made of the same pieces."""
    order = np.lexsort((seen.frame, seen.piece))
    follows = (np.diff(seen.piece[order]) == 0) & (np.diff(seen.frame[order]) == 1)
    pieces = np.stack([order[:-1][follows], order[1:][follows]], 1)
    result = []
    for links, px in ((seen.links, seen.overlap), (pieces, seen.area[pieces].min(1))):
        ends = seen.region[links]
        known = (ends >= 0).all(1)
        pairs, index = np.unique(ends[known], axis=0, return_inverse=True)
        common = np.bincount(index.ravel(), px[known], len(pairs))
        result.append(pairs[common >= SAME * area[pairs].min(1)])
    return np.unique(np.concatenate(result), axis=0)


def _chained(same: np.ndarray, regions: np.ndarray, frame: np.ndarray, area: np.ndarray) -> tuple[list[_Stretch], list[set[int]]]:
    """Bodies of `regions` (in order of their frames) joined by `same` (l, 2), and which others each comes of, or becomes."""
    before, after, of, chains = defaultdict(list), defaultdict(list), {}, []
    for first, second in same.tolist():
        before[second].append(first)
        after[first].append(second)
    for region in regions.tolist():
        only = before[region][0] if len(before[region]) == 1 and len(after[before[region][0]]) == 1 else None
        if only is None or not 1 / JUMP < area[region] / area[only] < JUMP:
            of[region] = len(chains)
            chains.append([region])
        else:
            of[region] = of[only]
            chains[of[only]].append(region)
    sources, results = ([{of[other] for other in ends[chain[end]]} for chain in chains] for ends, end in ((before, 0), (after, -1)))
    bodies = [_Stretch(chain, int(frame[chain[0]]), int(frame[chain[-1]]) + 1, float(area[chain].mean()), len(come) > 1 or len(become) > 1)
              for chain, come, become in zip(chains, sources, results, strict=True)]
    return bodies, [come | become for come, become in zip(sources, results, strict=True)]


def _identified(stretches: list[_Stretch], seen: _Sightings, voxels: Supervoxels) -> list[list[int]]:
    """The regions of each body: those of all times at which it is apart, told by its colors."""
    colors = tones_of(voxels.color, TONES)
    whose = _owners([stretch.regions for stretch in stretches], seen)
    shares = np.zeros((len(stretches), (256 // TONES) ** 3))
    np.add.at(shares, (whose[whose >= 0], colors[seen.piece[whose >= 0]]), seen.area[whose >= 0])
    shares /= np.maximum(1, shares.sum(1, keepdims=True))
    groups: list[list[int]] = []
    order = sorted(range(len(stretches)), key=lambda n: -stretches[n].area * len(stretches[n].regions))
    for number in order:
        if _joint(number, order[:MET], stretches, shares):
            continue
        likeness = [0 if any(_meet(stretches[number], stretches[other]) for other in group)
                    else np.minimum(shares[number], shares[group[0]]).sum() for group in groups]
        if max(likeness, default=0) >= ALIKE:
            groups[int(np.argmax(likeness))].append(number)
        else:
            groups.append([number])
    return [[region for number in group for region in stretches[number].regions] for group in groups]


def _joint(number: int, others: list[int], stretches: list[_Stretch], shares: np.ndarray) -> bool:
    """Whether a stretch is two of the `others` that touch: it is about as large and of the colors of both, rather than of one; or just as
    large, if their colors are alike."""
    own, colors = stretches[number], shares[number]
    apart = [other for other in others if other != number and not _meet(own, stretches[other])]
    one = max((np.minimum(colors, shares[other]).sum() for other in apart), default=0)
    for first, second in combinations(apart, 2):
        areas = np.array([stretches[first].area, stretches[second].area])
        if 1 / JUMP < areas.sum() / own.area < JUMP:
            both = np.minimum(colors, areas @ shares[[first, second]] / areas.sum()).sum()
            as_large = abs(areas.sum() / own.area - 1) < EXACT and areas.max() < (1 - MORE) * own.area
            if both > one + (-EVEN if as_large else MORE):
                return True
    return False


def _meet(first: _Stretch, second: _Stretch) -> bool:
    """Whether two are seen at once."""
    return first.begin < second.end and second.begin < first.end


def _owners(bodies: list[list[int]], seen: _Sightings) -> np.ndarray:
    """The body, given as its regions, that each sighting is of; -1 for none."""
    owner = np.full(seen.regions + 1, -1)   # the last: of no region
    for number, regions in enumerate(bodies):
        owner[regions] = number
    return owner[seen.region]
