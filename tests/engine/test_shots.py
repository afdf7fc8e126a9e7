# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts are found where a clip cuts, and not where it flashes, whips, pops or lets something pass by."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.engine.drawn import figure, textured
from toondecompose_blender.engine.clip import open_clip
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.engine.shots import Shot, find_cuts, shots_between

WIDTH, HEIGHT = 240, 136


def pan(seed: int, count: int, *, step: float = 4.0, start: float = 0.0) -> list[np.ndarray]:
    """A pan over a painted street, blurred by its own speed."""
    wall = textured(int(WIDTH + start + abs(step) * count) + 40, HEIGHT + 20, seed)
    frames = []
    for t in range(count):
        moved = [cv2.warpAffine(wall, np.float32([[1, 0, -start - step * (t + shutter)], [0, 1, -10]]), (WIDTH, HEIGHT),
                                flags=cv2.INTER_CUBIC)
                 for shutter in ([0.0] if abs(step) < 10 else np.linspace(0, 0.5, 8))]
        frames.append(np.mean(moved, 0).round().astype(np.uint8))
    return frames


def cuts_of(frames: list[np.ndarray], folder) -> list[int]:
    for t, frame in enumerate(frames):
        write_picture(folder / f"{t:04d}.png", frame)
    return find_cuts(open_clip(folder), report=Silent())


def lit(frame: np.ndarray, gain: float, light: float = 0.0) -> np.ndarray:
    return np.clip(frame * gain + light, 0, 255).astype(np.uint8)


def test_hard_cuts_are_found_at_their_frames(tmp_path):
    assert cuts_of([*pan(1, 9), *pan(2, 7, step=-6), *pan(3, 5, step=0), *pan(4, 12)], tmp_path) == [9, 16, 21]


def test_a_cut_to_another_place_painted_in_the_same_colors_is_found(tmp_path):
    wall = textured(2 * WIDTH + 60, HEIGHT, 5)
    here, there = wall[:, :WIDTH], wall[:, -WIDTH:]
    assert cuts_of([*[here] * 6, *[there] * 6], tmp_path) == [6]


def test_a_whip_pan_is_no_cut(tmp_path):
    speeds = np.concatenate([np.zeros(4), [8, 30, 60, 84, 84, 84, 60, 30, 8], np.zeros(4)])
    wall = textured(int(WIDTH + speeds.sum()) + 60, HEIGHT, 6)
    frames, left = [], 5.0
    for speed in speeds:
        smear = [wall[:, round(left + speed * share):round(left + speed * share) + WIDTH] for share in np.linspace(0, 0.5, 9)]
        frames.append(np.mean(smear, 0).round().astype(np.uint8))
        left += speed
    assert cuts_of(frames, tmp_path) == []


def test_a_whip_drawn_on_twos_is_no_cut(tmp_path):
    frames = [frame for frame in pan(7, 9, step=70) for _ in range(2)]
    assert cuts_of([*[frames[0]] * 4, *frames, *[frames[-1]] * 4], tmp_path) == []


@pytest.mark.parametrize("flash", [
    [(1.0, 255)], [(1.8, 60), (1.0, 255), (1.5, 30)], [(0.1, 0), (2.2, 0), (0.1, 0), (2.2, 0)], [(0, 0)] * 3])
def test_a_flash_or_a_blackout_is_no_cut(tmp_path, flash):
    frames = pan(8, 20)
    for t, (gain, light) in enumerate(flash, start=8):
        frames[t] = lit(frames[t], gain, light)
    assert cuts_of(frames, tmp_path) == []


def test_a_fast_thing_that_fills_the_frame_for_a_moment_is_no_cut(tmp_path):
    frames, truck = pan(9, 20), textured(500, HEIGHT, 20)[..., ::-1]
    for t in range(7, 12):
        left = 300 - 150 * (t - 6)
        shown = slice(max(0, left), min(WIDTH, left + 500))
        frames[t][:, shown] = truck[:, shown.start - left:shown.stop - left]
    assert cuts_of(frames, tmp_path) == []


def test_a_figure_that_pops_from_pose_to_pose_before_a_flat_wall_is_no_cut(tmp_path):
    frames = []
    for t in range(18):
        frame = np.full((HEIGHT, WIDTH, 3), (230, 220, 190), np.uint8)
        pose = figure(110, t // 3 % 2, (200, 70, 60))
        left, top = 30 + 45 * (t // 3 % 3), 8 + 10 * (t // 3 % 2)
        place = frame[top:top + 110, left:left + 110]
        place[:] = (pose[..., :3] * 255 + (1 - pose[..., 3:]) * place).clip(0, 255)
        frames.append(frame)
    assert cuts_of(frames, tmp_path) == []


def test_a_fade_through_black_cuts_in_its_middle_only_if_something_else_comes_after_it(tmp_path):
    def faded(before: list, after: list) -> list:
        steps = (0.75, 0.5, 0.25)
        down, up = [lit(before[-1], s) for s in steps], [lit(after[0], s) for s in reversed(steps)]
        return [*before, *down, *[lit(before[-1], 0)] * 4, *up, *after]

    (tmp_path / "same").mkdir()
    (tmp_path / "other").mkdir()
    street = pan(10, 6, step=1)
    assert cuts_of(faded(street, street), tmp_path / "same") == []
    [cut] = cuts_of(faded(street, pan(11, 6, step=1)), tmp_path / "other")
    assert 9 <= cut <= 14


def test_cards_of_flat_color_cut_where_the_color_changes(tmp_path):
    cards = [np.full((HEIGHT, WIDTH, 3), color, np.uint8) for color in ((30, 40, 90), (200, 60, 50))]
    assert cuts_of([*[cards[0]] * 5, *[cards[1]] * 5], tmp_path) == [5]


def test_a_clip_without_cuts_or_of_one_frame_is_one_shot(tmp_path):
    assert cuts_of(pan(12, 1), tmp_path) == []
    assert shots_between([], 7) == (Shot(1, 7),) and shots_between([3, 5], 7) == (Shot(1, 3), Shot(4, 5), Shot(6, 7))
