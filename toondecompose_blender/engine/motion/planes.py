# SPDX-License-Identifier: GPL-3.0-or-later
"""Planes that slide past each other: their motions apart, each from the points that only it explains, and which lies behind.
Asked when one motion for the whole background leaves links that do not agree; knows nothing of sprites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from ..geometry import project, relative
from ..paged import paged
from ..parallel import map_ordered
from .bundle import Bundle, bundled
from .candidates import Candidate, matches
from .links import STEPS, Measure, frame_pairs
from .models import LADDER, Family
from .pictures import Pictures
from .tracks import chained, find_tracks

__all__ = ["rearmost", "separated"]

_PLANES = 3
_FOLLOWS = 0.7  # px at 360 lines: flow that goes with a track
_LAG = 5  # frames: far enough to tell slow planes apart, near enough to look alike
_NEAR = 9  # px at 360 lines: whoever covers a point is that close
_ROUNDS = 3


def separated(measure: Measure, flows: Sequence[np.ndarray], shifts: list[list[np.ndarray]], reference: int) -> list[Bundle]:
    """The motions of up to three planes.

    `flows`: per pair (h, w, 2) at the working size; `shifts`: per pair the modes of the flow, at least one.
    """
    pictures = measure.pictures
    pairs = [[_followed(pictures, flows[t], t, shift) for shift in found] for t, found in enumerate(shifts)]
    tracks = find_tracks(pairs, pictures, count=_PLANES, by_flow=True)
    near = [frame_pairs(len(pictures.gray), step) for step in STEPS[:3]]
    bundles = []
    for steps in tracks:
        following = replace(measure, weights=_following(pictures, flows, steps))
        bundles.append(bundled(following, chained(steps, reference), reference, rounds=near))
    for _ in range(_ROUNDS):
        bundles = _contested(measure, bundles, reference, None)
    # a camera's zoom and roll move all of its planes, also those that show too little to prove it
    freest = max((bundle.family for bundle in bundles), key=LADDER.index)
    common = min(freest, "similarity", key=LADDER.index)
    for _ in range(_ROUNDS - 1):
        bundles = _contested(measure, bundles, reference, common)
    return [bundle for bundle in bundles if bundle.links]


def rearmost(pictures: Pictures, bundles: list[Bundle]) -> Bundle:
    """The plane that is covered by the others more than it covers them; the first of equals.

    A point is a witness if it moved with one plane alone until now and is gone next: what moves with another plane where it
    should be, lies in front.
    """
    covered = np.zeros((len(bundles), len(bundles)))  # [a, b]: witnesses of a that b covers
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
                    covered[a, b] += (other & ~own)[image[:, 1], image[:, 0]].sum()
    behind = np.sign(covered - covered.T).sum(1)
    return bundles[int(behind.argmax())]


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
