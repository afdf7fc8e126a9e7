# SPDX-License-Identifier: GPL-3.0-or-later
"""Dask on this machine: a scheduler and workers as real processes, one of them killed in the middle of its work."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.engines import ROOT
from tests.farm.conftest import contents
from tests.farm.test_faults import holder, until
from toondecompose_blender.protocol import Done, Failed, Progress, decode

pytestmark = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="no Dask here; requirements/farm.txt installs it")

RUNNER = ROOT / "farm" / "dask_runner.py"


class Farm:
    """A scheduler and workers, each a process of its own, ended with the test."""

    def __init__(self):
        self.processes: list[subprocess.Popen] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"

    def scheduler(self) -> subprocess.Popen:
        started = self._start("dask_scheduler", "--host", "127.0.0.1", "--port", self.port, "--no-show")
        until(self._answers)
        return started

    def worker(self, *options: str) -> subprocess.Popen:
        fixed = ("--nthreads", 1, "--no-nanny", "--host", "127.0.0.1", "--death-timeout", 20)
        return self._start("dask_worker", self.address, *fixed, *options)

    def _start(self, module: str, *words: object) -> subprocess.Popen:
        self.processes.append(subprocess.Popen([sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *map(str, words)],
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"))
        return self.processes[-1]

    def _answers(self) -> bool:
        with socket.socket() as line:
            return line.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def farm():
    started = Farm()
    yield started
    started.close()


def runner(folder: Path, address: str, *options: str) -> subprocess.Popen:
    words = [str(RUNNER), str(folder), "--scheduler", address, "--python", sys.executable, "--json", *options]
    return subprocess.Popen([sys.executable, *words],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "TOONDECOMPOSE_THREADS": "1"})


def messages(work: subprocess.Popen) -> list:
    lines, _ = work.communicate(timeout=240)
    return [decode(line) for line in lines.splitlines() if line.startswith("{")]


def starts(folder: Path, number: int) -> int:
    """How often an engine was started on a shot: each start is a line of its log."""
    return (folder / f"shots/{number:03d}/job.log").read_text(encoding="utf-8").count("'decompose'")


def test_a_worker_killed_in_mid_work_loses_nothing_and_every_shot_is_done_once(batch, local, farm):
    folder = batch("dask")
    farm.scheduler()
    workers = [farm.worker("--resources", "GPU=1") for _ in range(2)]
    idle = farm.worker()                    # without the resource: it must get nothing
    work = runner(folder, farm.address, "--resource", "GPU")
    both = [folder / "shots/001", folder / "shots/002"]
    until(lambda: all(map(holder, both)))
    engine = holder(both[0])
    owner = owner_of(engine, workers)
    assert owner in workers and owner is not idle
    until(lambda: (both[0] / "stages/flow.json").exists())
    kept = (both[0] / "stages/frames.json").stat().st_mtime_ns
    owner.send_signal(signal.SIGKILL)
    heard = messages(work)
    assert work.returncode == 0 and heard[-1] == Done(str(folder)), heard
    assert [(m.done, m.total) for m in heard if isinstance(m, Progress)] == [(0, 2), (1, 2), (2, 2)]
    assert contents(folder) == local
    assert (starts(folder, 1), starts(folder, 2)) == (2, 1)         # the lost one went on from its finished stages
    assert (both[0] / "stages/frames.json").stat().st_mtime_ns == kept


def test_when_the_scheduler_is_lost_the_runner_says_so_and_another_goes_on_without_doing_anything_twice(batch, local, farm):
    folder = batch("dask")
    scheduler = farm.scheduler()
    worker = farm.worker()
    work = runner(folder, farm.address)
    finished = until(lambda: next(folder.glob("shots/*/decomposition.json"), None))
    other = next(shot for shot in sorted(folder.glob("shots/*")) if shot != finished.parent)
    until(lambda: holder(other))
    before = finished.stat().st_mtime_ns
    scheduler.kill()
    heard = messages(work)
    assert work.returncode == 1 and isinstance(heard[-1], Failed) and heard[-1].code == "engine.scheduler_lost" and heard[-1].remedy
    worker.kill()
    farm.scheduler()
    farm.worker()
    again = runner(folder, farm.address)
    heard = messages(again)
    assert again.returncode == 0 and heard[-1] == Done(str(folder)), heard
    assert contents(folder) == local and finished.stat().st_mtime_ns == before


def test_a_scheduler_that_is_not_there_is_told_in_a_sentence(batch):
    (done,) = [message for message in messages(runner(batch("dask"), "tcp://127.0.0.1:9", "--connect", "1")) if isinstance(message, Failed)]
    assert done.code == "engine.scheduler" and "127.0.0.1:9" in done.message


def owner_of(process: int, workers: list[subprocess.Popen]) -> subprocess.Popen | None:
    """The worker that a process descends from."""
    known = {worker.pid: worker for worker in workers}
    while process > 1:
        if process in known:
            return known[process]
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return None
