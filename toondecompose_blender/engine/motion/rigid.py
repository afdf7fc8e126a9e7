# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion of a rigid sprite through a clip, measured inside its masks.
It takes the masks as they are: what a sprite is, and whether it is rigid, is not its business."""

from __future__ import annotations

import cv2
import numpy as np

from ..geometry import normalized, project, translation
from ..report import Report
from .alignment import align
from .bundle import bundled
from .candidates import matches
from .links import STEPS, Measure
from .motion import Motion
from .pictures import Pictures, prepare

__all__ = ["rigid_motion"]

_LEAST_AREA = 40  # px: smaller masks hold no motion
_LARGE = 0.8  # of the largest mask: a good reference
_MARGIN = 24  # px around all masks
_CELLS = 12  # cells of salient points along a typical sprite
_MINIMUM = 24  # points a link needs
_LEAST_GROWTH = 0.5  # of the area in a step, and a twentieth of it in a clip: more is no rigid motion but a failure
_LANDING = 3  # px: tolerance of a mask's border


def rigid_motion(frames: np.ndarray, masks: np.ndarray, *, report: Report) -> Motion:
    """How a sprite moves that keeps its shape.

    `frames` RGB uint8 (T, h, w, 3), `masks` uint8 (T, h, w), above 127 where the sprite is seen.  The plane is the pixel grid of a
    frame that shows much of the sprite; frames without it are interpolated, or held at the ends.
    """
    count = len(frames)
    report.stage("rigid motion", 1)
    seen = masks > 127
    area = seen.sum((1, 2))
    present = np.flatnonzero(area >= _LEAST_AREA)
    if not len(present):
        report.step()
        return Motion(np.broadcast_to(np.eye(3), (count, 3, 3)).copy(), True, "identity", float("inf"), count // 2)
    reference = _reference(area)
    left, top, right, bottom = _box(seen)
    cell = max(3, round(float(np.median(area[present])) ** 0.5 / _CELLS))
    shown = np.where(seen, np.uint8(255), np.uint8(0))[:, top:bottom, left:right]
    pictures = prepare(frames[:, top:bottom, left:right], masks=shown, cell=cell)
    start = _filled(_chain(pictures, shown, present), present, count)
    start = normalized(start @ np.linalg.inv(start[reference]))
    rounds = [list(zip(present[:-step].tolist(), present[step:].tolist(), strict=True)) for step in STEPS if step < len(present)]
    bundle = bundled(Measure(pictures, "homography", minimum=_MINIMUM), start, reference, rounds=rounds)
    if _fell_apart(bundle.homographies[present]):
        bundle = bundled(Measure(pictures, "homography", minimum=_MINIMUM), start, reference, family="translation", rounds=rounds)
    homographies = _filled({int(t): bundle.homographies[t] for t in present}, present, count)
    offset = translation(left, top)
    report.step()
    scale = np.diag([pictures.factor, pictures.factor, 1.0])
    scale[0, 2] = scale[1, 2] = (pictures.factor - 1) / 2
    whole = normalized(offset @ np.linalg.inv(scale) @ homographies @ scale @ np.linalg.inv(offset))
    return Motion(whole, bundle.family == "identity", bundle.family, bundle.residual / pictures.factor, reference)


def _reference(area: np.ndarray) -> int:
    """Of the frames that show nearly as much of the sprite as any, the one next to the middle."""
    good = np.flatnonzero(area >= _LARGE * area.max())
    return int(good[np.argmin(np.abs(good - len(area) // 2))])


def _box(seen: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box around all masks, with a margin, inside the frame."""
    height, width = seen.shape[1:]
    columns, rows = np.flatnonzero(seen.any((0, 1))), np.flatnonzero(seen.any((0, 2)))
    left, right = max(0, int(columns[0]) - _MARGIN), min(width, int(columns[-1]) + 1 + _MARGIN)
    top, bottom = max(0, int(rows[0]) - _MARGIN), min(height, int(rows[-1]) + 1 + _MARGIN)
    return left, top, right, bottom


