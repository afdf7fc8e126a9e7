# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers that die, stand still or come twice, and a shared folder that is full or slow: nothing lost, nothing written half."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engine.engines import ROOT
from tests.farm.conftest import run_shot
from toondecompose_blender.protocol import read_result, sha256
from toondecompose_blender.protocol_shots import read_shots

# An engine whose folder answers late: every sync and every rename takes a while, as over a busy network.
SLOW = """
import os, runpy, sys, time
def late(call):
    def slowly(*words, **named):
        time.sleep(0.15)
        return call(*words, **named)
    return slowly
os.fsync, os.replace = late(os.fsync), late(os.replace)
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("toondecompose_blender.engine", run_name="__main__", alter_sys=True)
"""


def contents_of(folder: Path) -> dict[str, str]:
    return {name: sha256(folder / name) for name in [*read_result(folder).files, "decomposition.json"]}


def until(condition, patience: float = 120):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def holder(shot: Path) -> int:
    """The process that works on a shot, or 0."""
    try:
        return json.loads((shot / "engine.lock").read_text())["process"]
    except (OSError, ValueError):
        return 0


def ended(work: subprocess.Popen) -> tuple[int, str]:
    text, _ = work.communicate(timeout=200)
    return work.returncode, text


def test_a_worker_that_is_lost_leaves_finished_stages_to_the_next(batch, local):
    folder = batch("dask")
    shot = folder / "shots/001"
    lost = run_shot(folder, 1)
    until(lambda: (shot / "stages/motion.json").exists())
    engine = holder(shot)
    os.kill(lost.pid, signal.SIGKILL)
    os.kill(engine, signal.SIGKILL)
    lost.communicate()
    kept = {path: path.stat().st_mtime_ns for path in shot.glob("stages/*.json")}
    assert not (shot / "decomposition.json").exists() and (shot / "engine.lock").exists()
    code, text = ended(run_shot(folder, 1))
    assert code == 0, text
    assert contents_of(shot) == local[0] and kept.items() <= {path: path.stat().st_mtime_ns for path in shot.glob("stages/*.json")}.items()


def test_the_same_shot_started_twice_is_done_once_even_in_a_slow_folder(batch, local, clip):
    folder = batch("dask")
    shot = folder / "shots/002"
    words = ["decompose", str(clip), "--frames", "6:9", "--out", str(shot), "--shots", "off", "--preset", "draft", "--device", "cpu"]
    first = subprocess.Popen([sys.executable, "-c", SLOW, str(ROOT), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: holder(shot) == first.pid)
    refused = subprocess.run([sys.executable, "-m", "toondecompose_blender.engine", *words], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 1 and "engine.busy" in refused.stderr and str(first.pid) in refused.stderr
    second = run_shot(folder, 2)
    code, text = ended(first)
    assert code == 0, text
    made = {path: path.stat().st_mtime_ns for path in (*shot.glob("stages/*.json"), shot / "decomposition.json")}
    code, text = ended(second)
    assert code == 0 and "Waiting" in text, text
    assert made == {path: path.stat().st_mtime_ns for path in made} and contents_of(shot) == local[1]


def test_a_worker_that_stood_still_finds_its_shot_taken_and_spoils_nothing(batch, local):
    folder = batch("dask")
    shot = folder / "shots/001"
    sleeper = run_shot(folder, 1)
    until(lambda: (shot / "stages/frames.json").exists())
    engine = holder(shot)
    os.kill(engine, signal.SIGSTOP)
    try:
        old = time.time() - 3600
        os.utime(shot / "engine.lock", (old, old))      # as after an hour without a heartbeat
        code, text = ended(run_shot(folder, 1))
        assert code == 0, text
    finally:
        os.kill(engine, signal.SIGCONT)
    code, text = ended(sleeper)
    assert code == 1 and "engine.lost_folder" in text
    assert contents_of(shot) == local[0] and read_shots(folder).shots[0].state == "done"


def test_a_shared_folder_that_is_full_is_told_and_the_shot_goes_on_when_there_is_room(batch, local, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount")
    try:
        folder = batch("dask", disk / "shared")
        code, text = ended(run_shot(folder, 1))
        assert code == 1 and "engine.disk_full" in text and "Traceback" not in text
        assert read_shots(folder).shots[0].state != "done" and not list(folder.rglob("*.tmp"))
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        code, text = ended(run_shot(folder, 1))
        assert code == 0, text
        assert contents_of(folder / "shots/001") == local[0] and not (folder / "shots/001/failure.json").exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_shot_that_is_told_to_stop_stops_and_goes_on_later(batch, local):
    folder = batch("dask")
    shot = folder / "shots/001"
    told = run_shot(folder, 1)
    until(lambda: holder(shot))
    told.send_signal(signal.SIGTERM)
    code, text = ended(told)
    assert code == 130 and "Stopped" in text and not (shot / "engine.lock").exists()
    tied = run_shot(folder, 1, "--tied", stdin=subprocess.PIPE)
    until(lambda: holder(shot))
    code, text = ended(tied)            # which closes its standard input, as the end of a worker does
    assert code == 130 and "Stopped" in text and not (shot / "engine.lock").exists()
    shutil.rmtree(shot / "stages", ignore_errors=True)
    code, text = ended(run_shot(folder, 1))
    assert code == 0 and contents_of(shot) == local[0], text
