# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as its users start it, in a process of its own, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = [sys.executable, "-m", "toondecompose_blender.engine"]


def engine(*arguments: object, threads: int = 2, root: Path = ROOT) -> subprocess.CompletedProcess:
    """Run a command of the engine below `root` to its end, its standard input open and silent as a patient parent's is."""
    environment = {**os.environ, "TOONDECOMPOSE_THREADS": str(threads), "PYTHONIOENCODING": "utf-8"}
    reading, writing = os.pipe()
    try:
        return subprocess.run([*ENGINE, *map(str, arguments)], cwd=root, env=environment, capture_output=True, text=True,
                              encoding="utf-8", stdin=reading)
    finally:
        os.close(reading)
        os.close(writing)


def started(*arguments: object, threads: int = 2) -> subprocess.Popen:
    """Start a command; it has pipes, and hears Ctrl-C as at a terminal, though tests may run in the background."""
    return subprocess.Popen([*ENGINE, *map(str, arguments)], cwd=ROOT, env={**os.environ, "TOONDECOMPOSE_THREADS": str(threads)},
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
                            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL))
