# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion of drawn clips whose camera and actor are known: found without drift, not fooled by what repeats or stands still."""

import cv2
import numpy as np
import pytest
from tests.engine.motion_clips import CLIPS, draw, motion_error

from toondecompose_blender.engine.flow import compute_flow
from toondecompose_blender.engine.geometry import project, translation
from toondecompose_blender.engine.motion import background_motion, refine_motion
from toondecompose_blender.engine.motion.models import fit_homography, grid_points, restricted, stretch
from toondecompose_blender.engine.motion.posegraph import Link, disagreement, solve_graph
from toondecompose_blender.engine.motion.static import seems_still, stands_still, stays_rather, unchanged_shares
from toondecompose_blender.engine.report import Silent

WIDTH, HEIGHT = 320, 180
SEEN_BY_THE_BENCHMARK = ("windows there and back", "windows whip", "windows roll", "windows perspective", "bricks shake", "flat zoom",
                         "flat roll", "flat five screens", "flat hand-held", "shake, zoom and roll")
MOVING = [kind for kind in CLIPS if "static" not in kind and kind not in SEEN_BY_THE_BENCHMARK]


pytestmark = pytest.mark.usefixtures("one_thread_a_frame")


def found(clip, **options):
    return background_motion(clip.frames, compute_flow(clip.frames, report=Silent()), report=Silent(), **options)


@pytest.mark.parametrize("kind", MOVING)
def test_the_camera_is_found_without_drift(kind):
    clip = draw(kind, count=14, width=WIDTH, height=HEIGHT)
    motion = found(clip)
    mean, largest = motion_error(motion.homographies, clip.homographies, WIDTH, HEIGHT)
    assert mean < 0.1 and largest < 0.3
    assert not motion.static and motion.confidence < 0.1
    assert motion.reference == 7 and np.allclose(motion.homographies[7], np.eye(3))
    assert not stays_rather(clip.frames, motion.homographies)


@pytest.mark.parametrize("kind", ["static", "flat static"])
def test_a_camera_that_stands_still_is_not_moved_by_the_actor(kind):
    motion = found(draw(kind, count=14, width=WIDTH, height=HEIGHT))
    assert motion.static and motion.model == "identity" and (motion.homographies == np.eye(3)).all()


def test_a_camera_that_holds_and_then_pans_is_not_static():
    hold, pan = draw("static", count=8), draw("slow pan", count=24)
    assert stands_still(hold.frames) is True
    held = np.concatenate([np.repeat(pan.frames[:1], 30, 0), pan.frames])
    assert stands_still(held) is None and stands_still(pan.frames) is False
    assert unchanged_shares(held).max() > 0.8


def test_paint_that_surrounds_everything_stands_still_whatever_sways_before_it():
    figure, t = np.random.default_rng(2).integers(0, 255, (130, 150, 3), np.uint8), np.arange(14)
    frames = np.full((14, HEIGHT, WIDTH, 3), (245, 185, 75), np.uint8)
    for frame, x in zip(frames, np.rint(80 + 12 * np.sin(0.6 * t)).astype(int)):
        frame[50:, x:x + 150] = figure      # and it is cut by the border
    assert stands_still(frames)


def test_lines_drawn_on_paper_that_is_panned_do_not_stand_still():
    paper, random = np.full((HEIGHT, 2 * WIDTH, 3), (244, 240, 226), np.uint8), np.random.default_rng(3)
    for x, y, across, down in random.integers((0, 0, 10, -30), (2 * WIDTH, HEIGHT, 40, 30), (250, 4)).tolist():
        cv2.line(paper, (x, y), (x + across, y + down), (90, 88, 86), 2)
    frames = np.stack([paper[:, 8 * t:8 * t + WIDTH] for t in range(14)])
    assert not stands_still(frames)


def test_a_gradient_around_a_figure_that_jumps_stands_still():
    figure, t = np.random.default_rng(2).integers(0, 255, (70, 90, 3), np.uint8), np.arange(14)
    frames = np.repeat(np.linspace((120, 160, 230), (240, 220, 190), HEIGHT).astype(np.uint8)[None, :, None], WIDTH, 2).repeat(14, 0)
    for frame, y in zip(frames, np.rint(90 - 60 * np.sin(0.25 * t)).astype(int)):
        frame[y:y + 70, 100:190] = figure
    assert not stands_still(frames) and seems_still(frames)     # the figure may be the scenery, until its motion is known
    assert background_motion(frames, compute_flow(frames, report=Silent()), report=Silent()).static


def test_a_bare_wall_that_seems_still_is_panned():
    clip = draw("bare pan", count=14, width=480, height=270)
    motion = found(clip)
    assert seems_still(clip.frames) and motion_error(motion.homographies, clip.homographies, 480, 270)[1] < 0.3


@pytest.mark.parametrize("height, width", [(6, 7), (3, 200), (200, 3)])
def test_what_rests_is_told_of_tiny_pictures_too(height, width):
    frames = np.random.default_rng(3).integers(0, 255, (1, height, width, 3), np.uint8).repeat(8, 0)
    away = np.stack([translation(t, 0) for t in range(8)])
    assert stays_rather(frames, away)


