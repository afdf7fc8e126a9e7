# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses from a rig, and the proof of the whole chain: a scripted toon character drawn from four views against its own render."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest
import toon_rig
from bpy_extras.object_utils import world_to_camera_view

from toondecompose_blender.protocol import SceneError
from toondecompose_blender.scene.character import Convention, RestPose, character_meshes, render_poses, render_view_pose
from toondecompose_blender.scene.versions import use_nodes

SIZE = 96
ROOT = Path(__file__).parents[2]

SCORE = """
import sys, json
import numpy as np
from pathlib import Path
from toondecompose_blender.engine.pictures import read_picture
from toondecompose_blender.protocol import read_result
out, truth = Path(sys.argv[1]), Path(sys.argv[2])
sprite = read_result(out).sprites[0]
errors, overlaps = [], []
for drawing, path in zip((sprite.drawings[d - 1] for d in sprite.exposure), sorted(truth.glob("*.png")), strict=True):
    drawn, known = read_picture(out / drawing).astype(float), read_picture(path).astype(float)
    area, shown = known[..., 3] > 127, drawn[..., 3] > 127
    errors.append(((drawn - known)[area][:, :3] ** 2).mean())
    overlaps.append((area & shown).sum() / (area | shown).sum())
print(json.dumps([float(10 * np.log10(255 ** 2 / np.mean(errors))), float(np.mean(overlaps))]))
"""


@pytest.fixture
def rig():
    return toon_rig.build(bpy.context.scene)


@pytest.fixture
def front(rig):
    bpy.context.scene.camera = toon_rig.add_camera(bpy.context.scene)
    return rig


def pose_of(path: Path) -> np.ndarray:
    return np.load(path)["i"]


def view_pose(rig, tmp_path, **options) -> np.ndarray:
    return pose_of(render_view_pose(bpy.context.scene, rig.armature, tmp_path / "view.npz", size=(SIZE, SIZE), **options))


def motion(rig, tmp_path, frames=(3,), **options) -> list[np.ndarray]:
    return [pose_of(path) for path in render_poses(bpy.context.scene, rig.armature, tmp_path / "poses", frames=frames,
                                                   size=(SIZE, SIZE), **options)]


