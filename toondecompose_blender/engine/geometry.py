# SPDX-License-Identifier: GPL-3.0-or-later
"""Homographies: 3x3 float64 matrices on column vectors (x, y, 1), in pixels, pixel centers at integers (OpenCV's convention).
Algebra only; it must not know pictures."""

from __future__ import annotations

import numpy as np

__all__ = ["normalized", "project", "translation", "resized", "relative", "corners", "displacement"]


def normalized(homography: np.ndarray) -> np.ndarray:
    """The same homography (..., 3, 3) with its last entry 1."""
    return homography / homography[..., 2:3, 2:3]


def project(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 2) through a homography (3, 3): (N, 2)."""
    image = points @ homography[:, :2].T + homography[:, 2]
    return image[:, :2] / image[:, 2:]


def translation(x: float, y: float) -> np.ndarray:
    """Move by (x, y) pixels."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def resized(homography: np.ndarray, x_factor: float, y_factor: float) -> np.ndarray:
    """The homography (..., 3, 3) between the same planes when both pictures are enlarged by the factors.

    A pixel center moves from x to (x + .5) f - .5, so this is a similarity with an offset, not a plain scaling.
    """
    scale = np.array([[x_factor, 0, (x_factor - 1) / 2], [0, y_factor, (y_factor - 1) / 2], [0, 0, 1.0]])
    return normalized(scale @ homography @ np.linalg.inv(scale))


def relative(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Frame `source` -> frame `target` for two plane -> frame homographies."""
    return normalized(target @ np.linalg.inv(source))


def corners(width: int, height: int) -> np.ndarray:
    """The centers of the four corner pixels, (4, 2): top left, top right, bottom right, bottom left."""
    return np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64)


def displacement(homography: np.ndarray, width: int, height: int) -> float:
    """Mean distance in px that a frame -> frame homography moves a coarse grid of points of the frame."""
    xs, ys = np.meshgrid(np.linspace(0.1, 0.9, 3) * width, np.linspace(0.1, 0.9, 3) * height)
    points = np.stack([xs.ravel(), ys.ravel()], 1)
    return float(np.linalg.norm(project(homography, points) - points, axis=1).mean())
