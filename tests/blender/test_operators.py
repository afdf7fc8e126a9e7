# SPDX-License-Identifier: GPL-3.0-or-later
"""The buttons: each says why it cannot run, and does one thing to the selected sprites."""

import sys

import bpy
import numpy as np
import pytest
import results
from reference import expected, psnr, rendered

from toondecompose_blender.scene import baking, output, palette, retiming, versions
from toondecompose_blender.scene.sprites import sprites_of

FRAMES = 6


pytestmark = pytest.mark.usefixtures("registered")


@pytest.fixture
def folder(tmp_path):
    """A fox before a panned background."""
    pan = results.translations(np.stack([np.linspace(0, -40.5, FRAMES), np.zeros(FRAMES)], 1))
    background = results.write_sprite(tmp_path / "result", "background", [results.painted(240, 90, 1)], [1] * FRAMES, pan)
    fox = results.write_sprite(tmp_path / "result", "fox", [results.character(70, 60, seed) for seed in (1, 2, 3)], [1, 1, 2, 2, 3, 3],
                               results.perspective(FRAMES, (70, 60), seed=1))
    return results.write_result(tmp_path / "result", [background, fox], frames=FRAMES)


@pytest.fixture
def fox(folder):
    assert bpy.ops.toon.import_result(directory=str(folder)) == {"FINISHED"}
    return selected("Fox")


def selected(name):
    chosen = bpy.context.scene.objects[name]
    for other in bpy.context.scene.objects:
        other.select_set(other == chosen)
    bpy.context.view_layer.objects.active = chosen
    return chosen


def shown(name="Fox"):
    return [retiming.shown_frame(bpy.data.scenes["clip"].objects[name], frame) for frame in range(1, FRAMES + 1)]


def test_without_sprites_every_button_says_so():
    for idname in ("speed", "hold", "freeze", "sprite_duplicate", "bake", "palette_restore", "reload"):
        with pytest.raises(RuntimeError, match="No sprites in this scene"):
            getattr(bpy.ops.toon, idname)()


def test_importing_shows_the_new_scene_and_a_bad_folder_is_an_error(fox, tmp_path):
    assert sprites_of(bpy.context.scene)[-1] == fox
    with pytest.raises(RuntimeError, match="no result"):
        bpy.ops.toon.import_result(directory=str(tmp_path))


def test_timing_buttons_write_keys_on_the_selected_sprites_only(fox):
    bpy.ops.toon.hold(step=2)
    assert shown() == [1, 1, 3, 3, 5, 5] and shown("Background") == [1, 2, 3, 4, 5, 6]
    bpy.ops.toon.reverse()
    assert shown() == [5, 5, 3, 3, 1, 1]
    bpy.ops.toon.timing_restore()
    bpy.ops.toon.repeat(mode="PINGPONG", first=1, last=3)
    assert shown() == [1, 2, 3, 2, 1, 2]
    bpy.context.scene.frame_set(3)
    bpy.ops.toon.freeze()
    assert shown() == [3] * 6
    bpy.ops.toon.timing_restore()
    with pytest.raises(RuntimeError, match="The timing was not changed"):
        bpy.ops.toon.timing_restore()


def test_the_value_under_the_playhead_follows_at_once(fox):
    bpy.context.scene.frame_set(4)
    assert fox["source_frame"] == pytest.approx(4)
    bpy.ops.toon.hold(step=3)
    assert fox["source_frame"] == pytest.approx(4)
    bpy.ops.toon.offset(frames=3)
    assert fox["source_frame"] == pytest.approx(1)


def test_order_copy_solo_and_motion(fox):
    bpy.ops.toon.sprite_move(direction="DOWN")
    assert sprites_of(bpy.context.scene)[0] == fox
    bpy.ops.toon.sprite_duplicate()
    assert [sprite.name for sprite in sprites_of(bpy.context.scene)] == ["Fox", "Fox.001", "Background"]
    bpy.ops.toon.sprite_solo()
    assert [sprite.hide_render for sprite in sprites_of(bpy.context.scene)] == [True, False, True]
    bpy.ops.toon.sprite_solo()
    background = selected("Background")
    assert bpy.ops.toon.bake(kind="UV_WARP") == {"FINISHED"} and baking.bake_of(background) == "uv-warp"
    selected("Fox")
    assert bpy.ops.toon.bake(kind="UV_WARP") == {"CANCELLED"}


