# SPDX-License-Identifier: GPL-3.0-or-later
"""Colors stay at their places from frame to frame, and the measure that says so finds what changes and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.character_flicker import changes
from tests.engine.balls import ball, lined, paint_of, view
from toondecompose_blender.engine.character.transfer import Painter

EXTENT = (1, 1, 1)
TURNED = [ball(30, size=160), ball(35, size=160)]


def flicker(pictures: list[np.ndarray]) -> float:
    return float(changes(TURNED, pictures, EXTENT).change.mean())


def ripples(pose: np.ndarray) -> np.ndarray:
    """Colors that hang on the place alone, and vary by some 8 of 255 from pixel to pixel."""
    return 127.5 + 127.5 * np.sin(12 * pose[..., :3].astype(np.float64))


def test_what_hangs_on_the_place_alone_does_not_change():
    assert flicker([np.full((160, 160, 3), 90, np.uint8)] * 2) < 1e-9
    exact = flicker([ripples(pose) for pose in TURNED])
    one_pixel_off = flicker([ripples(TURNED[0]), np.roll(ripples(TURNED[1]), 1, axis=1)])
    assert exact < 0.15 and one_pixel_off > 20 * exact


@pytest.mark.parametrize("levels", [0.5, 3])
def test_a_change_is_found_at_its_size(levels):
    assert flicker([ripples(TURNED[0]), ripples(TURNED[1]) + levels]) == pytest.approx(levels, abs=0.1)


def test_most_of_a_turned_surface_is_found_again():
    found = changes(TURNED, [np.zeros((160, 160, 3))] * 2, EXTENT)
    assert found.found > 0.9
    for places, pose in ((found.before, TURNED[0]), (found.after, TURNED[1])):
        assert (pose[..., 3].ravel()[places] == 1).all()


def test_lines_that_follow_the_silhouette_change_colors_at_equal_places():
    assert flicker([lined(paint_of(pose), pose) for pose in TURNED]) > 2


def test_with_its_lines_apart_a_drawn_surface_keeps_its_colors():
    views = [view(angle) for angle in (0, 90, 180, 270)]
    apart, whole = ([Painter(views, extent=EXTENT, ink=ink).paint(pose) for pose in TURNED] for ink in (True, False))
    assert flicker([drawn.rgba for drawn in apart]) < 1 < flicker([drawn.rgba for drawn in whole])
    for layers, drawn in zip(apart, whole, strict=True):
        cover = layers.ink[..., 3:] / 255
        laid = layers.ink[..., :3] * cover + layers.rgba[..., :3] * (1 - cover)
        solid = drawn.rgba[..., 3] == 255
        assert solid.any() and np.abs(laid - drawn.rgba[..., :3])[solid].max() <= 2
        assert (layers.rgba[..., 3] == drawn.rgba[..., 3]).all() and layers.ink[..., 3].max() > 200
