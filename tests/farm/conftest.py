# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip of two shots, what a farm gets of it, and what this machine alone makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.drawn import draw_clip
from tests.engine.engines import engine
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.jobs.batch import write_batch
from toondecompose_blender.jobs.spec import JobSpec
from toondecompose_blender.protocol import read_result, sha256
from toondecompose_blender.protocol_shots import read_shots

QUICK = ("--preset", "draft", "--device", "cpu")


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    folder, t = tmp_path_factory.mktemp("film"), 1
    for seed, count in ((1, 5), (2, 4)):
        for frame in draw_clip(frames=count, width=128, height=80, size=60, seed=seed).frames:
            write_picture(folder / f"{t:04d}.png", frame)
            t += 1
    return folder


@pytest.fixture(scope="session")
def local(clip, tmp_path_factory) -> list[dict[str, str]]:
    """The contents of each shot's result as one machine makes them."""
    out = tmp_path_factory.mktemp("local") / "out"
    done = engine("decompose", clip, "--out", out, *QUICK)
    assert done.returncode == 0, done.stderr
    return contents(out)


@pytest.fixture(scope="session")
def planned(clip, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("planned") / "out"
    done = engine("shots", clip, "--out", out)
    assert done.returncode == 0 and "shots/002: frames 6 to 9" in done.stdout, done.stderr
    return out


@pytest.fixture
def batch(clip, planned, tmp_path):
    """Write what a farm needs into a folder of this test."""
    def write(farm: str, folder: Path = tmp_path / "shared 'folder'") -> Path:
        shutil.copytree(planned, folder, dirs_exist_ok=True)
        spec = JobSpec(clip=str(clip), name="Film", sprites=2, preset="draft", device="cpu")
        write_batch(folder, spec, read_shots(folder), farm=farm, python=sys.executable)
        return folder
    return write


def contents(whole: Path) -> list[dict[str, str]]:
    """SHA-256 of each file of each shot's result; all shots must be done."""
    shots = read_shots(whole).shots
    assert {shot.state for shot in shots} == {"done"}, shots
    folders = [whole / shot.folder for shot in shots]
    return [{name: sha256(folder / name) for name in [*read_result(folder).files, "decomposition.json"]} for folder in folders]


def run_shot(folder: Path, number: int, *options: str, **more) -> subprocess.Popen:
    """The unit of every farm, started."""
    return subprocess.Popen([sys.executable, str(folder / "run_shot.py"), str(number), *options], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, encoding="utf-8", env={**os.environ, "TOONDECOMPOSE_THREADS": "1"}, **more)
