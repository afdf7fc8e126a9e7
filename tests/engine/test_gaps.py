# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaps of a sprite: a mask that closes them is opened where they show the background's own paint, and only there.
Drawn fences before flat and shaded skies, through the matting alone."""

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.layers.plate import Canvas
from toondecompose_blender.engine.matting.sprites import Behind, Sighting, solve_drawings

WIDTH, HEIGHT, FRAMES = 160, 120, 6
GREEN, WHITE, BROWN, PAPER = (70, 212, 140), (255, 255, 255), (100, 80, 75), (244, 240, 226)
CANVAS = Canvas(WIDTH, HEIGHT, np.tile(np.eye(3), (FRAMES, 1, 1)))


def fence() -> tuple[np.ndarray, np.ndarray]:
    """Where it is painted, uint8 (H, W), 0 or 255, and with its gaps closed."""
    painted = np.zeros((HEIGHT, WIDTH), np.uint8)
    for left in range(30, 130, 20):
        cv2.rectangle(painted, (left, 30), (left + 9, 90), 255, -1)
    for top in (40, 70):
        cv2.rectangle(painted, (30, top), (119, top + 7), 255, -1)
    return painted, cv2.morphologyEx(painted, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))


def solved(sky: np.ndarray, *, shape: tuple[np.ndarray, np.ndarray] | None = None, seen_behind: bool = True,
           told: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Alpha of the fence, or of a `shape` with and without gaps, before `sky` uint8 (H, W, 3) by a mask that closes its gaps, and
    these, bool; `told`: an artist's mask."""
    painted, closed = shape or fence()
    picture = np.where(painted[..., None] > 0, np.uint8(BROWN), sky)
    known = np.ones((HEIGHT, WIDTH), bool) if seen_behind else closed == 0
    nothing = np.zeros((HEIGHT, WIDTH), np.uint8)
    sighting = Sighting(lambda t: picture, lambda t: closed, lambda t: nothing, lambda t: (sky, known), (), parted=True,
                        told=None if told is None else lambda t: told if t == 2 else nothing > 0)
    matte = next(iter(solve_drawings(sighting, CANVAS, np.ones(FRAMES, int))))
    return matte.rgba[..., 3] / 255, (closed > 0) & (painted == 0)


def flat(color: tuple[int, int, int]) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), color, np.uint8)


@pytest.mark.parametrize("seen_behind", [True, False], ids=["seen beside it", "always behind it"])
def test_sky_between_pickets_is_no_fence(seen_behind):
    alpha, gaps = solved(flat(GREEN), seen_behind=seen_behind)
    painted, _ = fence()
    assert alpha[gaps].mean() < 0.05 and alpha[painted > 0].mean() > 0.97


def test_an_artist_who_says_that_the_gaps_are_the_fences_is_believed():
    alpha, gaps = solved(flat(GREEN), told=fence()[1] > 0)
    assert alpha[gaps].mean() > 0.9


def test_white_between_pickets_may_be_the_fences_own():
    alpha, gaps = solved(flat(WHITE))
    assert alpha[gaps].mean() > 0.9


def test_a_white_slit_that_is_open_to_the_sky_parts_two_houses_and_a_closed_one_is_a_window():
    closed = np.zeros((HEIGHT, WIDTH), np.uint8)
    closed[40:110, 20:140] = 255
    painted = closed.copy()
    painted[40:90, 60:62] = painted[60:90, 100:102] = 0
    alpha, _ = solved(flat(WHITE), shape=(painted, closed))
    assert alpha[42:88, 60:62].mean() < 0.1 and alpha[62:88, 100:102].mean() > 0.9


def test_a_slit_a_pixel_wide_is_a_slit_too_though_one_exposure_blends_it():
    closed = np.zeros((HEIGHT, WIDTH), np.uint8)
    closed[40:110, 20:140] = 255
    painted = closed.copy()
    painted[40:100, 60] = painted[40:43, 58:63] = 0         # between two sloping roofs
    picture = np.where(painted[..., None] > 0, np.uint8(BROWN), flat(WHITE))
    veiled = picture.copy()
    veiled[43:100, 60] = (241, 238, 237)    # once the slit lies between two pixels
    nothing, known = np.zeros((HEIGHT, WIDTH), np.uint8), np.ones((HEIGHT, WIDTH), bool)
    sighting = Sighting(lambda t: veiled if t == 3 else picture, lambda t: closed, lambda t: nothing, lambda t: (flat(WHITE), known), (),
                        parted=True)
    alpha = next(iter(solve_drawings(sighting, CANVAS, np.ones(FRAMES, int)))).rgba[..., 3] / 255
    assert alpha[44:96, 60].mean() < 0.1 and alpha[44:96, 57].mean() > 0.9


