# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing a character by color transfer: a ball stands for the character, because its poses and colors are known exactly."""

from __future__ import annotations

import argparse
import os

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.character.arguments import add_draw_arguments, draw_options
from toondecompose_blender.engine.character.drawing import Options, draw_character
from toondecompose_blender.engine.character.finishing import despeckled, enlarged, straight_color, thresholded
from toondecompose_blender.engine.character.holes import push_pull
from toondecompose_blender.engine.character.sheet import View, cut_out, read_sheet
from toondecompose_blender.engine.character.smoothing import smoothed
from toondecompose_blender.engine.character.surface import surface_of
from toondecompose_blender.engine.character.transfer import Painter, line_reach
from toondecompose_blender.engine.character.udp import pose_files, read_pose, write_exr, write_pose
from toondecompose_blender.engine.cli import main
from toondecompose_blender.engine.movie import MovieWriter
from toondecompose_blender.engine.pictures import read_picture, write_picture
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.protocol import CharacterError, ClipError, SettingsError, read_result

SIZE = 96
INK = np.array([20, 15, 25])


class Listener(Silent):
    """Remembers what the artist was told."""

    def __init__(self):
        self.warnings: list[str] = []

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        self.warnings.append(f"{code}: {message}")


def ball(angle: float, *, size: int = SIZE, shift: float = 0.0) -> np.ndarray:
    """The pose of a ball seen from `angle` degrees around it: 0 is the front, which looks to -y."""
    ys, xs = np.mgrid[0:size, 0:size]
    x, z = (xs - (size - 1) / 2) / (0.4 * size) - shift, -(ys - (size - 1) / 2) / (0.4 * size)
    shown = x ** 2 + z ** 2 < 1
    y = -np.sqrt(np.where(shown, 1 - x ** 2 - z ** 2, 0))
    turn = np.deg2rad(angle)
    places = np.stack([np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y, z], -1) / 2 + 0.5
    return np.concatenate([np.where(shown[..., None], places, 0), shown[..., None]], -1).astype(np.float32)


def paint_of(pose: np.ndarray, *, symmetric: bool = False) -> np.ndarray:
    """Colors fixed on the ball: red to the left of the character, blue in front, green above; stripes."""
    places = pose[..., :3].astype(np.float64)
    across = np.abs(places[..., 0] - 0.5) * 2 if symmetric else places[..., 0]
    color = np.stack([60 + 160 * across, 60 + 160 * places[..., 2], 220 - 160 * places[..., 1]], -1)
    color[np.floor(places[..., 2] * 8) % 2 == 0] *= 0.7
    return color


