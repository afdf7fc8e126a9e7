# SPDX-License-Identifier: GPL-3.0-or-later
"""Soft masks from sparse evidence: a random walker on the pixel grid, solved by multigrid and red-black over-relaxation.
It sees pictures and evidence only; what the evidence means is the caller's business."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

__all__ = ["edge_weights", "random_walk"]

COLOR_SIGMA = 8.0          # gray levels at which an edge weakens its bond to .61; by trial on toon clips, as all of these
LEAK = 1e-3                # bond that is left across the strongest edge
EXPLAINED_EDGE = 25.0      # squared levels of plate contrast that halve an edge of the frame
EXPLAINED_RESIDUAL = 100.0
SWEEPS = (12, 16, 24, 60)  # fine to coarse
OVER_RELAXATION = 1.7

_RESIDUALS = np.arange(256, dtype=np.float32)
_UNEXPLAINED = np.exp(-_RESIDUALS * _RESIDUALS / EXPLAINED_RESIDUAL)


def edge_weights(frame: np.ndarray, background: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Bonds of every pixel to its right and lower neighbor, float32 (H, W) each, of an RGB picture uint8 (H, W, 3).

    With a known `background` of the same size, contrast that the background explains counts less ("background cut").
    """
    residual = None if background is None else _largest(cv2.absdiff(frame, background))
    return tuple(_bonds(frame, background, residual, axis) for axis in (1, 0))


def _bonds(frame: np.ndarray, background: np.ndarray | None, residual: np.ndarray | None, axis: int) -> np.ndarray:
    contrast = _squared_steps(frame, axis)
    if background is not None:
        _explain(contrast, _squared_steps(background, axis), residual, _UNEXPLAINED, axis)
    bonds = LEAK + np.exp(-contrast / (2 * COLOR_SIGMA * COLOR_SIGMA))
    bonds[(slice(None), -1) if axis == 1 else (-1, slice(None))] = 0
    return bonds


def _largest(picture: np.ndarray) -> np.ndarray:
    """Over the channels of uint8 (H, W, 3): uint8 (H, W)."""
    red, green, blue = cv2.split(picture)
    return cv2.max(cv2.max(red, green), blue)


@njit(nogil=True, cache=True, error_model="numpy")
def _squared_steps(picture, axis):
    """Squared distance of each pixel's color to its neighbor's along the axis, float32 (H, W); 0 in the last row or column."""
    height, width, channels = picture.shape
    down, right = 1 - axis, axis
    steps = np.zeros((height, width), np.float32)
    for i in range(height - down):
        for j in range(width - right):
            total = 0
            for c in range(channels):
                step = np.int32(picture[i + down, j + right, c]) - np.int32(picture[i, j, c])
                total += step * step
            steps[i, j] = total
    return steps


@njit(nogil=True, cache=True, error_model="numpy")
def _explain(contrast, steps, residual, share, axis):
    """Divide, in place, by what the background's own `steps` explain; `share` (256,) of it counts at each residual."""
    height, width = contrast.shape
    down, right = 1 - axis, axis
    for i in range(height - down):
        for j in range(width - right):
            worst = max(residual[i, j], residual[i + down, j + right])
            contrast[i, j] /= np.float32(1) + steps[i, j] / np.float32(EXPLAINED_EDGE) * share[worst]


def random_walk(value: np.ndarray, confidence: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """The x that minimizes sum confidence (x - value)^2 + sum bond (x_p - x_q)^2; all float32 (H, W), x in 0..1."""
    levels = [tuple(np.ascontiguousarray(a, np.float32) for a in (value, confidence, right, down))]
    while len(levels) < len(SWEEPS):
        levels.append(_coarser(*levels[-1]))
    solution = levels[-1][0].copy()
    for level, sweeps in zip(reversed(levels), reversed(SWEEPS)):
        height, width = level[0].shape
        if solution.shape != (height, width):
            solution = cv2.resize(solution, (width, height), interpolation=cv2.INTER_LINEAR)
        _relax(solution, *level, sweeps, OVER_RELAXATION)
    return solution


def _coarser(value: np.ndarray, confidence: np.ndarray, right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, ...]:
    height, width = value.shape
    size = (max(2, width // 2), max(2, height // 2))

    def shrink(a: np.ndarray) -> np.ndarray:
        return cv2.resize(a, size, interpolation=cv2.INTER_AREA)

    mean_confidence = shrink(confidence)
    coarse_value = shrink(value * confidence) / np.maximum(mean_confidence, 1e-8)
    coarse_right, coarse_down = shrink(right), shrink(down)
    coarse_right[:, -1] = 0
    coarse_down[-1] = 0
    return coarse_value, mean_confidence * 4, coarse_right, coarse_down


@njit(nogil=True, cache=True, error_model="numpy")
def _relax(x, value, confidence, right, down, sweeps, omega):
    height, width = x.shape
    for _ in range(sweeps):
        for color in range(2):
            for i in range(height):
                for j in range((i + color) & 1, width, 2):
                    pull, mass = confidence[i, j] * value[i, j], confidence[i, j]
                    if j + 1 < width:
                        pull += right[i, j] * x[i, j + 1]
                        mass += right[i, j]
                    if j > 0:
                        pull += right[i, j - 1] * x[i, j - 1]
                        mass += right[i, j - 1]
                    if i + 1 < height:
                        pull += down[i, j] * x[i + 1, j]
                        mass += down[i, j]
                    if i > 0:
                        pull += down[i - 1, j] * x[i - 1, j]
                        mass += down[i - 1, j]
                    if mass > 0:
                        x[i, j] += np.float32(omega) * (pull / mass - x[i, j])
