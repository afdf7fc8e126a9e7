# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawn character in the place of a decomposed sprite, and the buttons around rigged characters."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
import results
import toon_rig
from reference import rendered

from toondecompose_blender.operators import character as operators
from toondecompose_blender.protocol import SceneError
from toondecompose_blender.scene import placement, timing
from toondecompose_blender.scene.character_swap import replace_by_character
from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.sprites import sprites_of

FRAMES = 6
BLUE = (20, 40, 220, 255)


@pytest.fixture
def scene(tmp_path):
    """A background, a disc that moves to the right and is hidden once, and a small leaf in front."""
    paths = [np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]) for x, y in ((0, 0), (20, 30), (0, 0))]
    still, disc, leaf = (np.tile(path, (FRAMES, 1, 1)) for path in paths)
    disc[:, 0, 2] += np.arange(FRAMES) * 10
    sprites = [results.write_sprite(tmp_path / "clip", "background", [results.painted(160, 90, 1)], [1] * FRAMES, still),
               results.write_sprite(tmp_path / "clip", "disc", [results.character(40, 40, 1)], [1, 1, 1, 0, 1, 1], disc),
               results.write_sprite(tmp_path / "clip", "leaf", [results.character(12, 12, 2)], [1] * FRAMES, leaf)]
    return bpy.data.scenes[import_result(results.write_result(tmp_path / "clip", sprites, frames=FRAMES)).scene]


@pytest.fixture
def drawn(tmp_path):
    """A result with a character: a blue block of 10 x 20 px, lower in its second drawing."""
    pictures = []
    for top in (20, 24):
        picture = np.zeros((64, 64, 4), np.uint8)
        picture[top:top + 20, 30:40] = BLUE
        pictures.append(picture)
    still = np.tile(np.eye(3), (3, 1, 1))
    sprite = results.write_sprite(tmp_path / "drawn", "character", pictures, [1, 2, 1], still)
    return results.write_result(tmp_path / "drawn", [replace(sprite, role="character")], frames=3)


def blue_box(picture: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((np.abs(255 * picture[..., :3] - BLUE[:3]) < 8).all(-1))
    return columns.min(), rows.min(), columns.max(), rows.max()


def test_the_character_stands_where_the_sprite_was_and_moves_as_it_moved(scene, drawn, tmp_path):
    names = [sprite.name for sprite in sprites_of(scene)]
    new = replace_by_character(scene, sprites_of(scene)[1], drawn)
    assert [sprite.name for sprite in sprites_of(scene)] == [names[0], new.name, names[2]]
    assert names[1] not in bpy.data.objects
    pictures = rendered(scene, tmp_path / "out", 1, FRAMES)
    first, third = blue_box(pictures[0]), blue_box(pictures[2])
    assert abs(third[0] - first[0] - 20) <= 1 and third[1::2] == first[1::2]
    assert 30 <= first[1] and first[3] <= 70            # as high as the disc, on its feet
    with pytest.raises(ValueError):
        blue_box(pictures[3])                           # hidden where the disc was


def test_lines_of_their_own_come_along_right_in_front(scene, drawn, tmp_path):
    result = results.read(tmp_path / "drawn")
    ink = np.zeros((64, 64, 4), np.uint8)
    ink[24:40, 34:36] = (5, 5, 5, 255)
    sprite = results.write_sprite(tmp_path / "drawn", "ink", [ink], [1, 1, 1], np.tile(np.eye(3), (3, 1, 1)))
    results.write_result(tmp_path / "drawn", [*result.sprites, replace(sprite, role="character")], frames=3)
    names = [sprite.name for sprite in sprites_of(scene)]
    new = replace_by_character(scene, sprites_of(scene)[1], tmp_path / "drawn")
    after = sprites_of(scene)
    assert [sprite.name for sprite in after[:2]] == [names[0], new.name] and after[3].name == names[2] and len(after) == 4
    picture = rendered(scene, tmp_path / "out", 1, FRAMES)[0]
    left, top, right, bottom = blue_box(picture)
    assert (picture[(top + bottom) // 2, (left + right) // 2, :3] < 0.1).all()  # where it lies on the character, at its scale


def test_timing_and_placement_are_taken_over(scene, drawn):
    old = sprites_of(scene)[1]
    timing.write_keys(old, [(1.0, 6.0, "CONSTANT"), (4.0, 1.0, "LINEAR")])
    placement.set_placement(old, move_x=12.0, scale=1.5)
    new = replace_by_character(scene, old, drawn)
    points = timing.source_curve(new).keyframe_points
    assert [(point.co.x, point.co.y, point.interpolation) for point in points] == [(1.0, 6.0, "CONSTANT"), (4.0, 1.0, "LINEAR")]
    values = {name: owner[key.strip('[]"')] if key != "value" else owner.value
              for name, (owner, key) in placement.placement_properties(new).items()}
    assert values["Move X"] == pytest.approx(12.0) and values["Scale"] == pytest.approx(1.5)


def test_a_result_without_a_character_is_refused_and_changes_nothing(scene, tmp_path):
    background = results.read(tmp_path / "clip").sprites[0]
    results.write_result(tmp_path / "clip", [replace(background, role="background")], frames=FRAMES)
    before = sorted(thing.name for thing in bpy.data.objects)
    with pytest.raises(SceneError) as refusal:
        replace_by_character(scene, sprites_of(scene)[1], tmp_path / "clip")
    assert refusal.value.code == "scene.character_empty" and refusal.value.remedy
    assert sorted(thing.name for thing in bpy.data.objects) == before


@pytest.fixture
def registered():
    from toondecompose_blender import properties
    properties.register()
    operators.register()
    yield bpy.context.scene.toondecompose.character
    operators.unregister()
    properties.unregister()


def test_the_buttons_render_the_poses_of_a_motion_and_of_a_view(registered, tmp_path):
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 128, 96, 50
    rig = toon_rig.build(scene)
    assert not bpy.ops.toon.character_poses.poll()
    registered.armature, registered.frame_start, registered.frame_end = rig.armature, 3, 4
    assert not bpy.ops.toon.character_poses.poll()
    scene.camera = toon_rig.add_camera(scene)
    assert bpy.ops.toon.character_poses(directory=str(tmp_path / "poses")) == {"FINISHED"}
    assert sorted(path.name for path in (tmp_path / "poses").glob("*.npz")) == ["0003.npz", "0004.npz"]
    assert np.load(tmp_path / "poses" / "0003.npz")["i"].shape == (48, 64, 4)
    assert bpy.ops.toon.character_poses(directory=str(tmp_path / "exr"), form="EXR") == {"FINISHED"}
    assert sorted(path.name for path in (tmp_path / "exr").glob("*.exr")) == ["0003.exr", "0004.exr"]

    results.write_png(tmp_path / "front.png", results.painted(40, 30, 1))
    assert bpy.ops.toon.character_view_pose(filepath=str(tmp_path / "front.png")) == {"FINISHED"}
    assert np.load(tmp_path / "front.npz")["i"].shape == (30, 40, 4)


def test_the_buttons_tell_why_they_cannot(registered, tmp_path):
    scene = bpy.context.scene
    alone = bpy.data.objects.new("Alone", bpy.data.armatures.new("Alone"))
    scene.collection.objects.link(alone)
    registered.armature, scene.camera = alone, toon_rig.add_camera(scene)
    with pytest.raises(RuntimeError, match="moves no meshes"):
        bpy.ops.toon.character_poses(directory=str(tmp_path / "poses"))
