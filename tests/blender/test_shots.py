# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip in shots comes into Blender as a scene a shot and one that plays them all at their frames."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from tests.blender import results
from toondecompose_blender.protocol import Clip, ResultError
from toondecompose_blender.protocol_shots import ShotRecord, Shots, read_shots, shot_folder, write_shots
from toondecompose_blender.scene import strips, versions
from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.rendering import Pictures, render_pictures
from toondecompose_blender.scene.sprites import sprites_of

LENGTHS = (3, 2, 4)


@pytest.fixture
def whole(tmp_path):
    """A result of three shots, each a still background of its own color."""
    records, first = [], 1
    for number, frames in enumerate(LENGTHS, start=1):
        folder = tmp_path / "whole" / shot_folder(number)
        picture = results.painted(results.WIDTH, results.HEIGHT, number)
        sprite = results.write_sprite(folder, "background", [picture], [1] * frames, np.tile(np.eye(3), (frames, 1, 1)))
        results.write_result(folder, [sprite], frames=frames)
        records.append(ShotRecord(shot_folder(number), first, first + frames - 1, "done"))
        first += frames
    write_shots(tmp_path / "whole", Shots(Clip("film", results.WIDTH, results.HEIGHT, sum(LENGTHS)), tuple(records)))
    return tmp_path / "whole"


def changed(whole, number, **values):
    shots = read_shots(whole)
    records = list(shots.shots)
    records[number - 1] = replace(records[number - 1], **values)
    write_shots(whole, replace(shots, shots=tuple(records)))


def test_every_shot_has_a_scene_and_the_whole_plays_them_at_their_frames(whole, tmp_path):
    imported = import_result(whole)
    edit = bpy.data.scenes[imported.scene]
    shown = [(strip.scene.name, *versions.strip_range(strip)) for strip in versions.strips_of(edit.sequence_editor)]
    assert sorted(shown) == [("film Shot 001", 1, 4), ("film Shot 002", 4, 6), ("film Shot 003", 6, 10)]
    assert (edit.frame_start, edit.frame_end) == (1, 9) and len(imported.sprites) == 3 and not imported.warnings
    files = render_pictures(edit, Pictures(tmp_path / "out", 1, 9), rendered=lambda frame: True)
    for frame, file in enumerate(files, start=1):
        number = 1 + (frame > 3) + (frame > 5)
        picture = results.read_png(file)[..., :3]
        truth = results.painted(results.WIDTH, results.HEIGHT, number)[..., :3]
        assert 10 * np.log10(255**2 / np.mean((picture - truth) ** 2)) > 45, f"frame {frame}"


def test_a_shot_that_failed_is_left_out_and_told_and_the_others_stay_at_their_frames(whole):
    (whole / shot_folder(2) / "decomposition.json").unlink()
    changed(whole, 2, state="failed", code="engine.memory", message="The machine's memory is full.")
    imported = import_result(whole)
    ranges = sorted(versions.strip_range(strip) for strip in versions.strips_of(bpy.data.scenes[imported.scene].sequence_editor))
    assert ranges == [(1, 4), (6, 10)] and imported.warnings == ("1 of 3 shots are not finished and were left out",)


def test_adding_the_sprites_as_strips_brings_all_shots(whole):
    import_result(whole)
    edit = bpy.data.scenes.new("Edit")
    editor = edit.sequence_editor_create()
    length = {"length": 8} if bpy.app.version >= (5, 0, 0) else {"frame_end": 19}
    source = versions.strips_of(editor).new_effect(name="Clip", type="COLOR", channel=1, frame_start=11, **length)
    scene = strips.scene_of_job("whole")
    assert scene.name == "film Shot 001" and sprites_of(scene)
    strips.add_scene_strip(edit, source, scene)
    laid = sorted((versions.strip_range(strip), strip.channel) for strip in versions.strips_of(editor) if strip.type == "SCENE")
    assert laid == [((11, 14), 2), ((14, 16), 2), ((16, 19), 2)]


def test_a_whole_without_a_finished_or_with_a_damaged_shot_leaves_nothing_half_built(whole):
    before = len(bpy.data.scenes), len(bpy.data.objects), len(bpy.data.images)
    (whole / shot_folder(3) / "background" / "homographies.npy").write_bytes(b"no array")
    with pytest.raises(ResultError, match="cannot be read"):
        import_result(whole)
    for number in (1, 2, 3):
        (whole / shot_folder(number) / "decomposition.json").unlink()
    with pytest.raises(ResultError, match="No shot"):
        import_result(whole)
    assert (len(bpy.data.scenes), len(bpy.data.objects), len(bpy.data.images)) == before
