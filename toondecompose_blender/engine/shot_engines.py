# SPDX-License-Identifier: GPL-3.0-or-later
"""Several engines at once, one a shot, each a process of its own: what kills one leaves the others and this one alive.
It starts, hears and stops them; it does not know what a shot looks like, nor where its result is noted."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..protocol import Cancelled, Done, EngineError, Failed, Message, Progress, ToonError, Warned, decode
from .launch import module_words
from .parallel import worker_count
from .report import Report
from .settings import Settings
from .stages import told

__all__ = ["ShotEngines", "ShotTask"]

_LOOK = 0.3                             # seconds between two looks whether the work shall stop
_PATIENCE = 5.0, 3.0                    # seconds to leave by itself, and after being told to
_UNITS = 100                            # of a shot, for progress
_LOG = "job.log"


@dataclass(frozen=True)
class ShotTask:
    """Shot `number` (from 1): frames `first` to `last` of `clip`, counted from 1, into the result folder `out`."""
    number: int
    clip: Path
    out: Path
    first: int
    last: int


class ShotEngines:
    """Works through `tasks`, `together` at once.  Use it in a `with` block: leaving it early stops all, finished stages stay."""

    def __init__(self, tasks: list[ShotTask], *, settings: Settings, together: int, report: Report):
        self._settings, self._together, self._report = settings, together, report
        self._waiting, self._running = deque(tasks), {}
        self._count, self._heard = len(tasks), queue.Queue()
        self._shares: dict[int, float] = {}
        self._sent, self._alone = 0, set()

    def __enter__(self) -> ShotEngines:
        return self

    def __exit__(self, *_) -> None:
        for child in self._running.values():
            child.ask_to_stop()
        for child in self._running.values():
            child.stop()

    def ended(self) -> Iterator[tuple[int, ToonError | None]]:
        """The number of each shot as it ends, and why it failed or None.  Raises `Stopped`."""
        while self._waiting or self._running:
            while self._waiting and len(self._running) < self._together:
                self._start(self._waiting.popleft())
            try:
                number, message = self._heard.get(timeout=_LOOK)
            except queue.Empty:
                self._report.step(0)
                continue
            if isinstance(message, Progress):
                self._advance(number, (message.stage_number - 1 + message.done / max(1, message.total)) / max(1, message.stage_count))
            elif isinstance(message, Warned):
                self._report.warn(message.code, f"Shot {number}: {message.message}", message.remedy)
            elif isinstance(message, _Ended):
                task = self._running.pop(number).task
                error = message.error()
                if self._needs_more_room(task, error):
                    continue
                self._advance(number, 1.0)
                yield number, error

    def _start(self, task: ShotTask) -> None:
        self._running[task.number] = _Child(task, self._settings, max(1, worker_count() // self._together), self._heard)

    def _needs_more_room(self, task: ShotTask, error: ToonError | None) -> bool:
        """A shot that ran out of memory beside others is tried once more, alone; and so is all that follows."""
        if error is None or error.code not in ("engine.memory", "engine.killed") or self._together == 1 or task.number in self._alone:
            return False
        self._together = 1
        self._alone.add(task.number)
        self._waiting.append(task)
        return True

    def _advance(self, number: int, share: float) -> None:
        """All shots together, told as so many of them done and one on its way."""
        self._shares[number] = max(share, self._shares.get(number, 0.0))
        reached = int(sum(self._shares.values()) * _UNITS)
        while self._sent < reached or not self._sent:
            if self._sent % _UNITS == 0:
                self._report.stage(f"Shot {min(self._sent // _UNITS + 1, self._count)} of {self._count}", _UNITS)
            step = min(max(1, reached - self._sent), _UNITS - self._sent % _UNITS)
            self._report.step(step)
            self._sent += step


@dataclass(frozen=True)
class _Ended:
    """The last word of a child, if it had one, and the exit code of its process."""
    word: Message | None
    code: int

    def error(self) -> ToonError | None:
        if isinstance(self.word, Done):
            return None
        if isinstance(self.word, Failed):
            return EngineError(self.word.code, self.word.message, self.word.remedy)
        if isinstance(self.word, Cancelled):
            return EngineError("engine.stopped", "Its engine was told to stop.", "Start again to go on.")
        if self.code == -9:
            return EngineError("engine.killed", "Its engine was killed.", "The computer may have run out of memory: choose a smaller size.")
        return EngineError("engine.died", f"Its engine ended without a word (exit code {self.code}).", "Its job.log says more.")


class _Child:
    """The engine of one shot, heard by a thread that puts its messages, and in the end `_Ended`, into a queue."""

    def __init__(self, task: ShotTask, settings: Settings, threads: int, heard: queue.Queue):
        self.task = task
        try:
            task.out.mkdir(parents=True, exist_ok=True)
            with open(task.out / _LOG, "ab") as log:
                self.process = subprocess.Popen(_command(task, settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                                env={**os.environ, "TOONDECOMPOSE_THREADS": str(threads)})
        except OSError as cause:
            raise told(cause, task.out) from cause
        threading.Thread(target=self._hear, args=(heard,), daemon=True).start()

    def ask_to_stop(self) -> None:
        try:
            self.process.stdin.write(b"cancel\n")
            self.process.stdin.flush()
        except (OSError, ValueError):
            pass        # it is gone already

    def stop(self) -> None:
        """Wait for its end, and bring it about if it does not come."""
        for patience, then in zip(_PATIENCE, (self.process.terminate, self.process.kill), strict=True):
            try:
                self.process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                then()
        self.process.wait()

    def _hear(self, heard: queue.Queue) -> None:
        last = None
        for line in self.process.stdout:
            try:
                message = decode(line.decode("utf-8", "replace"))
            except ToonError:
                continue        # not ours; the log has what it says elsewhere
            if isinstance(message, Done | Failed | Cancelled):
                last = message
            else:
                heard.put((self.task.number, message))
        self.process.stdout.close()
        heard.put((self.task.number, _Ended(last, self.process.wait())))
        self.process.stdin.close()


def _command(task: ShotTask, settings: Settings) -> list[str]:
    """The argument list of the engine for one shot: the unit that a farm runs, too."""
    words = ["decompose", str(task.clip), "--frames", f"{task.first}:{task.last}", "--out", str(task.out), "--shots", "off", "--wait",
             "--sprites", "auto" if settings.sprites is None else str(settings.sprites), "--preset", settings.preset,
             "--device", settings.device, "--seed", str(settings.seed), "--flow", settings.flow, "--json"]
    words += ["--size", str(settings.lines)] if settings.lines else []
    words += ["--residual"] if settings.residual else []
    return module_words("engine", words)
