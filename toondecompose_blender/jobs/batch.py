# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's shots as a farm takes them: one job.json a shot, one launcher, and what each kind of farm reads.
Must not know bpy, nor start anything; written twice, the folder is the same."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from ..protocol import EngineError, inside
from ..protocol_shots import Shots
from .environment import PACKAGE
from .spec import JOB_FILE, JobSpec, write_record
from .store import folder_error

__all__ = ["LAUNCHER", "farm_folder", "write_batch"]

LAUNCHER = "run_shot.py"
_FLAMENCO_TYPE = "toondecompose"        # Flamenco names a job type by its file


def farm_folder() -> Path:
    """Where the templates of the farms lie: beside the extension's modules, or in the checkout.  Raises `EngineError` engine.farm."""
    found = next((folder for folder in (PACKAGE / "farm", PACKAGE.parent / "farm") if (folder / LAUNCHER).is_file()), None)
    if found is None:
        raise EngineError("engine.farm", "The templates for farms are missing.", "Install the extension again.")
    return found


def write_batch(folder: Path, spec: JobSpec, shots: Shots, *, farm: str, python: str) -> Path:
    """Write what `farm` (openjd, flamenco or dask) needs into `folder`, which holds shots.json; returns what to give to the farm.

    `python` is the engine's interpreter as the farm's machines see it.  Raises `EngineError` (engine.folder, engine.disk_full).
    """
    offset = spec.frames[0] - 1 if spec.frames else 0
    try:
        for shot in shots.shots:
            place = inside(folder, shot.folder)
            place.mkdir(parents=True, exist_ok=True)
            frames = offset + shot.first, offset + shot.last
            write_record(place / JOB_FILE, replace(spec, frames=frames, shots="off", farm="", scheduler=""))
        _write_launcher(folder)
        writer = {"openjd": _openjd, "flamenco": _flamenco, "dask": lambda folder, *_: folder / LAUNCHER}[farm]
        return writer(folder, spec, len(shots.shots), python)
    except OSError as cause:
        raise folder_error(folder, cause) from cause


def _write_launcher(folder: Path) -> None:
    """The one script that all farms call; it knows where this package lies."""
    text = (farm_folder() / LAUNCHER).read_text(encoding="utf-8")
    for name, value in (("PACKAGE_PARENT", str(PACKAGE.parent)), ("PACKAGE_NAME", PACKAGE.name)):
        text = text.replace(f'{name} = ""', f"{name} = {value!r}")
    _write(folder / LAUNCHER, text)


def _openjd(folder: Path, spec: JobSpec, count: int, python: str) -> Path:
    """A job bundle: the template, and its parameters both as `openjd run` and as render managers read them."""
    bundle = folder / "openjd"
    bundle.mkdir(exist_ok=True)
    template = json.loads((farm_folder() / "openjd" / "template.json").read_text(encoding="utf-8"))
    if spec.device == "cuda":
        template["steps"][0]["hostRequirements"] = {"amounts": [{"name": "amount.worker.gpu", "min": 1}]}
    values = {"Name": spec.name, "Folder": str(folder), "Python": python, "Shots": count}
    _write(bundle / "template.json", json.dumps(template, indent=1, ensure_ascii=False) + "\n")
    _write(bundle / "parameters.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    listed = {"parameterValues": [{"name": name, "value": value} for name, value in values.items()]}
    _write(bundle / "parameter_values.json", json.dumps(listed, indent=1, ensure_ascii=False) + "\n")
    return bundle


def _flamenco(folder: Path, spec: JobSpec, count: int, python: str) -> Path:
    """The job type for the Manager's scripts folder, and the request to post to it."""
    place = folder / "flamenco"
    place.mkdir(exist_ok=True)
    shutil.copyfile(farm_folder() / "flamenco" / f"{_FLAMENCO_TYPE}.js", place / f"{_FLAMENCO_TYPE}.js")
    settings = {"folder": folder.as_posix(), "python": python, "shots": count}
    platform = {"win32": "windows"}.get(sys.platform, sys.platform)
    request = {"name": spec.name, "type": _FLAMENCO_TYPE, "priority": 50, "submitter_platform": platform, "settings": settings,
               "metadata": {"project": "Toon Decompose", "clip": spec.clip}}
    _write(place / "job.json", json.dumps(request, indent=1, ensure_ascii=False) + "\n")
    return place


def _write(path: Path, text: str) -> None:
    """In one step, for a farm may be reading."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    os.replace(temporary, path)
