# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo clip: drawn with its truth, the same every time, and a cartoon in the ways that can be measured."""

import errno
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine import geometry
from toondecompose_blender.engine.clip import open_clip
from toondecompose_blender.engine.demo import compose_scene, draw_demo
from toondecompose_blender.engine.pictures import composite, read_picture
from toondecompose_blender.protocol import EngineError

WIDTH, HEIGHT, FRAMES = 192, 108, 18


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    draw_demo(folder, width=WIDTH, height=HEIGHT, frames=FRAMES, sprites=3)
    return folder


def sprite(clip: Path, k: int, t: int) -> np.ndarray:
    return read_picture(clip / f"gt/sprite_{k}/{t:04d}.png")


def test_it_has_the_layout_of_a_clip_with_truth(clip):
    meta = json.loads((clip / "meta.json").read_text())
    assert (meta["K"], meta["frames"], meta["size"], meta["family"]) == (3, FRAMES, [WIDTH, HEIGHT], "demo")
    assert {"name", "fps"} <= meta.keys() and open_clip(clip).count == FRAMES
    motion = np.load(clip / "gt/homographies.npy")
    assert motion.shape == (3, FRAMES, 3, 3) and np.isfinite(motion).all()
    assert not list(clip.rglob("*.tmp"))


def test_its_sprites_laid_over_each_other_are_the_frames(clip):
    for t, frame in enumerate(open_clip(clip)):
        assert np.array_equal(composite(sprite(clip, k, t) for k in range(3)), frame)
        assert (sprite(clip, 0, t)[..., 3] == 255).all()


def test_the_girl_runs_on_twos_in_a_cycle_of_eight_and_the_bird_flaps_on_threes(clip):
    exposure = json.loads((clip / "gt/exposure.json").read_text())
    assert exposure["sprite_0"] == [1] * FRAMES
    assert exposure["sprite_1"] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 1, 1]
    assert exposure["sprite_2"] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 1, 1, 1, 2, 2, 2]


def test_a_held_drawing_is_the_same_picture_moved_and_the_next_one_is_not(clip):
    motion = np.load(clip / "gt/homographies.npy")[1]

    def change(s: int, t: int) -> float:
        """How much the girl changes from s to t beyond being moved."""
        moved = cv2.warpPerspective(sprite(clip, 1, s), geometry.relative(motion[s], motion[t]), (WIDTH, HEIGHT))
        return float(np.abs(moved[..., 3].astype(int) - sprite(clip, 1, t)[..., 3]).mean())

    assert max(change(0, 1), change(0, 16)) < 0.25 * min(change(1, 2), change(0, 4))


def test_the_background_moves_as_its_homographies_say(clip):
    motion = np.load(clip / "gt/homographies.npy")[0]
    first, last = sprite(clip, 0, 2)[..., :3], sprite(clip, 0, 6)[..., :3]
    moved = cv2.warpPerspective(first, geometry.relative(motion[2], motion[6]), (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    seen = np.s_[8:-8, 8:WIDTH // 2]
    assert np.abs(moved.astype(int) - last)[seen].mean() < 0.3 * np.abs(first.astype(int) - last)[seen].mean()


def test_the_full_clip_pans_more_than_one_and_a_half_screens_and_zooms_slowly():
    scene = compose_scene(width=128, height=72, frames=60)
    motion = scene.layers[0].homographies
    center = np.array([[64.0, 36.0]])
    start, end = (geometry.project(np.linalg.inv(motion[t]), center)[0, 0] for t in (0, 59))
    zoom = motion[:, 0, 0]
    assert end - start > 1.5 * 128 and 1.05 < zoom[-1] / zoom[0] < 1.3 and (np.diff(zoom) >= 0).all()
    plate = scene.layers[0].drawings[0]
    corners = geometry.project(np.linalg.inv(motion[59]), geometry.corners(128, 72))
    assert corners.min() > 0 and (corners < np.array(plate.shape[1::-1]) / 2 - 1).all()


def test_it_is_drawn_in_flat_colors_with_dark_lines_on_a_textured_background(clip):
    girl = compose_scene(frames=1).sprites(0)[1]
    inside = girl[girl[..., 3] == 255][:, :3]
    counts = np.unique(inside, axis=0, return_counts=True)[1]
    assert np.sort(counts)[-24:].sum() > 0.6 * len(inside)
    edge = (girl[..., 3] == 255) & (cv2.erode(girl[..., 3], np.ones((3, 3))) < 255)
    assert girl[edge][:, :3].mean() < 0.6 * inside.mean()
    town = cv2.cvtColor(sprite(clip, 0, 4)[..., :3], cv2.COLOR_RGB2GRAY)
    assert (np.abs(cv2.Laplacian(town, cv2.CV_32F)) > 2).mean() > 0.6


def test_outlines_are_soft_and_have_no_color_beyond_them(clip):
    girl = sprite(clip, 1, 4)
    alpha = girl[..., 3]
    assert 20 < len(np.unique(alpha)) and not girl[alpha == 0].any()


def test_the_girl_stays_in_the_frame(clip):
    for t in range(FRAMES):
        alpha = sprite(clip, 1, t)[..., 3]
        assert not alpha[0].any() and not alpha[-1].any() and not alpha[:, 0].any() and not alpha[:, -1].any()
        assert 0.06 < (alpha > 127).mean() < 0.3


def test_it_is_the_same_every_time_and_with_one_thread(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("TOONDECOMPOSE_THREADS", "1")
    draw_demo(tmp_path, width=WIDTH, height=HEIGHT, frames=FRAMES, sprites=3)
    for path in clip.rglob("*"):
        assert path.is_dir() or path.read_bytes() == (tmp_path / path.relative_to(clip)).read_bytes(), path


@pytest.mark.parametrize(("width", "height", "frames", "sprites"), [(131, 77, 1, 2), (72, 128, 5, 3), (64, 64, 2, 2)])
def test_it_can_be_drawn_at_any_size_and_length(tmp_path, width, height, frames, sprites):
    scene = draw_demo(tmp_path, width=width, height=height, frames=frames, sprites=sprites)
    assert len(scene.layers) == sprites and [frame.shape for frame in scene] == [(height, width, 3)] * frames
    assert [len(layer.exposure) for layer in scene.layers] == [frames] * sprites


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EngineError) as caught:
        draw_demo(tmp_path, width=64, height=36, frames=1)
    assert caught.value.code == "engine.disk_full"
