# SPDX-License-Identifier: GPL-3.0-or-later
"""Planes that slide past each other: their motions apart, each from the points that only it explains, and which lies behind.
Asked when one motion for the whole background leaves links that do not agree; knows nothing of sprites."""

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

__all__ = ["Flows", "covered", "first_planes", "flows_of", "held_together", "rearmost", "separated"]

_PLANES = 3
_FOLLOWS = 0.7  # px at 360 lines: flow that goes with a track
_LAG = 5  # frames: far enough to tell slow planes apart, near enough to look alike
_NEAR = 9  # px at 360 lines: whoever covers a point is that close
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
    """The first planes' `bundles`, each measured again from the points that move with it alone."""
    for _ in range(_ROUNDS):
        bundles = _contested(measure, bundles, reference, None)
    # a camera's zoom and roll move all of its planes, also those that show too little to prove it
    freest = max((bundle.family for bundle in bundles), key=LADDER.index)
    common = min(freest, "similarity", key=LADDER.index)
    for _ in range(_ROUNDS - 1):
        bundles = _contested(measure, bundles, reference, common)
    return [bundle for bundle in bundles if held_together(bundle)]


def held_together(bundle: Bundle) -> bool:
    """Whether the links lead from every frame to every other; a track of what the planes left over falls apart."""
    count = len(bundle.homographies)
    ends = [[link.source for link in bundle.links], [link.target for link in bundle.links]]
    return connected_components(coo_matrix((np.ones(len(bundle.links)), ends), (count, count)), directed=False)[0] == 1


def rearmost(pictures: Pictures, bundles: list[Bundle]) -> Bundle:
    """The plane that is covered by the others more than it covers them; the first of equals."""
    covers = covered(pictures, bundles)
    behind = np.sign(covers - covers.T).sum(1)
    return bundles[int(behind.argmax())]


def covered(pictures: Pictures, bundles: list[Bundle]) -> np.ndarray:
    """How many witnesses say that a plane is covered by another: (the plane, the other).

    A point is a witness if it moved with one plane alone until now and is gone next: what moves with another plane where it
    should be, lies in front.
    """
    result = np.zeros((len(bundles), len(bundles)))
    for t in paged(range(_LAG, len(pictures.gray) - _LAG)):
        past = _exclusive(pictures, bundles, t, t - _LAG)
        future = _exclusive(pictures, bundles, t + _LAG, t)
        seen = [matches(pictures, t, t + _LAG, pictures.points[t], relative(b.homographies[t], b.homographies[t + _LAG])) for b in bundles]
        for a, bundle in enumerate(bundles):
            gone = pictures.points[t][past[a] & ~seen[a]].astype(np.float64)
            image = np.round(project(relative(bundle.homographies[t], bundle.homographies[t + _LAG]), gone)).astype(int)
            image = image[(image >= 0).all(1) & (image[:, 0] < pictures.width) & (image[:, 1] < pictures.height)]
            own = _spread(pictures, pictures.points[t + _LAG][future[a]])
            for b in range(len(bundles)):
                if b != a:
                    other = _spread(pictures, pictures.points[t + _LAG][future[b]])
                    result[a, b] += (other & ~own)[image[:, 1], image[:, 0]].sum()
    return result


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
    claims = list(map_ordered(lambda t: _claimed(pictures, bundles, t), range(len(pictures.gray))))
    improved = []
    for k, bundle in enumerate(bundles):
        own = replace(measure, weights=tuple(claim[k].astype(np.float32) for claim in claims))
        family = None if least is None else max(bundle.family, least, key=LADDER.index)
        improved.append(bundled(own, bundle.homographies, reference, family=family))
    return improved


def _claimed(pictures: Pictures, bundles: list[Bundle], t: int) -> list[np.ndarray]:
    """For each plane, which precise points of frame t move with it alone, some frames back or ahead: bool (N,)."""
    count = len(pictures.gray)
    others = [u for u in (t - _LAG, t + _LAG) if 0 <= u < count] or [u for u in (t - 1, t + 1) if 0 <= u < count]
    views = [_exclusive(pictures, bundles, t, u) for u in others]
    return [np.logical_or.reduce(claims) for claims in zip(*views, strict=True)]


def _exclusive(pictures: Pictures, bundles: list[Bundle], source: int, target: int) -> list[np.ndarray]:
    """For each plane, which points of frame `source` move with it alone: bool (N,)."""
    points = pictures.points[source]
    every = np.stack([matches(pictures, source, target, points, relative(b.homographies[source], b.homographies[target])) for b in bundles])
    return list(every & (every.sum(0) == 1))


def _spread(pictures: Pictures, points: np.ndarray) -> np.ndarray:
    """The neighborhood of points, bool (h, w)."""
    mask = np.zeros((pictures.height, pictures.width), np.uint8)
    mask[points[:, 1].astype(int), points[:, 0].astype(int)] = 1
    size = 2 * max(2, round(_NEAR * pictures.scale)) + 1
    return cv2.dilate(mask, np.ones((size, size), np.uint8)) > 0
