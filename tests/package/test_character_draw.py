# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw Character from the button to a sprite in the file: a scripted rig, its own render as the sheet, the real engine."""

from __future__ import annotations

import time
from pathlib import Path

import bpy
import pytest

import toondecompose_blender
from tests.blender import toon_rig
from toondecompose_blender.operators import session as module
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


def test_a_rig_and_its_sheet_become_a_sprite(rig, tmp_path):
    scene, settings = bpy.context.scene, bpy.context.scene.toondecompose.character
    sheet = tmp_path / "sheet"
    sheet.mkdir()
    for name, angle in (("front", 0.0), ("side", 90.0)):
        scene.camera = toon_rig.add_camera(scene, angle)
        toon_rig.render_truth(scene, str(sheet / f"{name}.png"), SIZE, samples=1)
        render_view_pose(scene, rig.armature, sheet / f"{name}.npz", size=(SIZE, SIZE))
    settings.armature, settings.sheet, settings.size, settings.frame_start, settings.frame_end = rig.armature, str(sheet), "256", 1, 3
    session = module.current()
    session.file_opened()
    toon_rig.walk(rig, 1, 3)
    assert bpy.ops.toon.character_draw() == {"FINISHED"}
    folder, deadline = next(iter(session.queue.jobs.values())).folder, time.monotonic() + 200
    while (session.queue.busy or session.finished) and time.monotonic() < deadline:
        session.tick()
        time.sleep(0.05)
    assert not session.queue.jobs, [(job.state, job.warnings) for job in session.queue.jobs.values()]
    assert sorted(path.name for path in Path(folder, "poses").glob("*.npz")) == ["0001.npz", "0002.npz", "0003.npz"]
    drawn = [scene for scene in bpy.data.scenes if sprites_of(scene)]
    assert len(drawn) == 1 and (drawn[0].render.resolution_x, drawn[0].frame_end) == (SIZE, 3)
