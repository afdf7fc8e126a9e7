# SPDX-License-Identifier: GPL-3.0-or-later
"""Planes apart where a camera's motion is known already: which lies behind the one that it follows, and how all of them move.
It must not know sprites; nor does it measure: it chooses among the planes that the flow tells apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..flow import Flow
from ..geometry import project, resized
from ..report import Report
from .links import Measure
from .models import grid_points
from .motion import Motion, standing
from .pictures import Pictures, prepare
from .planes import covered, explained, first_planes, flows_of, held_together, rearmost
from .static import stays_rather

if TYPE_CHECKING:
    from ..accelerator import Accelerator

__all__ = ["rear_motion"]

_APART = 4.0  # px at 360 lines, on average from the reference frame: other motions are another plane's
_MIXED = 0.2  # of the points that the least plane explains alone: a motion with fewer follows now one plane and now another


def rear_motion(frames: np.ndarray, flow: Flow, motion: Motion, *, apart: bool = True, report: Report,
                accelerator: Accelerator | None = None) -> tuple[Motion, list[np.ndarray]]:
    """The motion of the plane behind the one that `motion` follows, which may be that one, and the motions (T, 3, 3) of the others, if
    planes are apart and one is clearly behind, or if much more stands still; else `motion` and no others.

    `frames` RGB uint8 (T, h, w, 3), `flow` of the same frames; `apart`: whether to look for planes apart, which takes a while.
    """
    if motion.static:
        return motion, []
    if stays_rather(frames, motion.homographies):
        return standing(len(frames)), [motion.homographies]
    if not apart:
        return motion, []
    report.stage("planes apart", 1)
    pictures = prepare(frames)
    measure = Measure(pictures, "homography", None, accelerator=accelerator)
    camera = resized(motion.homographies, pictures.factor, pictures.factor)
    planes, motions = [], [camera]
    for plane in first_planes(measure, flows_of(pictures, flow), motion.reference):
        if held_together(plane) and all(_apart(pictures, plane.homographies, other) for other in motions):
            planes.append(plane)
            motions.append(plane.homographies)
    rear = _behind(pictures, motions) if planes else None
    report.step()
    if rear is None:
        return motion, []
    others = [resized(one, 1 / pictures.factor, 1 / pictures.factor) for one in motions]
    behind = others.pop(rear)
    if rear > 0:
        plane = planes[rear - 1]
        motion = Motion(behind, False, plane.family, plane.residual / pictures.factor, motion.reference)
    return motion, others


def _behind(pictures: Pictures, motions: list[np.ndarray]) -> int | None:
    """Which of the planes' `motions` (T, 3, 3) lies behind the first and behind all others; None if that is not clear."""
    every, own = explained(pictures, motions)
    if own[0] >= _MIXED * own[1:].min():
        rear = rearmost(covered(pictures, motions))
        return int(rear[0]) if len(rear) == 1 else None
    rear = rearmost(covered(pictures, motions[1:]), clearly=False) + 1      # any of them is better than a mixture
    return int(rear[0]) if len(rear) == 1 and rear[0] == 1 + every[1:].argmax() else None


def _apart(pictures: Pictures, one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two motions (T, 3, 3) that start from the same frame take the picture to different places."""
    grid = grid_points(pictures.width, pictures.height)
    gaps = [np.linalg.norm(project(a, grid) - project(b, grid), axis=1).mean() for a, b in zip(one, other, strict=True)]
    return float(np.mean(gaps)) > _APART * pictures.scale
