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


def patched(color, backdrop, *middles: tuple[int, int]) -> list[int]:
    """The labels of patches, of the figure so far, of a `color` on a figure before a `backdrop`."""
    labels = np.full((6, 200, 200), OUTSIDE, np.int32)
    labels[:, 40:160, 40:160] = FIGURE
    picture = labels[0].copy()
    for number, middle in enumerate(middles, PATCH):
        cv2.circle(picture, middle, 8, number, -1)
    labels[:] = picture
    count = PATCH + len(middles)
    edge = np.ones(labels.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    size, border = (np.bincount(values.ravel(), minlength=count).astype(float) for values in (labels, labels[:, edge]))
    sharp = np.array([backdrop, COAT, *[color] * len(middles)], np.uint8)[labels]
    color = np.array([backdrop, COAT, *[color] * len(middles)], float)
    voxels = SimpleNamespace(labels=labels, sharp=sharp, size=size, border=border, count=count, color=color)
    layers = Layers(np.array([0] + [1] * (count - 1)), (), (), SimpleNamespace(graph=SimpleNamespace(voxels=voxels)), ())
    return opened(layers).labels[PATCH:].tolist()


@pytest.mark.parametrize(("color", "backdrop", "middle", "label"), [
    (SKY, SKY, (52, 100), 0),       # just within the outline: the sky is seen through it
    (SKY, SKY, (100, 100), 1),      # in the middle of the figure: a blue button
    (WALL, WALL, (52, 100), 1),     # an eye is white before a white wall, too
    ((130, 200, 235), SKY, (52, 100), 1),
])
def test_only_what_is_beside_it_in_exactly_its_color_shows_through(color, backdrop, middle, label):
    assert patched(color, backdrop, middle) == [label]


def test_a_gap_beside_a_gap_shows_the_background_too():
    assert patched(SKY, SKY, (52, 100), (74, 100)) == [0, 0]
    assert patched(SKY, SKY, (74, 100)) == [1]      # alone, it is too far within
