# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found of the sprites' soft masks: each pixel of the foreground is the nearest sprite's, along the picture's edges."""

from __future__ import annotations

import cv2
import numpy as np

from toondecompose_blender.engine.layers.find import _shared_out

HEIGHT, WIDTH = 120, 200


def softened(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Boxes (left, top, right, bottom) with an outline as soft as a painted one: float32 (h, w), 0..1."""
    hard = np.zeros((4 * HEIGHT, 4 * WIDTH), np.float32)
    for left, top, right, bottom in boxes:
        hard[4 * top:4 * bottom, 4 * left:4 * right] = 1
    return cv2.GaussianBlur(cv2.resize(hard, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), (0, 0), 0.8)


def test_the_soft_rim_of_a_sprite_is_no_other_ones_far_away():
    bush, wheel = softened((20, 70, 60, 110)), softened((130, 20, 180, 110))
    sky, green, black = (np.array(color, np.float32) for color in ((200, 230, 245), (40, 140, 40), (30, 30, 30)))
    picture = sky + bush[..., None] * (green - sky) + wheel[..., None] * (black - sky)
    labels = (bush > 0.5) * np.uint8(1) + (wheel > 0.5) * np.uint8(2)
    alphas = _shared_out(np.rint(picture).astype(np.uint8)[None], (bush + wheel)[None], labels[None], None)[:, 0]
    for own, other, alpha in ((alphas[0], alphas[1], bush), (alphas[1], alphas[0], wheel)):
        rim = (alpha > 0.1) & (alpha < 0.5)
        assert rim.sum() > 50 and other[rim].max() < 0.05 * 255
        assert np.abs(own[rim] / 255 - alpha[rim]).max() < 0.05
