# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip as an artist gets it: valid, installed into a fresh Blender, used, switched off and on, removed without a trace.
Every Blender whose Python is in .venvs/ is tried too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import build

ROOT = Path(__file__).parent.parent.parent
BLENDERS = [sys.executable, *sorted(map(str, (ROOT / ".venvs").glob("*/bin/python")))]
SCRIPT = Path(__file__).with_name("use_extension.py")


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    return build.build_extension(Path(sys.executable), tmp_path_factory.mktemp("dist") / "with space")


@pytest.fixture(scope="module", params=BLENDERS, ids=lambda python: Path(python).parent.parent.name)
def seen(request, package, tmp_path_factory) -> dict:
    """What a fresh Blender saw from installation to removal; without an engine."""
    return use(request.param, package, tmp_path_factory.mktemp("user"))


def use(python: str, package: Path, user: Path, *, engine: str = "", clip: str = "") -> dict:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TOONDECOMPOSE", "BLENDER"))}
    env |= {"BLENDER_USER_RESOURCES": str(user / "blender"), "TOONDECOMPOSE_HOME": str(user / "home"), "TOONDECOMPOSE_ENGINE": engine,
            "NUMBA_CACHE_DIR": str(ROOT / ".pytest_cache" / "numba")}     # compiled once for all runs
    done = subprocess.run([python, str(SCRIPT), str(package), clip], env=env, capture_output=True, text=True, cwd=user)
    lines = [line for line in done.stdout.splitlines() if line.startswith("SEEN ")]
    assert lines and "Traceback" not in done.stderr, done.stdout + done.stderr
    return json.loads(lines[-1][5:])


def test_the_zip_holds_the_manifest_beside_the_package_and_no_compiled_code(package):
    names = zipfile.ZipFile(package).namelist()
    assert {"__init__.py", "blender_manifest.toml", "LICENSE", "requirements.txt", "engine/__main__.py"} <= set(names)
    assert not [name for name in names if name.endswith((".whl", ".so", ".pyd", ".dll", ".pyc"))]


def test_the_repository_lists_the_zip(package):
    listing = json.loads((package.parent / "repository" / "index.json").read_text(encoding="utf-8"))
    assert [entry["id"] for entry in listing["data"]] == ["toondecompose"] and listing["data"][0]["archive_size"] == package.stat().st_size


def test_it_registers_when_installed(seen):
    assert not seen["before"] and {"TOON_OT_decompose", "TOON_PT_decompose_sequencer", "Scene.toondecompose"} <= set(seen["enabled"])


def test_a_grey_button_says_why(seen):
    assert "Choose a movie or image" in seen["reason"]


def test_it_goes_without_a_trace_and_comes_back(seen):
    assert seen["disabled"] == [] and seen["handlers"] == 0 and seen["threads"] == 1
    assert seen["again"] == seen["enabled"]
    assert seen["removed"] == [] and not seen["left"]


def test_a_strip_becomes_sprites_by_one_press(package, tmp_path, engine_python):
    """The installed zip, the real engine, a drawn clip: from the button to objects in the file."""
    subprocess.run([engine_python, "-c", DRAW, tmp_path / "clip"], check=True)
    seen = use(sys.executable, package, tmp_path, engine=engine_python, clip=str(tmp_path / "clip"))["decompose"]
    assert seen["pressed"] == ["FINISHED"] and seen["jobs"] == []
    assert len(seen["sprites"]) == 2 and seen["marked"] and len(seen["stages"]) > 3


DRAW = """
import sys, pathlib, numpy as np, cv2
folder = pathlib.Path(sys.argv[1]); folder.mkdir()
rng = np.random.default_rng(1)
wall = cv2.GaussianBlur(rng.integers(0, 255, (160, 400, 3), dtype=np.uint8), (0, 0), 3)
wall = cv2.normalize(wall, None, 40, 220, cv2.NORM_MINMAX)
for t in range(10):
    frame = wall[10:130, 5 * t + 20:5 * t + 200].copy()
    cv2.circle(frame, (60 + 7 * (t // 2), 70), 24, (30, 60, 220), -1, cv2.LINE_AA)
    cv2.circle(frame, (60 + 7 * (t // 2), 70), 24, (20, 20, 20), 2, cv2.LINE_AA)
    cv2.imwrite(str(folder / f"{t + 1:04d}.png"), frame)
"""
