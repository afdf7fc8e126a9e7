# SPDX-License-Identifier: GPL-3.0-or-later
"""Planes that slide past each other: their motions apart, each from the points that only it explains, and which lies behind.
Asked where one motion for the whole background leaves links that do not agree, and before a clip is split; knows nothing of sprites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..flow import Flow
from ..geometry import project, relative
from ..paged import Recalled, paged
from ..parallel import map_ordered
from .bundle import Bundle, bundled
from .candidates import Candidate, matches
from .hypotheses import flow_shifts
from .links import STEPS, Measure, frame_pairs
from .models import LADDER, Family
from .pictures import Pictures
from .tracks import chained, find_tracks

__all__ = ["Flows", "covered", "explained", "first_planes", "flows_of", "held_together", "rearmost", "separated"]

_PLANES = 3
_FOLLOWS = 0.7  # px at 360 lines: flow that goes with a track
_LAG = 5  # frames: far enough to tell slow planes apart, near enough to look alike
_NEAR = 2  # px at 360 lines: points that meet are that close
_CLEARLY = 2  # times as many witnesses as against it (measured: 1.6 of thin branches before their like, true ones from 2.6)
_CHANCE = 20  # witnesses
_HELD = 0.9  # share of the frames (measured: up to .85 of what planes left over, from .98)
_ROUNDS = 3


@dataclass(frozen=True)
class Flows:
    """Per pair of frames: the flow (h, w, 2) at the working size, and its `shifts`, the modes of it (3, 3), at least one."""
    steps: Sequence[np.ndarray]
    shifts: list[list[np.ndarray]]


def flows_of(pictures: Pictures, flow: Flow) -> Flows:
    """The `flow` of the clip as planes are told apart by it."""
    size = (pictures.width, pictures.height)

    def resized(t: int) -> np.ndarray:
        return cv2.resize(flow.forward[t].astype(np.float32), size, interpolation=cv2.INTER_AREA) * np.float32(pictures.factor)

    def modes(t: int) -> list[np.ndarray]:
        believed = cv2.resize(flow.consistent(t).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        return flow_shifts(steps[t], believed, pictures.gray[t]) or [np.eye(3)]

    steps = Recalled(resized, len(flow.forward), size=8 * size[0] * size[1])
    return Flows(steps, list(map_ordered(modes, range(len(steps)))))


def first_planes(measure: Measure, flows: Flows, reference: int) -> list[Bundle]:
    """The motions of up to three planes as the flow tells them apart, the largest first; some may be mixtures of others."""
    pictures = measure.pictures
    pairs = [[_followed(pictures, flows.steps[t], t, shift) for shift in found] for t, found in enumerate(flows.shifts)]
    near = [frame_pairs(len(pictures.gray), step) for step in STEPS[:3]]
    bundles = []
    for steps in find_tracks(pairs, pictures, count=_PLANES, by_flow=True):
        following = replace(measure, weights=_following(pictures, flows.steps, steps))
        bundles.append(bundled(following, chained(steps, reference), reference, rounds=near))
    return [bundle for bundle in bundles if bundle.links]


def separated(measure: Measure, bundles: list[Bundle], reference: int) -> list[Bundle]:
    """The first planes' `bundles`, which may be none, each measured again from the points that move with it alone."""
    if not bundles:
        return []
    for _ in range(_ROUNDS):
        bundles = _contested(measure, bundles, reference, None)
    # a camera's zoom and roll move all of its planes, also those that show too little to prove it
    freest = max((bundle.family for bundle in bundles), key=LADDER.index)
    common = min(freest, "similarity", key=LADDER.index)
    for _ in range(_ROUNDS - 1):
        bundles = _contested(measure, bundles, reference, common)
    return [bundle for bundle in bundles if held_together(bundle)]


def held_together(bundle: Bundle) -> bool:
    """Whether the links lead from nearly every frame to every other; a track of what the planes left over falls apart."""
    count = len(bundle.homographies)
    ends = [[link.source for link in bundle.links], [link.target for link in bundle.links]]
    _, parts = connected_components(coo_matrix((np.ones(len(bundle.links)), ends), (count, count)), directed=False)
    return bool(np.bincount(parts).max() > _HELD * count)


def rearmost(covers: np.ndarray, *, clearly: bool = True) -> np.ndarray:
    """Which planes are (`clearly`) covered by more of the others than they cover, by the witnesses of `covered`; all equals."""
    behind = covers > (_CLEARLY if clearly else 1) * covers.T + _CHANCE
    depth = behind.sum(1).astype(int) - behind.sum(0)
    return np.flatnonzero(depth == depth.max())


