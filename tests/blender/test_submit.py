# SPDX-License-Identifier: GPL-3.0-or-later
"""The button Submit hands a clip over: Blender writes the farm's job, imports nothing before there is something, and all of it after."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import bpy
import pytest

import toondecompose_blender
from toondecompose_blender.operators import session

DRAW = """
import sys, pathlib, numpy as np, cv2
folder = pathlib.Path(sys.argv[1]); folder.mkdir()
for t in range(8):
    wall = cv2.GaussianBlur(np.random.default_rng(t // 4).integers(0, 255, (80, 200, 3), dtype=np.uint8), (0, 0), 3)
    wall = cv2.normalize(wall, None, (0, 120)[t // 4], (130, 255)[t // 4], cv2.NORM_MINMAX)
    cv2.imwrite(str(folder / f"{t + 1:04d}.png"), wall[:, 3 * t:3 * t + 128])
"""


@pytest.fixture
def press(tmp_path, monkeypatch, engine_python):
    """Blender with the extension, an engine, and a clip of two shots in the 3D View's sidebar."""
    monkeypatch.setenv("TOONDECOMPOSE_ENGINE", engine_python)
    monkeypatch.setenv("TOONDECOMPOSE_HOME", str(tmp_path / "home"))
    subprocess.run([engine_python, "-c", DRAW, tmp_path / "clip"], check=True)
    toondecompose_blender.register()
    settings = bpy.context.scene.toondecompose
    settings.filepath, settings.farm, settings.quality = str(tmp_path / "clip" / "0001.png"), "OPENJD", "DRAFT"
    settings.sprites, settings.device = "1", "CPU"
    yield
    toondecompose_blender.unregister()


def jobs():
    return list(bpy.context.window_manager.toondecompose.jobs)


def heard(condition, patience=120):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        session.current().tick()
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError([(job.status, job.stage, job.message) for job in jobs()])


def test_submit_writes_the_farms_job_and_import_takes_what_the_farm_made(press, engine_python):
    scenes = set(bpy.data.scenes.keys())
    assert bpy.ops.toon.submit() == {"FINISHED"}
    heard(lambda: jobs()[0].status in ("ready", "failed"))
    (job,) = jobs()
    assert (job.status, job.submitted) == ("ready", True), job.message
    folder = Path(job.folder)
    values = json.loads((folder / "openjd/parameters.json").read_text(encoding="utf-8"))
    assert values["Shots"] == 2 and values["Folder"] == str(folder) and set(bpy.data.scenes.keys()) == scenes
    with pytest.raises(RuntimeError, match="No shot in"):
        bpy.ops.toon.import_job(job=job.name)
    for number in ("1", "2"):       # as the farm does
        subprocess.run([engine_python, folder / "run_shot.py", number], check=True, stdout=subprocess.DEVNULL)
    assert bpy.ops.toon.import_job(job=jobs()[0].name) == {"FINISHED"}
    made = set(bpy.data.scenes.keys()) - scenes
    assert len(made) == 3 and sum(" Shot 00" in name for name in made) == 2 and not jobs()


def test_submit_says_why_it_cannot(press):
    bpy.context.scene.toondecompose.filepath = ""
    with pytest.raises(RuntimeError, match="Choose a movie or image"):
        bpy.ops.toon.submit()
