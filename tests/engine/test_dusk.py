# SPDX-License-Identifier: GPL-3.0-or-later
"""A light that changes little by little over a whole shot: found with its color and its amounts, and never seen where there is none."""

import numpy as np
import pytest

from tests.engine.drawn import draw_clip
from tests.engine.edge_clips import NIGHT, dusk, edge_clip, flashed
from toondecompose_blender.engine.dusk import find_dusk
from toondecompose_blender.engine.veil import find_veils, lift

FRAMES = 24
LIGHTS = {
    "dusk": dusk(range(6, FRAMES), 0.05),
    "dawn": {t: 0.6 - 0.05 * t for t in range(12)},
    "a cloud": {t: 0.4 - 0.05 * abs(t - 12) for t in range(5, 20)},
}


@pytest.mark.parametrize("pan", [0, 5])
@pytest.mark.parametrize("light", LIGHTS)
def test_a_changing_light_is_found_with_its_color_and_amounts_and_lifted(light, pan):
    clear = edge_clip(frames=FRAMES, pan=pan, speed=3)
    clip = flashed(clear, LIGHTS[light], NIGHT)
    assert find_veils(clip.frames) == ()
    veil, = find_dusk(clip.frames)
    amounts = np.array([LIGHTS[light].get(t, 0) for t in range(FRAMES)])
    assert np.abs(np.array(veil.color) - NIGHT).max() <= 6
    assert np.abs(veil.amount - amounts).max() < 0.02
    left = np.abs(lift(clip.frames, (veil,)).astype(int) - clear.frames)
    assert left.mean() < 1.5


@pytest.mark.parametrize("pan", [0, 5, 45])
def test_a_pan_a_whip_and_a_still_camera_have_no_changing_light(pan):
    assert find_dusk(draw_clip(frames=16, pan=pan).frames) == ()


def test_a_sky_alone_that_changes_its_color_behind_a_figure_is_no_light():
    clip = draw_clip(frames=20, pan=0, size=70)
    sky = np.array([(205 - 6 * t, 194 - 6 * t, 75 - 2 * t) for t in range(20)])[:, None, None]
    figure = clip.alphas[0, ..., None] > 0
    assert find_dusk(np.where(figure, clip.frames, sky).astype(np.uint8)) == ()


def test_light_that_is_only_added_is_no_veil():
    glow = (3 * np.arange(20))[:, None, None, None] * np.array((1, 0.7, 0.3))
    assert find_dusk((edge_clip(frames=20, pan=5).frames * 0.7 + glow).astype(np.uint8)) == ()


@pytest.mark.parametrize("height, width", [(16, 16), (16, 160), (27, 80), (700, 18)])
def test_dusk_is_found_in_small_and_narrow_pictures_too(height, width):
    picture, amounts = np.random.default_rng(1).integers(0, 255, (height, width, 3)), 0.06 * np.arange(10)[:, None, None, None]
    veil, = find_dusk((picture * (1 - amounts) + amounts * np.array(NIGHT)).round().astype(np.uint8))
    assert np.abs(veil.amount - amounts.ravel()).max() < 0.02
    assert find_dusk(np.repeat(picture[None].astype(np.uint8), 8, 0)) == ()


def test_too_short_a_shot_has_no_changing_light():
    assert find_dusk(edge_clip(frames=3).frames) == ()
