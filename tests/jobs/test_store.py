# SPDX-License-Identifier: GPL-3.0-or-later
"""Job folders: what was asked comes back, a state survives its Blender, two Blenders cannot share one, bad disks are typed errors.
Knows processes only as holders of locks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.children import alive, listen
from toondecompose_blender.jobs.spec import JobSpec, Origin, engine_arguments, read_spec
from toondecompose_blender.jobs.store import FAILED, READY, RUNNING, STOPPED, JobState, JobStore
from toondecompose_blender.jobs.supervisor import Supervisor
from toondecompose_blender.protocol import MANIFEST_NAME, EngineError, Failed, SettingsError

HOLDER = "import sys\nfrom toondecompose_blender.jobs.store import JobStore\n" \
         "lock = JobStore(sys.argv[1]).lock(__import__('pathlib').Path(sys.argv[2]))\nprint('held', flush=True)\ninput()"


@pytest.fixture
def store(tmp_path) -> JobStore:
    return JobStore(tmp_path / "jobs")


@pytest.fixture
def spec(tmp_path) -> JobSpec:
    return JobSpec(clip=str(tmp_path / "日本 'clip'"), name="日本 'clip'.mov", sprites=3, preset="best", frames=(2, 9), size=480, seed=7,
                   flow="dis", hints=str(tmp_path / "h.json"), origin=Origin("/a/b.blend", "Scene", "strip", 12))


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 200 kB; needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path) -> Iterator[Path]:
    """A folder that cannot be written, for root neither."""
    folder = tmp_path / "read only"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o555)
    elif subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("a folder that root cannot write needs the right to mount")
    yield folder
    if os.geteuid():
        folder.chmod(0o755)
    else:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_what_was_asked_comes_back(store, spec):
    folder = store.create(spec)
    assert read_spec(folder) == spec and store.find() == [folder] and folder.parent == store.root


def test_the_same_clip_twice_is_two_jobs(store, spec):
    assert store.create(spec) != store.create(spec) and len(store.find()) == 2


def test_a_request_becomes_the_engines_arguments(spec, tmp_path):
    words = engine_arguments(spec, "/out")
    assert words == ["decompose", spec.clip, "--sprites", "3", "--out", "/out", "--preset", "best", "--device", "auto", "--seed", "7",
                     "--frames", "2:9", "--size", "480", "--flow", "dis", "--hints", spec.hints, "--json"]
    assert "4:" in engine_arguments(JobSpec(clip="/c", name="c", frames=(4, None)), "/out")
    plain = engine_arguments(JobSpec(clip="/c", name="c"), "/out")
    assert plain[3] == "auto" and not {"--size", "--flow", "--hints", "--frames"} & set(plain)


def test_a_sheet_makes_it_a_drawing_of_a_character(tmp_path):
    words = engine_arguments(JobSpec(clip="/poses", name="c", sheet="/sheet", method="conr", weights="/w", size=384), "/out")
    assert words == ["draw", "--sheet", "/sheet", "--poses", "/poses", "--out", "/out", "--method", "conr", "--device", "auto",
                     "--size", "384", "--weights", "/w", "--json"]


@pytest.mark.parametrize("change", [{"clip": "relative"}, {"clip": ""}, {"sprites": 0}, {"sprites": 9}, {"frames": (5, 2)},
                                    {"frames": (0, 2)},
                                    {"preset": "no"}, {"device": "tpu"}, {"flow": "magic"}])
def test_a_value_that_cannot_work_is_refused(change):
    with pytest.raises(SettingsError) as caught:
        JobSpec(**{"clip": "/c", "name": "c", **change})
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 1}', '{"schema": 99}', '{"schema": 1, "clip": "c", "name": "c"}', "\0"])
def test_a_damaged_or_newer_job_file_is_a_typed_error(store, spec, text):
    folder = store.create(spec)
    (folder / "job.json").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError):
        read_spec(folder)
    assert list(store.find_by_origin("/a/b.blend")) == []


def test_a_job_whose_blender_was_killed_is_stopped_and_keeps_its_stage(store, spec):
    folder = store.create(spec)
    store.write_state(folder, JobState(RUNNING, "Mattes", 5, 8))
    assert store.state(folder) == JobState(STOPPED, "Mattes", 5, 8)


def test_a_job_that_finished_after_its_blender_is_ready(store, spec):
    folder = store.create(spec)
    store.write_state(folder, JobState(RUNNING, "Mattes", 5, 8))
    (folder / MANIFEST_NAME).write_text("{}", encoding="utf-8")
    assert store.state(folder).status == READY


def test_a_failure_is_remembered(store, spec):
    folder, failed = store.create(spec), JobState(FAILED, "Flow", 1, 8, "engine.memory", "Full.", "Smaller.")
    store.write_state(folder, failed)
    assert store.state(folder) == failed


def test_the_jobs_of_a_file_are_found_when_it_is_opened_again(store, spec):
    folder = store.create(spec)
    assert [found[0] for found in store.find_by_origin("/a/b.blend")] == [folder] and list(store.find_by_origin("")) == []


def test_two_blenders_cannot_have_one_job(store, spec):
    folder = store.create(spec)
    with subprocess.Popen([sys.executable, "-c", HOLDER, store.root, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(EngineError) as caught:
            store.lock(folder)
        assert caught.value.code == "engine.busy" and str(other.pid) in caught.value.message
        with pytest.raises(EngineError):
            store.remove(folder)
        other.kill()
    store.lock(folder).release()


def test_a_job_stays_taken_while_an_engine_lives_that_lost_its_blender(store, spec):
    """A Blender that dies hard leaves its engine a moment of life: nobody may write beside it."""
    folder = store.create(spec)
    engine = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    blender = ("import pathlib, sys\nfrom toondecompose_blender.jobs.store import JobStore\n"
               "from toondecompose_blender.jobs.supervisor import Supervisor\nfolder = pathlib.Path(sys.argv[1])\n"
               f"s = Supervisor([sys.executable, '-c', {engine!r}], folder, lock=JobStore(folder.parent).lock(folder))\n"
               "print(s._child.pid, flush=True)\ninput()")
    with subprocess.Popen([sys.executable, "-c", blender, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        pid = int(process.stdout.readline())
        process.kill()
    assert alive(pid) and store.is_locked(folder)
    os.kill(pid, 9)
    while alive(pid):
        pass
    assert not store.is_locked(folder)


def test_a_job_is_removed_only_from_its_own_store(store, spec, tmp_path):
    folder = store.create(spec)
    with pytest.raises(EngineError):
        JobStore(tmp_path).remove(folder)
    with pytest.raises(EngineError):
        store.remove(tmp_path)
    assert store.used_bytes() > 0
    store.remove(folder)
    assert store.find() == [] and store.used_bytes() == 0


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b\\c:d", "x" * 300, "...", "", "日本語の絵 'q' \"d\""])
def test_a_clips_name_never_leaves_the_store(store, name):
    folder = store.create(JobSpec(clip="/c", name=name))
    assert folder.parent == store.root and len(folder.name) < 80 and read_spec(folder).name == name


def test_a_full_disk_is_a_typed_error_and_the_old_state_stays(small_disk, spec):
    store = JobStore(small_disk / "jobs")
    folder = store.create(spec)
    store.write_state(folder, JobState(FAILED, "Flow"))
    fill(small_disk)
    with pytest.raises(EngineError) as caught:
        store.write_state(folder, JobState(RUNNING, "Mattes"))
    assert caught.value.code == "engine.disk_full" and caught.value.remedy
    assert store.state(folder).stage == "Flow" and not list(folder.glob("*.tmp"))
    with pytest.raises(EngineError):
        store.create(spec)


def test_an_engine_on_a_full_disk_cannot_start_and_says_why(small_disk):
    fill(small_disk)
    with pytest.raises(EngineError) as caught:
        Supervisor([sys.executable, "-c", "pass"], small_disk)
    assert caught.value.code == "engine.disk_full"


def test_a_log_on_a_full_disk_does_not_hide_how_the_engine_ended(start, small_disk):
    child = start("sys.stdin.readline()\nos.write(2, b'x' * 10)\nos._exit(4)", small_disk)
    fill(small_disk)
    child.cancel()
    child.cancelling = False        # it was only woken up
    last = listen(child)[-1]
    assert isinstance(last, Failed) and last.code == "engine.died"


def test_a_folder_that_cannot_be_written_is_a_typed_error(read_only, spec):
    for attempt in (lambda: JobStore(read_only).create(spec), lambda: Supervisor([sys.executable, "-c", "pass"], read_only),
                    lambda: JobStore(read_only).lock(read_only)):
        with pytest.raises(EngineError) as caught:
            attempt()
        assert caught.value.code == "engine.folder" and caught.value.remedy


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"0" * 1024)
        except OSError:
            pass
