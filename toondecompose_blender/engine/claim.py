# SPDX-License-Identifier: GPL-3.0-or-later
"""One engine a result folder: whoever comes second waits or is told, on one machine as on a farm's shared folder.
A file with a heartbeat, not a lock of the system's: network folders keep those badly.  It does not know what is worked on."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..protocol import EngineError
from .report import Report
from .stages import told

__all__ = ["CLAIM_NAME", "Guarded", "claimed"]

CLAIM_NAME = "engine.lock"
_BEAT = 5.0             # seconds between two heartbeats
_STALE = 60.0           # seconds without one after which a holder is gone: a network folder may stall for half of it
_LOOK = 1.0             # seconds between two looks of one who waits
_REMEDY = "Wait for it, or cancel it there."


@contextlib.contextmanager
def claimed(folder: Path, *, wait: bool, report: Report) -> Iterator[Guarded]:
    """Hold `folder` (made if it is not there) for this process; yields the report to go on with, which tells if it was lost.

    With `wait`, somebody else's work is waited for.  Raises `EngineError`: engine.busy, engine.folder, engine.disk_full.
    """
    claim = _Claim(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _acquire(claim, wait=wait, report=report)
    except OSError as cause:
        raise told(cause, folder) from cause
    beating = threading.Thread(target=claim.beat, daemon=True, name="heartbeat")
    beating.start()
    try:
        yield Guarded(report, claim)
    finally:
        claim.ended.set()
        beating.join()
        claim.release()


def _acquire(claim: _Claim, *, wait: bool, report: Report) -> None:
    said = False
    while not claim.take():
        holder = claim.holder()
        if not holder and not claim.path.exists():
            continue            # it was released in this moment
        if claim.is_stale(holder):
            claim.clear(holder)
            continue
        if not wait:
            raise EngineError("engine.busy", f"{claim.folder} is being worked on by {_named(holder)}.", _REMEDY)
        if not said:
            report.stage("Waiting", 1)
            said = True
        report.step(0)      # raises when the wish to stop came
        time.sleep(_LOOK)


class _Claim:
    """The file of a claim on `folder`: taken by creating it, kept by touching it, stale when nobody does."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / CLAIM_NAME
        self.text = json.dumps({"token": secrets.token_hex(8), "host": socket.gethostname(), "process": os.getpid(), "space": _space()})
        self.ended, self._looked = threading.Event(), time.monotonic()

    def take(self) -> bool:
        """Create the file; False if there is one.  Raises OSError where it cannot be written, and leaves none then."""
        try:
            file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        try:
            with os.fdopen(file, "w", encoding="utf-8") as stream:
                stream.write(self.text)
        except OSError:
            self.path.unlink(missing_ok=True)
            raise
        return True

    def holder(self) -> str:
        """What the file says now; empty while it is being written, or gone."""
        try:
            return self.path.read_text(encoding="utf-8")
        except (FileNotFoundError, PermissionError):     # Windows forbids a look at a file that is being removed
            return ""

    def is_stale(self, holder: str) -> bool:
        """Whether nobody stands behind the file: its process is gone from this machine, or its heart stopped."""
        record = _record(holder)
        if os.name != "nt" and (record.get("host"), record.get("space")) == (socket.gethostname(), _space()):
            if not _lives(record.get("process", 0)):
                return True
        try:
            return self._now() - self.path.stat().st_mtime > _STALE
        except FileNotFoundError:
            return False

    def clear(self, holder: str) -> None:
        """Remove the stale file of `holder`; of several that try, one does."""
        guard = self.path.with_name(f"{CLAIM_NAME}.taking")
        try:
            os.close(os.open(guard, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                if self._now() - guard.stat().st_mtime > _STALE:
                    guard.unlink()
            time.sleep(_LOOK / 10)
            return
        try:
            if self.holder() == holder:
                self.path.unlink(missing_ok=True)
        finally:
            guard.unlink(missing_ok=True)

    def beat(self) -> None:
        """Touch the file until the work has ended, or until it is another's."""
        while not self.ended.wait(_BEAT):
            with contextlib.suppress(OSError):      # a slow or full folder: the next beat may come through
                if self.holder() != self.text:
                    return
                os.utime(self.path)

    def is_lost(self) -> bool:
        """Whether the file is another's by now; looked up once a second at most."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return False
        self._looked = now
        with contextlib.suppress(OSError):
            return self.holder() != self.text
        return False

    def release(self) -> None:
        with contextlib.suppress(OSError):
            if self.holder() == self.text:
                self.path.unlink()

    def _now(self) -> float:
        """The time by the clock that stamps the folder's files, which need not be this machine's."""
        probe = self.path.with_name(f"{CLAIM_NAME}.{secrets.token_hex(4)}")
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL))
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink()


class Guarded:
    """A report that ends the work when the folder went to somebody else, because this process stood still for too long."""

    def __init__(self, report: Report, claim: _Claim):
        self._report, self._claim = report, claim

    def check(self) -> None:
        """Raises `EngineError` engine.lost_folder if the folder is not this process's any more."""
        if self._claim.is_lost():
            raise EngineError("engine.lost_folder", f"{self._claim.folder} was taken over by another engine while this one stood still.",
                              "Nothing is lost: the other one goes on with what is finished.")

    def plan(self, stages: dict[str, float]) -> None:
        self._report.plan(stages)

    def stage(self, name: str, total: int) -> None:
        self.check()
        self._report.stage(name, total)

    def step(self, count: int = 1) -> None:
        self.check()
        self._report.step(count)

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        self._report.warn(code, message, remedy)

    def artifact(self, kind: str, path: str) -> None:
        self._report.artifact(kind, path)


def _space() -> str:
    """Which numbers of processes are meant: containers share a host's name and count for themselves."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass        # it is another user's
    return True


def _record(holder: str) -> dict:
    try:
        record = json.loads(holder)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _named(holder: str) -> str:
    record = _record(holder)
    return f"process {record['process']} on {record['host']}" if {"process", "host"} <= set(record) else "another engine"