def test_channels_grow_to_the_left_to_the_back_and_upwards(front, tmp_path):
    pose = view_pose(front, tmp_path)
    assert pose.shape == (SIZE, SIZE, 4) and pose.dtype == np.float32 and set(np.unique(pose[..., 3])) == {0, 1}
    rows, columns = np.nonzero(pose[..., 3])
    hand_left, hand_right = pose[rows[columns.argmax()], columns.max()], pose[rows[columns.argmin()], columns.min()]
    assert hand_left[0] > 0.9 and hand_right[0] < 0.1       # the character faces the camera: its left is the picture's right
    assert pose[rows.min(), columns[rows.argmin()], 2] > 0.95 and pose[rows.max(), columns[rows.argmax()], 2] < 0.05
    middle = pose[:, SIZE // 2]
    chest = middle[(middle[:, 3] > 0) & (np.abs(middle[:, 2] - 0.63) < 0.05)]
    assert np.abs(chest[:, 0] - 0.5).max() < 0.02 and (chest[:, 1] < 0.5).all()
    assert (pose[pose[..., 3] == 0] == 0).all()


def test_a_place_keeps_its_numbers_when_the_rig_moves(front, tmp_path):
    toon_rig.walk(front, 1, 24)
    scene, body = bpy.context.scene, front.meshes[0]
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    pose = motion(front, tmp_path, frames=(5,))[0]
    note = json.loads((tmp_path / "poses" / "poses.json").read_text())
    vertices = np.concatenate([np.array([v.co for v in mesh.data.vertices]) for mesh in front.meshes])
    low = np.array([-note["extent"][0] / 2, vertices[:, 1].min(), vertices[:, 2].min()])
    scene.frame_set(5)
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    faces_camera = [v.index for v in evaluated.data.vertices if v.normal.y < -0.8 and abs(body.data.vertices[v.index].co.x) > 0.3]
    agreeing = 0
    for index in faces_camera:
        seen = world_to_camera_view(scene, scene.camera, evaluated.matrix_world @ evaluated.data.vertices[index].co)
        column, row = int(seen.x * SIZE), int((1 - seen.y) * SIZE)
        expected = (np.array(body.data.vertices[index].co) - low) / note["extent"]
        agreeing += np.abs(pose[row, column, :3] - expected).max() < 0.03
    assert len(faces_camera) > 500 and agreeing > 0.95 * len(faces_camera)


def test_poses_cover_what_the_toon_render_covers(front, tmp_path):
    toon_rig.walk(front, 1, 24)
    pose = motion(front, tmp_path)[0]
    bpy.context.scene.frame_set(3)
    toon_rig.render_truth(bpy.context.scene, str(tmp_path / "truth.png"), SIZE, samples=4)
    image = bpy.data.images.load(str(tmp_path / "truth.png"))
    alpha = np.array(image.pixels[:]).reshape(SIZE, SIZE, 4)[::-1, :, 3] > 0.5
    shown = pose[..., 3] > 0
    assert (alpha & shown).sum() / (alpha | shown).sum() > 0.97  # .999 at 512 px


def test_the_artists_scene_is_left_as_it_was(front, tmp_path):
    scene = bpy.context.scene
    scene.frame_set(7)
    scene.render.engine, scene.render.filepath = "BLENDER_WORKBENCH", "//mine"
    kinds = ("scenes", "objects", "meshes", "materials", "cameras")
    before = {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in kinds}
    slots = [[slot.material.name for slot in mesh.material_slots] for mesh in front.meshes]
    motion(front, tmp_path, frames=(1, 2))
    assert {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in kinds} == before
    assert [[slot.material.name for slot in mesh.material_slots] for mesh in front.meshes] == slots
    assert (scene.frame_current, scene.render.engine, scene.render.filepath) == (7, "BLENDER_WORKBENCH", "//mine")
    assert front.armature.data.pose_position == "POSE" and bpy.context.scene == scene


def test_a_stopped_render_leaves_nothing_behind(front, tmp_path):
    scenes, meshes = len(bpy.data.scenes), len(bpy.data.meshes)
    running = render_poses(bpy.context.scene, front.armature, tmp_path / "poses", frames=range(1, 9), size=(32, 32))
    next(running)
    running.close()
    assert (len(bpy.data.scenes), len(bpy.data.meshes)) == (scenes, meshes)


def test_hidden_meshes_and_shells_for_outlines_are_not_seen(front, tmp_path):
    whole = view_pose(front, tmp_path)
    shell = front.meshes[1].modifiers.new("Outline", "SOLIDIFY")
    shell.thickness, shell.offset, shell.use_flip_normals, shell.use_rim = 0.05, 1, True, False
    ink = bpy.data.materials.new("Outline")
    ink.use_backface_culling = True
    front.meshes[1].data.materials.append(ink)
    shell.material_offset = len(front.meshes[1].data.materials)
    outlined = view_pose(front, tmp_path, convention=Convention())
    head = whole[..., 2] > 0.85
    assert np.abs(outlined[..., 2] - whole[..., 2])[head & (outlined[..., 3] > 0)].max() < 0.06
    front.meshes[1].modifiers.remove(shell)

    front.meshes[3].hide_render = True
    without_skirt = view_pose(front, tmp_path)
    assert len(character_meshes(bpy.context.scene, front.armature)) == 3
    assert without_skirt[..., 3].sum() < whole[..., 3].sum() - 20


def test_invisible_materials_are_not_seen(front, tmp_path):
    whole, skirt = view_pose(front, tmp_path), front.meshes[3].data
    spare = bpy.data.materials.new("Spare")
    use_nodes(spare)
    next(node for node in spare.node_tree.nodes if node.type == "BSDF_PRINCIPLED").inputs["Alpha"].default_value = 0
    kept = list(skirt.materials)
    for slot in range(len(kept)):
        skirt.materials[slot] = spare
    front.meshes[3].hide_render = False
    hidden = view_pose(front, tmp_path)
    front.meshes[3].hide_render = True
    assert np.array_equal(hidden[..., 3], view_pose(front, tmp_path)[..., 3]) and hidden[..., 3].sum() < whole[..., 3].sum()


def test_poses_as_exr_hold_the_same_numbers(front, tmp_path):
    expected = motion(front, tmp_path, soft_edges=True)[0]
    written, = render_poses(bpy.context.scene, front.armature, tmp_path / "exr", frames=(3,), size=(SIZE, SIZE), soft_edges=True,
                            suffix=".exr")
    image = bpy.data.images.load(str(written))
    image.colorspace_settings.name, image.alpha_mode = "Non-Color", "CHANNEL_PACKED"
    pixels = np.array(image.pixels[:], np.float32).reshape(SIZE, SIZE, 4)[::-1]
    assert written.name == "0003.exr" and np.abs(pixels - expected).max() < 1e-6


def test_an_imported_models_tree_of_parents_is_followed(front, tmp_path):
    scene = bpy.context.scene
    root, bodies = (bpy.data.objects.new(name, None) for name in ("Model", "rigidbodies"))
    collider = bpy.data.objects.new("Collider", front.meshes[0].data.copy())
    for thing in (root, bodies, collider):
        scene.collection.objects.link(thing)
    front.armature.parent = bodies.parent = root
    collider.parent = bodies
    assert set(character_meshes(scene, front.armature)) == set(front.meshes)


def test_soft_edges_are_shares_of_pixels_and_leave_places_alone(front, tmp_path):
    hard, soft = motion(front, tmp_path)[0], motion(front, tmp_path, soft_edges=True)[0]
    assert np.array_equal(hard[..., :3], soft[..., :3])
    assert ((soft[..., 3] > 0) & (soft[..., 3] < 1)).sum() > 100
    assert np.abs(soft[..., 3].sum() - hard[..., 3].sum()) < 0.02 * hard[..., 3].sum()
    assert (soft[..., 3] > 0)[hard[..., 3] > 0].mean() > 0.99


def test_the_convention_turns_and_encodes_axes(front, tmp_path):
    plain = view_pose(front, tmp_path)
    turned = view_pose(front, tmp_path, convention=Convention(axes=(0, 2, 1), flips=(True, False, False)))
    shown = plain[..., 3] > 0
    assert np.abs(turned[..., 0] - (1 - plain[..., 0]))[shown].max() < 1e-4
    assert np.abs(turned[..., 1] - plain[..., 2])[shown].max() < 1e-4
    encoded = view_pose(front, tmp_path, convention=Convention(gamma=True))
    expected = 1.055 * plain[..., 0] ** (1 / 2.4) - 0.055
    assert np.abs(encoded[..., 0] - expected)[shown & (plain[..., 0] > 0.1)].max() < 0.01
    even = view_pose(front, tmp_path, convention=Convention(uniform=True))
    assert np.ptp(even[..., 1][shown]) < 0.5 * np.ptp(plain[..., 1][shown])


def test_a_frame_of_the_action_may_be_the_a_pose(front, tmp_path):
    toon_rig.walk(front, 1, 24)
    at_rest = motion(front, tmp_path, frames=(7,))[0]
    at_itself = motion(front, tmp_path, frames=(7,), rest=RestPose(frame=7))[0]
    rows = np.nonzero(at_itself[..., 3])[0]
    height = (rows.max() - np.arange(SIZE)) / np.ptp(rows)
    shown = at_itself[..., 3] > 0
    assert np.abs(at_itself[..., 2] - height[:, None])[shown].max() < 0.12  # it stands as it stood: height is height in the picture
    assert np.abs(at_rest - at_itself).max() > 0.1


def test_what_cannot_work_is_refused_with_a_remedy(rig, tmp_path):
    scene = bpy.context.scene
    empty = bpy.data.objects.new("Alone", bpy.data.armatures.new("Alone"))
    scene.collection.objects.link(empty)

    def refused(armature, code: str, **options) -> None:
        with pytest.raises(SceneError) as refusal:
            list(render_poses(scene, armature, tmp_path / "poses", frames=(1, 2), size=(32, 32), **options))
        assert refusal.value.code == code and refusal.value.remedy

    refused(None, "scene.character_armature")
    refused(empty, "scene.character_meshes")
    refused(rig.armature, "scene.character_camera")
    scene.camera = toon_rig.add_camera(scene)
    refused(rig.armature, "scene.character_rest", rest=RestPose(frame=3))
    build = rig.meshes[2].modifiers.new("Build", "BUILD")
    build.frame_start, build.frame_duration = 1, 5
    refused(rig.armature, "scene.character_topology")
    assert len(bpy.data.scenes) == 1


def test_four_views_draw_a_walk_and_a_turn_like_its_own_render(rig, tmp_path, engine_python):
    scene = bpy.context.scene
    toon_rig.walk(rig, 1, 24)
    for angle in (0, 90, 180, 270):
        scene.camera = toon_rig.add_camera(scene, angle)
        view = tmp_path / "sheet" / f"view{angle}"
        render_view_pose(scene, rig.armature, view.with_suffix(".npz"), size=(192, 192))
        rig.armature.data.pose_position = "REST"
        toon_rig.render_truth(scene, str(view.with_suffix(".png")), 192)
        rig.armature.data.pose_position = "POSE"
    toon_rig.turn(rig, 1, 24)
    scene.camera = toon_rig.add_camera(scene)
    frames = (2, 7, 13, 20)
    list(render_poses(scene, rig.armature, tmp_path / "poses", frames=frames, size=(192, 192)))
    for frame in frames:
        scene.frame_set(frame)
        toon_rig.render_truth(scene, str(tmp_path / "truth" / f"{frame:04d}.png"), 192)

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([engine_python, "-m", "toondecompose_blender.engine", "draw", "--sheet", tmp_path / "sheet",
                    "--poses", tmp_path / "poses", "--out", tmp_path / "out"], check=True, env=environment, capture_output=True, cwd=ROOT)
    scores = subprocess.run([engine_python, "-c", SCORE, tmp_path / "out", tmp_path / "truth"], check=True, env=environment,
                            capture_output=True, text=True, cwd=ROOT)
    quality, overlap = json.loads(scores.stdout)
    assert overlap > 0.98
    assert quality > 21  # dB; at 512 px it is 27: lines of a pixel's width weigh more in small pictures
