# SPDX-License-Identifier: GPL-3.0-or-later
"""How free a motion should be: the stiffest family that explains the pictures about as well as a full homography.
On flat backgrounds a full homography would follow the actors; it judges by pictures far apart in time, and keeps nothing."""

from __future__ import annotations

import cv2
import numpy as np

from ..geometry import project, relative
from .alignment import align
from .links import STEPS, Measure
from .models import LADDER, Family, basis, box_grid, restricted

__all__ = ["choose_family", "description_lengths"]

_SAMPLES = 8  # frame pairs, evenly in time
_OVERLAP = 0.5
_CELLS, _SMALLEST_CELL = (16, 9), 8  # at most so many, at least so many px wide: what is closer is not independent
_TUKEY = 4.685
_NOISE = 2.0  # gray levels
_POINTS = 2000


def choose_family(measure: Measure, homographies: np.ndarray, *, stiffest: Family = "identity") -> Family:
    """The family of least description length for frames some lag apart, predicted by `homographies` (T, 3, 3).

    The cost of a family is the mean robust misfit of the cells of the picture; every degree of freedom must lower its logarithm
    by log(cells) / cells (the Bayesian information criterion, with cells as the observations because pixels are not independent).
    """
    pairs = _sampled_pairs(measure, homographies)
    choices = LADDER[LADDER.index(stiffest):]
    costs, cells = [], []
    for source, target in pairs:
        result = _costs(measure, source, target, relative(homographies[source], homographies[target]), choices)
        if result is not None:
            costs.append(result[0])
            cells.append(result[1])
    if not costs:
        return "similarity" if stiffest != "identity" else "translation"
    return choices[int(np.argmin(_lengths(np.mean(costs, axis=0), float(np.mean(cells)), choices)))]


def description_lengths(early: np.ndarray, late: np.ndarray, points: np.ndarray, firm: np.ndarray,
                        motions: list[tuple[Family, np.ndarray]]) -> np.ndarray | None:
    """How long a description of `late` each of the motions (its family, (3, 3) early -> late) makes, by its misfit at the `points`
    (N, 2) of `early`, as `firm` (N,) as they are, and its freedom: (len(motions),), the least is best.  None if hardly any points stay
    inside under all of them."""
    misfit = _misfit(np.stack([_residuals(early, late, points, motion) for _, motion in motions]), points, firm)
    return None if misfit is None else _lengths(*misfit, tuple(family for family, _ in motions))


def _lengths(misfit: np.ndarray, cells: float, families: tuple[Family, ...]) -> np.ndarray:
    count = max(2.0, cells)
    freedom = np.array([basis(family).shape[1] for family in families])
    return count * np.log(misfit + 1e-3) + np.log(count) * freedom


def _sampled_pairs(measure: Measure, homographies: np.ndarray) -> list[tuple[int, int]]:
    """Frame pairs as far apart as the frames still share half of the picture."""
    pictures = measure.pictures
    count = len(pictures.gray)
    pairs = []
    sources = [t for t in range(count - 1) if len(pictures.points[t]) >= measure.minimum]
    for source in sources[::max(1, len(sources) // _SAMPLES)]:
        grid = box_grid(pictures.points[source])
        for step in reversed(STEPS[:5]):
            if source + step >= count or len(pictures.points[source + step]) < measure.minimum:
                continue
            image = project(relative(homographies[source], homographies[source + step]), grid)
            inside = (image >= 0).all(1) & (image[:, 0] < pictures.width) & (image[:, 1] < pictures.height)
            if inside.mean() >= _OVERLAP or step == 1:
                pairs.append((source, source + step))
                break
    return pairs


def _costs(measure: Measure, source: int, target: int, predicted: np.ndarray,
           choices: tuple[Family, ...]) -> tuple[np.ndarray, int] | None:
    """The misfit (0..1) of every family, and how many cells had a say."""
    pictures = measure.pictures
    every = slice(None, None, max(1, len(pictures.points[source]) // _POINTS))
    points = pictures.points[source][every]
    weights = None if measure.weights is None else measure.weights[source][every]
    firm = pictures.firm[source][every]
    if weights is not None:
        firm = (firm * weights)[weights > 0]
        points, weights = points[weights > 0], weights[weights > 0]
    if len(points) < measure.minimum:
        return None
    grid = box_grid(points)
    residuals = []
    for family in choices:
        motion = restricted(predicted, family, grid)
        if family != "identity":
            for level in (pictures.coarse, pictures.fine):
                found = align(level[source], level[target], points, motion, model=family, weights=weights, minimum=measure.minimum)
                if found is None:
                    break
                motion = found.homography
        residuals.append(_residuals(pictures.fine[source].value, pictures.fine[target].value, points, motion))
    return _misfit(np.stack(residuals), points, firm, minimum=measure.minimum)


def _misfit(residuals: np.ndarray, points: np.ndarray, firm: np.ndarray, *, minimum: int = 24) -> tuple[np.ndarray, int] | None:
    """Of residuals (motions, N) at points (N, 2) of weights `firm` (N,): the misfit (0..1) of every motion, and how many cells had
    a say."""
    sizes = np.abs(residuals)
    seen = np.isfinite(sizes).all(0)
    if seen.sum() < minimum:
        return None
    reach = _TUKEY * max(_NOISE, 1.4826 * float(np.median(sizes[:, seen], axis=1).min()))
    misfit = 1 - np.maximum(0, 1 - (sizes[:, seen] / reach) ** 2) ** 3
    return _mean_of_cells(misfit, points[seen], firm[seen])


def _residuals(early: np.ndarray, late: np.ndarray, points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Differences of brightness at the points (N,), NaN outside."""
    image = project(motion, points.astype(np.float64)).astype(np.float32)
    height, width = late.shape
    inside = (image > 2).all(1) & (image[:, 0] < width - 3) & (image[:, 1] < height - 3)
    seen = cv2.remap(late, *image.T[:, None].copy(), cv2.INTER_CUBIC)[0]    # in a row: a column takes thirty times as long
    return np.where(inside, seen - early[points[:, 1].astype(int), points[:, 0].astype(int)], np.nan)


def _mean_of_cells(misfit: np.ndarray, points: np.ndarray, firm: np.ndarray) -> tuple[np.ndarray, int]:
    """The misfits (families, N) averaged within cells of the points' box and then over the cells, each as heavy as its points are on
    average, and the number of cells."""
    low, size = points.min(0), np.ptp(points, axis=0) + 1
    columns, rows = (int(np.clip(extent // _SMALLEST_CELL, 1, most)) for extent, most in zip(size, _CELLS, strict=True))
    x, y = ((points - low) / size * [columns, rows]).astype(int).T
    _, index = np.unique(y * columns + x, return_inverse=True)
    inside, heavy = np.bincount(index), np.bincount(index, firm)
    weight = heavy / inside
    means = np.stack([np.bincount(index, values * firm) / np.maximum(heavy, 1e-9) for values in misfit])
    return (means * weight).sum(1) / max(1e-9, float(weight.sum())), len(weight)
