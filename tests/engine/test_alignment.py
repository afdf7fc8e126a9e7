# SPDX-License-Identifier: GPL-3.0-or-later
"""Photometric alignment finds known warps of drawn pictures; knows nothing of clips."""

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.geometry import corners, project
from toondecompose_blender.engine.motion.alignment import align, gradients, salient_points

WIDTH, HEIGHT = 320, 200


def picture(seed=0):
    """Line art and flat shapes over a soft texture, drawn four times too large and softened, so that warps of it are free of aliasing."""
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT * 4, WIDTH * 4)).astype(np.float32), (0, 0), 12) * 900 + 140
    for _ in range(60):
        center = tuple(int(v) for v in rng.integers(0, [WIDTH * 4, HEIGHT * 4]))
        axes = tuple(int(v) for v in rng.integers(15, 140, 2))
        shade = float(rng.integers(30, 230))
        cv2.ellipse(image, center, axes, float(rng.integers(180)), 0, 360, shade, -1)
        cv2.ellipse(image, center, axes, float(rng.integers(180)), 0, 360, 15, 8)
    return cv2.GaussianBlur(image.clip(0, 255), (0, 0), 2)


def seen_through(large, homography):
    """The picture at its working size after `homography` (px of the working size), by area averaging.

    OpenCV's cubic kernel would not do: it shifts a slope by up to .05 px.
    """
    grow = np.array([[4, 0, 1.5], [0, 4, 1.5], [0, 0, 1.0]])
    warped = cv2.warpPerspective(large, grow @ homography @ np.linalg.inv(grow), (WIDTH * 4, HEIGHT * 4), flags=cv2.INTER_LINEAR,
                                 borderMode=cv2.BORDER_REFLECT)
    return cv2.resize(warped, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).clip(0, 255).round().astype(np.uint8)


def similarity(angle, scale, x, y):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y], [0, 0, 1.0]])


WARPS = {
    "translation": similarity(0, 1, 1.7, -2.3),
    "similarity": similarity(0.01, 1.012, 1.2, -2.6),
    "affine": np.array([[1.01, 0.006, -1.4], [-0.008, 0.992, 2.1], [0, 0, 1]]),
    "homography": np.array([[1.008, 0.004, -1.1], [-0.003, 0.995, 1.4], [2e-5, -1.5e-5, 1]]),
}


def error(found, truth):
    points = corners(WIDTH, HEIGHT) * 0.8 + np.array([WIDTH, HEIGHT]) * 0.1
    return np.linalg.norm(project(found, points) - project(truth, points), axis=1).max()


def prepared(image, blur=1.0):
    return gradients(image, blur=blur)


@pytest.mark.parametrize("model", WARPS)
def test_a_known_warp_is_found_to_a_fiftieth_of_a_pixel(model):
    large = picture()
    source, target = prepared(seen_through(large, np.eye(3))), prepared(seen_through(large, WARPS[model]))
    points = salient_points(source, count=3000)
    found = align(source, target, points, np.eye(3), model=model, iterations=12)
    assert error(found.homography, WARPS[model]) < 0.02
    assert found.inliers > 0.97 and found.spread < 3 and found.inside > 0.9 * len(points)


def test_a_third_of_the_picture_that_moves_otherwise_does_not_pull_the_answer():
    large = picture()
    still, moved = seen_through(large, np.eye(3)), seen_through(large, WARPS["similarity"])
    moved[:, :110] = seen_through(picture(5), np.eye(3))[:, :110]
    source, target = prepared(still), prepared(moved)
    found = align(source, target, salient_points(source, count=3000), np.eye(3), model="similarity", iterations=12)
    assert error(found.homography, WARPS["similarity"]) < 0.06
    assert 0.5 < found.inliers < 0.85


def test_points_of_weight_zero_have_no_say():
    large = picture()
    still, moved = seen_through(large, np.eye(3)), seen_through(large, WARPS["affine"])
    moved[:, :200] = 255 - moved[:, :200]
    source, target = prepared(still), prepared(moved)
    points = salient_points(source, count=3000)
    weights = (points[:, 0] > 210).astype(np.float32)
    found = align(source, target, points, np.eye(3), model="translation", weights=weights, iterations=8)
    only = align(source, target, points[weights > 0], np.eye(3), model="translation", iterations=8)
    assert found.inside <= weights.sum() and np.array_equal(found.homography, only.homography)


def test_a_wide_blur_reaches_further_than_a_narrow_one():
    large, truth = picture(), similarity(0, 1, 9, -7)
    still, moved = seen_through(large, np.eye(3)), seen_through(large, truth)
    wide = align(prepared(still, 6), prepared(moved, 6), salient_points(prepared(still, 6), count=2000), np.eye(3),
                 model="translation", iterations=20)
    narrow = align(prepared(still), prepared(moved), salient_points(prepared(still), count=2000), wide.homography,
                   model="translation", iterations=10)
    assert error(wide.homography, truth) < 1 and error(narrow.homography, truth) < 0.02


def test_a_model_changes_only_its_own_degrees_of_freedom():
    large = picture()
    source, target = prepared(seen_through(large, np.eye(3))), prepared(seen_through(large, WARPS["homography"]))
    points = salient_points(source, count=2000)
    shift = align(source, target, points, np.eye(3), model="translation").homography
    turn = align(source, target, points, np.eye(3), model="similarity").homography
    assert np.allclose(shift[:2, :2], np.eye(2)) and np.allclose(shift[2], [0, 0, 1])
    assert np.isclose(turn[0, 0], turn[1, 1]) and np.isclose(turn[0, 1], -turn[1, 0]) and np.allclose(turn[2], [0, 0, 1])


def test_too_few_points_inside_give_no_answer():
    large = picture()
    source = prepared(seen_through(large, np.eye(3)))
    points = salient_points(source, count=2000)
    assert align(source, source, points, similarity(0, 1, 400, 0), model="similarity") is None
    assert align(source, source, points[:60], np.eye(3), model="similarity") is None
    assert align(source, source, points[:60], np.eye(3), model="similarity", minimum=30) is not None


def test_a_flat_picture_has_no_salient_points_and_stays_where_it_is():
    flat = prepared(np.full((HEIGHT, WIDTH), 90, np.uint8))
    assert salient_points(flat, count=500).shape == (0, 2)
    everywhere = np.stack(np.meshgrid(np.arange(20, 60), np.arange(20, 60)), -1).reshape(-1, 2)
    assert np.allclose(align(flat, flat, everywhere, np.eye(3), model="similarity").homography, np.eye(3))


def test_salient_points_are_spread_over_the_picture_and_stay_in_the_mask():
    source = prepared(seen_through(picture(), np.eye(3)))
    points = salient_points(source, count=1600, cell=20)
    cells = (points // 20).astype(int)
    counts = np.unique(cells[:, 1] * 16 + cells[:, 0], return_counts=True)[1]
    assert len(counts) > 140 and counts.max() <= 1600 // len(counts)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[50:90, 100:160] = True
    inside = salient_points(source, count=400, mask=mask).astype(int)
    assert len(inside) > 200 and mask[inside[:, 1], inside[:, 0]].all()
    assert np.array_equal(inside, salient_points(source, count=400, mask=mask).astype(int))