def lined(color: np.ndarray, pose: np.ndarray, width: int = 2) -> np.ndarray:
    """The same with an ink contour just inside the silhouette."""
    depth = cv2.distanceTransform(pose[..., 3].astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where(((pose[..., 3] > 0) & (depth <= width))[..., None], INK, color)


def view(angle: float, *, lines: bool = True, known: bool = True, **paint) -> View:
    pose = ball(angle)
    color = paint_of(pose, **paint)
    rgba = np.dstack([lined(color, pose) if lines else color, 255 * pose[..., 3]])
    return View(f"v{angle:.0f}", np.rint(rgba).astype(np.uint8), pose if known else None)


def write_view(folder, name: str, shown: View) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_picture(folder / f"{name}.png", shown.rgba)
    if shown.pose is not None:
        write_pose(folder / f"{name}.npz", shown.pose)


def decibel(drawn: np.ndarray, truth: np.ndarray, area: np.ndarray) -> float:
    return 10 * np.log10(255 ** 2 / np.mean((drawn[area].astype(float) - truth[area]) ** 2))


@pytest.fixture
def folders(tmp_path):
    """A sheet of four views and three poses, one of them twice, one empty."""
    for angle in (0, 90, 180, 270):
        write_view(tmp_path / "sheet", f"v{angle}", view(angle))
    (tmp_path / "poses").mkdir()
    (tmp_path / "poses" / "poses.json").write_text('{"extent": [1, 1, 1]}')
    for number, pose in ((2, ball(30)), (9, ball(30)), (10, ball(50)), (11, ball(0) * 0)):
        write_pose(tmp_path / "poses" / f"{number}.npz", pose)
    return tmp_path


def test_a_turned_character_gets_the_colors_of_its_views():
    painter = Painter([view(angle) for angle in (0, 90, 180, 270)], extent=(1, 1, 1))
    pose = ball(40)
    painted = painter.paint(pose)
    inside = cv2.erode(pose[..., 3].astype(np.uint8), np.ones((3, 3), np.uint8), iterations=6) > 0
    assert decibel(painted.rgba[..., :3], paint_of(pose), inside) > 26
    assert np.array_equal(painted.rgba[..., 3] > 0, pose[..., 3] > 0)
    assert (painted.seen[pose[..., 3] > 0] == 255).mean() > 0.95


def test_contour_lines_follow_the_silhouette_and_leave_the_inside_clean():
    views, pose = [view(angle) for angle in (0, 90, 180, 270)], ball(45)
    truth, area = lined(paint_of(pose), pose), pose[..., 3] > 0
    with_lines = Painter(views, extent=(1, 1, 1)).paint(pose).rgba[..., :3]
    without = Painter(views, extent=(1, 1, 1), lines=False).paint(pose).rgba[..., :3]
    assert decibel(with_lines, truth, area) > decibel(without, truth, area) + 4
    rim = area & (cv2.erode(area.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    assert with_lines[rim].mean() < 60 < without[rim].mean()
    inked = np.abs(without.astype(int) - INK).max(-1) < 12
    assert inked[area].mean() < 0.01  # the contours of the views leave no ink inside


def test_equal_places_keep_their_color_wherever_they_are_shown():
    painter = Painter([view(0), view(180)], extent=(1, 1, 1), lines=False)
    here, there = painter.paint(ball(20)).rgba, painter.paint(np.roll(ball(20), 7, axis=1)).rgba
    shown = there[..., 3] > 0
    assert np.array_equal(np.roll(here, 7, axis=1)[shown], there[shown])


def test_contour_lines_touch_nothing_beyond_their_reach():
    views, pose = [view(angle) for angle in (0, 90, 180, 270)], ball(45)
    with_lines, without = (Painter(views, extent=(1, 1, 1), lines=lines).paint(pose).rgba for lines in (True, False))
    surface = surface_of(pose, np.ones(3))
    off = surface.depth > line_reach(surface)
    assert off.mean() > 0.5 and np.array_equal(with_lines[surface.mask][off], without[surface.mask][off])
    assert not np.array_equal(with_lines, without)


def test_unseen_places_come_from_the_other_side_and_are_marked():
    pose = ball(-90)  # the character's right, which no view shows
    painted = Painter([view(90, lines=False, symmetric=True)], extent=(1, 1, 1)).paint(pose)
    inside = cv2.erode(pose[..., 3].astype(np.uint8), np.ones((3, 3), np.uint8), iterations=6) > 0
    assert (painted.seen[inside] == 128).mean() > 0.9
    assert decibel(painted.rgba[..., :3], paint_of(pose, symmetric=True), inside) > 26
    alone = Painter([view(90)], extent=(1, 1, 1), symmetry=False).paint(pose)
    assert (alone.seen[inside] == 0).mean() > 0.9 and alone.rgba[inside][:, :3].any()


def test_the_number_of_threads_changes_nothing(folders, monkeypatch):
    written = []
    for threads in ("1", "2"):
        monkeypatch.setenv("TOONDECOMPOSE_THREADS", threads)
        result = draw_character(folders / "sheet", folders / "poses", folders / threads)
        written.append({name: digest for name, digest in result.files.items() if name.endswith((".png", ".npy"))})
    assert written[0] == written[1]


def test_the_result_is_one_like_any_other(folders):
    draw_character(folders / "sheet", folders / "poses", folders / "out")
    result = read_result(folders / "out")
    sprite = result.sprites[0]
    assert (sprite.width, sprite.height, result.clip.frames, result.clip.first_frame) == (SIZE, SIZE, 4, 2)
    assert sprite.exposure == (1, 1, 2, 0)  # natural order; equal poses share a drawing, an empty one has none
    assert np.array_equal(np.load(folders / "out" / sprite.homographies), np.tile(np.eye(3), (4, 1, 1)))
    drawn = read_picture(folders / "out" / sprite.drawings[0])
    edge = (drawn[..., 3] > 0) & (cv2.erode(drawn[..., 3], np.ones((3, 3), np.uint8)) == 0)
    assert np.abs(drawn[edge][:, :3].mean(0) - INK).max() < 30
    assert all((folders / "out" / name).is_file() for name in result.files)


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


def test_a_background_becomes_a_sprite_behind(folders):
    write_picture(folders / "room.png", np.full((50, 200, 3), (10, 200, 30), np.uint8))
    result = draw_character(folders / "sheet", folders / "poses", folders / "out", background=folders / "room.png")
    assert [sprite.role for sprite in result.sprites] == ["background", "character"]
    assert result.sprites[0].exposure == (1, 1, 1, 1)
    picture = read_picture(folders / "out" / result.sprites[0].drawings[0])
    assert picture.shape[:2] == (SIZE, SIZE) and np.abs(picture[..., :3].astype(int) - (10, 200, 30)).max() <= 1


def test_frames_that_were_drawn_are_not_drawn_again(folders):
    class Impatient(Silent):
        left = 6  # four poses read, two frames drawn

        def step(self, count: int = 1) -> None:
            self.left -= count
            if self.left < 0:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_character(folders / "sheet", folders / "poses", folders / "out", report=Impatient())
    store = folders / "out" / "stages" / "frames"
    kept = {path: path.stat().st_mtime_ns for path in store.glob("*.png")}
    assert kept and not (folders / "out" / "decomposition.json").exists()
    draw_character(folders / "sheet", folders / "poses", folders / "out")
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())


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


def test_specks_leave_the_matte_and_thresholds_draw_it_in():
    alpha = np.zeros((80, 80), np.uint8)
    alpha[10:70, 10:70] = 200
    alpha[30:32, 30:32] = 0
    alpha[2:4, 2:4] = 255
    clean = despeckled(alpha)
    assert not clean[:9].any() and (clean[30:32, 30:32] == 255).all() and clean[50, 50] == 200
    assert np.array_equal(np.flatnonzero(thresholded(clean, 100, 3)[40]), np.arange(13, 67))


def test_enlarging_keeps_edges_where_the_pose_has_them():
    large, small = ball(0, size=128), ball(0, size=32)
    values = paint_of(small) / 255
    grown = enlarged(np.where(small[..., 3:] > 0, values, 0), small, large)
    plain = cv2.resize(np.where(small[..., 3:] > 0, values, 0), (128, 128), interpolation=cv2.INTER_LINEAR)
    area = large[..., 3] > 0
    assert decibel(grown * 255, paint_of(large), area) > decibel(plain * 255, paint_of(large), area) + 1


def test_smoothing_mixes_equal_places_and_spares_moved_lines():
    pose, before_pose = ball(0), ball(0, shift=0.1)
    color = paint_of(pose)
    now = np.dstack([color + 10, 255 * pose[..., 3]]).clip(0, 255).astype(np.uint8)
    then = np.dstack([paint_of(before_pose), 255 * before_pose[..., 3]]).clip(0, 255).astype(np.uint8)
    then[40:44, 30:40, :3] = 0
    mixed = smoothed(now, pose, then, before_pose, strength=0.5)
    changed = np.abs(mixed[..., :3].astype(int) - now[..., :3]).max(-1)
    assert np.array_equal(mixed[..., 3], now[..., 3]) and (changed[pose[..., 3] > 0] > 2).mean() > 0.5
    assert changed.max() <= 25
    assert np.array_equal(smoothed(now, pose, then, before_pose, strength=0.0), now)


def test_push_pull_keeps_what_is_known_and_fills_the_rest_from_it():
    picture = np.zeros((33, 50, 3))
    known = np.zeros((33, 50), bool)
    known[5, 5] = known[30, 45] = True
    picture[5, 5], picture[30, 45] = (200, 0, 0), (0, 0, 100)
    filled = push_pull(picture, known)
    assert np.array_equal(filled[known], picture[known])
    assert filled[0, 0, 0] > 150 and filled[32, 49, 2] > 75 and (filled.sum(-1) > 90).all()


@pytest.mark.parametrize("change", [{"smoothing": 2}, {"threshold": 300}, {"erosion": 2}, {"previous": -1}])
def test_options_that_cannot_work_are_refused(change):
    with pytest.raises(SettingsError) as refusal:
        Options(**change)
    assert refusal.value.code == f"settings.{next(iter(change))}" and refusal.value.remedy


def test_the_command_line_switches_what_options_switch(folders):
    parser = argparse.ArgumentParser()
    add_draw_arguments(parser)
    plain = ["--sheet", "s", "--poses", "p"]
    assert draw_options(parser.parse_args(plain)) == Options()
    words = ["--no-lines", "--no-symmetry", "--published", "--tight-crop", "--previous", "2", "--guide", "--smoothing", ".5",
             "--no-despeckle", "--threshold", "9", "--erosion", "3"]
    assert draw_options(parser.parse_args([*plain, *words])) == Options(
        lines=False, symmetry=False, published=True, steady_crop=False, previous=2, guide=True, smoothing=.5, despeckle=False, threshold=9,
        erosion=3)
    where = [str(folders / name) for name in ("sheet", "poses", "out")]
    command = ["draw", "--sheet", where[0], "--poses", where[1], "--out", where[2], "--device", "cpu"]
    assert main([*command, "--no-lines", "--fps", "12", "--threshold", "128"]) == 0
    result = read_result(folders / "out")
    drawn = read_picture(folders / "out" / result.sprites[0].drawings[0])
    assert result.clip.fps == 12 and set(np.unique(drawn[..., 3])) == {0, 255}
    assert main([*command, "--threshold", "999"]) == 1


def test_a_movie_becomes_a_background_that_holds_its_last_frame(folders):
    with MovieWriter(folders / "sky.mp4", 128, 128, fps=24) as movie:
        for level in (40, 200):
            movie.write(np.full((128, 128, 3), level, np.uint8))
    result = draw_character(folders / "sheet", folders / "poses", folders / "out", background=folders / "sky.mp4")
    assert result.sprites[0].exposure == (1, 2, 2, 2)
    shades = [read_picture(folders / "out" / name)[..., :3].mean() for name in result.sprites[0].drawings]
    assert abs(shades[0] - 40) < 4 and abs(shades[1] - 200) < 4


def test_an_unreadable_background_is_refused_before_anything_is_drawn(folders):
    (folders / "sky.mp4").write_bytes(b"no movie")
    with pytest.raises(ClipError):
        draw_character(folders / "sheet", folders / "poses", folders / "out", background=folders / "sky.mp4")
    assert not (folders / "out").exists()


def test_color_is_made_straight_without_a_dark_fringe():
    alpha = np.zeros((12, 12, 1))
    alpha[:, 5:], alpha[:, 4] = 1, 0.3
    color = straight_color(np.dstack([alpha * (0.8, 0.5, 0.2), alpha]))
    assert np.abs(color - (0.8, 0.5, 0.2)).max() < 1e-6  # also beyond the outline


def test_options_switch_what_they_name(folders):
    hard = draw_character(folders / "sheet", folders / "poses", folders / "hard", options=Options(threshold=128, erosion=2, lines=False))
    soft = draw_character(folders / "sheet", folders / "poses", folders / "soft", options=Options(lines=False))
    hard_area, soft_area = ((read_picture(folders / name / result.sprites[0].drawings[0])[..., 3] > 0).sum()
                            for name, result in (("hard", hard), ("soft", soft)))
    assert hard_area < 0.95 * soft_area


def cape(*, behind: bool, width: float = 1.0) -> np.ndarray:
    """The pose of a thin upright cape, the same places on both sides, seen from the front or from behind."""
    ys, xs = np.mgrid[0:SIZE, 0:SIZE]
    x = ((xs - (SIZE - 1) / 2) / (0.4 * SIZE * width)) * (-1 if behind else 1)
    z = -(ys - (SIZE - 1) / 2) / (0.4 * SIZE)
    shown = (np.abs(x) < 1) & (np.abs(z) < 1)
    places = np.stack([x / 2 + 0.5, np.full(x.shape, 0.5), z / 2 + 0.5], -1)
    return np.concatenate([np.where(shown[..., None], places, 0), shown[..., None]], -1).astype(np.float32)


def test_the_sides_of_a_thin_cape_keep_their_colors():
    colors = {False: (200, 40, 40), True: (40, 40, 200)}
    views = [View(str(behind), np.dstack([np.full((SIZE, SIZE, 3), color, np.uint8), np.uint8(255 * cape(behind=behind)[..., 3])]),
                  cape(behind=behind)) for behind, color in colors.items()]
    painter = Painter(views, extent=(1, 1, 1), lines=False)
    for behind, color in colors.items():
        pose = cape(behind=behind, width=0.7)  # turned
        painted = painter.paint(pose).rgba[cv2.erode(pose[..., 3], np.ones((5, 5))) > 0]
        assert (np.abs(painted[:, :3].astype(int) - color).max(1) < 8).mean() > 0.97
