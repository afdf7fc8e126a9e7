# SPDX-License-Identifier: GPL-3.0-or-later
"""Still pieces that belong to a sprite join it, wherever the picture cuts them; the still ground around it does not.
Busts are cut by the lower border and move nothing but their heads; a pair sways in place."""

import cv2
import numpy as np
from tests.engine.test_split import FRAMES, HEIGHT, STANDING, WIDTH, flow_of, overlap

from toondecompose_blender.engine.layers.split import split_sprites

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


def test_the_light_between_two_figures_is_no_part_of_them():
    frames, truth = [], []
    for t in range(FRAMES):
        picture, labels = glow(), np.zeros((HEIGHT, WIDTH), np.uint8)
        x, y = (round(value) for value in (np.cos(0.7 * t), np.sin(0.9 * t)))
        for side in (-23, 23):
            middle = 96 + side + x, 64 + y
            for target, color in ((picture, SUIT), (labels, 1)):
                cv2.ellipse(target, middle, (20, 52), 0, 0, 360, color, -1)
            cv2.circle(picture, (middle[0], middle[1] - 16), 10, SKIN, -1)
            for eye in (-3, 4):
                cv2.circle(picture, (middle[0] + eye, middle[1] - 16), 2, INK, -1)
        frames.append(picture)
        truth.append(labels)
    frames = np.stack(frames)
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=STANDING, static=True)
    assert overlap(split.labels, np.stack(truth), 1) >= 0.97
