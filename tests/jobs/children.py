# SPDX-License-Identifier: GPL-3.0-or-later
"""Children for the job tests: a script that speaks the protocol, with one fault each, and how to listen to one.
Must not import the engine: the odd faults need no decomposition."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from toondecompose_blender.jobs.supervisor import Supervisor, is_last

PREAMBLE = """
import json, os, signal, sys, time
def say(type_, **words):
    print(json.dumps({"v": 1, "seq": 0, "type": type_, **words}), flush=True)
def progress(done=0, total=10):
    say("progress", stage="Mattes", stage_number=5, stage_count=8, done=done, total=total, seconds_left=None)
def hello(protocol=1):
    say("hello", protocol=protocol, engine="0.1.0", torch="2.13.0", device="cpu")
"""


def listen(supervisor: Supervisor, until: Callable[[list], bool] = lambda heard: is_last(heard[-1]), patience: float = 60) -> list:
    """Poll as Blender's timer does, until `until` holds for what was heard."""
    heard, deadline = [], time.monotonic() + patience
    while time.monotonic() < deadline:
        heard += supervisor.poll()
        if heard and until(heard):
            return heard
        time.sleep(0.01)
    raise AssertionError(f"nothing more within {patience} s after {heard[-3:]}")


def alive(pid: int) -> bool:
    """True while a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def open_files() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))
