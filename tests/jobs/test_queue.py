# SPDX-License-Identifier: GPL-3.0-or-later
"""Several jobs in one session: order, cancel, resume, failures, the end of Blender, all with real child processes."""

from __future__ import annotations

import sys
import time

import pytest

from tests.jobs.children import PREAMBLE, alive
from toondecompose_blender.jobs.queue import JobQueue
from toondecompose_blender.jobs.spec import JobSpec
from toondecompose_blender.jobs.store import FAILED, READY, RUNNING, STOPPED, WAITING, JobStore
from toondecompose_blender.protocol import EngineError, Progress

WORK = "hello(); progress(3)\nsay('artifact', kind='contact_sheet', path='sheet.png')\nsay('done', result='')"
WAIT = "hello(); progress(3)\nsys.stdin.readline(); say('cancelled')"


@pytest.fixture
def queue(tmp_path):
    """A queue whose engine runs the script that a job's clip names."""
    def command(arguments):
        script = {"/work": WORK, "/wait": WAIT, "/die": "progress()\nos.abort()"}.get(arguments[1])
        if script is None:
            raise EngineError("engine.missing", "Engine not installed.", "Install it.")
        return [sys.executable, "-c", PREAMBLE + script]

    made = JobQueue(JobStore(tmp_path / "jobs"), command)
    yield made
    made.close()


def run_until(queue, holds, patience=60):
    deadline, heard = time.monotonic() + patience, []
    while time.monotonic() < deadline:
        heard += queue.tick()
        if holds():
            return heard
        time.sleep(0.01)
    raise AssertionError([job.state for job in queue.jobs.values()])


def test_jobs_run_one_after_the_other_and_become_ready(queue):
    jobs = [queue.submit(JobSpec(clip="/work", name=name)) for name in "ab"]
    most = [0]

    def finished():
        most[0] = max(most[0], sum(job.running for job in jobs))
        return all(job.state.status == READY for job in jobs)

    run_until(queue, finished)
    assert most == [1] and not queue.busy
    assert jobs[0].artifacts["contact_sheet"] == jobs[0].folder / "sheet.png" and queue.store.state(jobs[1].folder).status == READY


def test_a_failing_job_does_not_stop_the_next(queue):
    dead, well = queue.submit(JobSpec(clip="/die", name="a")), queue.submit(JobSpec(clip="/work", name="b"))
    run_until(queue, lambda: well.state.status == READY)
    assert (dead.state.status, dead.state.code, dead.state.stage) == (FAILED, "engine.died", "Mattes") and dead.state.remedy


def test_a_job_without_an_engine_fails_with_the_remedy(queue):
    job = queue.submit(JobSpec(clip="/other", name="a"))
    heard = queue.tick()
    assert heard[0][1].code == "engine.missing" and job.state.status == FAILED and not queue.store.is_locked(job.folder)


def test_a_job_that_another_blender_has_fails_with_the_remedy(queue):
    job = queue.submit(JobSpec(clip="/work", name="a"))
    lock = queue.store.lock(job.folder)
    queue.tick()
    assert job.state.code == "engine.busy"
    lock.release()
    queue.resume(job.id)
    run_until(queue, lambda: job.state.status == READY)


def test_cancel_stops_a_running_job_and_takes_out_a_waiting_one(queue):
    first, second = queue.submit(JobSpec(clip="/wait", name="a")), queue.submit(JobSpec(clip="/work", name="b"))
    run_until(queue, lambda: first.progress is not None)
    queue.cancel(second.id)
    queue.cancel(first.id)
    run_until(queue, lambda: not queue.busy)
    assert first.state.status == second.state.status == STOPPED and first.state.stage == "Mattes"


def test_the_end_of_blender_stops_the_engine_and_the_next_session_finds_the_job(queue):
    job = queue.submit(JobSpec(clip="/wait", name="a"))
    run_until(queue, lambda: job.progress is not None)
    pid = job.supervisor._child.pid
    queue.close()
    assert not alive(pid) and not queue.store.is_locked(job.folder)
    again = JobQueue(queue.store, queue._command).show(job.folder)
    assert again.spec == job.spec and (again.state.status, again.state.stage) == (STOPPED, "Mattes")


def test_a_dismissed_job_keeps_its_folder(queue):
    job = queue.submit(JobSpec(clip="/work", name="a"))
    run_until(queue, lambda: job.state.status == READY)
    queue.dismiss(job.id)
    assert not queue.jobs and job.folder.is_dir()


def test_the_fraction_counts_stages_and_what_is_done_of_the_one_in_work(queue):
    job = queue.submit(JobSpec(clip="/wait", name="a"))
    assert job.state.status == WAITING and job.fraction == 0
    run_until(queue, lambda: job.progress is not None)
    assert job.state.status == RUNNING and job.fraction == pytest.approx((4 + .3) / 8)
    job.progress = Progress("x", 8, 8, 20, 10)
    assert job.fraction == 1
