# SPDX-License-Identifier: GPL-3.0-or-later
"""Which plane motions of a frame pair are worth believing: those of the flow, those of phase correlation and rest, each
verified in the pictures at two blur levels.  It sees one pair at a time and does not choose among its answers."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..geometry import normalized, project, translation
from .alignment import Gradients, align
from .models import grid_points

__all__ = ["Candidate", "candidates", "matches"]

_PEAKS = 4  # of the phase correlation: the truth and its neighbours one texture period away
_PEAK_RADIUS = 4  # px of the correlation's size
_SAME = 1.0  # px at 360 lines: closer motions are one
_TOLERANCE = 0.7  # px: how far a matching edge may sit from where the motion puts it
_LEVELS = 4.0  # gray levels: matches by noise alone
_LEAST_WITNESSES = 60
_LEAST_SHARE = 0.02


@dataclass(frozen=True)
class Candidate:
    """`homography` (3, 3), frame -> next frame; `matched` bool (N,): which of the frame's coarse points it explains."""

    homography: np.ndarray
    matched: np.ndarray


def candidates(first: tuple[Gradients, Gradients], second: tuple[Gradients, Gradients], points: np.ndarray,
               proposals: list[np.ndarray]) -> list[Candidate]:
    """Verified motions between two pictures, given as (fine, coarse) gradients; `points` (N, 2) of the first, `proposals` of its flow.

    Rest is always among them.  Order: rest, proposals, correlation.
    """
    height, width = first[0].value.shape
    grid = grid_points(width, height)
    found = [Candidate(np.eye(3), matches(first, second, points, np.eye(3)))]
    refined = [_sharpened(first, second, points, proposal) for proposal in proposals]
    refined += [_settled(first, second, points, shift) for shift in _correlated(first[0].value, second[0].value)]
    for homography in refined:
        if homography is None or not _plausible(homography, grid, width, height):
            continue
        if any(np.linalg.norm(project(homography, grid) - project(other.homography, grid), axis=1).max() < _SAME * height / 360
               for other in found[1:]):
            continue
        matched = matches(first, second, points, homography)
        if matched.sum() > _LEAST_SHARE * len(points):
            found.append(Candidate(homography, matched))
    return found


def matches(first: tuple[Gradients, Gradients], second: tuple[Gradients, Gradients], points: np.ndarray,
            homography: np.ndarray) -> np.ndarray:
    """Which `points` (N, 2) look the same at both blurs where `homography` puts them, bool (N,)."""
    target = project(homography, points.astype(np.float64)).astype(np.float32)
    height, width = first[0].value.shape
    inside = (target > 2).all(1) & (target[:, 0] < width - 3) & (target[:, 1] < height - 3)
    same = inside
    rows, columns = points[:, 1].astype(int), points[:, 0].astype(int)
    for early, late in zip(first, second, strict=True):
        seen = cv2.remap(late.value, target[:, None, 0], target[:, None, 1], cv2.INTER_LINEAR)[:, 0]
        slope = np.hypot(early.x[rows, columns], early.y[rows, columns])
        same = same & (np.abs(seen - early.value[rows, columns]) < np.maximum(_LEVELS, _TOLERANCE * slope))
    return same


def _plausible(homography: np.ndarray, grid: np.ndarray, width: int, height: int) -> bool:
    """Whether the motion neither folds nor more than halves or doubles the picture."""
    if not np.isfinite(homography).all() or (grid @ homography[2, :2] + homography[2, 2] <= 0.1).any():
        return False
    image = project(homography, grid).reshape(3, 4, 2)
    across = np.linalg.norm(np.diff(image, axis=1), axis=2) / (0.28 * width)
    down = np.linalg.norm(np.diff(image, axis=0), axis=2) / (0.4 * height)
    return bool(min(across.min(), down.min()) > 0.5 and max(across.max(), down.max()) < 2)


def _sharpened(first: tuple, second: tuple, points: np.ndarray, proposal: np.ndarray) -> np.ndarray | None:
    """A motion of the flow after photometric refinement, unless that ran away from it."""
    found = align(first[0], second[0], points, proposal, model="homography", iterations=4, minimum=_LEAST_WITNESSES)
    if found is None:
        return proposal
    better = matches(first, second, points, found.homography).sum() > matches(first, second, points, proposal).sum()
    return found.homography if better else proposal


def _settled(first: tuple, second: tuple, points: np.ndarray, shift: np.ndarray) -> np.ndarray | None:
    """A whole-pixel shift, refined from the coarse blur to the fine one."""
    coarse = align(first[1], second[1], points, shift, model="similarity", iterations=6, minimum=_LEAST_WITNESSES)
    if coarse is None:
        return None
    fine = align(first[0], second[0], points, coarse.homography, model="homography", iterations=5, minimum=_LEAST_WITNESSES)
    return normalized(fine.homography if fine else coarse.homography)


def _correlated(first: np.ndarray, second: np.ndarray) -> list[np.ndarray]:
    """Shifts (3, 3) at the highest peaks of the phase correlation of two gray pictures, at about half their size."""
    factor = 2 if min(first.shape) >= 160 else 1
    size = (first.shape[1] // factor, first.shape[0] // factor)
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (first, second)]
    window = cv2.createHanningWindow(size, cv2.CV_32F)
    spectra = [np.fft.rfft2((picture - picture.mean()) * window) for picture in small]
    cross = spectra[1] * np.conj(spectra[0])
    surface = np.fft.irfft2(cross / (np.abs(cross) + 1e-3 * np.abs(cross).max() + 1e-9), s=size[::-1])
    shifts = []
    for _ in range(_PEAKS):
        y, x = np.unravel_index(np.argmax(surface), surface.shape)
        dx, dy = (x if x < size[0] / 2 else x - size[0]), (y if y < size[1] / 2 else y - size[1])
        shifts.append(translation(float(dx * factor), float(dy * factor)))
        near = [np.arange(c - _PEAK_RADIUS, c + _PEAK_RADIUS + 1) % n for c, n in ((y, size[1]), (x, size[0]))]
        surface[np.ix_(*near)] = -np.inf
    return shifts
