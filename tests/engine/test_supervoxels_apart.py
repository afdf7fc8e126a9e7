# SPDX-License-Identifier: GPL-3.0-or-later
"""Two things of one paint that meet are two pieces for as long as they are apart; parts of one thing are one.
Squares drawn straight into the labels, with their true flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toondecompose_blender.engine.layers.supervoxels_apart import cut_apart

WIDTH, HEIGHT, FRAMES, SIDE = 120, 60, 20, 16


@dataclass(frozen=True)
class TrueFlow:
    """Flow of the squares, as the engine's estimators give it."""
    forward: np.ndarray

    def consistent(self, t: int) -> np.ndarray:
        return np.ones(self.forward.shape[1:3], bool)


def squares(*paths) -> tuple[np.ndarray, TrueFlow]:
    """Labels and flow of squares that are all piece 1, before piece 0; a path is the left side of one, frame by frame."""
    labels, forward = np.zeros((FRAMES, HEIGHT, WIDTH), np.int32), np.zeros((FRAMES - 1, HEIGHT, WIDTH, 2), np.float32)
    for path in paths:
        for t in range(FRAMES):
            place = np.s_[20:20 + SIDE, path(t):path(t) + SIDE]
            labels[t][place] = 1
            if t < FRAMES - 1:
                forward[t][place] = path(t + 1) - path(t), 0
    return labels, TrueFlow(forward)


def pieces_at(labels: np.ndarray, path) -> list[int]:
    """The piece in the middle of a square, frame by frame."""
    return [int(labels[t, 20 + SIDE // 2, path(t) + SIDE // 2]) for t in range(FRAMES)]


def test_two_things_of_one_paint_are_two_pieces_until_they_touch():
    def resting(t):
        return 20

    def coming(t):
        return max(100 - 4 * t, 20 + SIDE)

    labels, flow = squares(resting, coming)
    cut = cut_apart(labels, flow)
    first, second = pieces_at(cut, resting), pieces_at(cut, coming)
    touch = next(t for t in range(FRAMES) if coming(t) == 20 + SIDE)
    assert len(set(first[:touch])) == len(set(second[:touch])) == 1 and first[0] != second[0]
    assert first[touch:] == second[touch:]      # who is who where they touch is not said here
    assert np.array_equal(np.unique(cut), np.arange(cut.max() + 1))


def test_parts_of_one_thing_stay_one_piece():
    labels, flow = squares(lambda t: 10 + 2 * t, lambda t: 40 + 2 * t)
    before = labels.copy()
    assert np.array_equal(cut_apart(labels, flow), before)


def test_what_is_apart_but_for_a_moment_stays_one_piece():
    def swinging(t):
        return 20 + SIDE + abs(t % 8 - 4) * 6      # it touches the other every eighth frame

    labels, flow = squares(lambda t: 20, swinging)
    before = labels.copy()
    assert np.array_equal(cut_apart(labels, flow), before)
