# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's commands without a window: exit codes and words, with the real engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def command(tmp_path, engine_python):
    def run(*arguments: str, engine: str = engine_python, script: str = "") -> subprocess.CompletedProcess:
        env = {**os.environ, "TOONDECOMPOSE_ENGINE": engine, "TOONDECOMPOSE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
        start = ["-c", script] if script else ["-m", "toondecompose_blender.command"]
        return subprocess.run([sys.executable, *start, *arguments], env=env, capture_output=True, text=True)
    return run


def test_doctor_says_what_the_engine_has(command):
    done = command("doctor", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["healthy"]


def test_without_an_engine_the_remedy_stands_in_one_line(command):
    done = command("doctor", engine="")
    assert done.returncode == 1 and "engine.missing" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments, code", [(["/nowhere"], "clip.missing"), (["/nowhere", "--sprites", "12"], "settings.sprites"),
                                             (["/nowhere", "--sprites", "many"], "settings.sprites"), ([], "clip.none")])
def test_what_cannot_be_decomposed_is_a_typed_error(command, tmp_path, arguments, code):
    done = command("decompose", *arguments, "--out", str(tmp_path / "out"))
    assert done.returncode == 1 and code in done.stderr and "Traceback" not in done.stderr


META = """
import os, sys
import bpy
from tests.blender import results
from toondecompose_blender import command, register
from toondecompose_blender.scene import versions
bpy.ops.wm.read_factory_settings(use_empty=True)
register()
scene = bpy.context.scene
scene.render.resolution_x, scene.render.resolution_y = 32, 18
strips = versions.strips_of(scene.sequence_editor_create())
from pathlib import Path
folder = Path(sys.argv[1]).parent / "frames"
for number in (1, 2, 3):
    results.write_png(folder / f"{number}.png", results.painted(32, 18, number))
strip = strips.new_image(name="inner", filepath=str(folder / "1.png"), channel=1, frame_start=4)
for number in (2, 3):
    strip.elements.append(f"{number}.png")
versions.set_strip_end(strip, 7)
meta = strips.new_meta(name="meta", channel=2, frame_start=4)
strip.move_to_meta(meta)
versions.set_strip_end(meta, 7)
scene.sequence_editor.active_strip = meta
print("EXIT", command.main(["decompose", "--out", sys.argv[1]]), flush=True)
os._exit(0)
"""


def test_a_meta_strip_is_rendered_first_and_the_terminal_says_so(command, tmp_path):
    done = command(str(tmp_path / "out"), script=META)
    assert "meta is rendered first" in done.stdout and "3 of 3" in done.stdout and "EXIT" in done.stdout, done.stdout + done.stderr
    assert sorted(path.name for path in (tmp_path / "out" / "clip").iterdir()) == ["00001.png", "00002.png", "00003.png"]
    assert "Traceback" not in done.stderr
