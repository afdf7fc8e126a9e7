# SPDX-License-Identifier: GPL-3.0-or-later
"""Strips that no file holds: rendered first, a frame a tick, cancelled, gone, and never half finished."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from tests.blender import results
from tests.package.sessions import add_strip, only_job, status, tick_until
from toondecompose_blender.jobs.store import FAILED
from toondecompose_blender.scene import versions
from toondecompose_blender.scene.prerender import StripRender


def add_rendered(folder: Path, frames: list[int]):
    """A meta strip: no file holds what it shows."""
    inner = add_strip(folder, frames)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 32, 18
    strips = versions.strips_of(scene.sequence_editor)
    meta = strips.new_meta("meta", 2, 11) if "new_meta" in strips.bl_rna.functions else None
    if meta is None:
        raise AssertionError("no meta strips here")
    inner.move_to_meta(meta)
    versions.set_strip_end(meta, 11 + len(frames))
    scene.sequence_editor.active_strip = meta
    return meta


def test_a_meta_strip_is_rendered_first_and_the_operator_says_so(session, tmp_path, capfd):
    add_rendered(tmp_path, [1, 2, 4])
    scenes, before = len(bpy.data.scenes), bpy.context.scene.render.filepath
    bpy.ops.toon.decompose()
    assert "rendered first" in capfd.readouterr().out
    job = only_job(session)
    assert [(row.status, row.stage) for row in status().jobs] == [("preparing", "Rendering the strip")] and not job.running
    tick_until(session, lambda: job.state.status != "preparing")
    pictures = [results.read_png(path) for path in sorted(Path(job.spec.clip).iterdir())]
    assert len(pictures) == 3 and len(bpy.data.scenes) == scenes and bpy.context.scene.render.filepath == before
    for shown, number in zip(pictures, (1, 2, 4)):
        assert np.abs(shown[..., :3].astype(int) - results.painted(32, 18, number)[..., :3]).max() <= 1
    tick_until(session, lambda: not session.queue.jobs)


def test_a_rendering_that_is_cancelled_leaves_nothing(session, tmp_path):
    add_rendered(tmp_path, [1, 2])
    bpy.ops.toon.decompose()
    bpy.ops.toon.cancel_job(job=only_job(session).id)
    session.tick()
    assert not session.queue.jobs and not session.renders and not session.queue.store.find() and len(status().jobs) == 0


def test_a_strip_that_goes_while_it_is_rendered_is_a_failure_that_cannot_be_resumed(session, tmp_path):
    meta = add_rendered(tmp_path, [1, 2])
    bpy.ops.toon.decompose()
    versions.strips_of(bpy.context.scene.sequence_editor).remove(meta)
    tick_until(session, lambda: status().jobs[0].status == FAILED)
    assert "gone" in status().jobs[0].message and status().jobs[0].remedy and not status().jobs[0].can_resume
    with pytest.raises(RuntimeError, match="Decompose again"):
        bpy.ops.toon.resume_job(job=status().jobs[0].name)


def test_a_clip_that_a_dead_blender_never_finished_is_swept_away(session, tmp_path):
    add_rendered(tmp_path, [1, 2])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    bpy.ops.toon.decompose()
    job = only_job(session)
    assert [found for found, _, _ in session.queue.store.find_by_origin(str(tmp_path / "mine.blend"))] == [] and job.folder.is_dir()
    job.held.release()
    list(session.queue.store.find_by_origin(str(tmp_path / "mine.blend")))
    assert not job.folder.exists()


def test_a_scene_strip_is_rendered_frame_by_frame(blender, tmp_path):
    """A scene with an edit of its own, shown in another."""
    inner = bpy.context.scene
    add_strip(tmp_path, [1, 2, 4], start=1)
    inner.frame_end = 3
    edit = bpy.data.scenes.new("Edit")
    for scene in (inner, edit):
        scene.render.resolution_x, scene.render.resolution_y = 32, 18
        scene.view_settings.view_transform = "Standard"
    strip = versions.new_scene_strip(edit.sequence_editor_create(), name="inner", scene=inner, channel=1, frame_start=5)
    strip.scene_input = "SEQUENCER"
    (tmp_path / "seen").mkdir()
    render = StripRender(edit.name, strip.name, tmp_path / "seen")
    assert render.total == 3 and not render.step(0) and not render.step(0) and render.step(0)
    for path, number in zip(sorted((tmp_path / "seen").iterdir()), (1, 2, 4), strict=True):
        assert np.abs(results.read_png(path)[..., :3] - results.painted(32, 18, number)[..., :3]).max() <= 1
