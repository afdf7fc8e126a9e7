# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks, plates and mattes on drawn clips, each stage alone with the truth of the stages before it.
It does not run the chain; test_decompose.py does."""

from functools import partial

import cv2
import numpy as np
import pytest

from tests.engine.drawn import draw_clip, overlap
from toondecompose_blender.engine.geometry import translation
from toondecompose_blender.engine.layers import plate
from toondecompose_blender.engine.layers.evidence import background_weights, interval, motion_masks, residual_masks
from toondecompose_blender.engine.layers.plate import Canvas, build_plate, canvas_of_plane, fill_unseen, view
from toondecompose_blender.engine.layers.shade import find_shade, under
from toondecompose_blender.engine.matting.random_walker import edge_weights, random_walk
from toondecompose_blender.engine.matting.sprites import Sighting, solve_drawings
from toondecompose_blender.protocol import ClipError


@pytest.fixture(scope="module")
def clip():
    return draw_clip(frames=16)


@pytest.fixture(scope="module")
def true_plate(clip):
    frames = clip.frames
    weights = background_weights(clip.alphas[0])
    canvas = canvas_of_plane(clip.camera, frames.shape[2], frames.shape[1])
    return build_plate(frames.__getitem__, weights.__getitem__, canvas)


def look_at(plate):
    return partial(view, plate, width=288, height=176)


def test_the_interval_forgives_one_pixel_but_not_two():
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[:, 10:] = 200
    assert interval(picture, np.roll(picture, 1, 1))[:, 5:15].max() == 0
    assert interval(picture, np.roll(picture, 2, 1))[:, 5:15].max() > 100


def test_the_random_walk_fills_a_region_up_to_its_edge():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, 30:] = 180
    value, confidence = np.zeros((40, 60), np.float32), np.full((40, 60), 1e-5, np.float32)
    value[15:25, 40:50] = 1
    confidence[15:25, 40:50] = confidence[15:25, 5:15] = 0.5
    soft = random_walk(value, confidence, *edge_weights(picture))
    assert soft[:, 31:].min() > 0.6 and soft[:, :29].max() < 0.4


def test_motion_alone_finds_most_of_the_sprite(clip):
    assert overlap(motion_masks(clip.frames, clip.camera), clip.alphas[0]) > 0.6


def test_flat_background_that_a_sprite_uncovers_is_not_taken_for_it():
    random, count = np.random.default_rng(5), 12
    wide = cv2.resize(random.integers(60, 200, (15, 33, 3), dtype=np.uint8), (264, 120), interpolation=cv2.INTER_NEAREST)
    wide[20:90, 90:230] = 150, 190, 220
    frames, truth, camera = [], np.zeros((count, 120, 200), np.uint8), []
    for t in range(count):      # a pan that comes to rest, and a ball that rises before a wall of one paint
        left, middle = int(56 - 56 * (1 - t / (count - 1)) ** 2), (130, 78 - 3 * t)
        frames.append(np.ascontiguousarray(wide[:, left:left + 200]))
        for radius, color in ((18, (200, 60, 50)), (9, (250, 220, 90))):
            cv2.circle(frames[t], middle, radius, color, -1)
        cv2.circle(truth[t], middle, 18, 1, -1)
        camera.append(translation(-left, 0))
    frames, camera = np.stack(frames), np.stack(camera)
    first = motion_masks(frames, camera)
    masks = motion_masks(frames, camera, before=first) > 0.5
    assert (first > 0.5)[truth == 0].sum() > truth.sum()    # each pair of frames looked at for itself: 1.9 of it
    assert masks[truth == 0].sum() < 0.3 * truth.sum() and masks[truth > 0].mean() > 0.8


def test_a_plate_in_many_tiles_asks_for_each_weight_once_and_is_the_same(clip, true_plate, monkeypatch):
    weights, asked = background_weights(clip.alphas[0]), []

    def weight(t):
        asked.append(t)
        return weights[t]

    monkeypatch.setattr(plate, "TILE_BYTES", 1 << 18)
    again = build_plate(clip.frames.__getitem__, weight, true_plate.canvas)
    assert again.picture.tobytes() == true_plate.picture.tobytes()
    assert sorted(asked) == list(range(len(weights)))


def test_a_few_frames_vote_for_each_place_of_a_long_clips_plate(clip, true_plate, monkeypatch):
    monkeypatch.setattr(plate, "MOST_VOTERS", 8)
    monkeypatch.setattr(plate, "LONG_TILE", (64, 48))
    read = []

    def frame(t):
        read.append(t)
        return clip.frames[t]

    weights = background_weights(clip.alphas[0])
    few = build_plate(frame, weights.__getitem__, true_plate.canvas)
    tiles = -(-few.canvas.width // 64) * -(-few.canvas.height // 48)
    assert len(read) <= 8 * tiles and len(clip.frames) > 8
    both = (few.seen > 0) & (true_plate.seen > 0)
    assert both.sum() > 0.97 * true_plate.seen.sum()
    assert np.abs(few.picture.astype(int) - true_plate.picture)[both].mean() < 1


def test_the_plate_shows_the_background_where_the_sprite_stood(clip, true_plate):
    height, width = clip.frames.shape[1:3]
    hidden, errors = 0, []
    for t in range(len(clip.frames)):
        shown, seen = view(true_plate, t, width, height)
        behind = (clip.alphas[0, t] > 0.99) & seen
        truth = clip.background[20 + int(round(3 * np.sin(t / 4))):, 20 + 5 * t:][:height, :width]
        errors.append(np.abs(shown.astype(float) - truth)[behind].mean() if behind.any() else 0)
        hidden += behind.sum()
    assert hidden > 5000 and np.mean(errors) < 6


def test_the_difference_to_the_plate_finds_the_sprite(clip, true_plate):
    masks = residual_masks(clip.frames, look_at(true_plate), clip.alphas[0])
    assert overlap(masks, clip.alphas[0]) > 0.9


def test_a_held_drawing_over_a_moving_background_gets_its_alpha(clip, true_plate):
    frames = clip.frames
    masks = (residual_masks(frames, look_at(true_plate), clip.alphas[0]) * 255).astype(np.uint8)
    exposure = np.arange(len(frames)) // 2 % 4 + 1
    canvas = Canvas(136, 136, np.stack([translation(17 + 1.5 * t, 39.0) for t in range(len(frames))]))
    sighting = Sighting(frames.__getitem__, masks.__getitem__, lambda t: np.zeros(masks.shape[1:], np.uint8), look_at(true_plate), ())
    mattes = list(solve_drawings(sighting, canvas, exposure))
    assert len(mattes) == 4
    truth = np.stack([clip.alphas[0, 2 * d, 39:175, 17 + 3 * d: 153 + 3 * d] for d in range(4)])
    found = np.stack([matte.rgba[..., 3] for matte in mattes]) / 255
    assert overlap(found, truth) > 0.95 and np.abs(found - truth).mean() < 0.02


def test_a_glow_is_as_translucent_as_what_changes_with_the_background_says():
    wall = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 255, (100, 160, 3), np.uint8), (0, 0), 3).astype(np.float32)
    behind = [np.rint(wall[:90, 4 * t:4 * t + 120]).astype(np.uint8) for t in range(3)]
    glow, core = (cv2.circle(np.zeros((90, 120), np.uint8), (60, 45), radius, 1, -1) > 0 for radius in (32, 12))
    truth = np.where(core, 1, np.where(glow, 0.35, 0))
    frames = [np.rint(truth[..., None] * (250, 200, 60) + (1 - truth[..., None]) * picture).astype(np.uint8) for picture in behind]
    canvas = Canvas(120, 90, np.tile(np.eye(3), (3, 1, 1)))
    sighting = Sighting(frames.__getitem__, lambda t: glow * np.uint8(255), lambda t: np.zeros((90, 120), np.uint8),
                        lambda t: (behind[t], np.ones((90, 120), bool)), ())
    alpha = next(iter(solve_drawings(sighting, canvas, np.ones(3, int)))).rgba[..., 3] / 255
    assert np.abs(alpha - truth).mean() < 0.03 and alpha[core].mean() > 0.95


def test_a_sprite_that_motion_told_apart_stays_whole_before_a_plate_that_shows_it():
    rng = np.random.default_rng(2)
    frames = np.repeat(cv2.GaussianBlur(rng.integers(0, 255, (90, 120, 3), np.uint8), (0, 0), 2)[None], 6, 0)
    frames[:, 30:60, 40:80] = (200, 60, 50)
    masks = np.zeros(frames.shape[:3], np.uint8)
    masks[:, 30:60, 40:80] = 255
    canvas = Canvas(120, 90, np.tile(np.eye(3), (6, 1, 1)))

    def solid(parted):
        sighting = Sighting(frames.__getitem__, masks.__getitem__, lambda t: np.zeros(masks.shape[1:], np.uint8),
                            lambda t: (frames[t], np.ones(masks.shape[1:], bool)), (), parted=parted)
        matte = next(iter(solve_drawings(sighting, canvas, np.ones(6, int))))
        return overlap(matte.rgba[..., 3] / 255, masks[0] / 255)

    assert solid(True) > 0.75 > 0.1 > solid(False)     # all but its outline


def test_a_plate_that_a_wipe_has_made_wrong_does_not_stick_to_a_sprites_outline():
    frames = np.full((4, 90, 120, 3), 60, np.uint8)     # the plate was seen before the wipe: 240
    cv2.circle(frames[0], (60, 45), 20, (200, 60, 50), -1)
    frames[1:] = frames[0]
    masks = np.where((frames == (200, 60, 50)).all(3), 255, 0).astype(np.uint8)
    canvas = Canvas(120, 90, np.tile(np.eye(3), (4, 1, 1)))

    def alpha(parted):
        sighting = Sighting(frames.__getitem__, masks.__getitem__, lambda t: np.zeros(masks.shape[1:], np.uint8),
                            lambda t: (np.full_like(frames[t], 240), np.ones(masks.shape[1:], bool)), (), parted=parted)
        return next(iter(solve_drawings(sighting, canvas, np.ones(4, int)))).rgba[..., 3] / 255

    assert overlap(alpha(True), masks[0] / 255) > 0.95 > overlap(alpha(False), masks[0] / 255)


def test_what_was_never_seen_continues_its_surroundings():
    picture = np.full((32, 32, 3), 90, np.float32)
    seen = np.ones((32, 32), np.float32)
    seen[10:20, 10:20] = 0
    picture[10:20, 10:20] = 0
    assert np.abs(fill_unseen(picture, seen) - 90).max() < 1


def test_dark_corners_that_stay_with_the_camera_are_found_and_are_no_sprite(clip, true_plate):
    height, width = clip.frames.shape[1:3]
    y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
    corners = (-6 * (x * x + y * y) + 4)[..., None]
    frames = np.clip(clip.frames + corners, 0, 255).astype(np.uint8)
    shade = find_shade(frames, look_at(true_plate), clip.alphas[0])
    assert np.abs(shade - corners).mean() < 1.5
    assert overlap(residual_masks(frames, under(look_at(true_plate), shade), clip.alphas[0]), clip.alphas[0]) > 0.88


def test_an_absurd_camera_is_refused_by_name():
    homographies = np.stack([translation(0, 0), translation(40_000, 40_000)])
    with pytest.raises(ClipError) as refusal:
        canvas_of_plane(homographies, 640, 360)
    assert refusal.value.code == "clip.motion" and refusal.value.remedy
