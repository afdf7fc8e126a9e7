# SPDX-License-Identifier: GPL-3.0-or-later
"""A still background that a wipe paints anew, or whose light goes out: its paints, and when each place shows which."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.decompose import decompose
from toondecompose_blender.engine.layers.evidence import background_weights
from toondecompose_blender.engine.layers.planes_backdrop import build_backdrop
from toondecompose_blender.engine.layers.repaint import find_repaints
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.engine.settings import Settings
from toondecompose_blender.protocol import inside

WIDTH, HEIGHT, FRAMES = 200, 120, 24
STANDING = np.tile(np.eye(3), (FRAMES, 1, 1))
DAY, NIGHT = (200, 220, 235), (70, 66, 90)


def room(wall: tuple[int, int, int]) -> np.ndarray:
    """A wall with a window and a floor, all of them darker or brighter with it."""
    picture = np.full((HEIGHT, WIDTH, 3), wall, np.uint8)
    picture[90:] = np.array(wall) * 0.7
    cv2.rectangle(picture, (120, 20), (170, 60), (np.array(wall) * 0.45).tolist(), -1)
    return picture


def wiped(t: int) -> np.ndarray:
    """What the wipe has passed, bool (HEIGHT, WIDTH): it comes in from the right, 25 px a frame."""
    return np.tile(np.arange(WIDTH) >= WIDTH - 25 * (t - 7), (HEIGHT, 1))


def dark(t: int) -> np.ndarray:
    """The light is off for some frames, and on again."""
    return np.full((HEIGHT, WIDTH), 8 <= t < 16)


def walked(gone) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, the background alone and where the figure is, which walks in from the left and stands at last."""
    frames, figures = [], []
    behind = np.stack([np.where(gone(t)[..., None], room(NIGHT), room(DAY)) for t in range(FRAMES)])
    for t in range(FRAMES):
        frame, figure = behind[t].copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
        at = (20 + 6 * min(t, 12), 70)
        cv2.ellipse(figure, at, (11, 26), 0, 0, 360, 1, -1)
        frame[figure > 0] = (210, 60, 50)
        cv2.circle(frame, (at[0] + 4, at[1] - 12), 3, (250, 250, 250), -1)
        frames.append(frame)
        figures.append(figure)
    return np.stack(frames), behind, np.stack(figures).astype(np.float32)


@pytest.mark.parametrize("gone", [wiped, dark])
def test_each_paint_is_a_plane_that_is_open_when_and_where_the_other_shows(gone):
    frames, behind, figure = walked(gone)
    plane, = find_repaints(frames, figure, STANDING)
    true = np.stack([gone(t) for t in range(FRAMES)])
    found = plane.opening[:, 2:2 + HEIGHT, 2:2 + WIDTH] > 0
    assert (found == true).mean() > 0.995
    weights = background_weights(figure)
    for scale in (1, 2):        # also for frames that are larger than those in which it was found
        size = WIDTH * scale, HEIGHT * scale
        large = [[cv2.resize(one, size, interpolation=cv2.INTER_NEAREST) for one in many] for many in (frames, weights, behind)]
        backdrop = build_backdrop(large[0].__getitem__, large[1].__getitem__, STANDING, (plane,), size=size, found_at=(WIDTH, HEIGHT))
        colors, seen = (np.stack(part) for part in zip(*(backdrop.view(t, *size, like=large[0].__getitem__) for t in range(FRAMES))))
        errors = np.abs(colors.astype(int) - large[2]).max(3)
        assert (errors[seen] > 24).mean() < 0.002 and seen.mean() > 0.8


def test_a_background_of_one_paint_stays_one_plane():
    frames, _, figure = walked(lambda t: np.zeros((HEIGHT, WIDTH), bool))
    assert find_repaints(frames, figure, STANDING) == ()


def test_what_moves_before_the_background_and_was_not_found_is_no_paint():
    frames, _, figure = walked(lambda t: np.zeros((HEIGHT, WIDTH), bool))
    for t in range(FRAMES):
        cv2.rectangle(frames[t], (8 * t - 60, 0), (8 * t, 60), (240, 200, 60), -1)
    assert find_repaints(frames, figure, STANDING) == ()


def test_a_wipe_behind_a_figure_recomposes_from_the_drawings_of_the_background(tmp_path):
    frames, _, figure = walked(wiped)
    (tmp_path / "clip").mkdir()
    for t, frame in enumerate(frames):
        write_picture(tmp_path / "clip" / f"{t:04d}.png", frame)
    result = decompose(tmp_path / "clip", tmp_path / "result", settings=Settings(sprites=2), report=Silent())
    background, = (sprite for sprite in result.sprites if sprite.id == "sprite_0")
    shown = np.array(background.exposure)
    assert result.metrics["recomposition_psnr"] > 35
    assert len(set(shown[:7])) == 1 == len(set(shown[16:])) and len(set(shown)) >= 8    # before, after, and while it passes
    assert all(inside(tmp_path / "result", name).is_file() for name in background.drawings)
