# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing a character by color transfer: a ball stands for the character, because its poses and colors are known exactly."""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import pytest

from tests.engine.balls import INK, SIZE, ball, decibel, lined, paint_of, view, write_folders
from toondecompose_blender.engine.character.arguments import add_draw_arguments, draw_options
from toondecompose_blender.engine.character.drawing import Options, draw_character
from toondecompose_blender.engine.character.sheet import View
from toondecompose_blender.engine.character.surface import surface_of
from toondecompose_blender.engine.character.transfer import Painter, line_reach
from toondecompose_blender.engine.cli import main
from toondecompose_blender.engine.movie import MovieWriter
from toondecompose_blender.engine.pictures import read_picture, write_picture
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.protocol import read_result


@pytest.fixture
def folders(tmp_path):
    return write_folders(tmp_path)


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


def test_lines_may_be_a_sprite_in_front(folders):
    result = draw_character(folders / "sheet", folders / "poses", folders / "out", options=Options(ink=True))
    plain = draw_character(folders / "sheet", folders / "poses", folders / "plain")
    assert [(sprite.id, sprite.exposure) for sprite in result.sprites] == [("character", (1, 1, 2, 0)), ("ink", (1, 1, 2, 0))]
    for number in range(2):
        surface, ink = (read_picture(folders / "out" / sprite.drawings[number]) for sprite in result.sprites)
        whole = read_picture(folders / "plain" / plain.sprites[0].drawings[number])
        cover = ink[..., 3:] / 255
        solid = whole[..., 3] == 255
        assert np.abs(ink[..., :3] * cover + surface[..., :3] * (1 - cover) - whole[..., :3])[solid].max() <= 2
        assert np.array_equal(surface[..., 3], whole[..., 3]) and (ink[..., 3] <= whole[..., 3]).all()


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
    assert draw_options(parser.parse_args([*plain, "--ink"])) == Options(ink=True)
    where = [str(folders / name) for name in ("sheet", "poses", "out")]
    command = ["draw", "--sheet", where[0], "--poses", where[1], "--out", where[2], "--device", "cpu"]
    assert main([*command, "--no-lines", "--fps", "12", "--threshold", "128"]) == 0
    result = read_result(folders / "out")
    drawn = read_picture(folders / "out" / result.sprites[0].drawings[0])
    assert result.clip.fps == 12 and set(np.unique(drawn[..., 3])) == {0, 255}
    assert main([*command, "--threshold", "999"]) == 1
    assert main([*command, "--ink", "--no-lines"]) == 1


def test_a_movie_becomes_a_background_that_holds_its_last_frame(folders):
    with MovieWriter(folders / "sky.mp4", 128, 128, fps=24) as movie:
        for level in (40, 200):
            movie.write(np.full((128, 128, 3), level, np.uint8))
    result = draw_character(folders / "sheet", folders / "poses", folders / "out", background=folders / "sky.mp4")
    assert result.sprites[0].exposure == (1, 2, 2, 2)
    shades = [read_picture(folders / "out" / name)[..., :3].mean() for name in result.sprites[0].drawings]
    assert abs(shades[0] - 40) < 4 and abs(shades[1] - 200) < 4


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
