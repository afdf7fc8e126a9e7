# SPDX-License-Identifier: GPL-3.0-or-later
"""What is behind everything where the camera's motion does not say it: paint that birds fly past, and a picture seen through a hole."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.engine.test_hints_split import Told
from tests.engine.test_split import FRAMES, HEIGHT, SMALL, SQUARE, TALL, WIDTH, drawn, flow_of, overlap, panned, shifted, street
from toondecompose_blender.engine.layers.hints import UNKNOWN, Hint, Hints
from toondecompose_blender.engine.layers.split import _bent, split_sprites

PAPER, CREAM, SKY = (240, 236, 225), (250, 245, 235), (160, 205, 235)


def birds_past_a_figure() -> tuple[np.ndarray, np.ndarray]:
    """Birds that fly by at 8 px a frame (1) and a figure that runs on the spot (2), before paper."""
    frames, figure = drawn(lambda t: np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8),
                           (TALL, (205, 70, 60), lambda t: shifted(80, 50 + 4 * (t % 2))))
    truth, random = np.where(figure > 0, 2, 0), np.random.default_rng(3)
    places = random.uniform((0, 8), (WIDTH + 8 * FRAMES, HEIGHT - 16), (22, 2))
    for t in range(FRAMES):
        for x, y in places - (8 * t, 0):
            bird = np.rint([(x, y), (x + 9, y + 5), (x + 18, y), (x + 11, y + 10), (x + 7, y + 10)]).astype(np.int32)
            free = np.zeros((HEIGHT, WIDTH), np.uint8)
            cv2.fillPoly(free, [bird], 1)
            shown = (free > 0) & (truth[t] != 2)
            frames[t][shown], truth[t][shown] = (60, 70, 90), 1
    return frames, truth


def test_what_moves_with_the_camera_past_nothing_but_paint_is_a_sprite():
    frames, truth = birds_past_a_figure()
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=panned(8), static=False)
    assert split.still and [overlap(split.labels, truth, k) >= 0.95 for k in range(3)] == [True] * 3


def test_birds_stay_with_the_paper_when_no_more_sprites_are_asked_for_than_the_figure():
    frames, truth = birds_past_a_figure()
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=panned(8), static=False)
    assert not split.still and overlap(split.labels, truth // 2, 1) >= 0.8


def test_what_is_drawn_all_over_paper_that_is_panned_stays_with_the_paper():
    paper, random = np.full((HEIGHT, WIDTH + 8 * FRAMES, 3), PAPER, np.uint8), np.random.default_rng(3)
    for x, y, *color in random.integers((0, -5, 0, 0, 0), (paper.shape[1], HEIGHT, 150, 150, 150), (40, 5)).tolist():
        cv2.rectangle(paper, (x, y), (x + 14, y + 9), color, -1)
    frames, truth = drawn(lambda t: paper[:, 8 * t:8 * t + WIDTH], (SMALL, (205, 70, 60), lambda t: shifted(40 + 3 * t, 50)),
                          (SMALL, (60, 120, 200), lambda t: shifted(130 - 2 * t, 80)))
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=panned(8), static=False)
    assert not split.still and overlap(split.labels > 0, truth > 0, 1) >= 0.9 and split.labels.max() == 2


def houses_in_a_hole() -> tuple[np.ndarray, np.ndarray]:
    """A cream picture with a round hole onto a sky, before which houses move by at 3 px a frame (1) and a balloon rises (2)."""
    random, hole = np.random.default_rng(5), np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(hole, (WIDTH // 2, HEIGHT // 2), 60, 1, -1)
    tops = random.integers(50, 80, 14)
    frames, labels = [], []
    for t in range(FRAMES):
        frame, truth = np.full((HEIGHT, WIDTH, 3), SKY, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
        for n, top in enumerate(tops):
            left, right = 18 * n - 3 * t, 18 * n - 3 * t + 18
            cv2.rectangle(frame, (left, int(top)), (right, 110), (150 + 5 * n, 110, 90 + 7 * n), -1)
            cv2.rectangle(frame, (left, int(top)), (right, 110), (60, 50, 50), 1)
            for y in range(int(top) + 6, 100, 12):
                cv2.rectangle(frame, (left + 5, y), (left + 10, y + 5), (240, 230, 170), -1)
            cv2.rectangle(truth, (left, int(top)), (right, 110), 1, -1)
        cv2.rectangle(truth, (0, 111), (WIDTH, HEIGHT), 0, -1)
        at = 90, 70 - 2 * t
        for picture, color in ((frame, (220, 60, 60)), (truth, 2)):
            cv2.circle(picture, at, 9, color, -1)
        frame[hole == 0], truth[hole == 0] = CREAM, 0
        frames.append(frame)
        labels.append(truth)
    return np.stack(frames), np.stack(labels)


def test_what_frames_the_picture_and_stands_still_is_behind():
    frames, truth = houses_in_a_hole()
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=panned(3), static=False)
    assert split.still and [overlap(split.labels, truth, k) >= 0.9 for k in range(3)] == [True] * 3


def wood_on_a_plain(clearing: int) -> tuple[np.ndarray, np.ndarray]:
    """Houses that pass at 1 px a frame, and before them, at 4 px a frame, a row of trees on a plain of one paint (1); of eight trees so
    many are missing."""
    far, random = street(7, WIDTH + FRAMES), np.random.default_rng(8)
    near = np.zeros((HEIGHT, WIDTH + 4 * FRAMES, 4), np.uint8)
    for number, x in enumerate(range(0, near.shape[1], 9)):
        top, green = (int(value) for value in random.integers((44, 110), (54, 200)))
        if number % 8 < clearing:
            continue
        cv2.fillPoly(near, [np.array([(x - 9, 92), (x, top), (x + 9, 92)], np.int32)], (60, green, 70, 255))
    near[80:] = 90, 80, 150, 255
    frames, labels = [], []
    for t in range(FRAMES):
        front = near[:, 4 * t:4 * t + WIDTH]
        labels.append(front[..., 3] > 0)
        frames.append(np.where(labels[-1][..., None], front[..., :3], far[:, t:t + WIDTH]))
    return np.stack(frames), np.stack(labels).astype(np.uint8)


@pytest.mark.parametrize("clearing", [0, 2])
def test_the_ground_below_what_is_near_is_near(clearing):
    frames, truth = wood_on_a_plain(clearing)
    frames, figure = drawn(frames.__getitem__, (SQUARE, (205, 70, 60), lambda t: shifted(40 + 2 * t, 20)))
    truth = np.where(figure > 0, 2, truth)
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=panned(1), static=False)
    assert [overlap(split.labels, truth, k) >= 0.9 for k in range(3)] == [True] * 3


def test_a_camera_pans_turns_and_zooms_but_does_not_tilt():
    turn, size = cv2.getRotationMatrix2D((90, 60), 0.5, 1.01), (WIDTH, HEIGHT)
    camera = np.repeat(np.vstack([turn, [0, 0, 1]])[None], FRAMES - 1, 0)
    corners = np.float32([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)])
    slide = np.float32([(-1, 0), (-1, 0), (-3, 0), (-3, 0)])     # hills at 1 px a frame above, a street at 3 px below
    tilt = np.repeat(cv2.getPerspectiveTransform(corners, corners + slide)[None], FRAMES - 1, 0)
    shear = np.repeat(np.array([[1, 2 / HEIGHT, -3], [0, 1, 0], [0, 0, 1.0]])[None], FRAMES - 1, 0)
    assert not _bent(camera, size) and _bent(tilt, size) and _bent(shear, size)


def test_light_in_a_sky_that_moves_is_no_sky_behind_it():
    picture = street(6, WIDTH + 3 * FRAMES)
    for x in range(0, picture.shape[1], 48):
        cv2.fillPoly(picture, [np.array([(x, 0), (x + 30, 0), (x + 24, 24), (x + 6, 24)], np.int32)], (200, 225, 245))
    frames, truth = drawn(lambda t: picture[:, 3 * t:3 * t + WIDTH], (SQUARE, (205, 70, 60), lambda t: shifted(40 + 2 * t, 70)))
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=panned(3), static=False)
    assert overlap(split.labels, truth, 0) >= 0.9


def test_a_box_that_is_nearly_the_picture_says_nothing_and_is_told_of():
    frames, truth = birds_past_a_figure()
    region, told = np.zeros((HEIGHT, WIDTH), bool), Told()
    region[3:-3, 2:-2] = True
    hints = Hints(np.full(truth.shape, UNKNOWN, np.uint8), (Hint("box", 2, 8, region),))
    flow = flow_of(frames)
    split, hinted = (split_sprites(frames, flow, sprites=3, camera=panned(8), static=False, hints=one, report=told)
                     for one in (None, hints))
    assert (split.labels == hinted.labels).all() and told.codes == ["hints.ignored"]
