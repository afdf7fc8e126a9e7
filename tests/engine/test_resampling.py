# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures through homographies: what is copied must be what resampling would give, to the last bit, and what is filtered but for
rounding."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.geometry import translation
from toondecompose_blender.engine.resampling import warp_to


def both_ways(move: tuple[float, float], kind: type, channels: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A picture moved by `warp_to` and by OpenCV, to targets of several sizes, in every way of resampling that is used."""
    shape = (20, 30) if channels is None else (20, 30, channels)
    picture = (np.random.default_rng(0).random(shape) * 255).astype(kind)
    for width, height in ((30, 20), (37, 12), (11, 40)):
        for flags in (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC):
            for border in (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE):
                moved = warp_to(picture, translation(*move), width, height, flags=flags, border=border)
                resampled = cv2.warpPerspective(picture, translation(*move), (width, height), flags=flags, borderMode=border)
                assert moved.dtype == resampled.dtype and moved.shape == resampled.shape
                assert moved.flags.c_contiguous and not np.shares_memory(moved, picture)
                yield moved, resampled


@pytest.mark.parametrize("move", [(0, 0), (2, 3), (-5, 7), (20, -9), (-29, 0), (-31, 4), (0, 70)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_a_move_by_whole_pixels_is_a_copy(move, kind, channels):
    assert all(np.array_equal(moved, resampled) for moved, resampled in both_ways(move, kind, channels))


@pytest.mark.parametrize("move", [(0.317, 0), (2.53, 3.271), (-5.013, 7.987), (20.41, -9), (-29.23, 0.619), (-31.71, 4.137), (0, 70.53)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_a_pan_is_what_resampling_would_give_but_for_rounding(move, kind, channels):
    for moved, resampled in both_ways(move, kind, channels):
        off = np.abs(moved.astype(float) - resampled)
        assert off.max() <= (1 if kind == np.uint8 else 2e-3) and np.count_nonzero(off > 0.5) <= 0.01 * off.size


def test_a_move_by_half_a_pixel_mixes_two():
    picture = np.zeros((1, 4), np.float32)
    picture[0, 1] = 1
    assert np.allclose(warp_to(picture, translation(0.5, 0), 4, 1), [[0, 0.5, 0.5, 0]])


def test_a_move_to_nowhere_shows_nothing():
    picture = np.full((4, 5), 9, np.uint8)
    for far in (1e9, np.inf, np.nan):
        assert not warp_to(picture, translation(far, 0), 5, 4).any()
