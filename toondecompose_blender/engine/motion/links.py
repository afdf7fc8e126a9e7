# SPDX-License-Identifier: GPL-3.0-or-later
"""Links: motions between frames near and far, measured in the pictures from where a first estimate puts them.
It measures and judges single links; making them agree is the pose graph's business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import project, relative
from ..parallel import map_ordered
from .alignment import Alignment, Gradients, align
from .models import Family, box_grid
from .pictures import Pictures
from .posegraph import Link

if TYPE_CHECKING:
    from ..accelerator import Accelerator

__all__ = ["STEPS", "Measure", "frame_pairs", "measure_links"]

STEPS = (1, 2, 5, 11, 23, 47)  # frames, each about twice the last; by trial on toon clips
_LEAST_OVERLAP = 0.3
_LEAST_INLIERS = 0.25
_DISAGREE = 3.0  # px at 360 lines between the two blur levels: a link that slides is no link
_ASTRAY = 30.0  # px at 360 lines from the prediction: an alignment that ran away
_FEW = 1500


@dataclass(frozen=True)
class Measure:
    """How links are measured: the pictures, the family of motions, per frame weights float32 (N,) of the precise points (or
    None), whether to start at the wide blur (predictions some px off), how many points a link needs, and what aligns many at once."""

    pictures: Pictures
    family: Family
    weights: tuple[np.ndarray, ...] | None = None
    coarse: bool = True
    minimum: int = 80
    accelerator: Accelerator | None = None


def frame_pairs(count: int, step: int) -> list[tuple[int, int]]:
    """All (t, t + step) of a clip of `count` frames."""
    return [(t, t + step) for t in range(count - step)]


def measure_links(measure: Measure, homographies: np.ndarray, pairs: list[tuple[int, int]]) -> list[Link]:
    """Links of the given frame pairs, predicted by `homographies` (T, 3, 3), in px of the working size.

    Left out are pairs that share too little, do not fit, or fit at the two blurs in different places.
    """
    if measure.family == "identity":
        return []

    def attempt(pair: tuple[int, int]) -> _Attempt | None:
        return _attempt(measure, *pair, relative(homographies[pair[0]], homographies[pair[1]]))

    if measure.accelerator is None:
        links = map_ordered(lambda pair: _link(measure, attempt(pair)), pairs, ahead=8)
    else:
        from ..accelerator.alignment import pair_bytes

        tries = [one for one in map(attempt, pairs) if one is not None]
        need = pair_bytes(measure.pictures.width * measure.pictures.height, max((len(one.points) for one in tries), default=0))
        links = measure.accelerator.map(partial(_links, measure), tries, otherwise=partial(_link, measure), bytes_each=need)
    return [link for link in links if link is not None]


@dataclass(frozen=True)
class _Attempt:
    """A pair of frames to be linked: the motion (3, 3) as `predicted`, and points (N, 2) with weights (N,) above 0, or None."""

    source: int
    target: int
    predicted: np.ndarray
    points: np.ndarray
    weights: np.ndarray | None


def _attempt(measure: Measure, source: int, target: int, predicted: np.ndarray) -> _Attempt | None:
    points = measure.pictures.points[source]
    weights = None if measure.weights is None else measure.weights[source]
    if weights is not None:
        points, weights = points[weights > 0], weights[weights > 0]
    if len(points) < measure.minimum or _inside(predicted, points, measure.pictures) < _LEAST_OVERLAP:
        return None
    return _Attempt(source, target, predicted, points, weights)


def _few(attempt: _Attempt) -> _Attempt:
    """The attempt with as many points as the wide blur needs."""
    every = slice(None, None, max(1, len(attempt.points) // _FEW))
    return replace(attempt, points=attempt.points[every], weights=None if attempt.weights is None else attempt.weights[every])


def _link(measure: Measure, attempt: _Attempt | None) -> Link | None:
    if attempt is None:
        return None

    def aligned(level: Sequence[Gradients], one: _Attempt) -> Alignment | None:
        return align(level[one.source], level[one.target], one.points, one.predicted, model=measure.family, weights=one.weights,
                     minimum=min(measure.minimum, len(one.points)))

    start = attempt
    if measure.coarse:
        found = aligned(measure.pictures.coarse, _few(attempt))
        if found is None:
            return None
        start = replace(attempt, predicted=found.homography)
    found = aligned(measure.pictures.fine, start)
    return None if found is None else _judged(measure, attempt, start.predicted, found)


def _links(measure: Measure, tries: Sequence[_Attempt]) -> list[Link | None]:
    """The same for many at once, on the device."""
    from ..accelerator.alignment import align_pairs

    def aligned(level: Sequence[Gradients], some: list[_Attempt]) -> list[Alignment | None]:
        return align_pairs(measure.accelerator, level, some, model=measure.family, minimum=measure.minimum)

    starts: list[_Attempt | None] = list(tries)
    if measure.coarse:
        found = aligned(measure.pictures.coarse, [_few(attempt) for attempt in tries])
        starts = [None if one is None else replace(attempt, predicted=one.homography) for attempt, one in zip(tries, found, strict=True)]
    fine = iter(aligned(measure.pictures.fine, [start for start in starts if start is not None]))
    links = []
    for attempt, start in zip(tries, starts, strict=True):
        found = None if start is None else next(fine)
        links.append(None if found is None else _judged(measure, attempt, start.predicted, found))
    return links


def _judged(measure: Measure, attempt: _Attempt, coarse: np.ndarray, found: Alignment) -> Link | None:
    """The link that was found from where the `coarse` level (3, 3) put it, if it can be believed."""
    if found.inliers < _LEAST_INLIERS:
        return None
    pictures, grid = measure.pictures, box_grid(attempt.points)
    there = project(found.homography, grid)
    levels = np.linalg.norm(there - project(coarse, grid), axis=1).mean()
    moved = np.linalg.norm(there - project(attempt.predicted, grid), axis=1).max()
    if not (levels < _DISAGREE * pictures.scale and moved < _ASTRAY * pictures.height / 360):
        return None
    return Link(attempt.source, attempt.target, found.homography, found.inliers * min(1.0, found.inside / len(attempt.points)), grid)


def _inside(homography: np.ndarray, points: np.ndarray, pictures: Pictures) -> float:
    """Share (0..1) of some of the points that land inside the frame."""
    some = points[::max(1, len(points) // 200)].astype(np.float64)
    image = project(homography, some)
    inside = (image >= 0).all(1) & (image[:, 0] < pictures.width) & (image[:, 1] < pictures.height)
    return float((inside & (some @ homography[2, :2] + homography[2, 2] > 0)).mean())