def test_a_sprite_without_changed_colors_has_nothing_to_restore(fox):
    with pytest.raises(RuntimeError, match="No color was changed"):
        bpy.ops.toon.palette_restore()
    assert palette.swatch_names(fox) == []


def test_rendering_writes_what_the_panel_says(fox, folder, tmp_path):
    scene = bpy.context.scene
    scene.render.filepath = ""
    with pytest.raises(RuntimeError, match="Choose an output folder"):
        bpy.ops.toon.render()
    scene.render.filepath, scene.frame_end = str(tmp_path / "out") + "/", 2
    scene.toondecompose.output = "PNG"
    before = bpy.context.preferences.system.anisotropic_filter
    bpy.ops.toon.render()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0001.png", "0002.png"]
    assert psnr(results.read_png(tmp_path / "out" / "0002.png")[..., :3] / 255, expected(folder, 2)) > 55
    assert bpy.context.preferences.system.anisotropic_filter == before


@pytest.mark.parametrize(("kind", "name"), [("MOVIE", "0001-0002.mp4"), ("FFV1", "0001-0002.mkv"), ("EXR", "0001.exr")])
def test_rendering_writes_movies_and_layers_and_leaves_the_folder_as_it_was_set(fox, tmp_path, kind, name):
    scene = bpy.context.scene
    scene.render.filepath, scene.frame_end, scene.toondecompose.output = str(tmp_path / "out") + "/", 2, kind
    bpy.ops.toon.render()
    assert name in {path.name for path in (tmp_path / "out").iterdir()}
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith("unfinished")]
    assert scene.render.filepath == str(tmp_path / "out") + "/" and scene.render.use_file_extension


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as only Unix can")
def test_a_movie_that_does_not_fit_on_the_disk_leaves_nothing_of_itself(fox, tmp_path):
    import resource
    scene = bpy.context.scene
    scene.render.filepath, scene.toondecompose.output = str(tmp_path / "out") + "/", "FFV1"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
    try:
        with pytest.raises(RuntimeError, match="frames of 0001-0006.mkv were written"):
            bpy.ops.toon.render()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "out").iterdir()) == []
    assert scene.render.filepath == str(tmp_path / "out") + "/"


def test_every_output_of_the_panel_is_one_of_the_scene():
    kinds = bpy.context.scene.toondecompose.bl_rna.properties["output"].enum_items
    assert {item.identifier.lower() for item in kinds} == set(output.OUTPUTS)


def test_a_strip_gets_its_sprites_back(fox, folder, tmp_path):
    sprite_scene = bpy.context.scene
    edit = bpy.data.scenes.new("Edit")
    edit.render.resolution_x, edit.render.resolution_y = results.WIDTH, results.HEIGHT
    edit.view_settings.view_transform = "Standard"
    source = versions.strips_of(edit.sequence_editor_create()).new_image("Clip", str(folder / "fox" / "fox_0001.png"), 1, 21)
    versions.set_strip_end(source, 21 + FRAMES)
    edit.sequence_editor.active_strip = source
    bpy.context.window.scene = edit
    with versions.sequencer_edits(bpy.context, edit):
        with pytest.raises(RuntimeError, match="no imported sprites"):
            bpy.ops.toon.add_strip()
        source["toondecompose_job"] = folder.name
        edit.sequence_editor.active_strip = source
        assert bpy.ops.toon.add_strip() == {"FINISHED"}
        edit.sequence_editor.active_strip = source
        assert psnr(rendered(edit, tmp_path / "out", 23)[0], expected(folder, 3)) > 70
        bpy.ops.toon.show_sprites()
    assert bpy.context.window.scene == sprite_scene


def test_opening_a_file_notes_what_got_lost_and_relinking_clears_it(fox, folder, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    folder.rename(tmp_path / "elsewhere")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    status = bpy.context.window_manager.toondecompose
    assert "Fox misses 3 files, first fox_0001.png" in status.lost and "Background misses 1 files" in status.lost
    bpy.ops.toon.relink(directory=str(tmp_path / "elsewhere"))
    assert status.lost == ""
