# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens sprites where a still background shows through: between the tubes of a bicycle, under a van, in the crook of an arm.
It sees pieces, colors and labels; it must not know motions: no flat color tells how it moves."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from .split_merge import NOTABLE
from .split_search import Layers
from .supervoxels import Supervoxels

__all__ = ["opened"]

SAME = 4                # color difference up to which two pieces are one flat color
COLORED = 16            # difference of a color's channels from which it is no white, gray or black, which anything may be painted
LEAST = 1e-4            # share of the clip's voxels: what is smaller is a button as often as a gap
REACH = 0.03            # of the short side: no farther across the sprite is more of that background (judgement)
SIGHTS = 12             # frames looked at
ROUNDS = 3              # gaps beside gaps: the tubes of a bicycle part several
MOSTLY = 0.5            # share of those that show a piece and must show that background beside it


def opened(layers: Layers) -> Layers:
    """`layers` of a clip with a still background, after pieces that are enclosed by a sprite, in exactly the color of background just
    outside of it, became background.  White, gray and black pieces stay: eyes are white before a white wall, too."""
    color, size = layers.energy.graph.voxels.color, layers.energy.graph.voxels.size
    labels = layers.labels
    for _ in range(ROUNDS):
        through = _through(labels, color, size / size.sum(), layers.energy.graph.voxels)
        if not through.any():
            break
        labels = np.where(through, 0, labels)
    return replace(layers, labels=labels)


def _through(labels: np.ndarray, color: np.ndarray, share: np.ndarray, voxels: Supervoxels) -> np.ndarray:
    """The pieces of sprites, bool (n,), of mean `color` (n, 3) and `share` of the clip's voxels, that are next to their like behind."""
    flat = np.flatnonzero((labels == 0) & (voxels.border > 0) & (share > NOTABLE))
    enclosed = np.flatnonzero((labels > 0) & (voxels.border == 0) & (share > LEAST) & (np.ptp(color, axis=1) >= COLORED))
    alike = np.abs(color[enclosed][:, None] - color[flat]).max(2, initial=0) <= SAME
    groups = []
    for row in np.unique(alike, axis=0):
        if row.any():
            behind = (labels == 0) & (np.abs(color - color[flat[row]].mean(0)).max(1) <= SAME)     # between the spokes, too
            groups.append((np.flatnonzero(behind), enclosed[(alike == row).all(1)]))
    shown, beside = np.zeros(voxels.count), np.zeros(voxels.count)
    for t in np.unique(np.linspace(0, len(voxels.labels) - 1, SIGHTS).round().astype(int)) if groups else ():
        pieces = np.asarray(voxels.labels[t])
        shown += np.bincount(pieces.ravel(), minlength=voxels.count) > 0
        for behind, within in groups:
            beside[within] += np.isin(within, pieces[_reached(np.isin(pieces, behind))])
    return beside > MOSTLY * shown


def _reached(shown: np.ndarray) -> np.ndarray:
    """The pixels, bool (h, w), that are near `shown` ones."""
    size = 2 * round(REACH * min(shown.shape)) + 1
    return cv2.dilate(shown.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0
