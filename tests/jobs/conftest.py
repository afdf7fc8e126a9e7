# SPDX-License-Identifier: GPL-3.0-or-later
"""A child for a test of jobs, ended with it.
Must not import the engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.jobs.children import PREAMBLE
from toondecompose_blender.jobs.supervisor import Supervisor


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Supervisor]]:
    """Start a child that runs `script`; whatever is still alive at the end of the test is ended."""
    started: list[Supervisor] = []

    def run(script: str, folder: Path = tmp_path, **options) -> Supervisor:
        started.append(Supervisor([sys.executable, "-c", PREAMBLE + script], folder, **options))
        return started[-1]

    yield run
    for supervisor in started:
        supervisor.close()
