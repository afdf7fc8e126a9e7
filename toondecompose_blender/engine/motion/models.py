# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of plane motions and least-squares fits within them, on points alone.
It knows neither pictures nor time."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..geometry import normalized, project

__all__ = ["LADDER", "Family", "basis", "fit_homography", "restricted", "box_grid", "grid_points", "normalization", "stretch"]

Family = Literal["identity", "translation", "similarity", "affine", "homography"]

#: From the stiffest to the freest; each is a group, so chains and relative motions stay inside it
LADDER: tuple[Family, ...] = ("identity", "translation", "similarity", "affine", "homography")

_ENTRIES = np.eye(8)
_BASES = {
    "identity": _ENTRIES[:, :0],
    "translation": _ENTRIES[:, [2, 5]],
    "similarity": np.stack([_ENTRIES[0] + _ENTRIES[4], _ENTRIES[3] - _ENTRIES[1], _ENTRIES[2], _ENTRIES[5]], 1),
    "affine": _ENTRIES[:, :6],
    "homography": _ENTRIES,
}


def basis(family: Family) -> np.ndarray:
    """(8, n): which changes of the first eight entries of a homography the family allows."""
    return _BASES[family]


def grid_points(width: int, height: int, *, left: float = 0.0, top: float = 0.0) -> np.ndarray:
    """A coarse grid, (12, 2), inside a frame or a box of it: where motions are compared."""
    x, y = np.meshgrid(left + np.linspace(0.08, 0.92, 4) * (width - 1), top + np.linspace(0.1, 0.9, 3) * (height - 1))
    return np.stack([x.ravel(), y.ravel()], 1)


def box_grid(points: np.ndarray) -> np.ndarray:
    """The grid of the smallest box around points (N, 2), N >= 1."""
    low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
    return grid_points(high[0] - low[0] + 1, high[1] - low[1] + 1, left=low[0], top=low[1])


def normalization(points: np.ndarray) -> np.ndarray:
    """The similarity that brings points (N, 2) to mean 0 and mean distance sqrt 2 (Hartley 1997)."""
    center = points.mean(0)
    scale = np.sqrt(2) / max(1e-6, float(np.linalg.norm(points - center, axis=1).mean()))
    return np.array([[scale, 0, -scale * center[0]], [0, scale, -scale * center[1]], [0, 0, 1.0]])


def fit_homography(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted direct linear transform, source (N, 2) -> target (N, 2), weights (N,) >= 0; N >= 4 with weight."""
    into, out = normalization(source), normalization(target)
    a, b = project(into, source), project(out, target)
    rows, right = _linear(a, b)
    weight = np.repeat(weights, 2)
    # einsum instead of BLAS: its order of summation does not depend on the number of threads
    normal = np.einsum("ni,nj,n->ij", rows, rows, weight) + 1e-9 * np.eye(8)
    solution = np.linalg.solve(normal, np.einsum("ni,n,n->i", rows, right, weight))
    return normalized(np.linalg.inv(out) @ np.append(solution, 1).reshape(3, 3) @ into)


def restricted(homography: np.ndarray, family: Family, points: np.ndarray) -> np.ndarray:
    """The member of `family` that moves `points` (N, 2) most like `homography` does."""
    if family == "homography":
        return normalized(homography)
    if family == "identity":
        return np.eye(3)
    center = normalization(points)
    if family == "translation":
        center[0, 0] = center[1, 1] = 1
    a, b = project(center, points), project(center, project(homography, points))
    rows, right = _linear(a, b)
    free = basis(family)
    start = np.eye(3).ravel()[:8]      # what a few points, or points on a line, do not determine stays as it is
    rest = right - rows @ start
    step = np.linalg.lstsq(rows @ free, rest, rcond=None)[0]
    inner = np.append(start + free @ step, 1).reshape(3, 3)
    return normalized(np.linalg.inv(center) @ inner @ center)


def stretch(homography: np.ndarray, point: np.ndarray) -> float:
    """How much the surroundings of a point (2,) grow or shrink in the direction where they do so most: log of a factor, 0 or more."""
    x, y, depth = homography @ np.append(point, 1.0)
    local = (homography[:2, :2] - np.outer((x / depth, y / depth), homography[2, :2])) / depth
    return float(np.abs(np.log(np.maximum(np.linalg.svd(local, compute_uv=False), 1e-9))).max())


def _linear(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (2N, 8) and right sides (2N,) of the equations b = H a in the first eight entries of H."""
    x, y = a.T
    rows = np.zeros((len(a), 2, 8))
    rows[:, 0, 0], rows[:, 0, 1], rows[:, 0, 2] = x, y, 1
    rows[:, 1, 3], rows[:, 1, 4], rows[:, 1, 5] = x, y, 1
    rows[:, :, 6] = -b * x[:, None]
    rows[:, :, 7] = -b * y[:, None]
    return rows.reshape(-1, 8), b.reshape(-1)
