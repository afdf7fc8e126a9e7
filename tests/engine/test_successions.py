# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of a drawing is tied to what comes to its place with the next drawing, in its color: and to nothing else.
Squares drawn straight into the labels, with their true flow."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from toondecompose_blender.engine.layers.successions import successions

HEIGHT, WIDTH, SIDE = 40, 60, 10
WALL, SHIRT, ALIKE, TROUSERS = (200, 200, 200), (180, 40, 40), (190, 45, 36), (40, 40, 180)


def clip(*frames):
    """Pieces and flow of frames in which each square is (piece, left side, color), before the wall, piece 0; none moves by the flow."""
    labels, sharp = np.zeros((len(frames), HEIGHT, WIDTH), np.int32), np.full((len(frames), HEIGHT, WIDTH, 3), WALL, np.uint8)
    for t, squares in enumerate(frames):
        for piece, left, color in squares:
            labels[t, 10:10 + SIDE, left:left + SIDE] = piece
            sharp[t, 10:10 + SIDE, left:left + SIDE] = color
    flow = SimpleNamespace(forward=np.zeros((len(frames) - 1, HEIGHT, WIDTH, 2), np.float16))
    return SimpleNamespace(labels=labels, sharp=sharp, count=int(labels.max()) + 1), flow


def tied(voxels, flow) -> dict[tuple[int, int], int]:
    """How many px lead from one piece to another, in the whole clip."""
    found: dict[tuple[int, int], int] = {}
    for keys, counts in successions(voxels, flow):
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            pair = divmod(key, voxels.count)
            found[pair] = found.get(pair, 0) + count
    return found


@pytest.mark.parametrize("left, color, px", [
    (20, SHIRT, SIDE * SIDE),
    (20, ALIKE, SIDE * SIDE),
    (26, SHIRT, SIDE * (SIDE - 6)),     # it moved on by 6 px
    (20, TROUSERS, 0),
    (35, SHIRT, 0),                     # nothing of it is where it was
])
def test_the_next_drawing_of_a_shirt_is_tied_to_it_if_it_is_near_and_looks_like_it(left, color, px):
    assert tied(*clip([(1, 20, SHIRT)], [(2, left, color)])) == ({(1, 2): px} if px else {})


def test_what_goes_on_is_tied_to_nothing_that_passes():
    passing = [[(1, 20, SHIRT), (2, 20 + SIDE + step, ALIKE)] for step in (2, 0, -2)]
    assert tied(*clip(*passing)) == {}


def test_what_begins_where_something_else_goes_on_is_tied_to_it():
    assert tied(*clip([(1, 20, SHIRT)], [(1, 20, SHIRT), (2, 24, SHIRT)])) == {(1, 2): SIDE * (SIDE - 4)}


def test_the_flow_leads_to_what_follows():
    voxels, flow = clip([(1, 20, SHIRT)], [(2, 40, SHIRT)])
    flow.forward[0, 10:10 + SIDE, 20:20 + SIDE, 0] = 20
    assert tied(voxels, flow) == {(1, 2): SIDE * SIDE}
