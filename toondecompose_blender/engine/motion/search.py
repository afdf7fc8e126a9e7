# SPDX-License-Identifier: GPL-3.0-or-later
"""Shifts between two pictures found without any first guess: phase correlation, and an exhaustive vote at a wide blur.
Repeated windows and bricks fool flow; blurred wider than one of them, only what does not repeat is left to vote."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit

from .alignment import Gradients

__all__ = ["phase_shifts", "voted_shifts"]

_PEAK_RADIUS = 4  # px of the pictures' size: peaks closer than this are one
_VOTE_RADIUS = 2
_STEP = 4  # px between voters
_REACH = (0.5, 0.34)  # of width and height: further apart too little is shared
_LEAST_SHARED = 0.35
_LEVELS = 1.5  # gray levels: noise after a wide blur
_TOLERANCE = 0.6  # px: half a step of the search, and a little


def phase_shifts(first: np.ndarray, second: np.ndarray, count: int) -> list[np.ndarray]:
    """The `count` highest peaks of the phase correlation of two gray pictures, as (x, y) in px."""
    height, width = first.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    early, late = (np.fft.rfft2((picture - picture.mean()) * window) for picture in (first, second))
    cross = late * np.conj(early)
    surface = np.fft.irfft2(cross / (np.abs(cross) + 1e-3 * np.abs(cross).max() + 1e-9), s=(height, width))
    shifts = []
    for _ in range(count):
        y, x = np.unravel_index(np.argmax(surface), surface.shape)
        shifts.append(np.array([x if x < width / 2 else x - width, y if y < height / 2 else y - height], np.float64))
        near = [np.arange(c - _PEAK_RADIUS, c + _PEAK_RADIUS + 1) % n for c, n in ((y, height), (x, width))]
        surface[np.ix_(*near)] = -np.inf
    return shifts


def voted_shifts(first: tuple[Gradients, ...], second: tuple[Gradients, ...], count: int) -> list[np.ndarray]:
    """The `count` whole-pixel shifts under which most of what two blurred pictures share looks the same, as (x, y) in px.

    The pictures are given as their color channels; all of them must agree.
    """
    height, width = first[0].value.shape
    reach = (int(width * _REACH[0]), int(height * _REACH[1]))
    tolerance = np.stack([np.maximum(_LEVELS, _TOLERANCE * np.hypot(c.x, c.y)) for c in first], -1).astype(np.float32)
    votes = _votes(np.stack([c.value for c in first], -1), np.stack([c.value for c in second], -1), tolerance, *reach)
    shifts = []
    for _ in range(count):
        y, x = np.unravel_index(np.argmax(votes), votes.shape)
        shifts.append(np.array([x - reach[0], y - reach[1]], np.float64))
        votes[max(0, y - _VOTE_RADIUS):y + _VOTE_RADIUS + 1, max(0, x - _VOTE_RADIUS):x + _VOTE_RADIUS + 1] = -1
    return shifts


@njit(nogil=True, cache=True)
def _votes(first, second, tolerance, reach_x, reach_y):
    """Share of the voters inside both pictures that agree, for every shift; -1 where too few are inside."""
    height, width, channels = first.shape
    result = np.full((2 * reach_y + 1, 2 * reach_x + 1), -1.0, np.float32)
    voters = ((height + _STEP - 1) // _STEP) * ((width + _STEP - 1) // _STEP)
    for dy in range(-reach_y, reach_y + 1):
        for dx in range(-reach_x, reach_x + 1):
            inside = agree = 0
            for y in range(0, height, _STEP):
                v = y + dy
                if v < 0 or v >= height:
                    continue
                for x in range(0, width, _STEP):
                    u = x + dx
                    if u < 0 or u >= width:
                        continue
                    inside += 1
                    same = True
                    for c in range(channels):
                        same &= abs(second[v, u, c] - first[y, x, c]) < tolerance[y, x, c]
                    agree += same
            if inside >= _LEAST_SHARED * voters:
                result[dy + reach_y, dx + reach_x] = agree / inside
    return result
