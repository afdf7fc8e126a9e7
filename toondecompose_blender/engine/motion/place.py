# SPDX-License-Identifier: GPL-3.0-or-later
"""Coordinates in which a motion is refined: around its points, and as large as they spread.
Algebra only; it must not know pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import normalized, project

__all__ = ["Place", "placed"]


@dataclass(frozen=True)
class Place:
    """Coordinates in which entries of a homography weigh alike: `local` points (N, 2) within -1..1, `size` px for 1, their middle
    landing at `landing` (2,) px; `inner` (3, 3), the initial motion there; `enter` and `leave` (3, 3), from there to px."""

    local: np.ndarray
    size: float
    landing: np.ndarray
    inner: np.ndarray
    enter: np.ndarray
    leave: np.ndarray

    def homography(self, inner: np.ndarray) -> np.ndarray:
        """An inner motion in px."""
        return normalized(self.leave @ inner @ np.linalg.inv(self.enter))


def placed(points: np.ndarray, initial: np.ndarray) -> Place | None:
    """The place of points (N, 2) float64 and of an initial motion; None if that carries them nowhere."""
    center = points.mean(0)
    size = max(1.0, float(np.abs(points - center).max()))
    landing = project(initial, center[None])[0]
    if not np.isfinite(landing).all():
        return None
    enter, leave = _frame(center, size), _frame(landing, size)
    return Place((points - center) / size, size, landing, normalized(np.linalg.inv(leave) @ initial @ enter), enter, leave)


def _frame(center: np.ndarray, size: float) -> np.ndarray:
    return np.array([[size, 0, center[0]], [0, size, center[1]], [0, 0, 1.0]])
