# SPDX-License-Identifier: GPL-3.0-or-later
"""The canvas on which all drawings of a sprite lie, and how it travels through the frames.
It takes the exposure sheet and the masks as they are; it looks at no picture."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from .drawings import ExposureSheet
from .geometry import corners, normalized, project, resized, translation
from .layers.plate import Canvas

__all__ = ["canvas_of"]

_MARGIN = 8 / 360  # of the frame's height: transparent border of a canvas, where a matte may still grow
_FREEDOM = 1 / 8  # of a drawing's size: how far the middle of the canvas may lie from its own
_LARGER = 2.0  # times the largest drawing that a canvas may be
_SMOOTH = 3.0  # frames, sigma: longer than a drawing on twos or threes, shorter than a step


def canvas_of(sheet: ExposureSheet, alphas: np.ndarray, *, width: int, height: int, camera: np.ndarray | None = None) -> Canvas:
    """The canvas of a sprite for frames of `width` x `height` px, from its sheet and its alphas (T, h, w), uint8, analyzed size.

    `camera` (T, 3, 3), background plane -> frame at analyzed size: motion is judged as seen against the background.

    All drawings share one size, so that a drawing can be exposed on any frame. Each lies on the canvas as its reference
    frame shows it, moved by whole pixels: nothing is resampled there. Which whole pixels is a free choice (a gauge) made
    once for all drawings on the same pegs: the canvas is centered, as nearly as their exposures agree, on a smoothed path of the
    sprite's center, so that the canvas itself travels evenly and a drawing put on another frame does not jump; but never farther
    from the middle of what they reach than an eighth of its size. Frames without the sprite carry the homography of the
    nearest frame that has it.
    """
    x_factor, y_factor = width / alphas.shape[2], height / alphas.shape[1]
    poses = resized(sheet.poses, x_factor, y_factor)
    outlines = [_outline(alpha, x_factor, y_factor) for alpha in alphas]
    extents = np.array([_extent(sheet, poses, outlines, number) for number in range(1, len(sheet.references) + 1)])
    camera = np.tile(np.eye(3), (len(poses), 1, 1)) if camera is None else resized(camera, x_factor, y_factor)
    path = _path(sheet, np.linalg.inv(camera) @ poses, extents.mean(1))
    anchors = np.zeros((len(extents), 2), int)
    pegs = (sheet.pegs[:, 1:] + 0.5) * (x_factor, y_factor) - 0.5
    for members in _hung_together(sheet.pegs[:, 0], extents - pegs[:, None]):
        shown = np.flatnonzero(np.isin(sheet.exposure, members + 1))
        wanted = [project(np.linalg.inv(poses[t]) @ camera[t], path[t][None])[0] - pegs[sheet.exposure[t] - 1] for t in shown]
        extent = _union(extents[members] - pegs[members, None])
        middle, freedom = extent.mean(0), np.ptp(extent, 0) * _FREEDOM
        anchors[members] = np.rint(pegs[members] + np.clip(np.mean(wanted, 0), middle - freedom, middle + freedom))
    margin = int(np.ceil(_MARGIN * height))
    low = np.ceil((anchors - extents[:, 0]).max(0)).astype(int) + margin
    high = np.ceil((extents[:, 1] - anchors).max(0)).astype(int) + margin
    homographies = np.tile(np.eye(3), (len(poses), 1, 1))
    present = np.flatnonzero(sheet.exposure)
    for t in range(len(poses)):
        nearest = present[np.argmin(np.abs(present - t))]
        homographies[t] = normalized(poses[nearest] @ translation(*(anchors[sheet.exposure[nearest] - 1] - low)))
    return Canvas(*(int(side) for side in low + high + 1), homographies)


def _hung_together(groups: np.ndarray, reached: np.ndarray) -> Iterator[np.ndarray]:
    """The drawings, from 0, on the same pegs, whose numbers are `groups` (D,); each for itself where what they reach together from there,
    `reached` (D, 2, 2), is much larger than any of them: a wall that is panned past needs no canvas as long as the wall."""
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        largest = np.ptp(reached[members], 1).max(0)
        together = (np.ptp(_union(reached[members]), 0) <= _LARGER * largest).all()
        yield from [members] if together else members[:, None]


def _union(extents: np.ndarray) -> np.ndarray:
    """Lowest and highest x, y (2, 2) of several extents (n, 2, 2)."""
    return np.stack([extents[:, 0].min(0), extents[:, 1].max(0)])


def _outline(alpha: np.ndarray, x_factor: float, y_factor: float) -> np.ndarray | None:
    """Points (N, 2), full-size px, of the convex hull of everything that is not quite transparent."""
    outer, _ = cv2.findContours((alpha > 12).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outer:
        return None
    hull = cv2.convexHull(np.concatenate(outer))[:, 0].astype(np.float64)   # far fewer pixels than all
    pixels = (hull[:, None] + corners(2, 2) - 0.5).reshape(-1, 2)
    return (pixels + 0.5) * (x_factor, y_factor) - 0.5


def _extent(sheet: ExposureSheet, poses: np.ndarray, outlines: list[np.ndarray | None], number: int) -> np.ndarray:
    """Lowest and highest x, y (2, 2) that any exposure of a drawing reaches, in px of its reference frame.

    What a pose in perspective would bring from afar, more than twice as large as the middle, is dirt of the matte.
    """
    reached = []
    for t in np.flatnonzero(sheet.exposure == number):
        if outlines[t] is not None:
            back = np.linalg.inv(poses[t])
            depths = outlines[t] @ back[2, :2] + back[2, 2]
            reached.append(project(back, outlines[t][depths > np.median(depths) / 2]))
    reached = np.concatenate(reached)
    return np.stack([reached.min(0), reached.max(0)])


def _path(sheet: ExposureSheet, poses: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Where the sprite's center is in each frame (T, 2), smoothed over each unbroken presence; steady motion stays as it is."""
    path = np.zeros((len(poses), 2))
    present = np.flatnonzero(sheet.exposure)
    for run in np.split(present, np.flatnonzero(np.diff(present) > 1) + 1):
        raw = np.array([project(poses[t], centers[sheet.exposure[t] - 1][None])[0] for t in run])
        reach = min(len(run) - 1, int(3 * _SMOOTH))
        before, after = 2 * raw[0] - raw[reach:0:-1], 2 * raw[-1] - raw[-2:-2 - reach:-1]
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SMOOTH) ** 2)
        longer = np.concatenate([before, raw, after])
        for k, t in enumerate(run):
            path[t] = (weights[:, None] * longer[k:k + 2 * reach + 1]).sum(0) / weights.sum()
    return path
