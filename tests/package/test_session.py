# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs inside Blender: imports that wait, files that are saved, opened, reverted and undone meanwhile, folders that fail.
The engine is a child that copies a drawn result; the real one has its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import pytest

from tests.jobs.children import alive
from tests.package.sessions import add_strip, only_job, running, status, tick_until
from toondecompose_blender.jobs.store import FAILED, IMPORTED, LOG_FILE, READY, STOPPED
from toondecompose_blender.operators import session as module
from toondecompose_blender.operators.job import report_of
from toondecompose_blender.scene import versions
from toondecompose_blender.scene.sprites import sprites_of
from toondecompose_blender.scene.strips import scene_of_job


def test_a_press_on_a_strip_ends_in_a_scene_and_a_marked_strip(session, strip):
    assert bpy.ops.toon.decompose() == {"FINISHED"}
    folder = only_job(session).folder
    tick_until(session, lambda: not session.queue.jobs)
    scene = scene_of_job(strip[module.STRIP_JOB])
    assert len(sprites_of(scene)) == 1 and strip[module.STRIP_JOB] == folder.name
    assert session.queue.store.state(folder).status == IMPORTED and len(status().jobs) == 0


def test_the_engine_gets_exactly_the_frames_between_the_handles(session, tmp_path):
    strip = add_strip(tmp_path, [3, 1, 4, 2, 5])
    start, end = versions.strip_range(strip)
    versions.set_strip_start(strip, start + 1)
    versions.set_strip_end(strip, end - 1)
    bpy.ops.toon.decompose()
    pictures = sorted(Path(only_job(session).spec.clip).iterdir())
    assert [path.resolve().name for path in pictures] == ["f1.png", "f4.png", "f2.png"]


def test_a_strip_held_beyond_its_last_picture_repeats_it(session, strip):
    versions.set_strip_end(strip, versions.strip_range(strip)[1] + 2)
    bpy.ops.toon.decompose()
    pictures = sorted(Path(only_job(session).spec.clip).iterdir())
    assert [path.resolve().name for path in pictures] == ["f1.png", "f2.png", "f3.png", "f4.png", "f4.png", "f4.png"]


def test_missing_pictures_are_named_and_no_job_is_made(session, tmp_path):
    add_strip(tmp_path, [1, 2, 3], missing=(2,))
    with pytest.raises(RuntimeError, match="f2.png"):
        bpy.ops.toon.decompose()
    assert not session.queue.jobs and not session.queue.store.find()


def test_a_second_press_is_refused_while_the_strip_is_decomposed(session, strip):
    bpy.context.scene.toondecompose.seed = 1
    bpy.ops.toon.decompose()
    tick_until(session, running)
    with pytest.raises(RuntimeError, match="being decomposed"):
        bpy.ops.toon.decompose()


def test_without_an_engine_the_press_says_what_to_do_and_makes_nothing(session, strip, monkeypatch):
    monkeypatch.setenv("TOONDECOMPOSE_ENGINE", "")
    with pytest.raises(RuntimeError, match="Install it in the preferences"):
        bpy.ops.toon.decompose()
    assert not session.queue.store.find()


def test_undo_while_a_job_runs_does_not_touch_it(session, strip):
    bpy.context.scene.toondecompose.seed = 1
    bpy.ops.toon.decompose()
    tick_until(session, running)
    bpy.ops.ed.undo_push(message="before")
    bpy.context.scene.toondecompose.seed = 7
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    assert bpy.context.scene.toondecompose.seed == 1
    tick_until(session, lambda: only_job(session).running)
    assert len(status().jobs) == 1


def test_a_job_goes_on_when_another_file_is_opened_and_waits_for_its_own(session, strip, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    bpy.context.scene.toondecompose.seed = 1
    bpy.ops.toon.decompose()
    job = only_job(session)
    tick_until(session, running)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert job.running and len(status().jobs) == 1
    session.queue.cancel(job.id)
    tick_until(session, lambda: not job.running)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "mine.blend"))
    assert [(row.status, row.stage) for row in status().jobs] == [(STOPPED, "Mattes, 5 of 8")]


