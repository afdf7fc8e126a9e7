# SPDX-License-Identifier: GPL-3.0-or-later
"""Soft masks from sparse evidence: a random walker on the pixel grid, solved by multigrid and red-black over-relaxation.
It sees pictures and evidence only; what the evidence means is the caller's business."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

from ..channels import apart

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
    height, width = frame.shape[:2]
    right, down = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    if background is None:
        _squared_steps(frame, right, down)
    else:
        _squared_steps_unexplained(frame, background, apart(frame, background), _UNEXPLAINED, right, down)
    for bonds in (right, down):
        bonds /= -2 * COLOR_SIGMA * COLOR_SIGMA
        np.exp(bonds, out=bonds)
        bonds += LEAK
    right[:, -1] = 0
    down[-1] = 0
    return right, down


@njit(nogil=True, cache=True, error_model="numpy")
def _squared_steps(picture, right, down):
    """Squared distance of each pixel's color to its right and to its lower neighbor's, float32 (H, W); 0 in the last column or row."""
    height, width = right.shape
    for i in range(height):
        for j in range(width):
            right[i, j] = _squared_step(picture, i, j, i, j + 1) if j + 1 < width else 0
            down[i, j] = _squared_step(picture, i, j, i + 1, j) if i + 1 < height else 0


@njit(nogil=True, cache=True, error_model="numpy")
def _squared_steps_unexplained(picture, background, residual, share, right, down):
    """The same, divided by what the background's own steps explain; `share` (256,) of them counts at each residual."""
    height, width = right.shape
    for i in range(height):
        for j in range(width):
            right[i, j] = _unexplained(picture, background, residual, share, i, j, i, j + 1) if j + 1 < width else 0
            down[i, j] = _unexplained(picture, background, residual, share, i, j, i + 1, j) if i + 1 < height else 0


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _unexplained(picture, background, residual, share, i, j, y, x):
    own = _squared_step(picture, i, j, y, x)
    if own == 0:
        return own
    explained = _squared_step(background, i, j, y, x) / np.float32(EXPLAINED_EDGE)
    return own / (np.float32(1) + explained * share[max(residual[i, j], residual[y, x])])


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _squared_step(picture, i, j, y, x):
    total = np.int32(0)
    for c in range(3):
        step = np.int32(picture[y, x, c]) - np.int32(picture[i, j, c])
        total += step * step
    return np.float32(total)


def random_walk(value: np.ndarray, confidence: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """The x that minimizes sum confidence (x - value)^2 + sum bond (x_p - x_q)^2; all float32 (H, W), x in 0..1,
    confidence above 0."""
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
    """Red-black over-relaxation, in place.  All sweeps pass over the rows together, each a row behind the one before it, so that a
    row is read from memory once; the colors lie apart, so that neighbors in an array are neighbors in the processor's registers."""
    height, width = x.shape
    halves = 2 * sweeps
    rows = np.zeros((halves + 2, 2, 7, width // 2 + 3), np.float32)
    pulls = np.empty(width // 2 + 3, np.float32)
    _parted(x, value, confidence, right, down, 0, rows[0])
    for step in range(height + halves - 1):
        if step + 1 < height:
            _parted(x, value, confidence, right, down, step + 1, rows[(step + 1) % len(rows)])
        for half in range(max(0, step - height + 1), min(step + 1, halves)):
            i, color = step - half, half & 1
            first = (i + color) & 1
            here, below, above = rows[i % len(rows)], rows[(i + 1) % len(rows)], rows[(i - 1) % len(rows)]
            _relaxed(here[color], here[1 - color, 0], below[1 - color, 0], above[1 - color, 0], first, (width - first + 1) // 2,
                     np.float32(omega), pulls)
        if step + 1 >= halves:
            i = step + 1 - halves
            row = rows[i % len(rows)]
            for j in range(width):
                x[i, j] = row[(i + j) & 1, 0, j // 2 + 1]


@njit(nogil=True, cache=True, error_model="numpy")
def _parted(x, value, confidence, right, down, i, row):
    """Row i by color: the solution, what pulls at it of its own, its mass, and its bonds to the right, left, lower and upper neighbor."""
    height, width = x.shape
    for j in range(width):
        cell, k = row[(i + j) & 1], j // 2 + 1
        east = right[i, j] if j + 1 < width else np.float32(0)
        west = right[i, j - 1] if j > 0 else np.float32(0)
        south = down[i, j] if i + 1 < height else np.float32(0)
        north = down[i - 1, j] if i > 0 else np.float32(0)
        cell[0, k], cell[1, k] = x[i, j], confidence[i, j] * value[i, j]
        cell[2, k] = confidence[i, j] + east + west + south + north
        cell[3, k], cell[4, k], cell[5, k], cell[6, k] = east, west, south, north


@njit(nogil=True, cache=True, error_model="numpy")
def _relaxed(own, beside, below, above, first, count, omega, pulls):
    """One color of a row, in place; `first`: its first column.  Three loops, because the compiler makes vectors of short ones only."""
    x, pull, mass, east, west, south, north = own[0, 1:], own[1, 1:], own[2, 1:], own[3, 1:], own[4, 1:], own[5, 1:], own[6, 1:]
    after, before, below, above = beside[first + 1:], beside[first:], below[1:], above[1:]
    for k in range(count):
        pulls[k] = pull[k] + east[k] * after[k] + west[k] * before[k]
    for k in range(count):
        pulls[k] = pulls[k] + south[k] * below[k] + north[k] * above[k]
    for k in range(count):
        x[k] += omega * (pulls[k] / mass[k] - x[k])
