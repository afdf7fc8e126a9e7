# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist waits for: a poll of Blender's timer, the first sign of life after the click, Cancel, the end of Blender.
Runs in the engine's environment with the real engine; Blender is another interpreter, given by its path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from toondecompose_blender.jobs.environment import child_environment, module_command
from toondecompose_blender.jobs.spec import JobSpec, engine_arguments
from toondecompose_blender.jobs.supervisor import Supervisor

from .machine import keep

__all__ = ["measure"]

ROOT = Path(__file__).resolve().parents[1]
TALKER = Path(__file__).with_name("panel_talker.py")
WAITING = 1000
GOALS = {"poll_ms": 5.0, "first_progress_seconds": 3.0, "cancel_seconds": 2.0, "close_seconds": 1.0}


def measure(*, blender: Path, rounds: int) -> None:
    """Print the figures with their goals; keep them as benchmarks/results/panel.json."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip = _demo(folder)
        figures = {"poll_ms": _poll(folder, rounds)}
        cancelled = [_stopped(clip, folder / f"cancel_{n}", 0.3 + 6 * n / rounds, by_close=False) for n in range(rounds)]
        closed = [_stopped(clip, folder / f"close_{n}", 0.3 + 6 * n / 5, by_close=True) for n in range(5)]
        figures |= {"cancel_seconds": max(seconds for seconds, _ in cancelled), "close_seconds": max(seconds for seconds, _ in closed)}
        figures["left_over"] = sorted({name for _, names in (*cancelled, *closed) for name in names})
        figures["threads_left"] = threading.active_count() - 1
        figures |= _in_blender(blender, clip, folder)
    for name, value in figures.items():
        goal = f"   goal {GOALS[name]:g}: {'met' if value <= GOALS[name] else 'MISSED'}" if name in GOALS else ""
        print(f"{name:<26}{value if not isinstance(value, float) else round(value, 3)}{goal}")
    print(f"kept in {keep('panel', figures)}")


def _demo(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "toondecompose_blender.engine", "demo-clip", str(folder / "demo")], check=True,
                   stdout=subprocess.DEVNULL)
    return folder / "demo" / "frames"


def _poll(folder: Path, rounds: int) -> float:
    """Milliseconds of the longest poll while `WAITING` messages of all kinds wait; as the timer polls, without a pause."""
    worst = 0.0
    for _ in range(rounds):
        child = Supervisor([sys.executable, str(TALKER), str(WAITING)], folder)
        while child._messages.qsize() < WAITING:
            time.sleep(0.01)
        while child._messages.qsize():
            started = time.perf_counter()
            child.poll(0.004)
            worst = max(worst, time.perf_counter() - started)
        child.close()
    return 1000 * worst


def _stopped(clip: Path, folder: Path, after: float, *, by_close: bool) -> tuple[float, list[str]]:
    """Seconds from Cancel (or from the end of Blender) until the engine is gone, `after` seconds from its start, and what it left
    unfinished.  Its kernels are not compiled yet: that is when it hears worst."""
    folder.mkdir()
    spec = JobSpec(clip=str(clip), name="demo", sprites=2, preset="draft")
    env = {**child_environment(folder), "NUMBA_CACHE_DIR": str(folder / "numba")}
    child = Supervisor(module_command(sys.executable, "engine", engine_arguments(spec, folder), folder), folder, env=env)
    started = time.perf_counter()
    while time.perf_counter() < started + after:
        child.poll()
        time.sleep(0.05)
    asked = time.perf_counter()
    child.close() if by_close else child.cancel()
    while child.running:
        child.poll()
        time.sleep(0.1)         # Blender's timer
    seconds = time.perf_counter() - asked
    return seconds, [path.name for path in folder.rglob("*.tmp") if "numba" not in path.parts] + (["process"] if _lives(child) else [])


def _lives(child: Supervisor) -> bool:
    try:
        os.killpg(child._child.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _in_blender(blender: Path, clip: Path, folder: Path) -> dict:
    """What only Blender can tell: how long it takes to enable the extension, to tick, and from the click to the first progress."""
    answer = folder / "answer.json"
    env = {**os.environ, "TOONDECOMPOSE_ENGINE": sys.executable, "TOONDECOMPOSE_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    words = [str(blender), "-m", "benchmarks.panel_blender", str(clip), str(answer), str(TALKER), str(WAITING)]
    done = subprocess.run(words, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if not answer.exists():
        raise SystemExit(f"{blender} could not measure:\n{done.stderr}")
    return json.loads(answer.read_text(encoding="utf-8"))
