# SPDX-License-Identifier: GPL-3.0-or-later
"""Links: motions between frames near and far, measured in the pictures from where a first estimate puts them.
It measures and judges single links; making them agree is the pose graph's business."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import project, relative
from ..parallel import map_ordered
from .alignment import align
from .models import Family, box_grid
from .pictures import Pictures
from .posegraph import Link

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
    None), whether to start at the wide blur (predictions some px off), and how many points a link needs."""

    pictures: Pictures
    family: Family
    weights: tuple[np.ndarray, ...] | None = None
    coarse: bool = True
    minimum: int = 80


def frame_pairs(count: int, step: int) -> list[tuple[int, int]]:
    """All (t, t + step) of a clip of `count` frames."""
    return [(t, t + step) for t in range(count - step)]


def measure_links(measure: Measure, homographies: np.ndarray, pairs: list[tuple[int, int]]) -> list[Link]:
    """Links of the given frame pairs, predicted by `homographies` (T, 3, 3), in px of the working size.

    Left out are pairs that share too little, do not fit, or fit at the two blurs in different places.
    """
    if measure.family == "identity":
        return []

    def measured(pair: tuple[int, int]) -> Link | None:
        return _link(measure, *pair, relative(homographies[pair[0]], homographies[pair[1]]))

    return [link for link in map_ordered(measured, pairs, ahead=8) if link is not None]


def _link(measure: Measure, source: int, target: int, predicted: np.ndarray) -> Link | None:
    pictures = measure.pictures
    points = pictures.points[source]
    weight = None if measure.weights is None else measure.weights[source]
    if weight is not None:
        points, weight = points[weight > 0], weight[weight > 0]
    if len(points) < measure.minimum or _inside(predicted, points, pictures) < _LEAST_OVERLAP:
        return None
    grid = box_grid(points)
    start = project(predicted, grid)
    if measure.coarse:
        every = slice(None, None, max(1, len(points) // _FEW))
        found = align(pictures.coarse[source], pictures.coarse[target], points[every], predicted, model=measure.family,
                      weights=None if weight is None else weight[every], minimum=min(measure.minimum, len(points[every])))
        if found is None:
            return None
        predicted = found.homography
    found = align(pictures.fine[source], pictures.fine[target], points, predicted, model=measure.family, weights=weight,
                  minimum=measure.minimum)
    if found is None or found.inliers < _LEAST_INLIERS:
        return None
    levels = np.linalg.norm(project(found.homography, grid) - project(predicted, grid), axis=1).mean()
    moved = np.linalg.norm(project(found.homography, grid) - start, axis=1).max()
    if not (levels < _DISAGREE * pictures.scale and moved < _ASTRAY * pictures.height / 360):
        return None
    return Link(source, target, found.homography, found.inliers * min(1.0, found.inside / len(points)), grid)


def _inside(homography: np.ndarray, points: np.ndarray, pictures: Pictures) -> float:
    """Share (0..1) of some of the points that land inside the frame."""
    some = points[::max(1, len(points) // 200)].astype(np.float64)
    image = project(homography, some)
    inside = (image >= 0).all(1) & (image[:, 0] < pictures.width) & (image[:, 1] < pictures.height)
    return float((inside & (some @ homography[2, :2] + homography[2, 2] > 0)).mean())
