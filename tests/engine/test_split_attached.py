# SPDX-License-Identifier: GPL-3.0-or-later
"""Still pieces that belong to a sprite join it, wherever the picture cuts them; the still ground around it does not.
Busts are cut by the lower border and move nothing but their heads; a pair sways in place."""

import cv2
import numpy as np
from tests.engine.test_split import FRAMES, HEIGHT, STANDING, WIDTH, flow_of, overlap

from toondecompose_blender.engine.layers.split import split_sprites
from toondecompose_blender.engine.layers.split_merge import _models

SUIT, COLLAR, TIE, SKIN, HAIR, INK = (70, 60, 110), (140, 100, 200), (50, 25, 60), (255, 200, 60), (240, 160, 30), (120, 60, 20)


def glow() -> np.ndarray:
    """A ground, uint8 (HEIGHT, WIDTH, 3), that is lightest in its middle and has no edge anywhere."""
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    light = np.exp(-((xs - WIDTH / 2) ** 2 + (ys - 45) ** 2) / 5000)[..., None]
    return np.rint((125, 175, 195) + light * (85, 55, 40)).astype(np.uint8)


def nodding_before(ground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames and true labels of a bust before a `ground`."""
    frames, truth = [], []
    for t in range(FRAMES):
        picture, labels = ground.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)

        def paint(color, shape, *where, pictures=((picture, None), (labels, 1))):
            for target, label in pictures:
                shape(target, *where, label or color, -1)

        def polygon(target, points, color, _):
            cv2.fillPoly(target, [np.array(points, np.int32)], color)

        x, y = (round(value) for value in (96 + 5 * np.sin(0.7 * t), 52 + 3 * np.cos(1.1 * t)))
        paint(SUIT, polygon, [(48, HEIGHT), (56, 84), (80, 68), (112, 68), (136, 84), (144, HEIGHT)])
        paint(COLLAR, polygon, [(80, 68), (112, 68), (104, HEIGHT), (88, HEIGHT)])
        paint(TIE, polygon, [(92, 72), (100, 72), (102, HEIGHT), (90, HEIGHT)])
        paint(HAIR, cv2.circle, (x, y), 30)
        paint(SKIN, cv2.circle, (x, y + 8), 20)
        for eye in (-8, 8):
            paint(INK, cv2.circle, (x + eye, y + 4), 3)
        paint(INK, cv2.rectangle, (x - 7, y + 16), (x + 7, y + 18))
        frames.append(picture)
        truth.append(labels)
    return np.stack(frames), np.stack(truth)


def test_a_still_body_that_the_lower_border_cuts_comes_with_the_head_that_it_carries():
    frames, truth = nodding_before(np.full((HEIGHT, WIDTH, 3), (150, 200, 220), np.uint8))
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=STANDING, static=True)
    assert overlap(split.labels, truth, 1) >= 0.95


def test_the_light_around_a_head_is_no_part_of_it():
    frames, truth = nodding_before(glow())
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=STANDING, static=True)
    assert overlap(split.labels, truth, 1) >= 0.95


def pair(*, waves: bool) -> tuple[np.ndarray, np.ndarray]:
    """Frames and true labels, 1 and 2, of two figures that sway in place before a glow; the first one `waves` a hand."""
    frames, truth = [], []
    for t in range(FRAMES):
        picture, labels = glow(), np.zeros((HEIGHT, WIDTH), np.uint8)
        x, y = (round(value) for value in (np.cos(0.7 * t), np.sin(0.9 * t)))
        for number, side in ((1, -23), (2, 23)):
            middle, face = (96 + side + x, 64 + y), (96 + side + x, 48 + y)
            shoulder, hand = (middle[0] - 12, middle[1] - 4), (middle[0] - 40, round(middle[1] - 10 + 16 * np.sin(0.8 * t)))
            for target, colors in ((picture, (SUIT, SKIN, INK)), (labels, (number,) * 3)):
                if waves and number == 1:
                    cv2.line(target, shoulder, hand, colors[0], 9)
                    cv2.circle(target, hand, 8, colors[1], -1)
                cv2.ellipse(target, middle, (20, 52), 0, 0, 360, colors[0], -1)
                cv2.circle(target, face, 10, colors[1], -1)
                for eye in (-3, 4):
                    cv2.circle(target, (face[0] + eye, face[1]), 2, colors[2], -1)
        frames.append(picture)
        truth.append(labels)
    return np.stack(frames), np.stack(truth)


def test_the_light_between_two_figures_is_no_part_of_them():
    frames, truth = pair(waves=False)
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=STANDING, static=True)
    assert overlap(split.labels, truth > 0, 1) >= 0.97


def test_two_figures_that_never_meet_are_two_sprites_though_a_hand_alone_moves_by_itself():
    frames, truth = pair(waves=True)
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=STANDING, static=True)
    assert [max(overlap(split.labels == k, truth == number, True) for k in (1, 2)) >= 0.95 for number in (1, 2)] == [True] * 2


def test_many_small_pieces_of_a_color_are_a_color_of_the_ground_and_a_rare_one_is_none():
    color = np.array([(40, 90, 40)] * 30 + [(200, 30, 30), (40, 90, 40), (0, 0, 0)], float)
    size = np.array([10.0] * 30 + [10, 10, 1e6])
    beside = np.arange(len(size)) < 31
    assert np.unique(_models(color, size, beside), axis=0).tolist() == [[40, 90, 40]]
