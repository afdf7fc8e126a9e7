# SPDX-License-Identifier: GPL-3.0-or-later
"""A still piece of the background that something passes behind is a sprite; one that much passes before is not, and neither are the
bricks that figures and their shadows pass over."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.engine.test_split import HEIGHT, WIDTH, flow_of
from toondecompose_blender.engine.layers.ownership import Conflicts, Graph
from toondecompose_blender.engine.layers.split import split_sprites
from toondecompose_blender.engine.layers.split_search import Space, _best_still

GAIN = 40.0     # what it saves if the still piece, and not the sprite beside it, owns the outline between them
FRAMES = 36


def space(hidden: float, elsewhere: float) -> Space:
    """A still piece (1) inside the background (0), beside a sprite (2) that at times hides so much of it, and so much of the rest."""
    ends = np.array([1], np.int32), np.array([2], np.int32)
    voxels = SimpleNamespace(size=np.array([5000.0, 800, 300]), border=np.array([400.0, 0, 0]), count=3)
    none = np.zeros(0, np.int32)
    graph = Graph(*ends, np.array([30.0]), np.array([30.0]), np.zeros(1), none, none, none, none, none, np.arange(3), voxels)
    conflicts = Conflicts(np.array([0, 1, 2, 4]), np.array([2, 2, 0, 1]), np.array([elsewhere, hidden, elsewhere, hidden]))
    return Space(None, graph, np.zeros((1, 3)), np.full((2, 1, 3), GAIN), conflicts, 0, none, np.zeros(3), np.zeros(3), False)


@pytest.mark.parametrize("hidden, elsewhere, first, lifted", [
    (0.0, 60.0, 1000.0, True),      # the sprite moves elsewhere: it passes behind
    (15.0, 45.0, 1000.0, True),     # ... and hides a bit of it, as labels are never exact
    (50.0, 10.0, 1000.0, False),    # the sprite moves before it
    (27.0, 33.0, 1000.0, False),    # ... and before the rest as well
    (50.0, 10.0, 300.0, True),      # ... but it explains so much that other sprites may well be before it
    (0.0, 60.0, 50000.0, False)])   # too little to be a reason for anything
def test_a_still_piece_is_a_sprite_if_what_passes_is_not_before_it(hidden, elsewhere, first, lifted):
    found = _best_still(space(hidden, elsewhere), [0, 1], np.array([0, 0, 1]), first)
    assert (found is not None) == lifted
    if lifted:
        assert found[0] == GAIN and found[1].tolist() == [0, 2, 1]


def wall(seed: int) -> np.ndarray:
    """Bricks, each of a shade of its own."""
    random = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH, 3), (150, 120, 60), np.uint8)
    for row, y in enumerate(range(0, HEIGHT, 7)):
        for x in range(-12 + row % 2 * 6, WIDTH, 12):
            shade = (190, 150, 60) + random.integers(-22, 23)
            cv2.rectangle(picture, (x + 1, y + 1), (x + 10, y + 5), [int(level) for level in shade], -1)
    return cv2.add(picture, random.integers(0, 12, picture.shape).astype(np.uint8))


def standing_figure(t: int) -> tuple[np.ndarray, np.ndarray]:
    """A figure that stands still for half of the clip and then swings its arm, and its shadow: masks uint8 (HEIGHT, WIDTH), 0 or 255."""
    angle = 0.28 * max(0, t - FRAMES // 2)
    hand = round(118 - 34 * np.cos(angle)), round(52 - 31 * np.sin(angle))
    figure, shadow = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    cv2.rectangle(figure, (108, 42), (128, 92), 255, -1)
    cv2.circle(figure, (118, 34), 9, 255, -1)
    cv2.line(figure, (118, 52), hand, 255, 7)
    cv2.ellipse(shadow, (128, 94), (24, 8), 0, 0, 360, 255, -1)
    cv2.line(shadow, (122, 92), (round(122 - 30 * np.cos(angle)), round(100 + 8 * np.sin(angle))), 255, 8)
    return figure, shadow


def walking_figure(t: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of one that walks past it."""
    x, step = round(-10 + 0.8 * t * (WIDTH + 10) / FRAMES), round(8 * np.sin(0.9 * t))
    figure, shadow = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    cv2.rectangle(figure, (x - 8, 58), (x + 8, 112), 255, -1)
    cv2.circle(figure, (x, 50), 10, 255, -1)
    for side in (-step, step):
        cv2.line(figure, (x, 108), (x + side, 120), 255, 6)
    cv2.ellipse(shadow, (x + 18, 112), (26, 8), 0, 0, 360, 255, -1)
    return figure, shadow


def painted(picture: np.ndarray, figure: np.ndarray, color: tuple[int, int, int]) -> None:
    picture[figure > 0] = color
    picture[cv2.erode(figure, np.ones((5, 5))) > 0] = tuple(level // 2 for level in color)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bricks_that_shadows_pass_over_stay_background(seed):
    behind, frames, untouched = wall(seed), [], []
    for t in range(FRAMES):
        (standing, shade), (walking, other) = standing_figure(t), walking_figure(t)
        picture = behind.copy()
        for shadow in (shade, other):
            picture[shadow > 0] = (0.55 * picture[shadow > 0]).astype(np.uint8)
        painted(picture, standing, (90, 90, 104))
        cv2.circle(picture, (118, 60), 6, (170, 30, 30), -1)
        painted(picture, walking, (60, 52, 44))
        frames.append(picture)
        untouched.append((standing | shade | walking | other) == 0)
    frames = np.stack(frames)
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=np.repeat(np.eye(3)[None], FRAMES, 0), static=True)
    assert (split.labels == 0)[np.stack(untouched)].mean() > 0.97
