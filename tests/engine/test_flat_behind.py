# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges of a sprite that never moved, before one flat paint: nobody saw what is behind them, but there is little doubt about it.
Drawn discs, through the matting alone."""

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.layers.plate import Canvas
from toondecompose_blender.engine.matting.sprites import Sighting, solve_drawings

SIZE, FRAMES = 140, 4
SKY, DARK, SHORE = (200, 230, 245), (42, 42, 43), (60, 140, 90)


def disc(radius: float) -> np.ndarray:
    """Coverage in the middle of the picture, float (H, W), 0..1."""
    picture = np.zeros((SIZE, SIZE), np.uint8)
    cv2.circle(picture, (70 * 16 + 5, 70 * 16 + 9), round(16 * radius), 255, -1, cv2.LINE_AA, 4)
    return picture / 255


def solved(picture: np.ndarray, behind: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The drawing, RGBA, that a `mask` finds in one still `picture` uint8 (H, W, 3); `behind` is known 3 px away from it."""
    known = cv2.dilate(mask, np.ones((7, 7), np.uint8)) == 0
    nothing = np.zeros_like(mask)
    sighting = Sighting(lambda t: picture, lambda t: mask, lambda t: nothing, lambda t: (behind, known), (), parted=True)
    canvas = Canvas(SIZE, SIZE, np.tile(np.eye(3), (FRAMES, 1, 1)))
    return next(iter(solve_drawings(sighting, canvas, np.ones(FRAMES, int)))).rgba


def over(below: np.ndarray, cover: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.rint(below * (1 - cover[..., None]) + np.array(color) * cover[..., None]).astype(np.uint8)


@pytest.mark.parametrize("wrong", [-1, 0, 2], ids=["mask too small", "mask right", "mask too large"])
def test_an_edge_before_one_paint_is_as_soft_as_it_was_drawn(wrong):
    sky, cover = np.full((SIZE, SIZE, 3), SKY, np.uint8), disc(40)
    rgba = solved(over(sky, cover, DARK), sky, (disc(40 + wrong) > 0.5).astype(np.uint8) * 255)
    edge = cv2.dilate(((cover > 0.02) & (cover < 0.98)).astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(rgba[..., 3] / 255 - cover)[edge].mean() < 0.03
    shown = edge & (rgba[..., 3] > 100)
    assert np.abs(rgba[..., :3][shown].astype(int) - DARK).mean() < 4     # and none of the sky is left in its color


def test_a_rim_of_a_third_color_is_no_blend_of_the_other_two():
    sky, rim = np.full((SIZE, SIZE, 3), SKY, np.uint8), (disc(40) > 0.99) & (disc(37) < 0.01)
    picture = over(over(sky, disc(40), (204, 226, 226)), disc(37), DARK)
    rgba = solved(picture, sky, (disc(40) > 0.5).astype(np.uint8) * 255)
    assert rgba[..., 3][rim].mean() > 230


def test_where_two_paints_meet_behind_it_none_between_them_is_taken_to_go_on():
    behind = np.full((SIZE, SIZE, 3), SKY, np.uint8)
    behind[70:] = SHORE
    rim = tuple((np.array(SKY) / 4 + np.array(SHORE) / 4 + np.array(DARK) / 2).astype(int))     # no blend with either of them
    picture = over(over(behind, disc(40), rim), disc(37), DARK)
    rgba = solved(picture, behind, (disc(40) > 0.5).astype(np.uint8) * 255)
    meeting = (disc(40) > 0.99) & (disc(37) < 0.01) & (np.abs(np.arange(SIZE) - 70) < 4)[:, None]
    assert meeting.sum() > 10 and rgba[..., 3][meeting].mean() > 240


def test_a_thin_line_has_its_own_color_though_what_is_well_inside_the_drawing_is_far_and_another():
    behind, line = np.full((400, 400, 3), 67, np.uint8), np.zeros((400, 400))
    line[200:205, 200:260] = np.array([0.3, 1, 1, 1, 0.6])[:, None]
    picture = over(behind, line, (100, 100, 100))
    cv2.circle(picture, (60, 90), 30, (10, 10, 10), -1)
    mask = np.where((line > 0.4) | (picture == 10).all(2), 255, 0).astype(np.uint8)
    sighting = Sighting(lambda t: picture, lambda t: mask, lambda t: np.zeros_like(mask), lambda t: (behind, line < 2), (), parted=True)
    canvas = Canvas(400, 400, np.tile(np.eye(3), (FRAMES, 1, 1)))
    rgba = next(iter(solve_drawings(sighting, canvas, np.ones(FRAMES, int)))).rgba
    assert rgba[..., 3][line > 0.9].mean() > 240 and np.abs(rgba[202, 205:255, :3].astype(int) - 100).max() < 8
