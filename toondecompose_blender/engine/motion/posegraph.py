# SPDX-License-Identifier: GPL-3.0-or-later
"""Robust pose graph: the plane -> frame homographies of a clip that agree best with measured motions between its frames.
It works on matrices and points alone; where the links come from is not its business."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from ..geometry import normalized, project
from .models import Family, basis

__all__ = ["Link", "disagreement", "solve_graph"]

_CAUCHY = 1.0  # px, half a link's weight is lost there; by trial on toon clips
_FIXED = 1e9  # weight that holds the reference frame
_LOOSE = 1e-2  # holds frames that no link ties to the reference; against some 5 a link, a step shortened by a little


@dataclass(frozen=True)
class Link:
    """A measured motion `homography` (3, 3), frame `source` -> frame `target` in px; `weight` 0..1: how much of the picture it
    explains; `points` (12, 2): places in the source frame where it holds."""

    source: int
    target: int
    homography: np.ndarray
    weight: float
    points: np.ndarray


def solve_graph(homographies: np.ndarray, links: list[Link], *, family: Family, reference: int, iterations: int = 4) -> np.ndarray:
    """Improve `homographies` (T, 3, 3), plane -> frame, within `family`; the one of frame `reference` does not move.

    A link pulls by the distance, in the plane, of its points seen through its two ends, with a Cauchy loss of 1 px.
    The given homographies must be of the family already; frames without links stay where they are.
    """
    if not links or family == "identity":
        return homographies
    points = np.concatenate([link.points for link in links])
    center, size = points.mean(0), max(1.0, float(np.abs(points - points.mean(0)).max()))
    enter = np.array([[size, 0, center[0]], [0, size, center[1]], [0, 0, 1.0]])
    into = np.linalg.inv(enter)
    back = normalized(np.linalg.inv(homographies) @ enter)  # local frame coordinates -> plane
    ends = _Ends(links, into)
    free = basis(family)
    for _ in range(iterations):
        back = back + _step(back, ends, free, reference)
        back = normalized(back)
    return normalized(np.linalg.inv(back @ into))


def disagreement(homographies: np.ndarray, links: list[Link]) -> np.ndarray:
    """For each link the mean distance in px, in the target frame, between what it measured and what the homographies say."""
    distances = np.empty(len(links))
    for index, link in enumerate(links):
        predicted = homographies[link.target] @ np.linalg.inv(homographies[link.source])
        gap = project(predicted, link.points) - project(link.homography, link.points)
        distances[index] = np.linalg.norm(gap, axis=1).mean()
    return distances


class _Ends:
    """The links as arrays: frame numbers (L,), points of both ends in local coordinates (L, N, 2), weights (L,)."""

    def __init__(self, links: list[Link], into: np.ndarray):
        self.source = np.array([link.source for link in links])
        self.target = np.array([link.target for link in links])
        self.weight = np.array([link.weight for link in links])
        self.early = np.stack([project(into, link.points) for link in links])
        self.late = np.stack([project(into @ link.homography, link.points) for link in links])


def _step(back: np.ndarray, ends: _Ends, free: np.ndarray, reference: int) -> np.ndarray:
    """One Gauss-Newton step, (T, 3, 3) to be added."""
    count, unknowns = len(back), free.shape[1]
    early, by_early = _seen(back[ends.source], ends.early, free)
    late, by_late = _seen(back[ends.target], ends.late, free)
    gap = early - late
    size = np.linalg.norm(gap, axis=2).mean(1)
    weight = ends.weight / (1 + (size / _CAUCHY) ** 2)
    blocks, rights = [], []
    for a, first, sign_a in ((ends.source, by_early, 1.0), (ends.target, by_late, -1.0)):
        rights.append((a, -sign_a * np.einsum("lncp,lnc,l->lp", first, gap, weight)))
        for b, second, sign_b in ((ends.source, by_early, 1.0), (ends.target, by_late, -1.0)):
            blocks.append((a, b, sign_a * sign_b * np.einsum("lncp,lncq,l->lpq", first, second, weight)))
    normal = _assembled(blocks, count, unknowns, reference)
    right = np.zeros((count, unknowns))
    for frame, value in rights:
        np.add.at(right, frame, value)
    step = scipy.sparse.linalg.spsolve(normal, right.ravel()).reshape(count, unknowns)
    change = np.zeros((count, 9))
    change[:, :8] = np.einsum("tp,ep->te", step, free)
    return change.reshape(count, 3, 3)


def _seen(matrices: np.ndarray, points: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (L, N, 2) through matrices (L, 3, 3), and their derivatives (L, N, 2, n) by the free changes."""
    x, y = points[..., 0], points[..., 1]
    rows = matrices[:, None]
    depth = rows[..., 2, 0] * x + rows[..., 2, 1] * y + rows[..., 2, 2]
    u = (rows[..., 0, 0] * x + rows[..., 0, 1] * y + rows[..., 0, 2]) / depth
    v = (rows[..., 1, 0] * x + rows[..., 1, 1] * y + rows[..., 1, 2]) / depth
    one = 1 / depth
    jacobian = np.zeros((*x.shape, 2, 8))
    for row, image in enumerate((u, v)):
        jacobian[..., row, 3 * row], jacobian[..., row, 3 * row + 1], jacobian[..., row, 3 * row + 2] = x * one, y * one, one
        jacobian[..., row, 6], jacobian[..., row, 7] = -image * x * one, -image * y * one
    return np.stack([u, v], -1), np.einsum("lnce,ep->lncp", jacobian, free)


def _assembled(blocks: list, count: int, unknowns: int, reference: int) -> scipy.sparse.csc_matrix:
    """The sparse normal matrix of all blocks (rows (L,), columns (L,), values (L, n, n)), the reference frame held."""
    inner = np.arange(unknowns)
    rows, columns, values = [], [], []
    for a, b, block in blocks:
        rows.append(np.broadcast_to((a * unknowns)[:, None, None] + inner[:, None], block.shape).ravel())
        columns.append(np.broadcast_to((b * unknowns)[:, None, None] + inner, block.shape).ravel())
        values.append(block.ravel())
    diagonal = np.full(count * unknowns, _LOOSE)
    diagonal[reference * unknowns:(reference + 1) * unknowns] += _FIXED
    everywhere = np.arange(count * unknowns)
    return scipy.sparse.csc_matrix((np.concatenate([*values, diagonal]),
                                    (np.concatenate([*rows, everywhere]), np.concatenate([*columns, everywhere]))))
