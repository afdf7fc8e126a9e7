# SPDX-License-Identifier: GPL-3.0-or-later
"""Flashes and fades of a whole shot: found with their amounts, lifted, and never seen where there are none."""

import numpy as np
import pytest

from tests.engine.drawn import draw_clip
from tests.engine.edge_clips import edge_clip, flashed
from toondecompose_blender.engine.veil import LiftedFrames, find_veils, lift

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
CASES = {
    "a flash": (WHITE, {8: 0.5, 9: 0.8, 10: 0.6, 11: 0.3}),
    "a fade from black": (BLACK, {t: 1 - (t + 0.5) / 8 for t in range(8)}),
    "a fade to white": (WHITE, {t: (t - 13.5) / 6 for t in range(14, 20)}),
}


@pytest.fixture(scope="module")
def clear():
    return edge_clip(frames=20, pan=5)


@pytest.mark.parametrize("case", CASES)
def test_a_veil_is_found_with_its_color_and_amounts_and_lifted(clear, case):
    color, amounts = CASES[case]
    clip = flashed(clear, amounts, color)
    veil, = find_veils(clip.frames)
    assert veil.color == color
    assert np.abs(veil.amount - [amounts.get(t, 0) for t in range(20)]).max() < 0.02
    lifted = lift(clip.frames, (veil,))
    for t, amount in amounts.items():
        if amount < 0.7:
            assert np.abs(lifted[t].astype(int) - clear.frames[t]).mean() < 4


def test_a_frame_that_is_all_white_shows_its_nearest_readable_neighbor(clear):
    clip = flashed(clear, {9: 0.6, 10: 1, 11: 1, 12: 1, 13: 0.5})
    frames = LiftedFrames(clip.frames, find_veils(clip.frames))
    assert np.array_equal(frames[10], frames[9]) and np.array_equal(frames[12], frames[13])
    assert len(frames) == 20 and frames.shape == clip.frames.shape


@pytest.mark.parametrize("speed", [0, 5, 45])
def test_a_pan_a_whip_and_a_still_camera_are_no_veil(speed):
    assert find_veils(draw_clip(frames=16, pan=speed).frames) == ()


def test_a_white_or_black_thing_that_fills_half_of_the_frame_is_no_veil(clear):
    for color in (255, 0):
        frames = clear.frames.copy()
        for t in range(6, 14):
            frames[t, :, 40:40 + 30 * (t - 5)] = color
        assert find_veils(frames) == ()


def test_too_short_a_shot_has_no_veil(clear):
    assert find_veils(clear.frames[:3]) == () and lift(clear.frames, ()) is clear.frames
