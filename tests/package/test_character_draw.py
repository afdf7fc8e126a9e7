# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw Character from the button to a sprite in the file: a scripted rig, its own render as the sheet, the real engine."""

from __future__ import annotations

import time
from pathlib import Path

import bpy
import numpy as np
import pytest

import toondecompose_blender
from tests.blender import results, toon_rig
from toondecompose_blender.jobs.spec import engine_arguments, read_spec
from toondecompose_blender.jobs.store import STOPPED
from toondecompose_blender.operators import session as module
from toondecompose_blender.properties import character_switches
from toondecompose_blender.scene.character import render_view_pose
from toondecompose_blender.scene.sprites import sprites_of

SIZE = 128


@pytest.fixture
def rig(tmp_path, monkeypatch, engine_python):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    monkeypatch.setenv("TOONDECOMPOSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TOONDECOMPOSE_ENGINE", engine_python)
    toondecompose_blender.register()
    scene = bpy.context.scene
    built = toon_rig.build(scene)
    scene.camera = toon_rig.add_camera(scene)
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    yield built
    toondecompose_blender.unregister()


def test_the_button_is_grey_with_a_reason_until_all_is_chosen(rig, tmp_path):
    settings = bpy.context.scene.toondecompose.character
    for reason, change in (("Choose an armature", {"armature": rig.armature}), ("Choose a sheet folder", {"sheet": str(tmp_path)}),
                           ("", {"method": "CONR"}), ("Choose the weights folder", {"method": "TRANSFER"})):
        if reason:
            with pytest.raises(RuntimeError, match=reason):
                bpy.ops.toon.character_draw()
        for name, value in change.items():
            setattr(settings, name, value)
    assert bpy.ops.toon.character_draw.poll()


def picture(alpha: int = 0, size: int = 40, *, noise: bool = False) -> np.ndarray:
    """A square of color on a background of that alpha, flat or noisy."""
    rgba = np.full((size, size, 4), (240, 240, 240, alpha), np.uint8)
    if noise:
        rgba[..., :3] = np.random.default_rng(0).integers(0, 256, (size, size, 3))
    rgba[10:30, 10:30] = (200, 40, 40, 255)
    return rgba


@pytest.mark.parametrize(("pictures", "reason"), [
    ([], "no pictures"), ([picture()], "holds 1 usable view"),
    ([picture(), picture(255, noise=True)], "neither alpha nor a flat background"),
    ([picture(), picture(size=48)], "differ in size"), ([picture(), 0 * picture()], "does not show the character")])
def test_sheets_that_cannot_work_are_refused_before_a_pose_is_rendered(rig, tmp_path, pictures, reason):
    settings, sheet = bpy.context.scene.toondecompose.character, tmp_path / "sheet"
    sheet.mkdir()
    for number, pixels in enumerate(pictures):
        results.write_png(sheet / f"{number}.png", pixels)
    settings.armature, settings.sheet = rig.armature, str(sheet)
    with pytest.raises(RuntimeError, match=reason):
        bpy.ops.toon.character_draw()
    assert not module.current().queue.jobs and not list((tmp_path / "home").rglob("*.npz"))


def test_weights_that_are_not_there_and_a_rig_without_meshes_are_refused_at_once(rig, tmp_path):
    settings, sheet = bpy.context.scene.toondecompose.character, tmp_path / "sheet"
    sheet.mkdir()
    for number in range(2):
        results.write_png(sheet / f"{number}.png", picture(255 * number))  # one cut out, one on a flat background
    settings.armature, settings.sheet, settings.method, settings.weights = rig.armature, str(sheet), "CONR", str(tmp_path)
    with pytest.raises(RuntimeError, match="lacks udpparsernet.pth"):
        bpy.ops.toon.character_draw()
    settings.method = "TRANSFER"
    for mesh in rig.meshes:
        mesh.hide_render = True
    with pytest.raises(RuntimeError, match="moves no meshes"):
        bpy.ops.toon.character_draw()
    assert not module.current().queue.jobs


