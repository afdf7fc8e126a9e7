# SPDX-License-Identifier: GPL-3.0-or-later
"""Plates made as sharp as their frames, against the drawn background that the frames were taken from.
How a plate is stitched in the first place is tested beside masks and plates."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.engine.drawn import textured
from toondecompose_blender.engine.layers.plate import build_plate, canvas_of_plane
from toondecompose_blender.engine.layers.sharpen import sharpened

WIDTH, HEIGHT, FRAMES = 160, 100, 16


@pytest.fixture(scope="module")
def pan():
    """Frames of a pan by fractions of a px, and the canvas of their plate."""
    background = textured(320, 180, 3)
    camera = np.tile(np.eye(3), (FRAMES, 1, 1))
    camera[:, 0, 2], camera[:, 1, 2] = -20 - 3.37 * np.arange(FRAMES), -20 - 1.61 * np.arange(FRAMES)
    frames = np.stack([cv2.warpPerspective(background, h, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC) for h in camera])
    return frames, canvas_of_plane(camera, WIDTH, HEIGHT)


def shows(t):
    return np.full((HEIGHT, WIDTH), 255, np.uint8)


def error(picture, frames, canvas):
    views = [cv2.warpPerspective(picture, h, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR) for h in canvas.homographies]
    return np.mean([np.abs(view.astype(float) - frame)[3:-3, 3:-3].mean() for view, frame in zip(views, frames, strict=True)])


def test_views_of_a_sharpened_plate_come_nearer_to_the_frames(pan):
    frames, canvas = pan
    plate = build_plate(frames.__getitem__, shows, canvas)
    assert error(sharpened(plate, frames.__getitem__, shows), frames, canvas) < 0.75 * error(plate.picture, frames, canvas)


def test_what_a_mask_missed_is_not_painted_onto_the_plate(pan):
    frames, canvas = pan
    plate = build_plate(frames.__getitem__, shows, canvas)
    clean = sharpened(plate, frames.__getitem__, shows)
    stained = frames.copy()
    stained[:4, 40:60, 60:80] = 255 - frames[:4, 40:60, 60:80] // 2
    changed = np.abs(sharpened(plate, stained.__getitem__, shows).astype(int) - clean)
    assert changed.mean() < 0.2 and changed.max() < 24


def test_what_no_frame_shows_stays_as_it_was(pan):
    frames, canvas = pan
    plate = build_plate(frames.__getitem__, shows, canvas)
    seen = plate.seen.copy()
    seen[:, :30] = 0
    picture = sharpened(replace(plate, seen=seen), frames.__getitem__, shows)
    assert np.array_equal(picture[:, :30], plate.picture[:, :30])
    assert np.array_equal(sharpened(plate, frames.__getitem__, np.zeros_like(frames[..., 0]).__getitem__), plate.picture)


def test_threads_do_not_change_a_byte(pan, monkeypatch):
    frames, canvas = pan
    plate = build_plate(frames.__getitem__, shows, canvas)
    pictures = []
    for threads in ("1", "3"):
        monkeypatch.setenv("TOONDECOMPOSE_THREADS", threads)
        pictures.append(sharpened(plate, frames.__getitem__, shows))
    assert np.array_equal(*pictures)
