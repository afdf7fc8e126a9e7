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


def edge_weights(frame: np.ndarray, background: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Bonds of every pixel to its right and lower neighbor, float32 (H, W) each, of an RGB picture uint8 (H, W, 3).

    With a known `background` of the same size, contrast that the background explains counts less ("background cut").
    """
    return tuple(_bonds(frame, background, axis) for axis in (1, 0))


def _bonds(frame: np.ndarray, background: np.ndarray | None, axis: int) -> np.ndarray:
    contrast = _squared_step(frame, axis)
    if background is not None:
        residual = cv2.absdiff(frame, background).max(2).astype(np.float32)
        residual = np.maximum(residual, np.roll(residual, -1, axis))
        explained = _squared_step(background, axis) / EXPLAINED_EDGE
        contrast /= 1 + explained * np.exp(-residual * residual / EXPLAINED_RESIDUAL)
    bonds = LEAK + np.exp(-contrast / (2 * COLOR_SIGMA * COLOR_SIGMA))
    bonds[(slice(None), -1) if axis == 1 else (-1, slice(None))] = 0
    return bonds


def _squared_step(picture: np.ndarray, axis: int) -> np.ndarray:
    size = picture.shape[axis]
    step = np.zeros(picture.shape[:2], np.float32)
    if axis == 1:
        step[:, : size - 1] = _squared_difference(picture[:, 1:], picture[:, :-1])
    else:
        step[: size - 1] = _squared_difference(picture[1:], picture[:-1])
    return step


def _squared_difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    difference = cv2.absdiff(np.ascontiguousarray(one), np.ascontiguousarray(other)).astype(np.float32)
    return np.einsum("hwc,hwc->hw", difference, difference)


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
