# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, left out or told before a character is drawn: sheets, views, poses, backgrounds and switches."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from tests.engine.balls import SIZE, Listener, ball, decibel, paint_of, view, write_exr, write_folders
from toondecompose_blender.engine.character.drawing import Options, draw_character
from toondecompose_blender.engine.character.sheet import cut_out, read_sheet
from toondecompose_blender.engine.character.udp import pose_files, read_pose, write_pose
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.protocol import CharacterError, ClipError, SettingsError


@pytest.fixture
def folders(tmp_path):
    return write_folders(tmp_path)


def test_sheets_and_motions_of_other_numbers_are_refused(folders):
    (folders / "sheet" / "poses.json").write_text('{"extent": [1, 2, 1]}')
    with pytest.raises(CharacterError) as refusal:
        draw_character(folders / "sheet", folders / "poses", folders / "out")
    assert refusal.value.code == "character.poses_differ" and refusal.value.remedy
    (folders / "poses" / "poses.json").write_text("{")
    with pytest.raises(CharacterError) as refusal:
        draw_character(folders / "sheet", folders / "poses", folders / "out")
    assert refusal.value.code == "character.poses_note"


def test_views_without_a_pose_are_told(folders):
    (folders / "sheet" / "v90.npz").unlink()
    listener = Listener()
    draw_character(folders / "sheet", folders / "poses", folders / "out", report=listener)
    assert [warning.split(":")[0] for warning in listener.warnings] == ["character.view_without_pose"]


def test_poses_are_read_from_npz_and_exr_in_natural_order(tmp_path):
    pose = ball(10, size=32)
    write_exr(tmp_path / "10.exr", pose)
    write_pose(tmp_path / "9.npz", pose)
    np.savez(tmp_path / "11.npz", i=pose.astype(np.float16))
    files = pose_files(tmp_path)
    assert [path.stem for path in files] == ["9", "10", "11"]
    assert np.array_equal(read_pose(files[0]), pose) and np.array_equal(read_pose(files[1]), pose)
    assert np.abs(read_pose(files[2]) - pose).max() < 1e-3


def _pose_with(path, **arrays):
    np.savez(path, **arrays)


@pytest.mark.parametrize(("spoil", "code"), [
    (lambda f: _pose_with(f / "1.npz", udp=ball(0)), "character.pose_key"),
    (lambda f: _pose_with(f / "1.npz", i=np.where(np.arange(4) == 0, np.nan, ball(0))), "character.pose_values"),
    (lambda f: _pose_with(f / "1.npz", i=ball(0) * 255), "character.pose_values"),
    (lambda f: _pose_with(f / "1.npz", i=(ball(0) * 255).astype(np.uint8)), "character.pose_integer"),
    (lambda f: _pose_with(f / "1.npz", i=ball(0)[..., :3]), "character.pose_shape"),
    (lambda f: _pose_with(f / "1.npz", i=np.array([{}], object)), "character.pose_unreadable"),
    (lambda f: (f / "1.npz").write_bytes(b"PK"), "character.pose_unreadable"),
    (lambda f: (f / "1.exr").write_bytes(b"v/1"), "character.pose_unreadable"),
    (lambda f: _pose_with(f / "1.npz", i=ball(0, size=40)), "character.pose_size"),
])
def test_damaged_poses_are_refused_before_anything_is_drawn(folders, spoil, code):
    spoil(folders / "poses")
    with pytest.raises(CharacterError) as refusal:
        draw_character(folders / "sheet", folders / "poses", folders / "out")
    assert refusal.value.code == code and refusal.value.remedy
    assert not (folders / "out").exists()


