# SPDX-License-Identifier: GPL-3.0-or-later
"""Steadier color over time: each pixel is mixed with the one of the previous frame that shows the same place of the character.
Pose space gives the match exactly, so nothing is guessed by optical flow; knows two frames, no files."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["smoothed"]

REACH = 0.006  # of the pose's range: about a pixel of a figure 170 px high
LARGEST_CHANGE = 48.0  # of 255: a line that moved over the surface, not flicker


def smoothed(rgba: np.ndarray, pose: np.ndarray, before: np.ndarray, before_pose: np.ndarray, *, strength: float) -> np.ndarray:
    """`rgba` uint8 (H, W, 4) straight, mixed with up to `strength` (0..1) of `before` at equal places; alpha stays."""
    shown, known = (p[..., 3] > 0.5 for p in (pose, before_pose))
    known &= before[..., 3] > 0
    if strength <= 0 or not shown.any() or not known.any():
        return rgba
    distance, index = cKDTree(before_pose[known][:, :3].astype(np.float64)).query(pose[shown][:, :3].astype(np.float64))
    now, then = rgba[shown][:, :3].astype(np.float64), before[known][index, :3].astype(np.float64)
    same = (distance < REACH) & (np.abs(now - then).max(1) < LARGEST_CHANGE)
    mixed = rgba.copy()
    color = np.where(same[:, None], now + strength * (then - now), now)
    mixed[shown, :3] = np.rint(color)
    return mixed
