# SPDX-License-Identifier: GPL-3.0-or-later
"""Every test starts in a fresh Blender session with factory settings and auto-run scripts off.
Needs no Blender to be read: the engine's side reads it when a test here is named."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def factory_session():
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = False


@pytest.fixture
def registered(factory_session):
    """The extension, switched on for one test."""
    import toondecompose_blender

    toondecompose_blender.register()
    yield
    toondecompose_blender.unregister()
