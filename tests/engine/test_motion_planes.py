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
from toondecompose_blender.engine.motion.planes import covered, first_planes, flows_of, rearmost, separated
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
    rear, others = rear_motion(frames, flow, near, report=Silent())
    assert error(rear.homographies, SKY) < FOLLOWED and any(error(other, POSTS) < FOLLOWED for other in others)


def test_the_rear_plane_stays_the_one_that_is_followed():
    frames = posts_before(contrast=0.5, blur=3)
    rear = Motion(SKY @ np.linalg.inv(SKY[FRAMES // 2]), False, "similarity", 0.02, FRAMES // 2)
    assert rear_motion(frames, flow_of(frames), rear, report=Silent())[0] is rear


FAR = np.stack([translation(-1.0 * t, 0) for t in range(FRAMES)])
WALL = np.stack([translation(60 - 12.0 * t, 0) for t in range(FRAMES)])


def wall_before() -> np.ndarray:
    """Frames, uint8 (T, H, W, 3), of a house that a wall with gaps passes, so that now the one fills the picture and now the other."""
    rng = np.random.default_rng(6)
    far, near = painted(rng, WIDTH + 40, HEIGHT), painted(rng, WIDTH + 12 * FRAMES, HEIGHT)
    shown = np.zeros(near.shape[1], bool)
    for left in range(60, near.shape[1], 400):
        shown[left:left + 170] = True
    frames = []
    for t in range(FRAMES):
        x = np.arange(WIDTH) - 60 + 12 * t
        inside = (x >= 0) & (x < len(shown))
        wall = inside & shown[x.clip(0, len(shown) - 1)]
        frames.append(np.where(wall[None, :, None], near[:, x.clip(0, len(shown) - 1)], far[:, t:t + WIDTH]))
    return np.stack(frames).clip(0, 255).astype(np.uint8)


def test_planes_that_fill_the_picture_in_turns_are_told_apart_and_ordered():
    frames = wall_before()
    pictures, flow = prepare(frames), flow_of(frames)
    planes = first_planes(Measure(pictures, "homography"), flows_of(pictures, flow), FRAMES // 2)
    errors = np.array([[error(plane.homographies, truth) for truth in (FAR, WALL)] for plane in planes])
    house, wall = errors.argmin(0)
    assert errors[house, 0] < FOLLOWED and errors[wall, 1] < FOLLOWED
    covers = covered(pictures, [planes[house].homographies, planes[wall].homographies])
    assert rearmost(covers).tolist() == [0] and covers[0, 1] > 4 * covers[1, 0]


def test_a_camera_that_follows_now_one_plane_and_now_another_is_put_on_the_one_behind():
    frames = wall_before()
    steps = [(FAR if t % 8 < 4 else WALL)[[t, t + 1]] for t in range(FRAMES - 1)]
    mixed = [np.eye(3)]
    for before, after in steps:
        mixed.append(after @ np.linalg.inv(before) @ mixed[-1])
    mixed = np.stack(mixed) @ np.linalg.inv(mixed[FRAMES // 2])
    rear, _ = rear_motion(frames, flow_of(frames), Motion(mixed, False, "translation", 0.02, FRAMES // 2), report=Silent())
    assert error(mixed, FAR) > 10 and error(rear.homographies, FAR) < FOLLOWED
