# SPDX-License-Identifier: GPL-3.0-or-later
"""An artist's way in a real Blender window: zip, strip, one mouse click, cancel, resume, sprites, retime, render.
Needs TOONDECOMPOSE_WINDOW: a command that runs a script in a Blender with a display, as .ci/run makes one where it may."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import build

ROOT = Path(__file__).parent.parent.parent
WINDOW = os.environ.get("TOONDECOMPOSE_WINDOW", "")


@pytest.fixture(scope="module")
def seen(engine_python) -> dict:
    """What the driver saw; its pictures lie in .pytest_cache/window/shots."""
    if not WINDOW:
        pytest.skip("no Blender with a window here; name one in TOONDECOMPOSE_WINDOW")
    bind = ROOT / ".pytest_cache" / "window"
    shutil.rmtree(bind, ignore_errors=True)
    (bind / "shots").mkdir(parents=True)
    package = build.build_extension(Path(sys.executable), bind / "dist")
    subprocess.run([engine_python, "-m", "toondecompose_blender.engine", "demo-clip", bind / "clip"], cwd=ROOT, check=True)
    (bind / "clip" / "frames").rename(bind / "frames")
    bring_engine(engine_python, bind / "py")
    shutil.copy(Path(__file__).with_name("drive.py"), bind)
    env = {**os.environ, "BIND": str(bind), "OUT": str(bind / "shots"), "EXTENSION_ZIP": str(package), "GUI_TIMEOUT": "900"}
    done = subprocess.run([*shlex.split(WINDOW), str(bind / "drive.py")], env=env, capture_output=True, text=True, cwd=bind)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
    return json.loads((bind / "shots" / "seen.json").read_text(encoding="utf-8"))


def bring_engine(python: str, folder: Path) -> None:
    """A copy of the engine's interpreter and packages that a Blender in another root can run; files are linked, not copied."""
    where = "import sys, sysconfig; print(sys.base_prefix); print(sysconfig.get_path('purelib'))"
    base, packages = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.splitlines()
    library = f"lib/{Path(packages).parent.name}"
    skipped = shutil.ignore_patterns("test", "site-packages", "__pycache__", "share", "include")
    shutil.copytree(base, folder, symlinks=True, ignore=skipped)
    shutil.copytree(packages, folder / library / "site-packages", copy_function=link, ignore=shutil.ignore_patterns("__pycache__"))


def link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def test_a_mouse_click_on_decompose_starts_the_engine(seen):
    assert seen["engine"] == "ready" and seen["clicked"][0][0] == "running"


def test_a_circle_around_the_runner_is_a_box_on_the_frame_where_it_was_drawn(seen):
    """The mouse drew on the screen; what came of it lies in the clip's own pixels, a few of the pen's aside."""
    hint, = seen["hints"]
    assert (hint["frame"], hint["sprite"]) == (20, 1)
    assert all(abs(found - meant) < 6 for found, meant in zip(hint["box"], (229, 58, 419, 328))), hint


def test_a_meta_strip_is_rendered_while_the_window_lives(seen):
    assert seen["preparing"][0][:2] == ["preparing", "Rendering the strip"] and seen["between"] > 3


def test_the_bar_moves_and_cancel_stops_the_job(seen):
    assert seen["running"][0][1] and seen["running"][0][2] > 0.3 and seen["stopped"]


def test_the_sprites_that_were_found_are_shown_before_the_drawings_are_done(seen):
    assert seen["first_look"]


def test_while_the_artist_plays_or_renders_nothing_is_imported_and_a_button_shows(seen):
    assert seen["while_playing"][0][0] == "ready"
    assert seen["rendering"] == [True, False] and seen["rendered_then"][0], seen["rendered_then"]


def test_resumed_it_ends_in_sprites_by_itself(seen):
    assert seen["after"] == [] and len(seen["sprites"]) == 2 and seen["edit"] == ["FINISHED"]


def test_a_sprite_is_retimed_and_the_scene_is_rendered(seen):
    assert seen["hold"] == seen["render"] == ["FINISHED"] and len(seen["rendered"]) == 3


def test_the_same_blender_does_without_its_window_what_it_is_told(seen):
    code, said, _ = seen["doctor"]
    assert code == 0 and '"healthy": true' in said
    code, _, complaint = seen["wrong"]
    assert code == 1 and "result.missing" in complaint and "Traceback" not in complaint
