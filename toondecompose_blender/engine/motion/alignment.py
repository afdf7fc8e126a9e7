# SPDX-License-Identifier: GPL-3.0-or-later
"""Photometric alignment of two pictures: robust Gauss-Newton on the brightness of salient points.
It knows pictures and points only, nothing of clips, sprites or chains of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numba
import numpy as np

from .place import placed

__all__ = ["Alignment", "Gradients", "Model", "align", "gradients", "salient_points"]

Model = Literal["translation", "similarity", "affine", "homography"]

UNKNOWNS = {"translation": 2, "similarity": 4, "affine": 6, "homography": 8}
MARGIN = 3.0  # px: closer to the border the blur and the cubic kernel read made-up pixels
TUKEY = 4.685  # 95 % efficiency on Gaussian noise (Holland and Welsch 1977)
NOISE_FLOOR = 2.0  # gray levels: below it the spread is quantisation, not misfit
INLIER = 8.0  # gray levels
DAMPING = 1e-4  # of the diagonal: keeps edges of one direction from sliding, does not move the optimum
_FLAT = 1.0  # squared gray levels per px: weaker gradients are noise
SETTLED = 1e-3  # px: a smaller step ends the iteration


@dataclass(frozen=True)
class Gradients:
    """A blurred gray picture and its derivatives, each float32 (h, w); derivatives in gray levels (0..255) per px."""

    value: np.ndarray
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Alignment:
    """`homography` (3, 3) source -> target; `spread`: robust residual scale in gray levels; `inside`: points that
    fell inside the target; `inliers`: the share of these with a residual under 8 gray levels, 0..1."""

    homography: np.ndarray
    spread: float
    inliers: float
    inside: int


def gradients(gray: np.ndarray, *, blur: float) -> Gradients:
    """Gray (h, w), uint8 or float32 in 0..255, after a Gaussian of `blur` px (0: none), with its Sobel derivatives."""
    value = gray.astype(np.float32)
    if blur > 0:
        value = cv2.GaussianBlur(value, (0, 0), blur)
    # Sobel's 3x3 kernel weighs a step of two pixels four times: an eighth makes it levels per pixel
    return Gradients(value, cv2.Sobel(value, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(value, cv2.CV_32F, 0, 1, scale=0.125))


def salient_points(gradients: Gradients, *, count: int, cell: int = 20, mask: np.ndarray | None = None) -> np.ndarray:
    """About `count` pixels with strong gradients, spread evenly: float32 (N, 2) as x, y, cell by cell in reading order.

    Every `cell` x `cell` px square that has any contrast gets the same quota. `mask` (h, w), bool: only where True.
    """
    strength = gradients.x**2 + gradients.y**2
    height, width = strength.shape
    margin = int(MARGIN) + 1
    usable = np.zeros((height, width), bool)
    usable[margin:height - margin, margin:width - margin] = True
    usable &= strength > _FLAT
    if mask is not None:
        usable &= mask
    strength[~usable] = 0
    down, across = -(-height // cell), -(-width // cell)
    padded = np.pad(strength, ((0, down * cell - height), (0, across * cell - width)))
    cells = padded.reshape(down, cell, across, cell).swapaxes(1, 2).reshape(down * across, cell * cell)
    cells = np.ascontiguousarray(cells)
    busy = np.flatnonzero(cells.any(1))
    if not len(busy):
        return np.zeros((0, 2), np.float32)
    quota = min(cell * cell, max(1, count // len(busy)))
    chosen = np.sort(np.argpartition(-cells[busy], quota - 1, axis=1)[:, :quota], axis=1)
    keep = np.take_along_axis(cells[busy], chosen, 1) > 0
    x = (busy % across * cell)[:, None] + chosen % cell
    y = (busy // across * cell)[:, None] + chosen // cell
    return np.stack([x[keep], y[keep]], 1).astype(np.float32)


def align(source: Gradients, target: Gradients, points: np.ndarray, initial: np.ndarray, *, model: Model,
          iterations: int = 5, weights: np.ndarray | None = None, minimum: int = 80) -> Alignment | None:
    """The motion that carries the `points` (N, 2) of `source` to where `target` looks the same.

    `initial` (3, 3), source -> target px, within about two blurs of the answer. Only the model's own degrees of freedom
    change; the rest of `initial` is kept. `weights` (N,), float32 >= 0; points of weight 0 are not there at all. Brightness
    is compared as it is, without a gain. None if fewer than `minimum` points fall inside the target, or if they do not
    determine the motion.
    """
    points = np.asarray(points, np.float64)
    weights = np.ones(len(points)) if weights is None else np.asarray(weights, np.float64)
    points, weights = points[weights > 0], weights[weights > 0]
    least = max(minimum, UNKNOWNS[model])
    place = placed(points, initial) if len(points) >= least else None
    if place is None:
        return None
    inner, brightness = place.inner.copy(), _sample_all(source.value, points)
    spread, inliers, inside = _refine(inner, place.local, brightness, weights, target.value, target.x, target.y,
                                      place.landing, place.size, UNKNOWNS[model], iterations, least)
    if inside < least or not np.isfinite(inner).all():
        return None
    return Alignment(place.homography(inner), float(spread), float(inliers), int(inside))


@numba.njit(nogil=True, cache=True, inline="always")
def _cubic(f: float) -> tuple[float, float, float, float]:
    """Catmull-Rom weights at -1, 0, 1, 2 for the fraction f (a = -1/2 keeps slopes in place; OpenCV's -3/4 shifts them by .05 px)."""
    return (((-0.5 * f + 1.0) * f - 0.5) * f, (1.5 * f - 2.5) * f * f + 1.0, ((-1.5 * f + 2.0) * f + 0.5) * f, (0.5 * f - 0.5) * f * f)


@numba.njit(nogil=True, cache=True)
def _sample(picture: np.ndarray, u: float, v: float) -> float:
    height, width = picture.shape
    column = min(max(int(np.floor(u)), 1), width - 3)
    row = min(max(int(np.floor(v)), 1), height - 3)
    a, b, c, d = _cubic(u - column)
    total = 0.0
    rows = _cubic(v - row)
    for k in range(4):
        line = picture[row - 1 + k]
        total += rows[k] * (a * line[column - 1] + b * line[column] + c * line[column + 1] + d * line[column + 2])
    return total


@numba.njit(nogil=True, cache=True)
def _sample_linear(picture: np.ndarray, u: float, v: float) -> float:
    column, row = int(u), int(v)
    f, g = u - column, v - row
    above = picture[row, column] * (1 - f) + picture[row, column + 1] * f
    below = picture[row + 1, column] * (1 - f) + picture[row + 1, column + 1] * f
    return above * (1 - g) + below * g


@numba.njit(nogil=True, cache=True)
def _sample_all(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    values = np.empty(len(points))
    for i in range(len(points)):
        values[i] = _sample(picture, points[i, 0], points[i, 1])
    return values


@numba.njit(nogil=True, cache=True)
def _observe(inner, local, brightness, value, gx, gy, landing, size, seen):
    """Fill `seen` (N, 5): residual, x and y gradient over the depth, place, or a residual of NaN outside; the number inside."""
    height, width = value.shape
    inside = 0
    for i in range(len(local)):
        x, y = local[i]
        depth = inner[2, 0] * x + inner[2, 1] * y + inner[2, 2]
        seen[i, 0] = np.nan
        if not depth > 1e-6:
            continue
        p = (inner[0, 0] * x + inner[0, 1] * y + inner[0, 2]) / depth
        q = (inner[1, 0] * x + inner[1, 1] * y + inner[1, 2]) / depth
        u, v = p * size + landing[0], q * size + landing[1]
        if not (u > MARGIN and u < width - 1 - MARGIN and v > MARGIN and v < height - 1 - MARGIN):
            continue
        seen[i, 0] = _sample(value, u, v) - brightness[i]
        seen[i, 1] = _sample_linear(gx, u, v) * size / depth
        seen[i, 2] = _sample_linear(gy, u, v) * size / depth
        seen[i, 3], seen[i, 4] = p, q
        inside += 1
    return inside


@numba.njit(nogil=True, cache=True)
def _statistics(seen, inside):
    """Robust spread of the residuals and the share of inliers."""
    sizes = np.empty(inside)
    count = close = 0
    for i in range(len(seen)):
        if not np.isnan(seen[i, 0]):
            sizes[count] = abs(seen[i, 0])
            close += sizes[count] < INLIER
            count += 1
    return max(NOISE_FLOOR, 1.4826 * np.median(sizes)), close / inside


@numba.njit(nogil=True, cache=True)
def _equations(seen, local, weights, reach, unknowns, normal, right):
    """The weighted normal equations, summed in the order of the points."""
    normal[:] = 0
    right[:] = 0
    row = np.empty(8)
    for i in range(len(seen)):
        residual = seen[i, 0]
        if not abs(residual) < reach:
            continue
        weight = weights[i] * (1 - (residual / reach) ** 2) ** 2
        x, y = local[i]
        gx, gy = seen[i, 1], seen[i, 2]
        if unknowns == 2:
            row[0], row[1] = gx, gy
        elif unknowns == 4:
            row[0], row[1], row[2], row[3] = gx * x + gy * y, gy * x - gx * y, gx, gy
        else:
            row[0], row[1], row[2], row[3], row[4], row[5] = gx * x, gx * y, gx, gy * x, gy * y, gy
            along = -(gx * seen[i, 3] + gy * seen[i, 4])
            row[6], row[7] = along * x, along * y
        for j in range(unknowns):
            right[j] -= weight * row[j] * residual
            for k in range(j + 1):
                normal[j, k] += weight * row[j] * row[k]


@numba.njit(nogil=True, cache=True)
def _solve(normal, right, unknowns):
    """Damped Cholesky in place, the step in `right`; False if the equations do not determine it."""
    for j in range(unknowns):
        normal[j, j] = normal[j, j] * (1 + DAMPING) + 1e-9
    for j in range(unknowns):
        for k in range(j + 1):
            total = normal[j, k]
            for m in range(k):
                total -= normal[j, m] * normal[k, m]
            if j > k:
                normal[j, k] = total / normal[k, k]
            elif total > 0:
                normal[j, j] = np.sqrt(total)
            else:
                return False
    for j in range(unknowns):
        for k in range(j):
            right[j] -= normal[j, k] * right[k]
        right[j] /= normal[j, j]
    for j in range(unknowns - 1, -1, -1):
        for k in range(j + 1, unknowns):
            right[j] -= normal[k, j] * right[k]
        right[j] /= normal[j, j]
    return True


@numba.njit(nogil=True, cache=True)
def _step(inner, step, unknowns):
    """Add the step to the entries of `inner` that the model may change; the largest change."""
    if unknowns == 2:
        inner[0, 2] += step[0]
        inner[1, 2] += step[1]
    elif unknowns == 4:
        inner[0, 0] += step[0]
        inner[0, 1] -= step[1]
        inner[0, 2] += step[2]
        inner[1, 0] += step[1]
        inner[1, 1] += step[0]
        inner[1, 2] += step[3]
    else:
        for k in range(unknowns):
            inner[k // 3, k % 3] += step[k]
    return np.abs(step[:unknowns]).max()


@numba.njit(nogil=True, cache=True)
def _refine(inner, local, brightness, weights, value, gx, gy, landing, size, unknowns, iterations, minimum):
    """Iterate on `inner` in place: spread, share of inliers and number inside at its final state (0 inside: failed)."""
    seen = np.empty((len(local), 5))
    normal, right = np.zeros((8, 8)), np.zeros(8)
    for _ in range(iterations):
        inside = _observe(inner, local, brightness, value, gx, gy, landing, size, seen)
        if inside < minimum:
            return 0.0, 0.0, 0
        spread, _share = _statistics(seen, inside)
        _equations(seen, local, weights, TUKEY * spread, unknowns, normal, right)
        if not _solve(normal, right, unknowns):
            return 0.0, 0.0, 0
        if _step(inner, right, unknowns) * size < SETTLED:
            break
    inside = _observe(inner, local, brightness, value, gx, gy, landing, size, seen)
    if inside < minimum:
        return 0.0, 0.0, 0
    spread, share = _statistics(seen, inside)
    return spread, share, inside
