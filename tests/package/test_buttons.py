# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist sees of buttons and settings: each exists, has a name and a tooltip, is found or hidden, and is kept by presets."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import bpy
import pytest

import toondecompose_blender
from toondecompose_blender.properties import spec_options

pytestmark = pytest.mark.usefixtures("blender")


def test_menus_become_the_engines_words():
    settings = bpy.context.scene.toondecompose
    options = spec_options(settings)
    assert (options["hints"], options["sprites"], options["preset"]) == ("", None, "standard")
    settings.sprites, settings.size, settings.motion, settings.flow = "4", "480", "UV_WARP", "DIS"
    options = spec_options(settings)
    assert (options["sprites"], options["size"], options["motion"], options["flow"]) == (4, 480, "uv-warp", "dis")


def test_every_button_that_a_panel_draws_exists():
    package = Path(toondecompose_blender.__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (*package.glob("ui_*.py"), package / "preferences.py")]
    words = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    names = {word for word in words if re.fullmatch(r"toon\.[a-z_]+", word)}
    assert len(names) > 25
    for name in names:
        assert hasattr(bpy.types, f"TOON_OT_{name.removeprefix('toon.')}"), name


def test_every_button_and_setting_has_a_name_and_a_tooltip():
    """What the operator search and a hover show; rows of status are never hovered."""
    names = [name.removeprefix("TOON_OT_") for name in dir(bpy.types) if name.startswith("TOON_OT_")]
    assert len(names) > 30
    for name in names:
        shown = getattr(bpy.ops.toon, name).get_rna_type()
        assert shown.description, name
        assert re.fullmatch(r"[A-Z][\w' -]*(\.\.\.)?", shown.name), f"{shown.name!r} is no name in Blender's style"
        for value in shown.properties:
            is_path = getattr(value, "subtype", "") in ("FILE_PATH", "DIR_PATH")         # chosen in the file browser
            assert is_path or value.is_hidden or value.identifier == "rna_type" or value.description, f"{name}.{value.identifier}"
    for group in (bpy.types.Scene.bl_rna.properties["toondecompose"].fixed_type, bpy.context.scene.toondecompose.character.bl_rna):
        for setting in group.properties:
            if setting.identifier not in ("rna_type", "name", "character"):
                assert setting.name and setting.description, setting.identifier
                assert not setting.description.endswith("."), setting.identifier


def test_what_is_internal_stays_out_of_the_search_and_what_an_artist_looks_for_is_in_it():
    names = [name for name in dir(bpy.types) if name.startswith("TOON_OT_")]
    searched = {name for name in names if "INTERNAL" not in getattr(getattr(bpy.types, name), "bl_options", ())}
    assert {"TOON_OT_decompose", "TOON_OT_import_result", "TOON_OT_hints_draw", "TOON_OT_hold", "TOON_OT_render"} <= searched
    assert not {"TOON_OT_cancel_job", "TOON_OT_import_job", "TOON_OT_engine_cancel", "TOON_OT_open_log"} & searched


def test_a_preset_keeps_the_settings_and_brings_them_back(tmp_path, monkeypatch):
    from toondecompose_blender import ui_panel
    settings = bpy.context.scene.toondecompose
    settings.sprites, settings.quality, settings.seed = "3", "BEST", 9
    monkeypatch.setattr(bpy.utils, "user_resource", lambda *words, **options: str(tmp_path))
    bpy.ops.toon.preset_add(name="Mine")
    written = next(tmp_path.rglob("*.py")).read_text(encoding="utf-8")
    settings.sprites, settings.quality, settings.seed = "AUTO", "DRAFT", 0
    exec(written)
    assert (settings.sprites, settings.quality, settings.seed) == ("3", "BEST", 9)
    assert {word.split(".")[1] for word in ui_panel.TOON_OT_preset_add.preset_values} >= {"device", "size", "flow", "motion", "blending"}


def test_register_rolls_back_when_a_part_fails(monkeypatch):
    from toondecompose_blender import ui_sprites
    toondecompose_blender.unregister()
    monkeypatch.setattr(ui_sprites, "register", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        toondecompose_blender.register()
    assert not hasattr(bpy.types.Scene, "toondecompose") and not hasattr(bpy.types, "TOON_OT_decompose")
    monkeypatch.undo()
    toondecompose_blender.register()
