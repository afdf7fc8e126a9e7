# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs inside Blender: imports that wait, files that are saved, opened, reverted and undone meanwhile, folders that fail.
The engine is a child that copies a drawn result; the real one has its own tests."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

import toondecompose_blender
from tests.blender import results
from tests.jobs.children import PREAMBLE, alive
from toondecompose_blender.jobs.queue import JobQueue
from toondecompose_blender.jobs.store import FAILED, IMPORTED, READY, STOPPED
from toondecompose_blender.operators import session as module
from toondecompose_blender.properties import spec_options
from toondecompose_blender.scene import versions
from toondecompose_blender.scene.sprites import sprites_of
from toondecompose_blender.scene.strips import scene_of_job

FRAMES = 4
COPY = """
import shutil
hello(); progress(1)
shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)
say('done', result=sys.argv[2])
"""
WAIT = "hello(); progress(3)\nsys.stdin.readline(); say('cancelled')"


@pytest.fixture(autouse=True)
def blender(tmp_path, monkeypatch):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    monkeypatch.setenv("TOONDECOMPOSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TOONDECOMPOSE_ENGINE", sys.executable)
    toondecompose_blender.register()
    yield
    toondecompose_blender.unregister()


@pytest.fixture
def result(tmp_path) -> Path:
    folder = tmp_path / "drawn"
    pan = results.translations(np.stack([np.linspace(0, -20, FRAMES), np.zeros(FRAMES)], 1))
    sprite = results.write_sprite(folder, "background", [results.painted(240, 90, 1)], [1] * FRAMES, pan)
    return results.write_result(folder, [sprite], frames=FRAMES)


@pytest.fixture
def session(result, monkeypatch) -> module.Session:
    """A session whose engine copies `result`, or waits for a cancel if the seed says so."""
    current = module.current()

    def command(arguments):
        script = WAIT if arguments[arguments.index("--seed") + 1] == "1" else COPY
        return [sys.executable, "-c", PREAMBLE + script, str(result), arguments[arguments.index("--out") + 1]]

    monkeypatch.setattr(module, "RENDER_SECONDS", 0)     # one frame a tick
    current.queue = JobQueue(current.queue.store, command)
    current.file_opened()
    return current


@pytest.fixture
def strip(tmp_path):
    """An image strip of four pictures, the third shown from its file twice."""
    return add_strip(tmp_path, [1, 2, 3, 4])


def add_strip(folder: Path, numbers: list[int], *, start: int = 11, missing: tuple[int, ...] = ()):
    for number in set(numbers) - set(missing):
        results.write_png(folder / "frames" / f"f{number}.png", results.painted(32, 18, number))
    scene = bpy.context.scene
    strips = versions.strips_of(scene.sequence_editor_create())
    strip = strips.new_image(name="clip 'é'", filepath=str(folder / "frames" / f"f{numbers[0]}.png"), channel=1, frame_start=start)
    for number in numbers[1:]:
        strip.elements.append(f"f{number}.png")
    versions.set_strip_end(strip, start + len(numbers))
    scene.sequence_editor.active_strip = strip
    return strip


def status():
    return bpy.context.window_manager.toondecompose


def tick_until(session, holds, patience=60):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        session.tick()
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError([(job.status, job.message) for job in status().jobs])


def only_job(session):
    return next(iter(session.queue.jobs.values()))


def running(session):
    return lambda: bool(status().jobs) and status().jobs[0].stage == "Mattes, 5 of 8"


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


def test_a_second_press_is_refused_while_the_strip_is_decomposed(session, strip):
    bpy.context.scene.toondecompose.seed = 1
    bpy.ops.toon.decompose()
    tick_until(session, running(session))
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
    tick_until(session, running(session))
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
    tick_until(session, running(session))
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
    tick_until(session, running(session))
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


def test_menus_become_the_engines_words():
    settings = bpy.context.scene.toondecompose
    options = spec_options(settings)
    assert (options["hints"], options["sprites"], options["preset"]) == ("", None, "standard")
    settings.sprites, settings.size, settings.motion, settings.flow = "4", "480", "UV_WARP", "DIS"
    options = spec_options(settings)
    assert (options["sprites"], options["size"], options["motion"], options["flow"]) == (4, 480, "uv-warp", "dis")


def test_the_report_names_versions_and_the_end_of_the_log(session, strip):
    bpy.ops.toon.decompose()
    tick_until(session, lambda: not session.queue.jobs)
    folder = session.queue.store.find()[0]
    bpy.ops.toon.copy_report(folder=str(folder))
    assert bpy.app.version_string in bpy.context.window_manager.clipboard or bpy.app.background


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
