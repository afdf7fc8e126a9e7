# SPDX-License-Identifier: GPL-3.0-or-later
"""A still background shows through the gaps of a sprite; what is painted in its color elsewhere, or white, is none."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.layers.split_gaps import opened
from toondecompose_blender.engine.layers.split_search import Layers

SKY, WALL, COAT = (150, 200, 235), (250, 250, 250), (200, 80, 70)
OUTSIDE, FIGURE, PATCH = range(3)


def patched(color, backdrop, middle: tuple[int, int]) -> int:
    """The label of a patch, of the figure so far, of a `color` on a figure before a `backdrop`."""
    labels = np.full((6, 200, 200), OUTSIDE, np.int32)
    labels[:, 40:160, 40:160] = FIGURE
    cv2.circle(picture := labels[0].copy(), middle, 8, PATCH, -1)
    labels[:] = picture
    edge = np.ones(labels.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    size, border = (np.bincount(values.ravel(), minlength=3).astype(float) for values in (labels, labels[:, edge]))
    voxels = SimpleNamespace(labels=labels, sharp=np.array([backdrop, COAT, color], np.uint8)[labels], size=size, border=border, count=3)
    layers = Layers(np.array([0, 1, 1]), (), (), SimpleNamespace(graph=SimpleNamespace(voxels=voxels)), ())
    return int(opened(layers).labels[PATCH])


@pytest.mark.parametrize(("color", "backdrop", "middle", "label"), [
    (SKY, SKY, (52, 100), 0),       # just within the outline: the sky is seen through it
    (SKY, SKY, (100, 100), 1),      # in the middle of the figure: a blue button
    (WALL, WALL, (52, 100), 1),     # an eye is white before a white wall, too
    ((130, 200, 235), SKY, (52, 100), 1),
])
def test_only_what_is_beside_it_in_exactly_its_color_shows_through(color, backdrop, middle, label):
    assert patched(color, backdrop, middle) == label
