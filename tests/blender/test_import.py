# SPDX-License-Identifier: GPL-3.0-or-later
"""A result folder becomes a scene that renders the clip it came from."""

import bpy
import numpy as np
import pytest
import results
from reference import expected, psnr, reloaded, rendered

from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.versions import eevee_engine

FRAMES = 8


@pytest.fixture
def folder(tmp_path):
    """A tilting background behind a fox that is drawn three times, hidden once and faded at the end."""
    canvas = (240, 130)
    background = results.write_sprite(tmp_path, "background", [results.painted(*canvas, 1)], [1] * FRAMES,
                                      results.perspective(FRAMES, canvas, size=1.6, strength=0.3))
    fox = results.write_sprite(tmp_path, "fox", [results.character(70, 60, seed) for seed in (1, 2, 3)], [1, 1, 2, 2, 3, 0, 1, 2],
                               results.perspective(FRAMES, (70, 60), seed=1), opacity=(1, 1, 1, 1, 1, 1, 1, 0.5))
    return results.write_result(tmp_path, [background, fox], frames=FRAMES, fps=23.976)


def imported_scene(folder, **options):
    return bpy.data.scenes[import_result(folder, **options).scene]


def test_cycles_renders_every_frame_as_float64_does(folder, tmp_path):
    pictures = rendered(imported_scene(folder), tmp_path / "out", 1, FRAMES)
    assert min(psnr(picture, expected(folder, frame)) for frame, picture in enumerate(pictures, start=1)) > 80


def test_eevee_renders_as_float64_does(folder, tmp_path):
    scene = imported_scene(folder)
    scene.render.engine = eevee_engine()
    assert psnr(rendered(scene, tmp_path / "out", 4)[0], expected(folder, 4)) > 70


def test_hidden_sprites_leave_the_background_alone(folder, tmp_path):
    without = results.write_result(folder, [s for s in results.read(folder).sprites if s.id == "background"], frames=FRAMES)
    assert psnr(rendered(imported_scene(without), tmp_path / "out", 6)[0], expected(without, 6)) > 80


def test_a_thousand_frames_of_strong_perspective_stay_exact(tmp_path):
    frames, canvas = 1000, (120, 80)
    sprite = results.write_sprite(tmp_path, "background", [results.painted(*canvas, 2)], [1] * frames,
                                  results.perspective(frames, canvas, size=1.3))
    folder = results.write_result(tmp_path, [sprite], frames=frames)
    scene = imported_scene(folder)
    for frame in (1, 4, 500, 777, 1000):
        assert psnr(rendered(scene, tmp_path / "out", frame)[0], expected(folder, frame)) > 77


def test_a_horizon_inside_the_canvas_does_not_disturb(tmp_path):
    floor = np.array([[1.0, 0.4, -20], [0, 0.9, 10], [0, -0.006, 1]])
    horizon = np.linalg.inv(np.array([[1, 0, 0], [0, 1, 0], [0, -0.008, 1.0]]))
    homographies = np.stack([floor, horizon])
    sprite = results.write_sprite(tmp_path, "background", [results.painted(300, 300, 3)], [1, 1], homographies)
    folder = results.write_result(tmp_path, [sprite], frames=2)
    pictures = rendered(imported_scene(folder), tmp_path / "out", 1, 2)
    assert [psnr(picture, expected(folder, frame)) > 70 for frame, picture in enumerate(pictures, start=1)] == [True, True]


def test_planes_of_wide_depth_do_not_cut_through_each_other(tmp_path):
    canvas = (100, 80)
    layers = [results.write_sprite(tmp_path, f"layer{k}", [results.painted(*canvas, k)], [1] * 5,
                                   results.perspective(5, canvas, size=1.2 - 0.2 * k, strength=2.0, seed=k)) for k in range(4)]
    folder = results.write_result(tmp_path, layers, frames=5)
    pictures = rendered(imported_scene(folder), tmp_path / "out", 1, 5)
    assert min(psnr(picture, expected(folder, frame)) for frame, picture in enumerate(pictures, start=1)) > 75


def test_the_scene_has_the_size_range_and_rate_of_the_clip(folder):
    scene = imported_scene(folder)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (results.WIDTH, results.HEIGHT)
    assert (scene.frame_start, scene.frame_end) == (1, FRAMES)
    assert scene.render.fps / scene.render.fps_base == pytest.approx(23.976)


def test_importing_twice_makes_two_independent_collections(folder):
    first, second = import_result(folder), import_result(folder)
    assert first.scene != second.scene and first.collection != second.collection
    shared = set(users_of(first)) & set(users_of(second))
    assert not shared


def users_of(imported):
    for name in imported.sprites:
        sprite_object = bpy.data.objects[name]
        material = sprite_object.data.materials[0]
        yield from (sprite_object, sprite_object.data, sprite_object.data.shape_keys, material, material.node_tree.nodes["Drawing"].image)


def test_a_saved_file_renders_the_same_with_scripts_off(folder, tmp_path):
    scene = imported_scene(folder)
    name, before = scene.name, rendered(scene, tmp_path / "before", 3)[0]
    reloaded(tmp_path / "saved.blend")
    assert np.array_equal(rendered(bpy.data.scenes[name], tmp_path / "after", 3)[0], before)


def test_a_scene_appended_to_another_file_renders_the_same(folder, tmp_path):
    scene = imported_scene(folder)
    name, before = scene.name, rendered(scene, tmp_path / "before", 5)[0]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    (tmp_path / "other").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other" / "film.blend"))
    bpy.ops.wm.append(directory=str(tmp_path / "saved.blend" / "Scene"), filename=name)
    reloaded(tmp_path / "other" / "film.blend")
    assert {image.filepath[:5] for image in bpy.data.images if image.source == "SEQUENCE"} == {"//../"}
    assert np.array_equal(rendered(bpy.data.scenes[name], tmp_path / "after", 5)[0], before)
