# SPDX-License-Identifier: GPL-3.0-or-later
"""Sprites move by shape keys or UV warp, and where the artist puts them."""

import bpy
import numpy as np
import pytest
import results
from reference import expected, psnr, rendered

from toondecompose_blender.protocol import SceneError
from toondecompose_blender.scene import baking, editing, materials, placement, retiming, stage, warping
from toondecompose_blender.scene.importing import import_result

FRAMES = 6


def affine(frames, *, shear=0.2, turn=0.3):
    """A plate that pans, zooms, turns and shears."""
    steps = np.linspace(0, 1, frames)
    matrices = np.tile(np.eye(3), (frames, 1, 1))
    for matrix, step in zip(matrices, steps, strict=True):
        angle = turn * step
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix[:2, :2] = rotation @ np.array([[0.8 + step / 2, shear * step], [0, 0.9]])
        matrix[:2, 2] = (-60.3 * step, -10.7 - 8 * step)
    return matrices


@pytest.fixture
def folder(tmp_path):
    """A panned, turned and sheared background and a fox in perspective."""
    background = results.write_sprite(tmp_path, "background", [results.painted(300, 140, 1)], [1] * FRAMES, affine(FRAMES))
    fox = results.write_sprite(tmp_path, "fox", [results.character(70, 60, seed) for seed in (1, 2)], [1, 1, 2, 2, 1, 2],
                               results.perspective(FRAMES, (70, 60), size=0.45, strength=0.7, seed=1))
    return results.write_result(tmp_path, [background, fox], frames=FRAMES)


def test_a_uv_warp_renders_affine_motion_exactly_and_leaves_perspective_to_shape_keys(folder, tmp_path):
    imported = import_result(folder, bake="uv-warp")
    assert [baking.bake_of(bpy.data.objects[name]) for name in imported.sprites] == ["uv-warp", "shape-keys"]
    assert "Fox moves in perspective" in imported.warnings[0]
    pictures = rendered(bpy.data.scenes[imported.scene], tmp_path / "out", 1, FRAMES)
    assert min(psnr(picture, expected(folder, frame)) for frame, picture in enumerate(pictures, start=1)) > 77


def test_a_mirrored_sprite_survives_the_uv_warp(tmp_path):
    matrices = affine(2)
    matrices[:, :2] = np.array([[-1, 0, 159], [0, 1, 0]]) @ matrices
    sprite = results.write_sprite(tmp_path, "background", [results.painted(300, 140, 1)], [1, 1], matrices)
    folder = results.write_result(tmp_path, [sprite], frames=2)
    scene = bpy.data.scenes[import_result(folder, bake="uv-warp").scene]
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], expected(folder, 2)) > 77


def test_baking_again_keeps_timing_color_and_place(folder, tmp_path):
    imported = import_result(folder)
    scene, plate = bpy.data.scenes[imported.scene], bpy.data.objects[imported.sprites[0]]
    placement.set_placement(plate, move_x=7.25, move_y=-3.5, rotation=0.2, scale=1.2)
    retiming.reverse(plate)
    materials.color_group_of(plate.data.materials[0]).inputs["Tint"].default_value = (0.5, 1.0, 0.75, 1.0)
    before = rendered(scene, tmp_path / "before", 1, FRAMES)
    assert editing.change_bake(scene, plate, "uv-warp") < 1e-6
    warped = rendered(scene, tmp_path / "warped", 1, FRAMES)
    editing.change_bake(scene, plate, "shape-keys")
    again = rendered(scene, tmp_path / "again", 1, FRAMES)
    assert [retiming.shown_frame(plate, frame) for frame in range(1, FRAMES + 1)] == [6, 5, 4, 3, 2, 1]
    assert max(psnr(picture, expected(folder, frame)) for frame, picture in enumerate(before, start=1)) < 30
    assert min(map(psnr, warped, before)) > 75 and min(map(psnr, again, before)) > 90


@pytest.mark.parametrize(("tilt", "fits"), [(1.6e-5, True), (1.7e-5, False)])
def test_a_uv_warp_is_refused_from_a_tenth_of_a_pixel_on(tmp_path, tilt, fits):
    motion = np.stack([np.eye(3), np.array([[1, 0, 0], [0, 1, 0], [tilt, tilt, 1.0]])])
    sprite = results.write_sprite(tmp_path, "plate", [results.painted(300, 140, 1)], [1, 1], motion)
    imported = import_result(results.write_result(tmp_path, [sprite], frames=2))
    scene, plate = bpy.data.scenes[imported.scene], bpy.data.objects[imported.sprites[0]]
    error = warping.affine_error(motion, [1, 1], 300, 140, stage.view_of(scene))
    assert (0.09 < error < 0.1) if fits else (0.1 < error < 0.11)
    if fits:
        assert editing.change_bake(scene, plate, "uv-warp") == pytest.approx(error)
    else:
        with pytest.raises(SceneError, match=f"off by {error:.2f} px, more than 0.1 px"):
            editing.change_bake(scene, plate, "uv-warp")


def test_a_refused_bake_says_by_how_much_and_changes_nothing(folder):
    imported = import_result(folder)
    fox = bpy.data.objects[imported.sprites[1]]
    with pytest.raises(SceneError) as refusal:
        baking.bake(fox, "uv-warp", stage.view_of(bpy.data.scenes[imported.scene]))
    assert refusal.value.code == "scene.not_affine" and "px" in refusal.value.message
    assert fox.data.shape_keys is not None and not [m for m in fox.modifiers if m.type == "UV_WARP"]


def test_moving_turning_and_scaling_in_pixels_is_exact_under_perspective(folder, tmp_path):
    imported = import_result(folder)
    placement.set_placement(bpy.data.objects[imported.sprites[1]], move_x=11.5, move_y=6.25, rotation=0.4, scale=1.3)

    def edit(name, drawing, homography):
        if name != "fox":
            return drawing, homography
        middle = homography @ (69 / 2, 59 / 2, 1)
        x, y = middle[:2] / middle[2]
        turn = np.array([[np.cos(0.4), np.sin(0.4), 0], [-np.sin(0.4), np.cos(0.4), 0], [0, 0, 1]])
        there = np.array([[1, 0, x + 11.5], [0, 1, y - 6.25], [0, 0, 1]])
        back = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
        return drawing, there @ np.diag([1.3, 1.3, 1]) @ turn @ back @ homography

    pictures = rendered(bpy.data.scenes[imported.scene], tmp_path / "out", 2, 3)
    assert min(psnr(picture, expected(folder, frame, edit=edit)) for frame, picture in enumerate(pictures, start=2)) > 75


def test_a_keyed_move_is_rendered_at_its_frames(folder, tmp_path):
    imported = import_result(folder)
    fox = bpy.data.objects[imported.sprites[1]]
    path = placement.placement_path(fox, "Move X")
    for frame, value in ((1, 0.0), (3, 20.0)):
        placement.set_placement(fox, move_x=value)
        fox.keyframe_insert(path, frame=frame)

    def edit(name, drawing, homography):
        return drawing, np.array([[1, 0, 20.0 if name == "fox" else 0], [0, 1, 0], [0, 0, 1]]) @ homography

    first, _, third = rendered(bpy.data.scenes[imported.scene], tmp_path / "out", 1, 3)
    assert psnr(first, expected(folder, 1)) > 75 and psnr(third, expected(folder, 3, edit=edit)) > 75