def test_a_shade_that_meets_the_backgrounds_by_chance_opens_nothing():
    ramp = np.linspace(0, 1, WIDTH)[None, :, None]
    sky = np.rint((80, 150, 220) * (1 - ramp) + (180, 220, 250) * ramp + np.zeros((HEIGHT, 1, 1))).astype(np.uint8)
    shape = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(shape, (80, 60), 40, 255, -1)
    picture = np.where(shape[..., None] > 0, sky[:, ::-1], sky)     # as dark as the sky in its middle, and nowhere else
    nothing = np.zeros_like(shape)
    sighting = Sighting(lambda t: picture, lambda t: shape, lambda t: nothing, lambda t: (sky, shape == 0), (), parted=True)
    matte = next(iter(solve_drawings(sighting, CANVAS, np.ones(FRAMES, int))))
    assert (matte.rgba[..., 3][shape > 0] > 250).mean() > 0.97


def test_what_passes_before_a_sprite_leaves_no_fringe_of_the_background_around_it():
    shape, sky = np.zeros((HEIGHT, WIDTH), np.uint8), flat(WHITE)
    cv2.rectangle(shape, (40, 40), (120, 80), 255, -1)
    loose = cv2.dilate(shape, np.ones((7, 7), np.uint8))

    def front(t):
        passing = np.zeros_like(shape)
        passing[:, 25 * t:25 * t + 30] = 255
        return passing

    def read(t):
        picture = np.where(shape[..., None] > 0, np.uint8(BROWN), sky)
        return np.where(front(t)[..., None] > 0, np.uint8(GREEN), picture)

    def look(t):
        return sky, front(t) == 0   # what is behind the passing sprite was never seen

    sighting = Sighting(read, lambda t: cv2.bitwise_and(loose, 255 - front(t)), front, look, (), parted=True)
    matte = next(iter(solve_drawings(sighting, CANVAS, np.ones(FRAMES, int))))
    rim = (loose > 0) & (cv2.dilate(shape, np.ones((3, 3), np.uint8)) == 0)
    assert matte.rgba[..., 3][rim].mean() < 12 and matte.rgba[..., 3][shape > 0].mean() > 250


def lined(shift: int = 0) -> np.ndarray:
    """Paper with slanting lines, uint8 (H, W, 3)."""
    paper = flat(PAPER)
    for x in range(-12, WIDTH, 12):
        cv2.line(paper, (x + shift, 0), (x + shift + 15, HEIGHT), (90, 88, 86), 2)
    return paper


def within_a_ring(picture: np.ndarray, paper: np.ndarray, behind: tuple[Behind, ...] = ()) -> float:
    """Mean alpha within a ring that is drawn on the `picture`, as it is, before `paper` and the sprites `behind`."""
    ring, inside = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(inside, (80, 60), (45, 35), 0, 0, 360, 255, -1)
    cv2.ellipse(ring, (80, 60), (45, 35), 0, 0, 360, 255, 3)
    picture = picture.copy()
    picture[ring > 0] = 30
    known, nothing = np.ones((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), np.uint8)
    sighting = Sighting(lambda t: picture, lambda t: ring, lambda t: nothing, lambda t: (paper, known), behind, parted=True)
    matte = next(iter(solve_drawings(sighting, CANVAS, np.ones(FRAMES, int))))
    return float((matte.rgba[cv2.erode(inside, np.ones((9, 9), np.uint8)) > 0, 3] / 255).mean())


def test_what_hides_the_lines_of_a_drawn_background_is_filled():
    painted = cv2.ellipse(lined(), (80, 60), (45, 35), 0, 0, 360, PAPER, -1)
    assert within_a_ring(painted, lined()) > 0.95


def test_where_the_lines_of_a_drawn_background_show_a_ring_is_open():
    assert within_a_ring(lined(), lined()) < 0.1


def test_lines_of_another_sprite_behind_that_are_not_quite_where_they_were_fill_nothing():
    other = np.dstack([lined(4), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    assert within_a_ring(lined(), flat(PAPER), (Behind(CANVAS, np.ones(FRAMES, int), [other]),)) < 0.5
