# SPDX-License-Identifier: GPL-3.0-or-later
"""What was never seen of a picture is made up of what was: patterns go on, lines run through, and nothing seen is touched."""

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.layers.plate import fill_unseen
from toondecompose_blender.engine.matting.completion import _misses, complete

HEIGHT, WIDTH = 200, 420


def facade() -> np.ndarray:
    """A wall with windows in rows and a cornice, a little blurred, as a painted background is."""
    picture = np.full((HEIGHT, WIDTH, 3), (225, 215, 170), np.uint8)
    for top in range(12, HEIGHT, 48):
        cv2.rectangle(picture, (0, top + 36), (WIDTH, top + 39), (170, 160, 130), -1)
        for left in range(10, WIDTH, 40):
            cv2.rectangle(picture, (left, top), (left + 18, top + 28), (90, 90, 120), -1)
            cv2.rectangle(picture, (left, top), (left + 18, top + 28), (250, 245, 230), 2)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


def cel() -> np.ndarray:
    """Flat sky over flat ground with an inked horizon that slopes."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    horizon = 90 + 0.1 * x
    picture = np.where((y < horizon)[..., None], (120, 170, 230), (90, 150, 70))
    picture[np.abs(y - horizon) < 2] = (30, 30, 35)
    return cv2.GaussianBlur(picture.astype(np.uint8), (0, 0), 0.7)


def figure(shape: tuple[int, int]) -> np.ndarray:
    """Seen everywhere but where somebody stood, down to the lower border."""
    seen = np.ones(shape, np.uint8)
    cv2.ellipse(seen, (210, 110), (34, 40), 0, 0, 360, 0, -1)
    cv2.rectangle(seen, (185, 130), (240, HEIGHT), 0, -1)
    return seen > 0


@pytest.mark.parametrize("draw", [facade, cel])
def test_patterns_and_lines_go_on_where_nothing_was_seen(draw):
    truth, seen = draw(), figure((HEIGHT, WIDTH))
    smooth = fill_unseen(truth.astype(np.float32), seen.astype(np.float32))
    picture = np.rint(smooth).astype(np.uint8)
    filled = complete(picture, seen, np.ones_like(seen))
    error = np.abs(filled.astype(float) - truth)[~seen].mean()
    assert error < 1 < 10 < np.abs(smooth - truth)[~seen].mean()
    assert np.array_equal(filled[seen], truth[seen])


def test_paint_around_a_hole_goes_on_in_it_and_no_line_is_brought_there():
    picture, seen = np.full((HEIGHT, WIDTH, 3), (245, 230, 200), np.uint8), np.ones((HEIGHT, WIDTH), np.uint8)
    picture[165:] = 215, 185, 135
    cv2.ellipse(seen, (190, 85), (90, 62), 0, 0, 360, 0, -1)
    cv2.ellipse(seen, (300, 60), (26, 46), 30, 0, 360, 0, -1)
    holed = np.where(seen[..., None] > 0, picture, 0).astype(np.uint8)
    filled = complete(holed, seen > 0, np.ones((HEIGHT, WIDTH), bool))
    assert np.abs(filled.astype(int) - picture)[seen == 0].mean() < 1


def test_a_shift_that_none_of_the_surroundings_tell_of_is_not_taken_for_a_good_one():
    picture, seen = facade().astype(np.float32), figure((HEIGHT, WIDTH))
    ring = seen & (cv2.erode(seen.astype(np.uint8), np.ones((9, 9))) == 0)
    outside, along = (_misses(picture, ring, seen, np.array(shift)) for shift in ((0, HEIGHT), (40, 0)))
    assert (outside >= 255).all() and along.max() < 255


def test_only_what_is_wanted_is_made_up_and_always_the_same_way():
    seen = figure((HEIGHT, WIDTH))
    picture = np.where(seen[..., None], facade(), 0).astype(np.uint8)
    wanted = np.zeros_like(seen)
    wanted[:150] = True
    first, second = complete(picture, seen, wanted), complete(picture, seen, wanted)
    assert np.array_equal(first, second)
    assert np.array_equal(first[150:], picture[150:]) and (first[:150][~seen[:150]] > 0).all()


def test_a_picture_of_which_almost_nothing_was_seen_is_left_as_it_is():
    seen = np.zeros((HEIGHT, WIDTH), bool)
    seen[:4, :4] = True
    picture = facade()
    assert np.array_equal(complete(picture, seen, np.ones_like(seen)), picture)


def test_a_picture_that_was_seen_whole_is_left_as_it_is():
    picture = facade()
    assert np.array_equal(complete(picture, np.ones((HEIGHT, WIDTH), bool), np.ones((HEIGHT, WIDTH), bool)), picture)