def _fell_apart(homographies: np.ndarray) -> bool:
    """Whether a motion folds, or grows or shrinks the sprite beyond reason."""
    growth = np.linalg.det(homographies[:, :2, :2])
    return not (np.isfinite(homographies).all() and (growth > _LEAST_GROWTH / 10).all() and (growth < 10 / _LEAST_GROWTH).all())


def _chain(pictures: Pictures, masks: np.ndarray, present: np.ndarray) -> dict[int, np.ndarray]:
    """Plane -> frame of the frames that show the sprite, one step at a time."""
    size = (pictures.width, pictures.height)
    shapes = {int(t): cv2.resize(masks[t], size, interpolation=cv2.INTER_AREA) > 127 for t in present}
    found = {int(present[0]): np.eye(3)}
    velocity = np.zeros(2)
    for source, target in zip(present[:-1].tolist(), present[1:].tolist(), strict=True):
        step = _step(pictures, source, target, shapes[source], shapes[target], velocity * (target - source))
        centre = np.argwhere(shapes[source]).mean(0)[None, ::-1]
        velocity = (project(step, centre) - centre)[0] / (target - source)
        found[target] = normalized(step @ found[source])
    return found


def _step(pictures: Pictures, source: int, target: int, before: np.ndarray, after: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The motion between two frames that carries most of the sprite's points into the other mask and onto the same brightness.

    Tried are: going on as before, the shifts of the mask's centre and of its box's corners (a mask may be cut by the frame).
    """
    points = pictures.few[source]
    landing = cv2.dilate(after.astype(np.uint8), np.ones((2 * _LANDING + 1, 2 * _LANDING + 1), np.uint8)) > 0
    best, most = translation(*expected), -1.0
    for shift in (expected, *_mask_shifts(before, after)):
        motion = translation(*shift)
        for level, model in ((pictures.coarse, "translation"), (pictures.fine, "translation"), (pictures.fine, "similarity")):
            tried = align(level[source], level[target], points, motion, model=model, iterations=8, minimum=min(_MINIMUM, 8))
            if tried is None:
                continue
            if not _LEAST_GROWTH < np.linalg.det(tried.homography[:2, :2]) < 1 / _LEAST_GROWTH:
                continue
            score = _landed(pictures, source, target, points, tried.homography, landing)
            if score > most or level is pictures.coarse:
                motion = tried.homography
            if score > most:
                best, most = tried.homography, score
    return best


def _landed(pictures: Pictures, source: int, target: int, points: np.ndarray, motion: np.ndarray, landing: np.ndarray) -> float:
    """Share of the points that match and land in the other mask."""
    if not len(points):
        return 0.0
    image = np.round(project(motion, points.astype(np.float64))).astype(int)
    inside = (image >= 0).all(1) & (image[:, 0] < pictures.width) & (image[:, 1] < pictures.height)
    x, y = np.where(inside[:, None], image, 0).T
    return float((matches(pictures, source, target, points, motion) & inside & landing[y, x]).mean())


def _mask_shifts(before: np.ndarray, after: np.ndarray) -> list[np.ndarray]:
    """Shifts (x, y) of the centre, the top left and the bottom right of two masks."""
    a, b = np.argwhere(before)[:, ::-1], np.argwhere(after)[:, ::-1]
    if not len(a) or not len(b):
        return []
    return [np.asarray(measure(b, 0) - measure(a, 0), np.float64) for measure in (np.mean, np.min, np.max)]


def _filled(known: dict[int, np.ndarray], present: np.ndarray, count: int) -> np.ndarray:
    """(T, 3, 3) from the homographies of some frames: entries interpolated in time between them, held before and after."""
    entries = normalized(np.stack([known[int(t)] for t in present])).reshape(len(present), 9)
    every = np.arange(count)
    return np.stack([np.interp(every, present, column) for column in entries.T], -1).reshape(count, 3, 3)