def test_the_switches_of_the_sidebar_reach_the_engine(rig, tmp_path):
    settings, sheet = bpy.context.scene.toondecompose.character, tmp_path / "sheet"
    sheet.mkdir()
    for number in range(2):
        results.write_png(sheet / f"{number}.png", picture())
    assert character_switches(settings) == ()
    settings.armature, settings.sheet, settings.background, settings.frame_end = rig.armature, str(sheet), str(sheet / "0.png"), 1
    settings.smoothing, settings.despeckle, settings.hard_matte, settings.threshold, settings.erosion = 0.25, False, True, 99, 2
    settings.lines = settings.symmetry = False
    bpy.ops.toon.character_draw()
    spec = read_spec(next(iter(module.current().queue.jobs.values())).folder)
    assert spec.background == settings.background
    assert spec.switches == ("--no-despeckle", "--smoothing", "0.250", "--threshold", "99", "--erosion", "2", "--no-lines", "--no-symmetry")
    settings.lines = settings.ink = True
    assert character_switches(settings)[-2:] == ("--ink", "--no-symmetry")
    assert engine_arguments(spec, "/out")[-10:] == [*spec.switches, "--json"]
    settings.method, settings.steady_crop, settings.guide, settings.previous, settings.published = "CONR", False, True, 2, True
    assert character_switches(settings)[-5:] == ("--previous", "2", "--tight-crop", "--guide", "--published")


@pytest.fixture
def session(rig, tmp_path):
    """All is chosen for a walk of three frames; the sheet is the rig's own render from two sides."""
    scene, settings, sheet = bpy.context.scene, bpy.context.scene.toondecompose.character, tmp_path / "sheet"
    sheet.mkdir()
    for name, angle in (("front", 0.0), ("side", 90.0)):
        scene.camera = toon_rig.add_camera(scene, angle)
        toon_rig.render_truth(scene, str(sheet / f"{name}.png"), SIZE, samples=1)
        render_view_pose(scene, rig.armature, sheet / f"{name}.npz", size=(SIZE, SIZE))
    settings.armature, settings.sheet, settings.size, settings.frame_start, settings.frame_end = rig.armature, str(sheet), "256", 1, 3
    toon_rig.walk(rig, 1, 3)
    module.current().file_opened()
    return module.current()


def wait_while(session, waiting) -> None:
    deadline = time.monotonic() + 200
    while waiting() and time.monotonic() < deadline:
        session.tick()
        time.sleep(0.05)


def drawn_scenes() -> list[tuple[int, int]]:
    return [(scene.render.resolution_x, scene.frame_end) for scene in bpy.data.scenes if sprites_of(scene)]


def test_a_rig_and_its_sheet_become_a_sprite(session):
    assert bpy.ops.toon.character_draw() == {"FINISHED"}
    folder = next(iter(session.queue.jobs.values())).folder
    wait_while(session, lambda: session.queue.busy or session.finished)
    assert not session.queue.jobs, [(job.state, job.warnings) for job in session.queue.jobs.values()]
    assert sorted(path.name for path in Path(folder, "poses").glob("*.npz")) == ["0001.npz", "0002.npz", "0003.npz"]
    assert drawn_scenes() == [(SIZE, 3)]


def test_a_drawing_can_be_stopped_and_resumed_without_rendering_poses_again(session):
    bpy.ops.toon.character_draw()
    job = next(iter(session.queue.jobs.values()))
    session.queue.cancel(job.id)
    wait_while(session, lambda: session.queue.busy)
    assert job.state.status == STOPPED and not drawn_scenes()
    poses = {path: path.stat().st_mtime_ns for path in Path(job.folder, "poses").glob("*.npz")}
    session.queue.resume(job.id)
    wait_while(session, lambda: session.queue.busy or session.finished)
    assert len(poses) == 3 and all(path.stat().st_mtime_ns == stamp for path, stamp in poses.items())
    assert drawn_scenes() == [(SIZE, 3)]
