# SPDX-License-Identifier: GPL-3.0-or-later
"""Job folders: made, found, described, locked against a second Blender, cleared away.
Must not know processes or Blender; a job's state is what its folder says."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..protocol import MANIFEST_NAME, EngineError, ToonError
from ..protocol_shots import DONE, has_shots, read_shots
from .spec import JOB_FILE, JobSpec, read_spec, write_record

__all__ = [
    "JobState", "JobStore", "Lock", "LOG_FILE", "log_tail", "folder_error", "tree_bytes", "sweep",
    "PREPARING", "WAITING", "RUNNING", "STOPPED", "FAILED", "READY", "IMPORTED",
]

CLAIM_FILE = "engine.lock"      # the engine's own word that it works on a folder
STATE_FILE, LOCK_FILE, LOG_FILE = "job_state.json", "job.lock", "job.log"
WAITING, RUNNING, STOPPED, FAILED, READY, IMPORTED = "waiting", "running", "stopped", "failed", "ready", "imported"
PREPARING = "preparing"     # its clip is being made; without whoever made it, it is worth nothing
LONGEST_NAME = 40           # letters of the clip's name in a folder's name: Windows' paths end at 260


@dataclass(frozen=True)
class JobState:
    """How far a job came: `status`, the stage it was in, and, after a failure, what to tell the artist."""
    status: str = WAITING
    stage: str = ""
    stage_number: int = 0
    stage_count: int = 0
    code: str = ""
    message: str = ""
    remedy: str = ""


class Lock:
    """A held lock on a job folder.  The system frees it when the last process that has it open ends, however it ends."""

    def __init__(self, file: IO[bytes]):
        self._file = file

    def fileno(self) -> int:
        return self._file.fileno()

    def release(self) -> None:
        self._file.close()


class JobStore:
    """All jobs below one folder.  Raises `EngineError` (engine.folder, engine.disk, engine.busy) where it cannot work."""

    def __init__(self, root: os.PathLike | str):
        self.root = Path(root)

    def create(self, spec: JobSpec) -> Path:
        """A new folder with the request in it; its name is the job's id."""
        stem = re.sub(r"[^\w.-]+", "_", spec.name).strip("._")[:LONGEST_NAME] or "clip"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for attempt in range(1000):
                folder = self.root / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}{f'-{attempt}' if attempt else ''}"
                try:
                    folder.mkdir()
                    break
                except FileExistsError:
                    continue
            write_record(folder / JOB_FILE, spec)
            self.write_state(folder, JobState())
        except OSError as cause:
            raise folder_error(self.root, cause) from cause
        return folder

    def find(self) -> list[Path]:
        """The folders of all jobs, oldest first."""
        return sorted((path.parent for path in self.root.glob(f"*/{JOB_FILE}")), key=lambda folder: (folder.stat().st_mtime, folder.name))

    def find_by_origin(self, blend: str) -> Iterator[tuple[Path, JobSpec, JobState]]:
        """The jobs that were started from the .blend file `blend`; damaged ones are left out, and so are, for good, those whose
        clip was never finished."""
        for folder in self.find():
            try:
                spec, state = read_spec(folder), self.state(folder)
                if state.status == PREPARING and not self.is_locked(folder):
                    self.remove(folder)
                    continue
            except ToonError:
                continue
            if blend and spec.origin.blend == blend and state.status != PREPARING:
                yield folder, spec, state

    def state(self, folder: Path) -> JobState:
        """What the folder says; a job that was running when its process ended is stopped, or ready if its result is whole."""
        try:
            record = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
            state = JobState(**record)
        except (OSError, ValueError, TypeError):
            state = JobState(STOPPED)
        if state.status in (WAITING, RUNNING) and not self.is_locked(folder):
            finished = (folder / MANIFEST_NAME).is_file() or _all_shots_done(folder)
            state = JobState(READY if finished else STOPPED, state.stage, state.stage_number, state.stage_count)
        return state

    def write_state(self, folder: Path, state: JobState) -> None:
        try:
            write_record(folder / STATE_FILE, state, sync=False)    # Blender's timer calls this: it must not wait for the disk
        except OSError as cause:
            raise folder_error(folder, cause) from cause

    def lock(self, folder: Path) -> Lock:
        """Take the folder for this process and its engine.  Raises `EngineError` (engine.busy) if another holds it."""
        try:
            file = open(folder / LOCK_FILE, "a+b", buffering=0)
        except OSError as cause:
            raise folder_error(folder, cause) from cause
        if not _try_lock(file):
            file.seek(0)
            holder = file.read(200).decode("utf-8", "replace").strip() or "another program"
            file.close()
            raise EngineError("engine.busy", f"This job is being worked on by {holder}.", "Wait for it, or cancel it there.")
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        return Lock(file)

    def is_locked(self, folder: Path) -> bool:
        try:
            self.lock(folder).release()
        except EngineError as error:
            return error.code == "engine.busy"
        return False

    def remove(self, folder: Path) -> None:
        """Delete a job folder below this store, unless somebody works on it."""
        if folder.resolve().parent != self.root.resolve() or not (folder / JOB_FILE).is_file():
            raise EngineError("engine.folder", f"{folder} is no job of this folder.", "Choose a job from the list.")
        self.lock(folder).release()
        shutil.rmtree(folder, ignore_errors=True)

    def used_bytes(self) -> int:
        """What all jobs take on the disk, in bytes."""
        return tree_bytes(self.root)


def _all_shots_done(folder: Path) -> bool:
    """Whether the folder holds a clip in shots, each with its result."""
    try:
        return has_shots(folder) and all(shot.state == DONE for shot in read_shots(folder).shots)
    except ToonError:
        return False


def tree_bytes(root: os.PathLike | str) -> int:
    """Sum of the sizes of all files below `root`; files that vanish meanwhile count nothing."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def sweep(folder: os.PathLike | str, process: int = 0) -> None:
    """Delete what the ended engine `process` left unfinished: whatever ends in .tmp in the job's folder or one level below.

    Nothing is touched while another engine has claimed the folder: on a farm, the same shot may have been started twice.
    """
    claim = Path(folder, CLAIM_FILE)
    try:
        holder = json.loads(claim.read_text(encoding="utf-8"))
        if (holder.get("process"), holder.get("host")) != (process, socket.gethostname()):
            return
        claim.unlink()
    except FileNotFoundError:
        pass
    except (OSError, ValueError, AttributeError):
        return
    for pattern in ("*.tmp", "*/*.tmp"):
        for path in Path(folder).glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()


def log_tail(folder: os.PathLike | str, lines: int = 40) -> str:
    """The last lines of a job's log, read from its end (the log may be long)."""
    try:
        with open(Path(folder, LOG_FILE), "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - lines * 400))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def folder_error(folder: os.PathLike | str, cause: OSError) -> EngineError:
    """What to tell the artist when a file below `folder` cannot be written."""
    if cause.errno in (errno.ENOSPC, errno.EDQUOT):
        return EngineError("engine.disk_full", f"The disk with {folder} is full.", "Free some space, then try again.")
    return EngineError("engine.folder", f"The folder {folder} cannot be written: {cause.strerror or cause}.",
                       "Choose another folder in the preferences.")


def _try_lock(file: IO[bytes]) -> bool:
    """An exclusive lock on an open file, without waiting."""
    try:
        if os.name == "nt":
            import msvcrt
            file.seek(1 << 20)      # a byte behind the text: Windows forbids reading locked bytes
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
