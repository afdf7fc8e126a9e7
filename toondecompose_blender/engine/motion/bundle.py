# SPDX-License-Identifier: GPL-3.0-or-later
"""From a rough chain of motions to one without drift: links further and further apart in time, made to agree step by step.
It knows pictures and links; which part of the picture it follows is decided by points and weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..geometry import normalized, relative
from .ladder import choose_family
from .links import STEPS, Measure, frame_pairs, measure_links
from .models import Family, box_grid, grid_points, restricted
from .posegraph import Link, disagreement, solve_graph
from .tracks import chained

__all__ = ["Bundle", "bundled"]

_OUTLIER = 1.0  # px at 360 lines: a link that far off is measured again from the graph
_CAP = 5.0  # px: how much one bad link may count in a loop error


@dataclass(frozen=True)
class Bundle:
    """`homographies` (T, 3, 3) plane -> frame in px of the working size, their `family`, the `links` they come from, and the
    median distance in px between links and homographies."""

    homographies: np.ndarray
    family: Family
    links: list[Link]
    residual: float


def bundled(measure: Measure, homographies: np.ndarray, reference: int, *, family: Family | None = None,
            rounds: list[list[tuple[int, int]]] | None = None) -> Bundle:
    """Refine `homographies` (T, 3, 3) by links and a robust pose graph; `family` None: chosen from the pictures.

    `rounds`: which frame pairs to link, from near to far (None: all pairs of `STEPS`); each round starts from the graph of those
    before.
    """
    if rounds is None:
        rounds = [frame_pairs(len(homographies), step) for step in STEPS]
    if family is None:
        family = choose_family(measure, homographies)
    measure = replace(measure, family=family)
    start = _in_family(homographies, family, reference, measure)
    if family == "identity":
        return Bundle(start, family, [], 0.0)
    current, links = start, []
    for pairs in rounds:
        found = measure_links(measure, current, pairs)
        if found:
            links += found
            current = solve_graph(current, links, family=family, reference=reference)
    current, links = _mended(measure, current, links, reference)
    if _loop_error(current, links) > _loop_error(start, links):
        current = start
    residual = float(np.median(disagreement(current, links))) if links else float("inf")
    return Bundle(current, family, links, residual)


def _in_family(homographies: np.ndarray, family: Family, reference: int, measure: Measure) -> np.ndarray:
    pairs = zip(homographies[:-1], homographies[1:], measure.pictures.points[:-1], strict=True)
    whole = grid_points(measure.pictures.width, measure.pictures.height)
    steps = [restricted(relative(a, b), family, box_grid(points) if len(points) else whole) for a, b, points in pairs]
    return chained(np.stack(steps), reference) if steps else normalized(homographies)


def _mended(measure: Measure, homographies: np.ndarray, links: list[Link], reference: int) -> tuple[np.ndarray, list[Link]]:
    """Measure the links that do not close again, from where the graph puts them; what still does not close is left out."""
    limit = _OUTLIER * measure.pictures.scale
    for _ in range(2):
        if not links:
            break
        gaps = disagreement(homographies, links)
        good = [link for link, gap in zip(links, gaps, strict=True) if gap <= limit]
        bad = [(link.source, link.target) for link, gap in zip(links, gaps, strict=True) if gap > limit]
        again = measure_links(replace(measure, coarse=False), homographies, bad)
        links = good + [link for link, gap in zip(again, disagreement(homographies, again), strict=True) if gap <= limit]
        homographies = solve_graph(homographies, links, family=measure.family, reference=reference)
    return homographies, links


def _loop_error(homographies: np.ndarray, links: list[Link]) -> float:
    return float(np.minimum(disagreement(homographies, links), _CAP).mean()) if links else 0.0