def test_pictures_instead_of_poses_are_refused(folders):
    with pytest.raises(CharacterError) as refusal:
        draw_character(folders / "sheet", folders / "sheet" / "..", folders / "out")
    assert refusal.value.code == "character.poses_missing"
    write_picture(folders / "1.png", np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(CharacterError) as refusal:
        draw_character(folders / "sheet", folders, folders / "out")
    assert refusal.value.code == "character.pose_integer"


@pytest.mark.parametrize(("change", "code"), [
    (dict(method="magic"), "settings.method"), (dict(size=100), "settings.size"), (dict(method="conr"), "character.weights_missing")])
def test_settings_that_cannot_work_are_refused(folders, change, code):
    with pytest.raises((SettingsError, CharacterError)) as refusal:
        draw_character(folders / "sheet", folders / "poses", folders / "out", **change)
    assert refusal.value.code == code and refusal.value.remedy


def test_views_without_poses_need_the_detector(folders):
    for path in (folders / "sheet").glob("*.npz"):
        path.unlink()
    with pytest.raises(CharacterError) as refusal:
        draw_character(folders / "sheet", folders / "poses", folders / "out")
    assert refusal.value.code == "character.view_pose" and "weights" in refusal.value.remedy


def _only_one(folder):
    for name in os.listdir(folder):
        if not name.startswith("v0."):
            (folder / name).unlink()


@pytest.mark.parametrize(("spoil", "code"), [
    (_only_one, "character.sheet_views"),
    (lambda f: write_picture(f / "v90.png", np.full((40, 40, 4), 100, np.uint8)), "character.view_pose"),
    (lambda f: write_picture(f / "w.png", np.full((40, 40, 4), 100, np.uint8)), "character.sheet_sizes"),
    (lambda f: write_picture(f / "w.png", np.zeros((SIZE, SIZE, 4), np.uint8)), "character.view_empty"),
    (lambda f: (f / "w.png").write_bytes(b"no picture"), "character.view_unreadable"),
])
def test_sheets_that_cannot_work_are_refused(folders, spoil, code):
    spoil(folders / "sheet")
    with pytest.raises(CharacterError) as refusal:
        read_sheet(folders / "sheet", report=Silent())
    assert refusal.value.code == code and refusal.value.remedy


def test_a_flat_background_becomes_alpha_without_a_rim():
    shown = view(0)
    paper = np.array([250, 250, 250])
    small = cv2.GaussianBlur(shown.rgba[..., 3], (3, 3), 0).astype(float)[..., None] / 255
    picture = np.rint(shown.rgba[..., :3] * small + paper * (1 - small)).astype(np.uint8)
    rgba = cut_out(picture)
    assert np.abs((rgba[..., 3] > 127).astype(int) - (shown.rgba[..., 3] > 127)).mean() < 0.01
    assert rgba[rgba[..., 3] > 200][:, :3].mean() < 170 and (rgba[0] == 0).all(1).any() | (rgba[0, :, 3] == 0).all()


def test_a_view_on_a_busy_background_is_left_out_with_the_reason(folders):
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    write_picture(folders / "sheet" / "busy.png", noise)
    listener = Listener()
    views = read_sheet(folders / "sheet", report=listener)
    assert [shown.name for shown in views] == ["v0", "v90", "v180", "v270"]
    assert listener.warnings == ["character.view_background: busy.png has neither alpha nor a flat background. The view is left out."]


def test_a_pose_is_laid_onto_a_drawing_that_stands_elsewhere(folders):
    shown = view(0)
    smaller = cv2.warpAffine(shown.rgba, np.array([[0.7, 0, 3.0], [0, 0.75, 12.0]]), (SIZE, SIZE), flags=cv2.INTER_NEAREST)
    write_picture(folders / "sheet" / "v0.png", smaller)
    listener = Listener()
    laid = read_sheet(folders / "sheet", report=listener)[0]
    drawn, posed = laid.rgba[..., 3] > 127, laid.pose[..., 3] > 0.5
    assert (drawn & posed).sum() / (drawn | posed).sum() > 0.95 and not listener.warnings
    color = paint_of(laid.pose)
    inside = cv2.erode((drawn & posed).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=4) > 0
    assert decibel(laid.rgba[..., :3], color, inside) > 26


def test_a_drawing_unlike_its_pose_is_told(folders):
    odd = np.zeros((SIZE, SIZE, 4), np.uint8)
    odd[5:90, 40:44] = odd[45:49, 5:90] = (200, 30, 30, 255)
    write_picture(folders / "sheet" / "v0.png", odd)
    listener = Listener()
    read_sheet(folders / "sheet", report=listener)
    assert len(listener.warnings) == 1 and "character.view_mismatch: The drawing v0" in listener.warnings[0]


@pytest.mark.parametrize("change", [{"smoothing": 2}, {"threshold": 300}, {"erosion": 2}, {"previous": -1}])
def test_options_that_cannot_work_are_refused(change):
    with pytest.raises(SettingsError) as refusal:
        Options(**change)
    assert refusal.value.code == f"settings.{next(iter(change))}" and refusal.value.remedy


def test_an_unreadable_background_is_refused_before_anything_is_drawn(folders):
    (folders / "sky.mp4").write_bytes(b"no movie")
    with pytest.raises(ClipError):
        draw_character(folders / "sheet", folders / "poses", folders / "out", background=folders / "sky.mp4")
    assert not (folders / "out").exists()
