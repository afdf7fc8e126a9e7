# SPDX-License-Identifier: GPL-3.0-or-later
"""Every button that changes sprites makes one undo step; undone and redone, keys, drivers, materials and data-blocks are as they were."""

import bpy
import numpy as np
import pytest
import results
from palettes import write_fox

from toondecompose_blender.scene import baking, drawings, placement, retiming, versions
from toondecompose_blender.scene.sprites import sprites_of
from toondecompose_blender.scene.timing import source_curve

EDITS = {
    "speed": {"factor": 2.0}, "reverse": {}, "hold": {"step": 2}, "freeze": {}, "offset": {"frames": 2}, "timing_restore": {},
    "repeat": {"mode": "LOOP", "first": 1, "last": 2}, "inbetweens": {"on": True},
    "sprite_move": {"direction": "DOWN"}, "sprite_duplicate": {}, "sprite_solo": {}, "bake": {"kind": "UV_WARP"}, "placement_restore": {},
    "blending": {"mode": "LINEAR"}, "palette_restore": {}, "drawing_replace": {"filepath": "{folder}/fox/fox_0002.png"},
    "relink": {"directory": "{folder}/../copy"}, "pack": {}, "unpack": {}, "import_result": {"directory": "{folder}"}, "add_strip": {},
}
# Undone in the tests of characters, hints and sessions.
ELSEWHERE = {"character_replace", "import_job", "hints_draw", "hints_clear", "hints_sprite_add", "hints_sprite_remove"}


pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def folder(tmp_path):
    """A panned background behind a fox; and the same once more."""
    pan = results.translations(np.array([[0.0, 0], [-20.5, 0], [-40, 0]]))
    for name in ("copy", "result"):
        np.save(write_fox(tmp_path / name) / "background" / "homographies.npy", pan)
    return tmp_path / "result"


@pytest.fixture
def fox(folder):
    """A fox, selected, that was moved and recolored, so that there is something to restore."""
    bpy.ops.toon.import_result(directory=str(folder))
    scene = bpy.context.scene
    fox = scene.objects["Fox"]
    select(fox)
    scene.frame_set(2)
    placement.set_placement(fox, move_x=5.0)
    fox["color_1"] = [0.0, 0.5, 1.0]
    return fox


def select(chosen):
    for sprite in bpy.context.scene.objects:
        sprite.select_set(sprite == chosen)
    bpy.context.view_layer.objects.active = chosen


def edit_of(folder):
    edit = bpy.data.scenes.new("Edit")
    strip = versions.strips_of(edit.sequence_editor_create()).new_image("Clip", str(folder / "fox" / "fox_0001.png"), 1, 1)
    strip["toondecompose_job"] = folder.name
    edit.sequence_editor.active_strip = strip
    return edit


def ready(name, folder):
    """What an operator needs before it can run."""
    if name == "unpack":
        bpy.ops.toon.pack()
    if name == "timing_restore":
        bpy.ops.toon.reverse()
    if name == "bake":
        select(bpy.context.scene.objects["Background"])
    if name == "add_strip":
        bpy.context.window.scene = edit_of(folder)


def pressed(name, folder):
    """Press a button as an artist does: Blender makes the undo step."""
    options = {key: value.format(folder=folder) if isinstance(value, str) else value for key, value in EDITS[name].items()}
    return getattr(bpy.ops.toon, name)("EXEC_DEFAULT", True, **options)


def state():
    """What operators change: of the sprites, of the file's data-blocks, and what drivers make of it in frame 2."""
    scene = bpy.data.scenes["clip"]
    scene.frame_set(2)
    kinds = (bpy.data.scenes, bpy.data.objects, bpy.data.meshes, bpy.data.materials, bpy.data.images, bpy.data.node_groups,
             bpy.data.actions, bpy.data.collections)
    strips = [strip.name for edit in bpy.data.scenes if edit.sequence_editor for strip in versions.strips_of(edit.sequence_editor)]
    return ([[block.name for block in kind] for kind in kinds], strips, scene.view_settings.view_transform,
            [sprite_state(sprite) for sprite in sprites_of(scene)])


def sprite_state(sprite):
    keys, material = sprite.data.shape_keys, sprite.data.materials[0]
    evaluated = sprite.evaluated_get(bpy.context.evaluated_depsgraph_get())
    textures = [node for node in material.node_tree.nodes if node.type == "TEX_IMAGE"]
    shown = [(node.name, node.image.filepath, node.image_user.frame_offset) for node in textures]
    return (sprite.name, tuple(sprite.location), sprite.hide_render, baking.bake_of(sprite), drawings.is_packed(sprite), shown,
            [tuple(point.co) for point in source_curve(sprite).keyframe_points], evaluated["source_frame"],
            [retiming.shown_frame(sprite, frame) for frame in (1, 2, 3)], list(sprite["toondecompose_numbers"]),
            [sprite[name][0] for name in ("color_1",) if name in sprite],
            [getattr(owner, name) if hasattr(owner, name) else owner[name[2:-2]] for owner, name in
             placement.placement_properties(sprite).values()],
            (keys.eval_time, [curve.driver.expression for curve in keys.animation_data.drivers]) if keys else None)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_one_undo_step(fox, folder, name):
    ready(name, folder)
    bpy.ops.ed.undo_push(message="before")
    before = state()
    assert pressed(name, folder) == {"FINISHED"}
    after = state()
    assert after != before
    bpy.ops.ed.undo()
    assert state() == before
    bpy.ops.ed.redo()
    assert state() == after


def test_every_button_that_can_be_undone_is_tried():
    with_undo = {name for name in dir(bpy.ops.toon) if "UNDO" in getattr(getattr(bpy.types, f"TOON_OT_{name}"), "bl_options", ())}
    assert with_undo == set(EDITS) | ELSEWHERE
