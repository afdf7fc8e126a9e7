# SPDX-License-Identifier: GPL-3.0-or-later
"""A sprite's paints are found, each once, and every drawing names them alike: one swatch is one region, without flicker."""

import numpy as np
import pytest

from toondecompose_blender.engine.palette import find_palette, index_map

PAINTS = np.array([(148, 74, 55), (178, 62, 54), (230, 66, 70), (250, 202, 70), (218, 139, 59), (254, 218, 186), (234, 170, 150),
                   (51, 67, 122), (66, 90, 150), (203, 201, 217), (100, 40, 50), (41, 29, 46)])


def drawing(seed):
    """RGBA: a field of every paint, in an order of its own, with the noise of a decoded movie; and which paint is where."""
    random = np.random.default_rng(seed)
    paint = np.kron(random.permutation(len(PAINTS)).reshape(3, 4), np.ones((40, 40), int))
    color = PAINTS[paint] + random.normal(0, 1.5, (*paint.shape, 3))
    return np.dstack([color.clip(0, 255), np.full(paint.shape, 255)]).round().astype(np.uint8), paint


@pytest.fixture(scope="module")
def drawings():
    return [drawing(seed) for seed in range(3)]


def test_every_paint_is_one_swatch(drawings):
    palette = find_palette([picture for picture, _ in drawings], [1, 2, 1])
    assert len(palette) == len(PAINTS)
    distances = np.linalg.norm(np.array([swatch.color for swatch in palette])[:, None] - PAINTS[None], axis=2)
    assert sorted(distances.argmin(1)) == list(range(len(PAINTS))) and distances.min(1).max() < 4
    assert sum(swatch.share for swatch in palette) == pytest.approx(1, abs=1e-3)


def test_a_swatch_is_the_same_region_in_every_drawing(drawings):
    palette = find_palette([picture for picture, _ in drawings], [1, 1, 1])
    swatch_of = np.linalg.norm(np.array([swatch.color for swatch in palette])[:, None] - PAINTS[None], axis=2).argmin(0) + 1
    for picture, paint in drawings:
        assert (index_map(picture, palette) == swatch_of[paint]).mean() > 0.999


def test_what_is_like_no_paint_belongs_to_no_swatch(drawings):
    palette = find_palette([picture for picture, _ in drawings], [1, 1, 1])
    picture = drawings[0][0].copy()
    picture[5:10, :, :3] = (0, 255, 0)
    assert not index_map(picture, palette)[5:10].any()


def test_a_region_goes_on_under_transparency_as_its_color_does(drawings):
    picture, _ = drawings[0]
    palette = find_palette([picture for picture, _ in drawings], [1, 1, 1])
    clear = picture.copy()
    clear[20:60, 30:90, 3] = 0
    assert np.array_equal(index_map(clear, palette), index_map(picture, palette))
