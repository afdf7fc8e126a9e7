# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole sprites: hidden, copied, reordered, repainted, lost and found again."""

import shutil

import bpy
import numpy as np
import pytest
import results
from reference import covered, expected, psnr, rendered, seen

from toondecompose_blender.protocol import ResultError, SceneError
from toondecompose_blender.scene import drawings, editing, placement, repainting, retiming
from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.sprites import sprites_of

FRAMES = 4
PLACES = {"background": (1.6, 0.3, 0), "fox": (0.6, 0.8, 1), "hen": (0.5, 0.8, 2)}


@pytest.fixture
def folder(tmp_path):
    """A hen before a fox before a background."""
    sprites = []
    for name, (size, strength, seed) in PLACES.items():
        canvas = (240, 130) if name == "background" else (70, 60)
        paint = results.painted if name == "background" else results.character
        pictures = [paint(*canvas, seed + k) for k in range(1 if name == "background" else 2)]
        exposure = [1] * FRAMES if name == "background" else [1, 2, 1, 2]
        motion = results.perspective(FRAMES, canvas, size=size, strength=strength, seed=seed)
        sprites.append(results.write_sprite(tmp_path / "result", name, pictures, exposure, motion))
    return results.write_result(tmp_path / "result", sprites, frames=FRAMES)


@pytest.fixture
def scene(folder):
    return bpy.data.scenes[import_result(folder).scene]


def layer(folder, name, frame):
    sprite = next(sprite for sprite in results.read(folder).sprites if sprite.id == name)
    picture = results.read_png(folder / sprite.drawings[sprite.exposure[frame - 1] - 1])
    return seen(picture, np.load(folder / sprite.homographies)[frame - 1])


def stack(folder, frame, *names):
    return covered([layer(folder, name, frame) for name in names])


def test_hiding_and_solo_leave_the_others_exact(scene, folder, tmp_path):
    background, fox, hen = sprites_of(scene)
    editing.set_hidden(fox, True)
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], stack(folder, 2, "background", "hen")) > 77
    editing.solo(scene, fox)
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], stack(folder, 2, "fox")) > 77
    editing.solo(scene, fox)
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], expected(folder, 2)) > 77


def test_reordering_changes_who_covers_whom_and_nothing_else(scene, folder, tmp_path):
    background, fox, hen = sprites_of(scene)
    assert editing.move(scene, fox, forward=True)
    assert sprites_of(scene) == [background, hen, fox]
    assert not editing.move(scene, fox, forward=True)
    picture = rendered(scene, tmp_path / "out", 3)[0]
    assert psnr(picture, stack(folder, 3, "background", "hen", "fox")) > 77
    assert psnr(picture, expected(folder, 3)) < 40


def test_a_duplicate_is_independent_in_time_color_and_place(scene, folder, tmp_path):
    background, fox, hen = sprites_of(scene)
    copy = editing.duplicate(scene, fox)
    assert sprites_of(scene) == [background, fox, copy, hen]
    retiming.freeze(copy, 4)
    placement.set_placement(copy, move_x=30.0)
    copy.data.materials[0].node_tree.nodes["Color"].inputs["Opacity"].default_value = 0.5
    moved = layer_moved(folder, "fox", 4, 30.0) * 0.5
    reference = covered([layer(folder, "background", 2), layer(folder, "fox", 2), moved, layer(folder, "hen", 2)])
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], reference) > 75


def layer_moved(folder, name, frame, pixels):
    sprite = next(sprite for sprite in results.read(folder).sprites if sprite.id == name)
    picture = results.read_png(folder / sprite.drawings[sprite.exposure[frame - 1] - 1])
    return seen(picture, np.array([[1, 0, pixels], [0, 1, 0], [0, 0, 1]]) @ np.load(folder / sprite.homographies)[frame - 1])


def test_a_repainted_drawing_shows_wherever_it_is_exposed(scene, folder, tmp_path):
    fox = sprites_of(scene)[1]
    repainted = results.character(70, 60, 99)
    results.write_png(tmp_path / "new.png", repainted)
    original = drawings.drawing_path(fox, 2).read_bytes()
    repainting.replace_drawing(fox, 2, tmp_path / "new.png")

    def edit(name, drawing, homography):
        return (repainted.astype(float) if name == "fox" and np.array_equal(drawing, second) else drawing), homography
    second = results.read_png(folder / "fox" / "fox_0002.png")
    for frame in (1, 2, 4):
        assert psnr(rendered(scene, tmp_path / "out", frame)[0], expected(folder, frame, edit=edit)) > 77
    assert (folder / "fox" / "fox_0002.png").read_bytes() == original


def test_a_repainted_drawing_of_another_size_is_refused(scene, tmp_path):
    results.write_png(tmp_path / "small.png", results.character(30, 30, 1))
    with pytest.raises(SceneError, match="30 x 30 px"):
        repainting.replace_drawing(sprites_of(scene)[1], 1, tmp_path / "small.png")


def test_a_moved_result_is_named_and_found_again(scene, folder, tmp_path):
    shutil.move(folder, tmp_path / "elsewhere")
    fox = sprites_of(scene)[1]
    assert [path.name for path in drawings.lost_files(fox)] == ["fox_0001.png", "fox_0002.png"]
    drawings.relink(sprites_of(scene), tmp_path / "elsewhere")
    assert not drawings.lost_files(fox)
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], expected(tmp_path / "elsewhere", 2)) > 77


def test_a_lost_drawing_disturbs_no_other(scene, folder, tmp_path):
    fox = sprites_of(scene)[1]
    reference = expected(folder, 1)
    (folder / "fox" / "fox_0002.png").unlink()
    assert [path.name for path in drawings.lost_files(fox)] == ["fox_0002.png"]
    assert psnr(rendered(scene, tmp_path / "out", 1)[0], reference) > 77
    retiming.hold(fox, 2)
    placement.set_placement(fox, move_x=3.0)
    editing.change_bake(scene, fox, "shape-keys")
    copy = editing.duplicate(scene, fox)
    assert [path.name for path in drawings.lost_files(copy)] == ["fox_0002.png"]


def test_another_result_is_no_replacement(scene, tmp_path):
    other = tmp_path / "other"
    sprite = results.write_sprite(other, "fox", [results.character(40, 40, 1)], [1], np.eye(3)[None])
    with pytest.raises(SceneError, match="Background"):
        drawings.relink(sprites_of(scene), results.write_result(other, [sprite], frames=1))
    with pytest.raises(ResultError, match="no result"):
        drawings.relink(sprites_of(scene), tmp_path)
