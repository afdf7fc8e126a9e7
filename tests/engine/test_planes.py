# SPDX-License-Identifier: GPL-3.0-or-later
"""Backgrounds of several planes, drawn: far planes are found and composed, and a sprite that stays long is none.
It does not run the chain."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.engine.drawn import figure, textured
from toondecompose_blender.engine.geometry import resized, translation
from toondecompose_blender.engine.layers import planes_backdrop, plate as plate_module
from toondecompose_blender.engine.layers.evidence import background_weights, interval
from toondecompose_blender.engine.layers.plate import build_plate, canvas_of_plane, view
from toondecompose_blender.engine.layers.planes import build_backdrop, cleared, find_planes
from toondecompose_blender.engine.layers.planes_backdrop import FarPlane
from toondecompose_blender.engine.layers.planes_blend import blended
from toondecompose_blender.engine.layers.planes_depth import FRACTIONS, peaks
from toondecompose_blender.engine.report import Silent

FRAMES, WIDTH, HEIGHT, PAN, FRACTION = 40, 240, 144, 6, 0.3


def run(*, skyline: bool, still: bool = False, drift: float = -0.15):
    """A figure before houses, with or without a slower skyline above them: frames, its alpha, and the camera;
    the figure moves over the screen with the share `drift` of the camera's motion."""
    near = textured(WIDTH + PAN * FRAMES, HEIGHT, 3)
    far = cv2.GaussianBlur(textured(WIDTH + PAN * FRAMES, HEIGHT, 9), (0, 0), 0.8)[..., ::-1]
    open_above = np.zeros(near.shape[:2], np.float32)
    if skyline:
        for left in range(0, near.shape[1], 40):
            open_above[:25 + 37 * left % 31, left:left + 40] = 1
    middle, frames, alphas, camera = FRAMES // 2, [], [], []
    for t in range(FRAMES):
        moved = 0 if still else PAN * (t - middle)
        camera.append(translation(-moved, 0))
        at = translation(-moved - PAN * middle, 0)
        house, gap = (cv2.warpPerspective(p, at, (WIDTH, HEIGHT)) for p in (near, open_above))
        sky = cv2.warpPerspective(far, translation(-FRACTION * moved - PAN * middle, 0), (WIDTH, HEIGHT))
        frame = house + (sky.astype(np.float32) - house) * gap[..., None]
        drawing = figure(96, (t // 2 % 4 + 0.4) / 4, (200, 70, 60))
        laid = cv2.warpAffine(drawing, np.float32([[1, 0, 80 - drift * moved], [0, 1, HEIGHT - 90]]), (WIDTH, HEIGHT))
        frames.append(np.rint(laid[..., :3] * 255 + (1 - laid[..., 3:]) * frame).astype(np.uint8))
        alphas.append(laid[..., 3])
    return np.stack(frames), np.stack(alphas), np.stack(camera)


def one_plate(frames, alphas, camera):
    weights = background_weights(alphas)
    return build_plate(frames.__getitem__, weights.__getitem__, canvas_of_plane(camera, WIDTH, HEIGHT))


def differing(frames, plate):
    """What a first look takes for foreground: all that differs from the one plate."""
    errors = [cv2.blur(interval(frame, view(plate, t, WIDTH, HEIGHT)[0]), (3, 3)) for t, frame in enumerate(frames)]
    return (np.stack(errors) > 12).astype(np.float32)


@pytest.fixture(scope="module")
def parallax():
    frames, alphas, camera = run(skyline=True)
    plate = one_plate(frames, alphas, camera)
    foreground = differing(frames, plate)
    return frames, alphas, camera, plate, foreground, find_planes(frames, foreground, camera, plate, report=Silent())


def miss(shown, frame, alpha):
    return np.abs(shown.astype(float) - frame)[alpha < 0.01].mean()


def test_a_slower_skyline_is_found_with_its_fraction(parallax):
    planes = parallax[-1]
    assert len(planes) == 1
    assert abs(planes[0].fraction - FRACTION) < 0.01


def test_the_composed_backdrop_looks_like_the_frames(parallax):
    frames, alphas, camera, plate, foreground, planes = parallax
    weights = background_weights(cleared(foreground, camera, planes))
    backdrop = build_backdrop(frames.__getitem__, weights.__getitem__, camera, planes, size=(WIDTH, HEIGHT))
    before = np.mean([miss(view(plate, t, WIDTH, HEIGHT)[0], frames[t], alphas[t]) for t in range(FRAMES)])
    after = np.mean([miss(backdrop.view(t, WIDTH, HEIGHT)[0], frames[t], alphas[t]) for t in range(FRAMES)])
    assert after < 0.35 * before


def test_the_backdrop_is_the_same_at_twice_the_size(parallax):
    frames, alphas, camera, _, foreground, planes = parallax
    weights = background_weights(cleared(foreground, camera, planes))
    size = (2 * WIDTH, 2 * HEIGHT)
    large = build_backdrop(lambda t: cv2.resize(frames[t], size), lambda t: cv2.resize(weights[t], size), camera, planes,
                           size=size, found_at=(WIDTH, HEIGHT))
    small = build_backdrop(frames.__getitem__, weights.__getitem__, camera, planes, size=(WIDTH, HEIGHT))
    for t in (5, 30):
        shown = cv2.resize(large.view(t, *size)[0], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        assert np.abs(shown.astype(float) - small.view(t, WIDTH, HEIGHT)[0]).mean() < 5
    assert np.allclose(large.plates[0].canvas.homographies[5] @ [0, 0, 1], resized(planes[0].homographies, 2, 2)[5] @
                       np.linalg.inv(resized(planes[0].homographies, 2, 2)[0]) @ large.plates[0].canvas.homographies[0] @ [0, 0, 1])


def test_what_a_small_region_is_sure_of_comes_before_what_a_large_one_finds_by_chance():
    votes = np.random.default_rng(4).poisson(500, (3, len(FRACTIONS))).astype(float)
    votes[0], votes[1] = 0, 20
    votes[1, 13:16] = 300, 560, 540
    votes[2, 0] = 9700
    assert np.allclose(peaks(votes)[:2], [0, 0.71], atol=0.03)


def test_near_an_opening_that_is_cut_wrongly_the_plane_is_shown_that_the_frame_looks_like(parallax):
    frames, alphas, camera, _, foreground, planes = parallax
    weights = background_weights(cleared(foreground, camera, planes))
    backdrop = build_backdrop(frames.__getitem__, weights.__getitem__, camera, planes, size=(WIDTH, HEIGHT))
    shifted = replace(backdrop, openings=(cv2.warpAffine(backdrop.openings[0], translation(6, 5)[:2], backdrop.openings[0].shape[::-1]),))
    stained = frames.copy()
    stained[:, 20:40, 100:120] = (255, 0, 255)
    bare = np.ones((HEIGHT, WIDTH), bool)
    bare[15:45, 95:125] = False
    hidden = np.where(bare, 0, 1)
    for t in (8, 20, 32):
        cut, seen = shifted.view(t, WIDTH, HEIGHT)
        alike, known = shifted.view(t, WIDTH, HEIGHT, like=stained.__getitem__)
        alpha = np.maximum(alphas[t], hidden)
        assert miss(alike, frames[t], alpha) < 0.7 * miss(cut, frames[t], alpha)
        assert known.sum() > seen.sum()
        assert np.abs(alike[20:40, 100:120].astype(int) - (255, 0, 255)).max(2).min() > 60    # a sprite there is not taken for a plane


@pytest.mark.parametrize("drift", [-0.15, 0.8])
def test_a_sprite_that_stays_before_one_plane_is_no_plane(drift):
    frames, alphas, camera = run(skyline=False, drift=drift)
    plate = one_plate(frames, alphas, camera)
    assert find_planes(frames, np.maximum(alphas, differing(frames, plate)), camera, plate, report=Silent()) == ()


def test_a_static_camera_has_no_far_planes():
    frames, alphas, camera = run(skyline=False, still=True)
    plate = one_plate(frames, alphas, camera)
    assert find_planes(frames, alphas, camera, plate, report=Silent()) == ()


def test_what_is_not_seen_is_not_warped_and_nothing_changes_by_it(parallax, monkeypatch):
    frames, alphas, camera, _, foreground, planes = parallax
    weights = background_weights(cleared(foreground, camera, planes))

    def stitched():
        return build_backdrop(frames.__getitem__, weights.__getitem__, camera, planes, size=(WIDTH, HEIGHT))

    backdrop = stitched()
    raised = cv2.warpAffine(backdrop.openings[0], translation(0, -8)[:2], backdrop.openings[0].shape[::-1])
    backdrop = replace(backdrop, openings=(raised,))    # what the frames look like is then shown beyond the opening, too
    cut = [backdrop.view(t, WIDTH, HEIGHT, like=frames.__getitem__) for t in (0, 17, 39)]
    monkeypatch.setattr(planes_backdrop, "_parts_shown", lambda opened, height, width: [np.s_[0:height, 0:width]] * (len(opened) + 1))
    whole = [backdrop.view(t, WIDTH, HEIGHT, like=frames.__getitem__) for t in (0, 17, 39)]
    assert all(np.array_equal(a, b) for pair in zip(cut, whole, strict=True) for a, b in zip(*pair, strict=True))
    monkeypatch.setattr(plate_module, "reached", lambda outline, tile: tile)
    for one, other in zip(backdrop.plates, stitched().plates, strict=True):
        assert np.abs(one.picture.astype(int) - other.picture).max() <= 1 and np.array_equal(one.seen, other.seen)


def roofs(defocus: float):
    """A pan over dark roofs before a bright sky that moves more slowly, both blurred by as much (sigma, px) after they were laid over
    each other, as a lens does: frames, a weight for all, the camera, and the sky's plane with a hard opening."""
    near = np.full((HEIGHT, WIDTH + PAN * FRAMES, 3), (70, 60, 90), np.uint8)
    near[::12, :, 1] += 60
    far = np.full_like(near, (190, 215, 240))
    far[:, ::17] = (240, 245, 250)
    gap = np.zeros(near.shape[:2], np.float32)
    for left in range(0, near.shape[1], 40):
        gap[:40 + 37 * left % 31, left:left + 40] = 1
    middle, frames, camera = FRAMES // 2, [], []
    for t in range(FRAMES):
        moved = PAN * (t - middle)
        camera.append(translation(-moved, 0))
        house, opened = (cv2.warpPerspective(p, translation(-moved - PAN * middle, 0), (WIDTH, HEIGHT)) for p in (near, gap))
        sky = cv2.warpPerspective(far, translation(-FRACTION * moved - PAN * middle, 0), (WIDTH, HEIGHT))
        frame = house + (sky.astype(np.float32) - house) * opened[..., None]
        frames.append(np.rint(cv2.GaussianBlur(frame, (0, 0), defocus) if defocus else frame).astype(np.uint8))
    camera = np.stack(camera)
    canvas = canvas_of_plane(camera, WIDTH, HEIGHT)
    place = canvas.homographies[middle] @ np.linalg.inv(translation(-PAN * middle, 0))
    opening = cv2.warpPerspective(255 * gap, np.linalg.inv(place), (canvas.width, canvas.height), borderMode=cv2.BORDER_REPLICATE)
    slower = np.stack([translation(-FRACTION * PAN * (t - middle), 0) for t in range(FRAMES)])
    hard = (opening > 127).astype(np.uint8) * 255
    return np.stack(frames), np.full((HEIGHT, WIDTH), 255, np.uint8), camera, FarPlane(slower, FRACTION, hard)


@pytest.mark.parametrize("defocus", [0.0, 4.0], ids=["sharp", "out of focus"])
def test_the_edge_of_a_plane_is_as_soft_as_in_the_frames(defocus):
    frames, weight, camera, plane = roofs(defocus)
    backdrop = build_backdrop(frames.__getitem__, lambda t: weight, camera, [plane], size=(WIDTH, HEIGHT))
    soft = blended(backdrop, frames.__getitem__, lambda t: weight, size=(WIDTH, HEIGHT))
    before, after = (np.mean([np.abs(one.view(t, WIDTH, HEIGHT)[0].astype(float) - frames[t]).mean() for t in range(FRAMES)])
                     for one in (backdrop, soft))
    if defocus:
        assert after < 0.75 * before
    else:
        assert after < 1.02 * before
