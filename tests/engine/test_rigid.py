# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigid sprites are one drawing with exact homographies: cars that drive up, wheels that turn, signs that turn in space."""

from dataclasses import replace

import numpy as np
import pytest
from tests.engine.rigid_clips import RIGID, draw_rigid, sprite_error

from toondecompose_blender.engine.drawings import exposure_sheet
from toondecompose_blender.engine.drawings_canvas import canvas_of
from toondecompose_blender.engine.motion import rigid_motion
from toondecompose_blender.engine.report import Silent


pytestmark = pytest.mark.usefixtures("one_thread_a_frame")


def drawn(kind, **options):
    return draw_rigid(kind, **{"count": 10, "width": 320, "height": 180} | options)


def sheet_of(clip, **options):
    return exposure_sheet(clip.frames, clip.alphas, report=Silent(), **options)


@pytest.mark.parametrize("kind", [kind for kind in RIGID if kind != "small sign"])
def test_a_rigid_sprite_is_one_drawing_with_exact_motion(kind):
    clip = drawn(kind)
    sheet = sheet_of(clip)
    assert sheet.exposure.tolist() == [1] * 10
    mean, largest = sprite_error(sheet.poses, clip, sheet.references[0])
    assert mean < 0.1 and largest < 0.5


def test_a_sign_of_fifty_pixels_turns_in_space_too():
    clip = drawn("small sign", width=640, height=360)
    sheet = sheet_of(clip)
    assert sheet.exposure.tolist() == [1] * 10 and sprite_error(sheet.poses, clip, sheet.references[0])[0] < 0.2


def test_motion_is_no_freer_than_it_has_to_be():
    passing, rolling = sheet_of(drawn("car passing")).poses, sheet_of(drawn("wheel rolling")).poses
    assert np.allclose(passing[:, :2, :2], np.eye(2), atol=1e-12)
    assert np.allclose(rolling[:, 0, 0], rolling[:, 1, 1]) and np.allclose(rolling[:, 2], [0, 0, 1], atol=1e-12)


def test_a_sprite_that_stands_still_does_not_tremble():
    clip = drawn("car passing", pan=7)
    middle = 5
    still = replace(clip, frames=np.repeat(clip.frames[middle:middle + 1], 6, 0), alphas=np.repeat(clip.alphas[middle:middle + 1], 6, 0))
    grain = np.random.default_rng(1).normal(0, 1.5, still.frames.shape)
    still = replace(still, frames=(still.frames + grain).clip(0, 255).round().astype(np.uint8))
    assert (sheet_of(still).poses == np.eye(3)).all()


@pytest.mark.parametrize("kind", ["sign turning", "flag shearing", "wheel spinning"])
def test_a_patch_on_it_makes_another_drawing(kind):
    sheet = sheet_of(drawn(kind, width=480, height=270, altered=(3, 4, 5)))
    assert sheet.exposure.tolist() == [1, 1, 1, 2, 2, 2, 1, 1, 1, 1]


def test_a_sign_that_passes_behind_a_post_keeps_its_motion():
    clip = drawn("sign turning", width=480, height=270)
    frames, alphas, front = clip.frames.copy(), clip.alphas.copy(), np.zeros_like(clip.alphas)
    frames[:, :, 200:222], alphas[:, :, 200:222], front[:, :, 200:222] = (40, 90, 50), 0, 1
    sheet = exposure_sheet(frames, alphas, report=Silent(), front=front)
    assert sheet.exposure.tolist() == [1] * 10
    assert sprite_error(sheet.poses, clip, sheet.references[0])[0] < 0.3


def test_the_canvas_carries_the_perspective_and_stays_small():
    clip = drawn("sign turning")
    alphas = np.rint(clip.alphas * 255).astype(np.uint8)
    sheet = sheet_of(clip)
    canvas = canvas_of(sheet, alphas, width=640, height=360)
    assert np.abs(canvas.homographies[:, 2, :2]).max() > 1e-4
    alphas[0, 0, 0] = alphas[0, -1, -1] = 255  # dirt: seen from the side it lies far out on the canvas
    dirty = canvas_of(sheet, alphas, width=640, height=360)
    assert canvas.width * canvas.height < 240 * 200 and dirty.width * dirty.height < 2000 * 1500


def test_masks_without_drawing_have_no_motion_to_measure():
    flat = [np.full((80, 100, 3), 90, np.uint8)] * 3
    mask = np.zeros((80, 100), np.uint8)
    poses = np.tile(np.eye(3), (3, 1, 1))
    assert rigid_motion(flat, [mask] * 3, poses, 0) is None
    mask[20:60, 20:60] = 1
    assert rigid_motion(flat, [mask] * 3, poses, 0) is None


def test_the_number_of_threads_changes_no_byte(monkeypatch):
    clip = drawn("sign swinging", count=5)
    answers = []
    for threads in ("1", "2"):
        monkeypatch.setenv("TOONDECOMPOSE_THREADS", threads)
        answers.append(sheet_of(clip).poses.tobytes())
    assert answers[0] == answers[1]
