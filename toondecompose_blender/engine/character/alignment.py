# SPDX-License-Identifier: GPL-3.0-or-later
"""Laying the rendered pose of a view onto its drawing: no artist draws to the pixel where a camera would see the rig.
Knows one view and its outline, nothing of lines or features inside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from .sheet import View

__all__ = ["aligned", "overlap"]

EXACT = 0.97  # outlines that agree this well were rendered for each other and are left alone
SOLID = 128


def overlap(view: View) -> float:
    """How far drawing and pose cover the same pixels, 0..1: intersection over union."""
    drawn, posed = view.rgba[..., 3] >= SOLID, view.pose[..., 3] > 0.5
    return float((drawn & posed).sum() / max(1, (drawn | posed).sum()))


def aligned(view: View) -> View:
    """The view with its pose moved and scaled onto the drawing's box, where that makes the outlines agree better."""
    before = overlap(view)
    if before >= EXACT:
        return view
    drawn = cv2.boundingRect((view.rgba[..., 3] >= SOLID).astype(np.uint8))
    posed = cv2.boundingRect((view.pose[..., 3] > 0.5).astype(np.uint8))
    if 0 in (*drawn[2:], *posed[2:]):
        return view
    moved = replace(view, pose=_moved(view.pose, posed, drawn))
    return moved if overlap(moved) > before else view


def _moved(pose: np.ndarray, source: tuple[int, ...], target: tuple[int, ...]) -> np.ndarray:
    """The pose with its box `source` (left, top, width, height) on the box `target`; places are picked, never mixed."""
    x_factor, y_factor = target[2] / source[2], target[3] / source[3]
    matrix = np.array([[x_factor, 0, target[0] + (x_factor - 1) / 2 - x_factor * source[0]],
                       [0, y_factor, target[1] + (y_factor - 1) / 2 - y_factor * source[1]]])
    return cv2.warpAffine(pose, matrix, (pose.shape[1], pose.shape[0]), flags=cv2.INTER_NEAREST, borderValue=(0, 0, 0, 0))
