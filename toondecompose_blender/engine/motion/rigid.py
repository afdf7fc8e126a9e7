# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact motion of one drawing through its exposures, measured inside its masks from where a first estimate puts it.
It takes masks and estimate as they are: what a drawing is, and which frames show it, is not its business."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..geometry import normalized, project, resized, translation
from .bundle import bundled
from .ladder import choose_family
from .links import Measure
from .models import box_grid, restricted, stretch
from .pictures import Pictures, prepare

__all__ = ["rigid_motion"]

_MARGIN = 12  # px around the mask: the reach of the wide blur
_CELLS = 12  # cells of salient points along the drawing
_POINTS = 1500  # a frame: a drawing fills a part of it
_MINIMUM = 60  # points in a frame: with less the estimate is as good
_STEPS = (1, 5)  # exposures apart; each is linked with the reference as well
_COMPARABLE = 0.5  # log of a scale: pictures of one thing at more different sizes are not aligned
_DOUBTFUL = 0.3  # px at 360 lines between links: whoever moves so loosely is no plane
_STILL = 0.04  # px: what moves less stands still


def rigid_motion(frames: Sequence[np.ndarray], masks: Sequence[np.ndarray], poses: np.ndarray, reference: int) -> np.ndarray | None:
    """The motion of the `reference`-th exposure of a drawing to each of the others, (N, 3, 3), none freer than it has to be.

    `frames` N RGB uint8 (h, w, 3) and `masks` N uint8 (h, w), above 0 where the drawing's inside is seen for sure; `poses`
    (N, 3, 3): the same motion to about a pixel. None if there is too little drawing to measure, or if what is measured does not agree.
    """
    origins, size = _windows(masks)
    if size is None:
        return None
    cuts = [np.s_[y:y + size[1], x:x + size[0]] for x, y in origins]
    shown = np.stack([mask[cut] for mask, cut in zip(masks, cuts, strict=True)])
    cell = max(3, round(float(np.median((shown > 0).sum((1, 2)))) ** 0.5 / _CELLS))
    pictures = prepare(np.stack([frame[cut] for frame, cut in zip(frames, cuts, strict=True)]), masks=shown, cell=cell, count=_POINTS,
                       lines=frames[0].shape[0])
    if len(pictures.points[reference]) < _MINIMUM:
        return None
    windows = [translation(x, y) for x, y in origins]
    local = np.stack([np.linalg.inv(window) @ pose @ windows[reference] for window, pose in zip(windows, poses, strict=True)])
    local = resized(local, pictures.factor, pictures.factor)
    measure = Measure(pictures, "homography", minimum=_MINIMUM)
    family = choose_family(measure, local, stiffest="translation")
    grid = box_grid(pictures.points[reference])
    local = np.stack([restricted(pose, family, grid) for pose in local])
    bundle = bundled(measure, local, reference, family=family, rounds=[_pairs(pictures, local, reference)])
    if not bundle.links or bundle.residual > _DOUBTFUL * pictures.scale:
        return None
    local = resized(bundle.homographies, 1 / pictures.factor, 1 / pictures.factor)
    moved = normalized(np.stack([window @ pose @ np.linalg.inv(windows[reference]) for window, pose in zip(windows, local, strict=True)]))
    moved[reference] = np.eye(3)
    outline = box_grid(np.argwhere(masks[reference] > 0)[:, ::-1])
    away = max(float(np.abs(project(pose, outline) - outline).max()) for pose in moved)
    return np.tile(np.eye(3), (len(moved), 1, 1)) if away < _STILL else moved


def _windows(masks: Sequence[np.ndarray]) -> tuple[list[tuple[int, int]], tuple[int, int] | None]:
    """Windows of one size (width, height) around all masks, inside the frame: their top left corners; no size for empty masks."""
    height, width = masks[0].shape
    boxes = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            return [], None
        boxes.append((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    # even sides: halves of them, if the windows are large, stay whole
    wide = min(width, (max(right - left for left, _, right, _ in boxes) + 2 * _MARGIN + 7) // 8 * 8)
    high = min(height, (max(bottom - top for _, top, _, bottom in boxes) + 2 * _MARGIN + 7) // 8 * 8)
    corners = [(min(max(0, (left + right - wide) // 2), width - wide), min(max(0, (top + bottom - high) // 2), height - high))
               for left, top, right, bottom in boxes]
    return corners, (wide, high)


def _pairs(pictures: Pictures, poses: np.ndarray, reference: int) -> list[tuple[int, int]]:
    """Which exposures to link: each with its neighbors near and far and with the reference, if they are of about one size."""
    count = len(poses)
    pairs = {(t, t + step) for step in _STEPS for t in range(count - step)} | {(reference, t) for t in range(count) if t != reference}
    middle = pictures.points[reference].mean(0).astype(np.float64)

    def change(pair: tuple[int, int]) -> float:
        early, late = poses[pair[0]], poses[pair[1]]
        return stretch(late @ np.linalg.inv(early), project(early, middle[None])[0])

    return sorted(pair for pair in pairs if len(pictures.points[pair[0]]) and change(pair) < _COMPARABLE)
