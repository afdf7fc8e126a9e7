# SPDX-License-Identifier: GPL-3.0-or-later
"""From a drawing's colors to its finished matte: specks, edges, smoothing over time, holes and straight color."""

from __future__ import annotations

import cv2
import numpy as np

from tests.engine.balls import ball, decibel, paint_of
from toondecompose_blender.engine.character.finishing import despeckled, enlarged, straight_color, thresholded
from toondecompose_blender.engine.character.holes import push_pull
from toondecompose_blender.engine.character.smoothing import smoothed


def test_specks_leave_the_matte_and_thresholds_draw_it_in():
    alpha = np.zeros((80, 80), np.uint8)
    alpha[10:70, 10:70] = 200
    alpha[30:32, 30:32] = 0
    alpha[2:4, 2:4] = 255
    clean = despeckled(alpha)
    assert not clean[:9].any() and (clean[30:32, 30:32] == 255).all() and clean[50, 50] == 200
    assert np.array_equal(np.flatnonzero(thresholded(clean, 100, 3)[40]), np.arange(13, 67))


def test_enlarging_keeps_edges_where_the_pose_has_them():
    large, small = ball(0, size=128), ball(0, size=32)
    values = paint_of(small) / 255
    grown = enlarged(np.where(small[..., 3:] > 0, values, 0), small, large)
    plain = cv2.resize(np.where(small[..., 3:] > 0, values, 0), (128, 128), interpolation=cv2.INTER_LINEAR)
    area = large[..., 3] > 0
    assert decibel(grown * 255, paint_of(large), area) > decibel(plain * 255, paint_of(large), area) + 1


def test_smoothing_mixes_equal_places_and_spares_moved_lines():
    pose, before_pose = ball(0), ball(0, shift=0.1)
    color = paint_of(pose)
    now = np.dstack([color + 10, 255 * pose[..., 3]]).clip(0, 255).astype(np.uint8)
    then = np.dstack([paint_of(before_pose), 255 * before_pose[..., 3]]).clip(0, 255).astype(np.uint8)
    then[40:44, 30:40, :3] = 0
    mixed = smoothed(now, pose, then, before_pose, strength=0.5)
    changed = np.abs(mixed[..., :3].astype(int) - now[..., :3]).max(-1)
    assert np.array_equal(mixed[..., 3], now[..., 3]) and (changed[pose[..., 3] > 0] > 2).mean() > 0.5
    assert changed.max() <= 25
    assert np.array_equal(smoothed(now, pose, then, before_pose, strength=0.0), now)


def test_push_pull_keeps_what_is_known_and_fills_the_rest_from_it():
    picture = np.zeros((33, 50, 3))
    known = np.zeros((33, 50), bool)
    known[5, 5] = known[30, 45] = True
    picture[5, 5], picture[30, 45] = (200, 0, 0), (0, 0, 100)
    filled = push_pull(picture, known)
    assert np.array_equal(filled[known], picture[known])
    assert filled[0, 0, 0] > 150 and filled[32, 49, 2] > 75 and (filled.sum(-1) > 90).all()


def test_color_is_made_straight_without_a_dark_fringe():
    alpha = np.zeros((12, 12, 1))
    alpha[:, 5:], alpha[:, 4] = 1, 0.3
    color = straight_color(np.dstack([alpha * (0.8, 0.5, 0.2), alpha]))
    assert np.abs(color - (0.8, 0.5, 0.2)).max() < 1e-6  # also beyond the outline
