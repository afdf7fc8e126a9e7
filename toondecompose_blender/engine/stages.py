# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished stages on disk: written whole or not at all, and skipped by a rerun whose engine, inputs and settings are the same.
It stores arrays and plain values; it does not know what a stage computes."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..protocol import EngineError
from . import paged
from .digest import engine_digest
from .report import Report, Silent

PIECE = 1 << 24             # elements that are copied at once


__all__ = ["StageStore", "Stage", "fingerprint", "told"]


def fingerprint(*parts: object) -> str:
    """SHA-256 of plain values (anything that JSON can write, keys sorted)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Stage:
    """The folder of one stage, being written or finished: arrays and records of plain values, by name."""

    def __init__(self, folder: Path, key: str):
        self.folder, self.key = folder, key

    def save(self, **arrays: np.ndarray) -> None:
        for name, array in arrays.items():
            array = np.ascontiguousarray(array)
            if array.nbytes <= paged.IN_MEMORY:
                np.save(self.folder / f"{name}.npy", array)
                continue
            target, source = self.empty(name, array.shape, array.dtype).reshape(-1), array.reshape(-1)
            for begin in paged.paged(range(0, source.size, PIECE)):
                target[begin:begin + PIECE] = source[begin:begin + PIECE]

    def empty(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """An array on disk, to be filled in place (for what may not fit into memory)."""
        return paged.empty_on_disk(self.folder / f"{name}.npy", shape, dtype)

    def load(self, name: str) -> np.ndarray:
        """An array that was saved, only to be read; a large one stays on disk."""
        path = self.folder / f"{name}.npy"
        return paged.open_on_disk(path) if path.stat().st_size > paged.IN_MEMORY else np.load(path)

    def save_record(self, name: str, record: dict) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(record, sort_keys=True), encoding="utf-8")

    def record(self, name: str) -> dict:
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))


class StageStore:
    """The stages of one job, below `folder`; `report` is asked before anything is touched whether the work may go on."""

    def __init__(self, folder: Path, report: Report | None = None):
        self.folder, self.report = folder, report or Silent()

    def passing(self) -> Path:
        """A folder for what no stage keeps; those that were left by engines which ended at once are gone."""
        for old in self.folder.glob("passing.*.tmp"):
            shutil.rmtree(old, ignore_errors=True)
        return self.folder / f"passing.{secrets.token_hex(4)}.tmp"

    def run(self, name: str, inputs: str, work: Callable[[Stage], None]) -> Stage:
        """The finished stage `name` for the fingerprint `inputs`: found on disk, or made now by `work`.

        The work goes into <name>.<token>.tmp, is synced and renamed; <name>.json with the fingerprint and the files' sizes comes last.
        Raises `EngineError` (engine.disk_full, engine.folder) if it cannot be written.
        """
        key = fingerprint(engine_digest(), name, inputs)
        finished = Stage(self.folder / name, key)
        if self._recorded(name) == {"key": key, "files": _sizes(finished.folder)}:
            return finished
        try:
            return self._make(name, key, work)
        except OSError as cause:
            raise told(cause, self.folder) from cause

    def _make(self, name: str, key: str, work: Callable[[Stage], None]) -> Stage:
        self.report.step(0)
        # A name of its own: an engine that stood still, and whose job another took over, must not write into the other's files.
        folder, temporary = self.folder / name, self.folder / f"{name}.{secrets.token_hex(4)}.tmp"
        (self.folder / f"{name}.json").unlink(missing_ok=True)
        for old in (folder, *self.folder.glob(f"{name}.*.tmp")):
            shutil.rmtree(old, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            work(Stage(temporary, key))
            paged.give_back()
            _sync(temporary)
            self.report.step(0)
            os.replace(temporary, folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)    # a full disk needs the room
            raise
        record = self.folder / f"{name}.json.tmp"
        record.write_text(json.dumps({"key": key, "files": _sizes(folder)}), encoding="utf-8")
        os.replace(record, self.folder / f"{name}.json")
        return Stage(folder, key)

    def _recorded(self, name: str) -> dict | None:
        try:
            return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of every file below a stage's folder: a stage that lost something is made again."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())


def told(cause: OSError, folder: Path) -> EngineError:
    """What to tell the artist when a file below `folder` cannot be written."""
    if cause.errno in (28, 122, None):  # ENOSPC, EDQUOT; NumPy tells a short write without a number
        return EngineError("engine.disk_full", f"The disk of {folder} is full.", "Free some space, then start the job again: it resumes.")
    return EngineError("engine.folder", f"{folder} cannot be written to: {cause.strerror or cause}.", "Choose another output folder.")
