# SPDX-License-Identifier: GPL-3.0-or-later
"""Every test starts in a fresh Blender session with factory settings and auto-run scripts off."""

import sys
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="these tests need Blender as a module")

import toondecompose_blender  # noqa: E402  (it needs bpy)

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def factory_session():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = False


@pytest.fixture
def registered(factory_session):
    """The extension, switched on for one test."""
    toondecompose_blender.register()
    yield
    toondecompose_blender.unregister()
