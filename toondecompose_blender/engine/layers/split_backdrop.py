# SPDX-License-Identifier: GPL-3.0-or-later
"""The flat sky behind a background that moves: no edge of it moves by itself, so motion alone never parts it from the ground.
It only proposes; what a sprite of its own is worth is decided where layers merge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .ownership import BORDER_TOUCH
from .split_search import Layers

__all__ = ["sky_of", "behind_all"]

LIKE = 8                # color difference up to which pieces of background are the same flat color
SHARE = 0.05, 0.8       # of the picture, that a sky may fill: less is a window, more is the background itself (drawn clips)
BELOW = 0.05            # share of its contact with the picture's border that may lie at the bottom


def sky_of(layers: Layers) -> np.ndarray:
    """The pieces of the background, bool (n,), that are one flat color at the top of the picture and not at its bottom; all False
    if there is no such color."""
    voxels = layers.energy.graph.voxels
    top, bottom = (np.bincount(voxels.labels[:, row].ravel(), minlength=voxels.count) for row in (0, -1))
    free = layers.labels == 0
    highest = int(np.where(free, top, -1).argmax())
    color = voxels.color
    sky = free & (np.abs(color - color[highest]).max(1) < LIKE)
    fills = voxels.size[sky].sum() / voxels.size.sum()
    reaches = top[sky].sum() > BORDER_TOUCH * len(voxels.labels) and bottom[sky].sum() <= BELOW * voxels.border[sky].sum()
    return sky if reaches and SHARE[0] < fills < SHARE[1] else np.zeros(len(sky), bool)


def behind_all(layers: Layers, sky: np.ndarray) -> Layers:
    """`layers` with the `sky` of their background as a new background that stands still; energies are those of before."""
    still = np.repeat(np.eye(3)[None], len(layers.motions[0]), 0)
    return replace(layers, labels=np.where(sky & (layers.labels == 0), 0, layers.labels + 1), motions=(still, *layers.motions))
