# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of jobs inside Blender start from.
Must not import the engine."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

import toondecompose_blender
from tests.blender import results
from tests.jobs.children import PREAMBLE
from tests.package.sessions import COPY, FRAMES, WAIT, add_strip
from toondecompose_blender.jobs.queue import JobQueue
from toondecompose_blender.operators import session as module


@pytest.fixture
def blender(tmp_path, monkeypatch):
    """The extension, registered in an empty file, with folders of its own."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    monkeypatch.setenv("TOONDECOMPOSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TOONDECOMPOSE_ENGINE", sys.executable)
    toondecompose_blender.register()
    yield
    toondecompose_blender.unregister()


@pytest.fixture
def result(blender, tmp_path) -> Path:
    """A drawn result of one background."""
    folder = tmp_path / "drawn"
    pan = results.translations(np.stack([np.linspace(0, -20, FRAMES), np.zeros(FRAMES)], 1))
    sprite = results.write_sprite(folder, "background", [results.painted(240, 90, 1)], [1] * FRAMES, pan)
    return results.write_result(folder, [sprite], frames=FRAMES)


@pytest.fixture
def session(blender, result, monkeypatch) -> module.Session:
    """A session whose engine copies `result`, or waits for a cancel if the seed says so."""
    current = module.current()

    def command(arguments):
        script = WAIT if arguments[arguments.index("--seed") + 1] == "1" else COPY
        return [sys.executable, "-c", PREAMBLE + script, str(result), arguments[arguments.index("--out") + 1]]

    monkeypatch.setattr(module, "RENDER_SECONDS", 0)     # one frame a tick
    current.queue = JobQueue(current.queue.store, command)
    current.file_opened()
    return current


@pytest.fixture
def strip(blender, tmp_path):
    """An image strip of four pictures, the third shown from its file twice."""
    return add_strip(tmp_path, [1, 2, 3, 4])