def test_a_job_goes_on_when_its_file_is_reverted_and_is_imported_into_it(session, strip, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    bpy.context.scene.toondecompose.seed = 1
    bpy.ops.toon.decompose()
    tick_until(session, running)
    job = only_job(session)
    bpy.ops.wm.revert_mainfile()
    assert job.running and bpy.context.scene.toondecompose.seed == 0 and len(status().jobs) == 1
    job.spec = replace(job.spec, seed=0)                # the engine that copies, from here on
    session.queue.cancel(job.id)
    tick_until(session, lambda: not job.running)
    bpy.ops.toon.resume_job(job=job.id)
    tick_until(session, lambda: not session.queue.jobs)
    strip = versions.strips_of(bpy.context.scene.sequence_editor)[0]
    assert len(sprites_of(scene_of_job(strip[module.STRIP_JOB]))) == 1


def test_a_result_that_came_while_the_file_was_closed_is_offered_when_it_opens(session, strip, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    bpy.ops.toon.decompose()
    job = only_job(session)
    bpy.ops.wm.read_homefile(use_empty=True)
    tick_until(session, lambda: job.state.status == READY)
    assert not any(sprites_of(scene) for scene in bpy.data.scenes)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "mine.blend"))
    assert [row.status for row in status().jobs] == [READY]
    assert bpy.ops.toon.import_job(job=status().jobs[0].name) == {"FINISHED"}
    assert any(sprites_of(scene) for scene in bpy.data.scenes) and len(status().jobs) == 0


def test_a_job_started_before_the_first_save_is_found_under_the_new_name(session, strip, tmp_path):
    bpy.context.scene.toondecompose.seed = 1
    bpy.ops.toon.decompose()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "später.blend"))
    found = list(session.queue.store.find_by_origin(str(tmp_path / "später.blend")))
    assert [folder for folder, _, _ in found] == [only_job(session).folder]


def test_the_import_waits_while_it_is_not_safe(session, strip, monkeypatch):
    monkeypatch.setattr(module, "is_safe", lambda: False)
    bpy.ops.toon.decompose()
    tick_until(session, lambda: bool(status().jobs) and status().jobs[0].status == READY)
    session.tick()
    assert not any(sprites_of(scene) for scene in bpy.data.scenes)
    monkeypatch.undo()
    session.tick()
    assert len(status().jobs) == 0


def test_a_damaged_result_fails_with_a_remedy_and_leaves_nothing_in_the_file(session, strip, result):
    (result / "decomposition.json").write_text("{}", encoding="utf-8")
    before = {len(bpy.data.scenes), len(bpy.data.objects)}
    bpy.ops.toon.decompose()
    tick_until(session, lambda: bool(status().jobs) and status().jobs[0].status == FAILED)
    assert status().jobs[0].remedy and {len(bpy.data.scenes), len(bpy.data.objects)} == before


LEAVE = """
import os, sys, time
import bpy, toondecompose_blender
from tests.jobs.children import PREAMBLE
from toondecompose_blender.jobs.queue import JobQueue
from toondecompose_blender.jobs.spec import JobSpec
from toondecompose_blender.operators import session
toondecompose_blender.register()
current = session.current()
script = PREAMBLE + "hello(); progress(3)\\nwhile True: time.sleep(9)"
current.queue = JobQueue(current.queue.store, lambda arguments: [sys.executable, "-c", script])
job = current.queue.submit(JobSpec(clip="/clip", name="clip"))
while job.progress is None:
    current.tick()
    time.sleep(.01)
print("ENGINE", job.supervisor._child.pid, job.folder, flush=True)
"""


def test_the_end_of_blender_is_the_end_of_its_engine_and_the_job_can_be_resumed(session, tmp_path):
    """A Blender that ends by itself, with an engine that hears nothing."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", LEAVE], env=env, capture_output=True, text=True)
    _, pid, folder = next(line for line in done.stdout.splitlines() if line.startswith("ENGINE")).split(" ", 2)
    assert not alive(int(pid))
    assert session.queue.store.state(Path(folder)).status == STOPPED and not session.queue.store.is_locked(Path(folder))


def test_an_error_in_a_tick_does_not_end_the_timer(session, monkeypatch, capsys):
    monkeypatch.setattr(session.queue, "tick", lambda seconds: 1 / 0)
    assert module._tick() == module.IDLE_INTERVAL and "ZeroDivisionError" in capsys.readouterr().err


def test_the_report_names_versions_and_the_end_of_the_log(session, strip):
    bpy.ops.toon.decompose()
    tick_until(session, lambda: not session.queue.jobs)
    folder = session.queue.store.find()[0]
    (folder / LOG_FILE).write_text("first\nthe last word\n", encoding="utf-8")
    assert bpy.ops.toon.copy_report(folder=str(folder)) == {"FINISHED"}
    report = report_of(status(), str(folder))       # without a window Blender has no clipboard to read it from
    assert f"Blender {bpy.app.version_string}" in report.splitlines() and report.rstrip().endswith("the last word")
