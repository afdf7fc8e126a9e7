# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the engine's own Python lives, how it is called, and in what state it is.
Must not know bpy, nor change anything: making and removing is the installer's work, in a process of its own."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ..protocol import EngineError
from ..requirements import PACKAGE, requirements_hash

__all__ = [
    "Build", "BUILDS", "Finding", "EngineRecord", "EngineStatus", "EngineHome", "MISSING", "READY", "BROKEN", "OUTDATED",
    "module_command", "child_environment", "recommended_build", "data_folder", "cache_folder", "free_bytes",
]

MISSING, READY, BROKEN, OUTDATED = "missing", "ready", "broken", "outdated"
CURRENT_FILE, REPORT_FILE = "current.json", "doctor.json"
ENGINE_VARIABLE, HOME_VARIABLE = "TOONDECOMPOSE_ENGINE", "TOONDECOMPOSE_HOME"

# The package is started by its folder's name (as an extension it is not called toondecompose_blender), with nothing of its
# parent folder in front of the standard library, and without the user's own site packages and PYTHON variables (-I).
_START = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"


@dataclass(frozen=True)
class Build:
    """A build of PyTorch: `index` is its extra package index ("" = the usual one), sizes in MB, `driver` NVIDIA's least major version."""
    id: str
    label: str
    index: str
    download: int
    disk: int
    driver: int = 0


# Sizes of the CPU build are measured (Linux, Python 3.11); the others are the sum of the published wheels, rounded up.
# Drivers: NVIDIA's table of CUDA toolkits and minor-version compatibility.
BUILDS = (
    Build("cpu", "CPU", "https://download.pytorch.org/whl/cpu", 400, 1600),
    Build("cu130", "CUDA 13.0", "https://download.pytorch.org/whl/cu130", 2600, 6000, 580),
    Build("cu126", "CUDA 12.6", "https://download.pytorch.org/whl/cu126", 2900, 6400, 525),
)


@dataclass(frozen=True)
class Finding:
    """One line of the engine's report about itself: `state` is ok, warning or error."""
    name: str
    value: str
    state: str = "ok"
    remedy: str = ""


@dataclass(frozen=True)
class EngineRecord:
    """The engine in use: its interpreter, whether it is the studio's own, which requirements it was made from, its bytes on disk."""
    python: str
    external: bool = False
    requirements: str = ""
    build: str = ""
    size: int = 0


@dataclass(frozen=True)
class EngineStatus:
    """`state` is missing, ready, broken or outdated; message and remedy are empty when it is ready."""
    state: str
    message: str = ""
    remedy: str = ""
    python: str = ""
    findings: tuple[Finding, ...] = field(default=())


class EngineHome:
    """The folder that holds the engine's environments, which one is current, and its last report."""

    def __init__(self, root: os.PathLike | str):
        self.root = Path(root)

    def record(self) -> EngineRecord | None:
        """The engine in use: the one that TOONDECOMPOSE_ENGINE names (a studio's), else the installed one."""
        if named := os.environ.get(ENGINE_VARIABLE):
            return EngineRecord(named, external=True, requirements=requirements_hash())
        try:
            return EngineRecord(**json.loads((self.root / CURRENT_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def status(self) -> EngineStatus:
        """What the files say, without starting anything; quick enough for every redraw of a cached panel."""
        record = self.record()
        if record is None:
            return EngineStatus(MISSING, "Engine not installed.", "Install it in the preferences.")
        if not Path(record.python).is_file():
            return EngineStatus(BROKEN, "The engine's Python is gone.", "Repair makes the engine anew.", record.python)
        findings = self._report()
        for finding in findings:
            if finding.state == "error":
                return EngineStatus(BROKEN, f"{finding.name}: {finding.value}", finding.remedy, record.python, findings)
        if not record.external and record.requirements != requirements_hash():
            return EngineStatus(OUTDATED, "The engine is of another version.", "Repair brings it up to date.", record.python, findings)
        return EngineStatus(READY, "", "", record.python, findings)

    def command(self, arguments: list[str]) -> list[str]:
        """The argument list that runs the engine.  Raises `EngineError` (engine.missing, engine.broken, engine.outdated)."""
        status = self.status()
        if status.state != READY:
            raise EngineError(f"engine.{status.state}", status.message, status.remedy)
        return module_command(status.python, "engine", arguments, self.root)

    def install_command(self, action: str, arguments: list[str]) -> list[str]:
        """The argument list that installs, adopts, checks or removes; it speaks the same protocol as the engine."""
        return module_command(sys.executable, "jobs.installer", [action, str(self.root), *arguments], self.root)

    def _report(self) -> tuple[Finding, ...]:
        try:
            record = json.loads((self.root / REPORT_FILE).read_text(encoding="utf-8"))
            return tuple(Finding(**finding) for finding in record["findings"])
        except (OSError, ValueError, TypeError, KeyError):
            return ()


def module_command(python: str, module: str, arguments: list[str], home: Path) -> list[str]:
    """The argument list that runs a module of this package in another interpreter; its byte code goes below `home`."""
    cache = f"pycache_prefix={home / 'cache' / 'bytecode'}"
    return [python, "-I", "-X", "utf8", "-X", cache, "-c", _START, str(PACKAGE.parent), f"{PACKAGE.name}.{module}", *arguments]


def child_environment(home: Path) -> dict[str, str]:
    """The variables of a child: without Blender's Python settings, compiled kernels kept below `home`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {"NUMBA_CACHE_DIR": str(home / "cache" / "numba"), **kept}


@functools.lru_cache
def recommended_build() -> tuple[Build, str]:
    """The build for this machine and the name of its graphics card; the CPU build and "" where there is no usable one."""
    tool = shutil.which("nvidia-smi")
    if tool is None or sys.platform == "darwin":
        return BUILDS[0], ""
    try:
        words = [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"]
        name, driver = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()[0].split(",")
        major = int(driver.strip().split(".")[0])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return BUILDS[0], ""
    return next((build for build in BUILDS[1:] if major >= build.driver), BUILDS[0]), name.strip()


def data_folder() -> Path:
    """Where this user's programs keep what must stay: the engine goes into a folder below."""
    if named := os.environ.get(HOME_VARIABLE):
        return Path(named)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local", "toondecompose")
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/toondecompose"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share", "toondecompose")


def cache_folder() -> Path:
    """Where this user's programs keep what can be made again: the jobs go into a folder below."""
    if os.environ.get(HOME_VARIABLE) or os.name == "nt":
        return data_folder() / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/toondecompose"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "toondecompose")


def free_bytes(folder: os.PathLike | str) -> int:
    """Free space in bytes on the disk that holds, or will hold, `folder`."""
    path = Path(folder).absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free
