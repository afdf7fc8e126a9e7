# SPDX-License-Identifier: GPL-3.0-or-later
"""Planes that pass each other in front of a moving camera: told apart, nothing made of what they leave over, the rear one found.
Drawn posts pass before a painted sky."""

import cv2
import numpy as np
import pytest
from tests.engine.motion_clips import motion_error, painted, seen

from toondecompose_blender.engine.flow import Flow, compute_flow
from toondecompose_blender.engine.geometry import translation
from toondecompose_blender.engine.motion import Motion, background_motion, rear_motion
from toondecompose_blender.engine.motion.links import Measure
from toondecompose_blender.engine.motion.pictures import prepare
from toondecompose_blender.engine.motion.planes import first_planes, flows_of, separated
from toondecompose_blender.engine.report import Silent

WIDTH, HEIGHT, FRAMES, PASS = 320, 180, 26, 5.2
SKY = np.stack([np.array([[1 + 0.004 * t, 0, -30 - 1.2 * t], [0, 1 + 0.004 * t, -30 - 0.5 * t], [0, 0, 1]]) for t in range(FRAMES)])
POSTS = np.stack([translation(-PASS * t, 0) for t in range(FRAMES)])
FOLLOWED = 0.5      # px: posts move by whole ones

pytestmark = pytest.mark.usefixtures("one_thread_a_frame")


def posts_before(*, contrast: float, blur: float) -> np.ndarray:
    """Frames, uint8 (T, H, W, 3), of dark posts that pass before a pale sky of this contrast (1: as it was painted) and blur, px."""
    rng = np.random.default_rng(4)
    sky = 215 + contrast * (cv2.GaussianBlur(painted(rng, WIDTH + 120, HEIGHT + 80), (0, 0), blur) - 150)
    posts, x = np.zeros((HEIGHT, WIDTH + round(PASS * FRAMES) + 40), bool), 10
    while x < posts.shape[1] - 60:
        width = int(rng.integers(10, 60))
        posts[int(rng.integers(0.3 * HEIGHT, 0.7 * HEIGHT)):, x:x + width] = True
        x += width + int(rng.integers(20, 70))
    dark, sky = np.float32([30, 30, 34]), sky.astype(np.float32)
    frames = [np.where(posts[:, round(PASS * t):][:, :WIDTH, None], dark, seen(sky, h, WIDTH, HEIGHT)) for t, h in enumerate(SKY)]
    return np.rint(np.stack(frames) + rng.normal(0, 0.5, (FRAMES, HEIGHT, WIDTH, 3))).clip(0, 255).astype(np.uint8)


def flow_of(frames: np.ndarray) -> Flow:
    return compute_flow(frames, report=Silent())


def error(motion: np.ndarray, truth: np.ndarray) -> float:
    return motion_error(motion, truth, WIDTH, HEIGHT)[0]


def test_no_plane_is_made_of_what_the_others_leave_over():
    frames = posts_before(contrast=0.3, blur=3)
    pictures = prepare(frames)
    measure = Measure(pictures, "homography")
    planes = separated(measure, first_planes(measure, flows_of(pictures, flow_of(frames)), FRAMES // 2), FRAMES // 2)
    assert len(planes) == 2
    assert error(planes[0].homographies, SKY) < FOLLOWED and error(planes[1].homographies, POSTS) < FOLLOWED


def test_the_plane_behind_is_found_where_the_one_before_it_was_followed():
    frames = posts_before(contrast=0.5, blur=6)
    flow = flow_of(frames)
    near = background_motion(frames, flow, report=Silent())
    assert error(near.homographies, POSTS) < FOLLOWED
    assert error(rear_motion(frames, flow, near, report=Silent()).homographies, SKY) < FOLLOWED


def test_the_rear_plane_stays_the_one_that_is_followed():
    frames = posts_before(contrast=0.5, blur=3)
    rear = Motion(SKY @ np.linalg.inv(SKY[FRAMES // 2]), False, "similarity", 0.02, FRAMES // 2)
    assert rear_motion(frames, flow_of(frames), rear, report=Silent()) is rear
