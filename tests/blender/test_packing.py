# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawings travel: packed into the .blend, unpacked again, and found by Blender's own search after they were moved."""

import shutil

import bpy
import numpy as np
import pytest
import results
from palettes import recolor, write_fox
from reference import expected, psnr, rendered

from toondecompose_blender.protocol import SceneError
from toondecompose_blender.scene import drawings, editing, packing, repainting, retiming, sheets
from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.sprites import sprites_of
from toondecompose_blender.scene.versions import eevee_engine

GREEN = (0.1, 0.8, 0.2)


@pytest.fixture
def folder(tmp_path):
    return write_fox(tmp_path / "result")


@pytest.fixture
def scene(folder):
    return bpy.data.scenes[import_result(folder).scene]


def recolored(fox):
    fox["color_2"] = list(GREEN)
    fox.update_tag()
    return recolor(2, [255 * channel for channel in GREEN])


def sent_away(folder, path):
    """The session as somebody else opens it: another place, and no result folder."""
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    kept = shutil.move(folder, folder.with_name("kept"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return bpy.data.scenes["clip"], kept


@pytest.mark.parametrize("engine", ["CYCLES", "EEVEE"])
def test_a_packed_file_alone_renders_the_clip_recolored(scene, folder, tmp_path, engine):
    edit = recolored(sprites_of(scene)[1])
    packing.pack(sprites_of(scene))
    scene, kept = sent_away(folder, tmp_path / "packed.blend")
    scene.render.engine = eevee_engine() if engine == "EEVEE" else engine
    for frame in (2,) if engine == "EEVEE" else (1, 2, 3):
        assert psnr(rendered(scene, tmp_path / "out", frame)[0], expected(kept, frame, edit=edit)) > (65 if engine == "EEVEE" else 77)
    assert not any(drawings.lost_files(sprite) for sprite in sprites_of(scene))


def test_packing_and_unpacking_leaves_everything_as_it_was(scene, folder, tmp_path):
    before, blocks = rendered(scene, tmp_path / "before", 1, 3), [len(bpy.data.images), len(bpy.data.node_groups)]
    packing.pack(sprites_of(scene))
    packing.pack(sprites_of(scene))
    assert packing.unpack(sprites_of(scene)) == [] and packing.unpack(sprites_of(scene)) == []
    assert [len(bpy.data.images), len(bpy.data.node_groups)] == blocks
    assert all(map(np.array_equal, rendered(scene, tmp_path / "after", 1, 3), before))


def test_lost_drawings_are_unpacked_beside_the_blend_bit_for_bit(scene, folder, tmp_path):
    packing.pack(sprites_of(scene))
    (tmp_path / "home").mkdir()
    scene, kept = sent_away(folder, tmp_path / "home" / "packed.blend")
    written = packing.unpack(sprites_of(scene))
    assert [path.relative_to(tmp_path / "home").as_posix() for path in written] == ["result/Background", "result/Fox"]
    for number in (1, 2):
        for place, name in (("drawings", f"fox_{number:04d}.png"), ("index", f"fox_index_{number:04d}.png")):
            original = kept / "fox" / ("index" if place == "index" else "") / name
            assert np.array_equal(results.read_png(written[1] / place / name), results.read_png(original))
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], expected(kept, 2)) > 77
    assert drawings.image_of(sprites_of(scene)[1].data.materials[0]).filepath == "//result/Fox/drawings/fox_0001.png"


def test_unpacking_never_writes_over_what_is_there(scene, folder, tmp_path):
    packing.pack(sprites_of(scene))
    (tmp_path / "home" / "result" / "Fox").mkdir(parents=True)
    scene, _ = sent_away(folder, tmp_path / "home" / "packed.blend")
    with pytest.raises(SceneError, match="Fox cannot be made"):
        packing.unpack(sprites_of(scene))
    assert all(map(drawings.is_packed, sprites_of(scene)))
    assert [path.name for path in (tmp_path / "home" / "result").iterdir()] == ["Fox"]


def test_a_copy_of_a_packed_sprite_keeps_its_own_time(scene, folder, tmp_path):
    background, fox = sprites_of(scene)
    packing.pack([background, fox])
    copy = editing.duplicate(scene, fox)
    editing.set_hidden(fox, True)
    retiming.freeze(fox, 1)
    kept = shutil.move(folder, folder.with_name("kept"))
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], expected(kept, 2)) > 77
    retiming.freeze(copy, 1)
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], expected(kept, 2, frames={"fox": 1})) > 77


def test_a_uv_warp_shows_nothing_of_the_neighbors_on_the_sheet(tmp_path):
    small = [results.painted(60, 40, seed) for seed in (1, 2, 3, 4)]
    pan = results.translations(np.array([[10.3, 20], [30.3, 20], [60.3, 30], [80.3, 10]]))
    sprite = results.write_sprite(tmp_path / "result", "fox", small, [1, 2, 3, 4], pan)
    folder = results.write_result(tmp_path / "result", [sprite], frames=4)
    scene = bpy.data.scenes[import_result(folder, bake="uv-warp").scene]
    packing.pack(sprites_of(scene))
    pictures = rendered(scene, tmp_path / "out", 1, 4)
    assert min(psnr(picture, expected(folder, frame)) for frame, picture in enumerate(pictures, start=1)) > 77


def test_nothing_is_packed_if_one_file_is_lost_or_the_sheet_too_large(scene, folder, monkeypatch):
    images = len(bpy.data.images)
    (folder / "fox" / "fox_0002.png").unlink()
    with pytest.raises(SceneError, match="Fox misses 1 files"):
        packing.pack(sprites_of(scene))
    assert len(bpy.data.images) == images and not any(map(drawings.is_packed, sprites_of(scene)))
    with pytest.raises(SceneError) as refusal:
        sheets.grid_of(240, 1920, 1080)
    assert refusal.value.code == "scene.pack_size"
    assert max(sheets.grid_of(100, 1280, 720).size) <= 16384


def test_a_packed_drawing_is_not_replaced(scene, folder):
    packing.pack(sprites_of(scene))
    with pytest.raises(SceneError, match="packed"):
        repainting.replace_drawing(sprites_of(scene)[1], 1, folder / "fox" / "fox_0002.png")


def test_find_missing_files_finds_every_sprite_and_its_index_maps(scene, folder, tmp_path):
    edit = recolored(sprites_of(scene)[1])
    scene, kept = sent_away(folder, tmp_path / "a.blend")
    assert all(drawings.lost_files(sprite) for sprite in sprites_of(scene))
    shutil.move(kept, tmp_path / "far" / "away")
    bpy.ops.file.find_missing_files(directory=str(tmp_path / "far"))
    assert not any(drawings.lost_files(sprite) for sprite in sprites_of(scene))
    assert psnr(rendered(scene, tmp_path / "out", 2)[0], expected(tmp_path / "far" / "away", 2, edit=edit)) > 75


def test_the_first_save_makes_paths_relative(scene, folder, tmp_path):
    assert not any(image.filepath.startswith("//") for image in bpy.data.images)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "first.blend"))
    assert {image.filepath[:9] for image in bpy.data.images} == {"//result/"}
