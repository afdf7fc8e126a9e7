# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad result is one typed error that names the culprit, and leaves no trace in the file."""

import json
import os

import bpy
import numpy as np
import pytest
import results

from toondecompose_blender.protocol import ResultError, SettingsError
from toondecompose_blender.scene import importing, stacking
from toondecompose_blender.scene.importing import import_result


@pytest.fixture
def folder(tmp_path):
    motion = results.perspective(3, (40, 30))
    sprite = results.write_sprite(tmp_path, "fox", [results.character(40, 30, seed) for seed in (1, 2)], [1, 0, 2], motion)
    return results.write_result(tmp_path, [sprite], frames=3)


def change(folder, edit):
    path = folder / "decomposition.json"
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))


def blocks():
    return {(type(block).__name__, block.name) for kind in (bpy.data.scenes, bpy.data.collections, bpy.data.objects, bpy.data.meshes,
                                                           bpy.data.materials, bpy.data.images, bpy.data.cameras, bpy.data.actions,
                                                           bpy.data.node_groups) for block in kind}


def save_motion(folder, edit):
    matrices = results.perspective(3, (40, 30))
    np.save(folder / "fox" / "homographies.npy", edit(matrices))


def put(matrices, frame, value):
    matrices[frame] = value
    return matrices


@pytest.mark.parametrize(("damage", "code", "words"), [
    (lambda folder: change(folder, lambda record: record.update(schema=99)), "result.newer", "99"),
    (lambda folder: change(folder, lambda record: record["sprites"][0].update(drawings=[])), "result.damaged", "fox"),
    (lambda folder: change(folder, lambda record: record["sprites"][0].update(drawings=["../fox.png", "fox/fox_0002.png"])), "result.path",
     "../fox.png"),
    (lambda folder: change(folder, lambda record: record["clip"].update(fps=0)), "result.damaged", "0 a second"),
    (lambda folder: change(folder, lambda record: record["sprites"][0].update(width=0)), "result.damaged", "fox"),
    (lambda folder: change(folder, lambda record: record["sprites"][0].update(index_maps=["fox/fox_0001.png"])), "result.damaged",
     "1 index maps"),
    (lambda folder: change(folder, lambda record: record["sprites"][0].update(drawings=["fox/fox_0001.png", "homographies.png"])),
     "result.file_missing", "homographies.png"),
    (lambda folder: (folder / "fox" / "fox_0002.png").unlink(), "result.file_missing", "fox/fox_0002.png"),
    (lambda folder: (folder / "fox" / "homographies.npy").unlink(), "result.file_missing", "homographies.npy"),
    (lambda folder: (folder / "fox" / "homographies.npy").write_bytes(b"nothing"), "result.homographies", "cannot be read"),
    (lambda folder: save_motion(folder, lambda matrices: put(matrices, 2, np.nan)), "result.homographies", "frame 3"),
    (lambda folder: save_motion(folder, lambda matrices: put(matrices, 0, np.ones((3, 3)))), "result.homographies", "frame 1"),
    (lambda folder: save_motion(folder, lambda matrices: matrices[:2]), "result.homographies", "(2, 3, 3)"),
    (lambda folder: results.write_png(folder / "fox" / "fox_0001.png", results.character(20, 30, 1)), "result.drawings",
     "fox/fox_0001.png"),
    (lambda folder: (folder / "decomposition.json").write_text("{"), "result.damaged", "decomposition.json"),
], ids=["newer schema", "no drawings", "path leaves the folder", "no frame rate", "no canvas",
        "too few index maps", "unknown picture", "missing picture", "missing homographies", "damaged homographies",
        "not finite", "singular", "too few", "another size", "damaged manifest"])
def test_damage_is_one_typed_error_and_nothing_is_built(folder, damage, code, words):
    damage(folder)
    before = blocks()
    with pytest.raises(ResultError) as error:
        import_result(folder)
    assert error.value.code == code and words in error.value.message and error.value.remedy
    assert blocks() == before


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_out_of_the_folder_is_refused(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "0001.png"
    results.write_png(outside, results.character(40, 30, 1))
    (folder / "fox" / "fox_0001.png").unlink()
    (folder / "fox" / "fox_0001.png").symlink_to(outside)
    with pytest.raises(ResultError, match="link"):
        import_result(folder)


def test_homographies_of_hidden_frames_do_not_matter(folder):
    save_motion(folder, lambda matrices: put(matrices, 1, np.nan))
    assert import_result(folder).sprites == ("Fox",)


def test_an_unknown_bake_is_refused_without_a_trace(folder):
    before = blocks()
    with pytest.raises(SettingsError):
        import_result(folder, bake="smoke")
    assert blocks() == before


def test_a_failure_in_the_middle_leaves_nothing_half_built(folder, monkeypatch):
    def full(*_):
        raise MemoryError
    before = blocks()
    monkeypatch.setattr(stacking, "stack", full)
    with pytest.raises(MemoryError):
        importing.import_result(folder)
    assert blocks() == before
