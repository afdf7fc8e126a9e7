# SPDX-License-Identifier: GPL-3.0-or-later
"""The real engine under the supervisor: killed in every stage, cancelled in any, resumed to the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.jobs.children import alive, listen, open_files
from toondecompose_blender.jobs.environment import child_environment, module_command
from toondecompose_blender.jobs.spec import JobSpec, engine_arguments
from toondecompose_blender.jobs.store import JobStore
from toondecompose_blender.jobs.supervisor import Supervisor
from toondecompose_blender.protocol import Cancelled, Done, Failed, Hello, Progress, read_result

DRAW = """
import sys, pathlib, numpy as np, cv2
folder = pathlib.Path(sys.argv[1]); folder.mkdir()
wall = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (100, 300, 3), dtype=np.uint8), (0, 0), 3)
wall = cv2.normalize(wall, None, 40, 220, cv2.NORM_MINMAX)
for t in range(8):
    frame = wall[5:95, 4 * t + 20:4 * t + 160].copy()
    cv2.circle(frame, (45 + 6 * (t // 2), 50), 18, (30, 60, 220), -1, cv2.LINE_AA)
    cv2.imwrite(str(folder / f"{t + 1:04d}.png"), frame)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory, engine_python) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "日本 'clip' \"q\" $x"
    subprocess.run([engine_python, "-c", DRAW, folder], check=True)
    return folder


@pytest.fixture
def engine(engine_python, clip, tmp_path):
    """Start the engine on the clip in a job folder of a store."""
    started: list[Supervisor] = []
    store = JobStore(tmp_path / "jobs with space")

    def start(folder: Path | None = None, numba: Path | None = None) -> Supervisor:
        spec = JobSpec(clip=str(clip), name=clip.name, sprites=2, preset="draft")
        folder = folder or store.create(spec)
        command = module_command(engine_python, "engine", engine_arguments(spec, folder), tmp_path)
        cache = str(numba or os.environ.get("NUMBA_CACHE_DIR", clip.parent / "numba"))
        env = {**child_environment(tmp_path), "NUMBA_CACHE_DIR": cache}
        started.append(Supervisor(command, folder, lock=store.lock(folder), env=env))
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.close()


def stages(heard: list) -> list[str]:
    return list(dict.fromkeys(message.stage for message in heard if isinstance(message, Progress)))


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a result, without the job's own notes."""
    result = read_result(folder)
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in result.files}


def test_killed_in_every_stage_it_goes_on_and_ends_with_the_same_bytes(engine, tmp_path):
    whole = engine()
    heard = listen(whole, patience=300)
    assert isinstance(heard[0], Hello) and isinstance(heard[-1], Done), heard[-1]
    names = stages(heard)
    assert len(names) >= 6
    child, folder, met = engine(), None, []
    for name in names[1:]:
        folder = child.folder
        seen = listen(child, lambda heard, name=name: name in stages(heard) or not isinstance(heard[-1], Hello | Progress), patience=300)
        if not isinstance(seen[-1], Progress):
            break               # it ran through before it could be killed
        os.kill(child._child.pid, signal.SIGKILL)
        last = listen(child)[-1]
        assert isinstance(last, Failed | Done)
        if isinstance(last, Failed):
            assert last.code == "engine.died" and "SIGKILL" in last.message
            met.append(name)
        child = engine(folder)
    assert isinstance(listen(child, lambda heard: not child.running, patience=300)[-1], Done)
    assert len(met) >= 4 and contents(child.folder) == contents(whole.folder)


def test_cancel_leaves_no_process_and_keeps_finished_stages(engine):
    child = engine()
    listen(child, lambda heard: "Motion" in stages(heard), patience=300)
    began = time.monotonic()
    child.cancel()
    assert listen(child)[-1] == Cancelled() and not alive(child._child.pid)
    assert time.monotonic() - began < 8          # the ladder's end; the figure itself is for the benchmarks
    finished = {path.name for path in (child.folder / "stages").glob("*.json")}
    assert finished and not (child.folder / "decomposition.json").exists()


def test_a_cancel_while_kernels_are_compiled_keeps_finished_stages_and_no_half_one(engine, tmp_path):
    """Nothing is compiled yet and nobody hears: the engine is ended, and goes on later from what was finished."""
    child = engine(numba=tmp_path / "empty")
    listen(child, lambda heard: "Motion" in stages(heard), patience=300)
    child.cancel()
    assert listen(child)[-1] == Cancelled() and not alive(child._child.pid)
    left = {path.name for path in (child.folder / "stages").iterdir()}
    assert left and not [name for name in left if name.endswith(".tmp")]
    assert left == {f"{name.removesuffix('.json')}{end}" for name in left for end in ("", ".json")}
    again = engine(child.folder)
    assert isinstance(listen(again, patience=300)[-1], Done)


def test_twenty_starts_and_cancels_leave_no_process_thread_file_or_lock(engine):
    """Five at a time, each cancelled at another moment of its start."""
    files, threads, pids, folders = open_files(), threading.active_count(), [], []
    for turn in range(4):
        children = [engine() for _ in range(5)]
        pids += [child._child.pid for child in children]
        folders += [child.folder for child in children]
        time.sleep(0.7 * turn)
        for child in children:
            child.cancel()
        assert all(listen(child)[-1] == Cancelled() for child in children)
    assert open_files() == files and threading.active_count() == threads and not any(map(alive, pids))
    assert not [path for folder in folders for path in folder.rglob("*.tmp")]
    assert not any(JobStore(folder.parent).is_locked(folder) for folder in folders)


def test_an_engine_whose_blender_was_killed_leaves_and_the_job_goes_on_later(engine, clip, tmp_path, engine_python):
    spec = JobSpec(clip=str(clip), name=clip.name, sprites=2, preset="draft")
    store = JobStore(tmp_path / "jobs with space")
    folder = store.create(spec)
    command = module_command(engine_python, "engine", engine_arguments(spec, folder), tmp_path)
    blender = ("import sys, time, pathlib\nfrom toondecompose_blender.jobs.supervisor import Supervisor\n"
               "from toondecompose_blender.jobs.store import JobStore\nfolder = pathlib.Path(sys.argv[1])\n"
               "child = Supervisor(sys.argv[2:], folder, lock=JobStore(folder.parent).lock(folder))\n"
               "while 'Progress' not in {type(m).__name__ for m in child.poll()}: time.sleep(.01)\n"
               "print(child._child.pid, flush=True)\ntime.sleep(600)")
    with subprocess.Popen([sys.executable, "-c", blender, folder, *command], stdout=subprocess.PIPE) as process:
        pid = int(process.stdout.readline())
        assert store.is_locked(folder)
        process.kill()
    while alive(pid) or store.is_locked(folder):
        time.sleep(0.05)
    assert store.state(folder).status == "stopped"
    assert isinstance(listen(engine(folder), patience=300)[-1], Done)


def test_an_engine_without_torch_says_what_to_do(engine_python, clip, tmp_path):
    """An environment with all packages but that one."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.run([engine_python, "-c", where], capture_output=True, text=True, check=True).stdout.strip())
    subprocess.run([engine_python, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    own = next((tmp_path / "env").glob("lib/python*/site-packages"))
    for package in packages.iterdir():
        if not package.name.startswith(("torch", "_distutils_hack", "__pycache__")):
            (own / package.name).symlink_to(package)
    spec = JobSpec(clip=str(clip), name="none", sprites=2)
    (tmp_path / "job").mkdir()
    command = module_command(str(tmp_path / "env/bin/python"), "engine", engine_arguments(spec, tmp_path / "job"), tmp_path)
    last = listen(Supervisor(command, tmp_path / "job", env=child_environment(tmp_path)), patience=120)[-1]
    assert isinstance(last, Failed) and last.code == "engine.torch_missing" and "Repair" in last.remedy


def test_a_disk_that_fills_up_is_said_and_nothing_half_written_counts_as_a_result(engine_python, clip, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount")
    try:
        spec = JobSpec(clip=str(clip), name="full", sprites=2, preset="draft")
        command = module_command(engine_python, "engine", engine_arguments(spec, disk / "job"), tmp_path)
        (disk / "job").mkdir()
        env = {**child_environment(tmp_path), "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", str(clip.parent / "numba"))}
        last = listen(Supervisor(command, disk / "job", env=env), patience=300)[-1]
        assert isinstance(last, Failed) and last.code == "engine.disk_full" and last.remedy, last
        assert not (disk / "job" / "decomposition.json").exists()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_clip_that_vanished_is_a_typed_error(engine, clip, tmp_path):
    hidden = clip.with_name("elsewhere")
    shutil.move(clip, hidden)
    try:
        last = listen(engine(), patience=120)[-1]
    finally:
        shutil.move(hidden, clip)
    assert isinstance(last, Failed) and last.code.startswith("clip.") and last.remedy
