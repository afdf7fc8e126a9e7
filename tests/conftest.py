# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests belong to which environment: the engine's has torch, Blender's side has bpy; both run from one `build.py test`.
Must import neither, so that each side can be collected where the other does not exist."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENGINE_SIDE = {"engine", "jobs", "farm"}
HAS_TORCH = importlib.util.find_spec("torch") is not None
HAS_BPY = importlib.util.find_spec("bpy") is not None


def is_elsewhere(path: Path) -> bool:
    """True for a test that needs what this environment lacks."""
    parts = path.relative_to(HERE).parts if path.is_relative_to(HERE) else ()
    if not parts or parts[-1] in ("conftest.py", "__init__.py"):
        return False
    return not (HAS_TORCH if parts[0] in ENGINE_SIDE else HAS_BPY)


def pytest_configure(config: pytest.Config) -> None:
    """Drop what the command line names but the other environment runs: a file that is named is not asked about below."""
    config.args[:] = [word for word in config.args if not is_elsewhere(Path(word.split("::")[0]).absolute())]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave a test to the environment that has what it needs; an environment with both runs all."""
    return True if is_elsewhere(collection_path) else None


@pytest.fixture(scope="session")
def engine_python() -> str:
    """An interpreter that can run the engine: the one `build.py test` names, or this one."""
    named = os.environ.get("TOONDECOMPOSE_TEST_ENGINE") or (sys.executable if HAS_TORCH else "")
    if not named:
        pytest.skip("no engine environment; run the tests with `python3 build.py test`")
    return named