def covered(pictures: Pictures, planes: list[np.ndarray]) -> np.ndarray:
    """How many witnesses say that a plane is covered by another: (the plane, the other), less what chance would have;
    `planes` are motions (T, 3, 3).

    Two points that moved with a plane each, and alone, until now are witnesses if they should meet next, ahead or back in time: one
    that is gone where the other is seen, lies behind. Chance is how many of the plane's points are gone where they meet none.
    """
    met, lost = (np.zeros((len(planes), len(planes))) for _ in range(2))
    free, faded = (np.zeros((len(planes), len(planes))) for _ in range(2))
    for t in paged(range(_LAG, len(pictures.gray) - _LAG)):
        for past, future in ((t - _LAG, t + _LAG), (t + _LAG, t - _LAG)):
            arrivals = _arrivals(pictures, planes, t, past, future)
            for b, (places, seen) in enumerate(arrivals):
                any_other, other = _spread(pictures, places), _spread(pictures, places[seen])
                for a, (own, kept) in enumerate(arrivals):
                    if a == b:
                        continue
                    x, y = own.T
                    meets, alone = other[y, x], ~any_other[y, x]
                    met[a, b] += meets.sum()
                    lost[a, b] += (meets & ~kept).sum()
                    free[a, b] += alone.sum()
                    faded[a, b] += (alone & ~kept).sum()
    return np.maximum(0, lost - met * faded / np.maximum(1, free))


def explained(pictures: Pictures, planes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How many points move with each of the `planes`, motions (T, 3, 3), and how many with it alone: two of (planes,)."""
    every, own = (np.zeros(len(planes)) for _ in range(2))
    for t in paged(range(len(pictures.gray) - _LAG)):
        moving = _moving(pictures, planes, t, t + _LAG)
        every += moving.sum(1)
        own += (moving & (moving.sum(0) == 1)).sum(1)
    return every, own


def _arrivals(pictures: Pictures, planes: list[np.ndarray], t: int, past: int, future: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Where the points of frame t that came from frame `past` with one plane alone should be in frame `future`, int (N, 2) px, and
    which are seen there, bool (N,); of each plane."""
    arrivals = []
    for plane, own in zip(planes, _exclusive(pictures, planes, t, past), strict=True):
        points, motion = pictures.points[t][own], relative(plane[t], plane[future])
        places = np.round(project(motion, points.astype(np.float64))).astype(int)
        inside = (places >= 0).all(1) & (places[:, 0] < pictures.width) & (places[:, 1] < pictures.height)
        arrivals.append((places[inside], matches(pictures, t, future, points, motion)[inside]))
    return arrivals


def _followed(pictures: Pictures, flow: np.ndarray, t: int, shift: np.ndarray) -> Candidate:
    """A shift as a candidate, judged by the flow: pictures with little contrast look the same under several shifts."""
    follows = _follows(pictures, flow, pictures.few[t], shift)
    return Candidate(shift, np.ones(len(follows), bool), follows, follows)


def _following(pictures: Pictures, flows: Sequence[np.ndarray], steps: np.ndarray) -> tuple[np.ndarray, ...]:
    """Weights of the precise points: 1 where the flow goes with the track; the last frame, never a source, has its neighbor's."""
    last = len(flows) - 1
    return tuple(_follows(pictures, flows[min(t, last)], points, steps[min(t, last)]).astype(np.float32)
                 for t, points in enumerate(pictures.points))


def _follows(pictures: Pictures, flow: np.ndarray, points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    x, y = points.astype(int).T
    gap = project(motion, points.astype(np.float64)) - points - flow[y, x]
    return np.linalg.norm(gap, axis=1) < _FOLLOWS * max(0.6, pictures.scale)


def _contested(measure: Measure, bundles: list[Bundle], reference: int, least: Family | None) -> list[Bundle]:
    """Each plane again, from the points that move with it alone; `least`: at least this free (None: as the pictures say)."""
    pictures = measure.pictures
    motions = [bundle.homographies for bundle in bundles]
    claims = list(map_ordered(lambda t: _claimed(pictures, motions, t), range(len(pictures.gray))))
    improved = []
    for k, bundle in enumerate(bundles):
        own = replace(measure, weights=tuple(claim[k].astype(np.float32) for claim in claims))
        family = None if least is None else max(bundle.family, least, key=LADDER.index)
        improved.append(bundled(own, bundle.homographies, reference, family=family))
    return improved


def _claimed(pictures: Pictures, planes: list[np.ndarray], t: int) -> list[np.ndarray]:
    """For each plane, which precise points of frame t move with it alone, some frames back or ahead: bool (N,)."""
    count = len(pictures.gray)
    others = [u for u in (t - _LAG, t + _LAG) if 0 <= u < count] or [u for u in (t - 1, t + 1) if 0 <= u < count]
    views = [_exclusive(pictures, planes, t, u) for u in others]
    return [np.logical_or.reduce(claims) for claims in zip(*views, strict=True)]


def _exclusive(pictures: Pictures, planes: list[np.ndarray], source: int, target: int) -> list[np.ndarray]:
    """For each plane, which points of frame `source` move with it alone: bool (N,)."""
    every = _moving(pictures, planes, source, target)
    return list(every & (every.sum(0) == 1))


def _moving(pictures: Pictures, planes: list[np.ndarray], source: int, target: int) -> np.ndarray:
    """Which points of frame `source` move with each plane: bool (planes, N)."""
    points = pictures.points[source]
    return np.stack([matches(pictures, source, target, points, relative(plane[source], plane[target])) for plane in planes])


def _spread(pictures: Pictures, points: np.ndarray) -> np.ndarray:
    """The neighborhood of points, bool (h, w)."""
    mask = np.zeros((pictures.height, pictures.width), np.uint8)
    mask[points[:, 1].astype(int), points[:, 0].astype(int)] = 1
    size = 2 * max(2, round(_NEAR * pictures.scale)) + 1
    return cv2.dilate(mask, np.ones((size, size), np.uint8)) > 0
