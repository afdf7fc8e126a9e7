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
    def run(*arguments: str, engine: str = engine_python) -> subprocess.CompletedProcess:
        env = {**os.environ, "TOONDECOMPOSE_ENGINE": engine, "TOONDECOMPOSE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-m", "toondecompose_blender.command", *arguments], env=env, capture_output=True, text=True)
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