@pytest.mark.parametrize("sides", [0, 40], ids=["above and below", "all around"])
def test_a_pan_between_black_bars_is_a_pan(sides):
    frames = draw("slow pan", count=24, width=WIDTH, height=HEIGHT).frames.copy()
    frames[:, :23] = frames[:, -23:] = 0    # as wide as cinemas show it
    frames[:, :, :sides] = frames[:, :, WIDTH - sides:] = 0
    assert not stands_still(frames)


def test_the_model_is_as_free_as_the_camera_and_no_freer():
    models = {kind: found(draw(kind, count=14, width=WIDTH, height=HEIGHT)).model for kind in ("flat shake", "roll", "perspective")}
    assert models == {"flat shake": "translation", "roll": "similarity", "perspective": "homography"}


def test_refinement_with_weights_ignores_what_is_not_background():
    clip = draw("shake", count=12, width=WIDTH, height=HEIGHT)
    rough = found(clip)
    drifted = np.stack([translation(0.15 * (t - 6), 0) @ h for t, h in enumerate(rough.homographies)])
    rough = type(rough)(drifted, False, "translation", 0.5, rough.reference)
    motion = refine_motion(clip.frames, rough, weights=255 - clip.actor, report=Silent())
    assert motion_error(motion.homographies, clip.homographies, WIDTH, HEIGHT)[1] < 0.05


def test_one_frame_and_flat_frames_stand_still():
    flat = np.full((5, 60, 80, 3), 90, np.uint8)
    for frames in (flat[:1], flat):
        motion = background_motion(frames, compute_flow(frames, report=Silent()), report=Silent())
        assert motion.static and (motion.homographies == np.eye(3)).all()


def test_the_number_of_threads_changes_no_byte(monkeypatch):
    clip = draw("shake", count=6, width=240, height=140)
    answers = []
    for threads in ("1", "2"):
        monkeypatch.setenv("TOONDECOMPOSE_THREADS", threads)
        answers.append(found(clip).homographies.tobytes())
    assert answers[0] == answers[1]


def test_a_wrong_link_does_not_bend_the_graph():
    truth = np.stack([translation(7.0 * t, -2.0 * t) for t in range(9)])
    truth = truth @ np.linalg.inv(truth[4])
    grid = grid_points(WIDTH, HEIGHT)
    links = [Link(t, t + s, truth[t + s] @ np.linalg.inv(truth[t]), 1.0, grid) for s in (1, 2, 4) for t in range(9 - s)]
    wrong = Link(2, 6, translation(28 + 24, -8), 1.0, grid)  # one window further
    start = np.stack([translation(0.1 * (t - 4), 0) @ h for t, h in enumerate(truth)])
    solved = solve_graph(start, [*links, wrong], family="homography", reference=4, iterations=8)
    assert motion_error(solved, truth, WIDTH, HEIGHT)[1] < 0.1
    assert disagreement(solved, [wrong])[0] > 20 and disagreement(solved, links).max() < 0.1


def test_fits_stay_in_their_family():
    general = np.array([[1.02, 0.03, 4], [-0.01, 0.98, -3], [1e-4, 2e-5, 1]])
    grid = grid_points(WIDTH, HEIGHT)
    assert np.allclose(fit_homography(grid, project(general, grid), np.ones(12)), general, atol=1e-6)
    assert np.allclose(restricted(general, "affine", grid)[2], [0, 0, 1])
    turn = restricted(general, "similarity", grid)
    assert np.isclose(turn[0, 0], turn[1, 1]) and np.isclose(turn[0, 1], -turn[1, 0])
    shift = restricted(general, "translation", grid)
    assert np.allclose(shift[:2, 2], (project(general, grid) - grid).mean(0)) and np.allclose(shift[:2, :2], np.eye(2))


@pytest.mark.parametrize("family", ["translation", "similarity", "affine"])
def test_what_a_point_or_a_line_of_them_does_not_determine_stays_as_it_is(family):
    shift = np.array([[1, 0, 4], [0, 1, -3], [0, 0, 1.0]])
    for points in (np.full((4, 2), 7.0), np.array([[3, 5], [9, 5], [20, 5.0]])):
        assert np.allclose(restricted(shift, family, points), shift, atol=1e-6)


def test_a_stretch_is_the_largest_change_of_size_at_a_place():
    assert np.isclose(stretch(np.diag([2.0, 0.25, 1]), np.zeros(2)), np.log(4))
    assert np.isclose(stretch(np.array([[0, -1, 7], [1, 0, 3], [0, 0, 1.0]]), np.array([5, 9])), 0)
    far = np.array([[1, 0, 0], [0, 1, 0], [0.01, 0, 1]])  # at x = 100 twice as deep: half as high, a quarter as wide
    assert np.isclose(stretch(far, np.array([100.0, 0])), np.log(4))
