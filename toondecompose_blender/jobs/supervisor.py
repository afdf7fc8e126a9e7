# SPDX-License-Identifier: GPL-3.0-or-later
"""One engine as a child process: start it, hear it, cancel it, and know how it ended.
Must not know bpy or what the engine computes; `poll` is an ordinary call that never waits."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from ..protocol import PROTOCOL_VERSION, Cancelled, Done, EngineError, Failed, Hello, Message, Progress, Warned, decode
from .store import LOG_FILE, Lock, folder_error, log_tail, sweep

__all__ = ["Supervisor", "is_last", "REPAIR"]

REPAIR = "Repair the engine in the preferences."

# The cancel ladder: a line, then the group's end, then its death.  Cancel has to take effect within two seconds, also while a
# library compiles and hears nothing; stages are written whole or not at all, so nothing is lost by force.
CANCEL_SECONDS, TERMINATE_SECONDS = 1.0, 0.3
EXIT_SECONDS = 5.0                              # from its last word to its end: libraries may take long to be taken down
CLOSE_SECONDS = 0.6                             # Blender's exit: stages are atomic, so a short farewell is enough
LEAVE_SECONDS = 1.0                             # from the end of its output to the end of the process, and back
LONGEST_LINE = 65536                            # bytes; no message of the protocol comes near
WAITING_MESSAGES = 4096                         # then the engine's own writing waits: a flood cannot fill our memory
LARGEST_LOG = 64 << 20                          # bytes; a log that grows beyond is a fault of the engine
LOG_CHECK_SECONDS = 1.0
WINDOWS = os.name == "nt"


def is_last(message: Message) -> bool:
    """True for the one word that ends every engine's talk."""
    return isinstance(message, Done | Failed | Cancelled)


class Supervisor:
    """A running engine.  Raises `EngineError` (engine.missing, engine.folder, engine.disk_full) if it cannot start.

    `command` is an argument list; `folder` gets job.log; `lock` is kept open in the child too, so that the folder
    stays taken while an engine lives that lost its Blender; `patience` is how many seconds a cancelled child may take to
    leave by itself.  Times are monotonic: the clock may be set meanwhile.
    """

    def __init__(self, command: Sequence[str], folder: os.PathLike | str, *, lock: Lock | None = None, env: dict[str, str] | None = None,
                 patience: float = CANCEL_SECONDS):
        self.folder, self.outcome, self.cancelling = Path(folder), None, False
        self._patience = patience
        self._lock, self._garbage, self._last_word = lock, 0, None
        self._heard = self._log_checked = time.monotonic()
        self._ladder: list[tuple[float, int]] = []
        self._output_ended, self._gone_since = False, None
        self._messages: queue.Queue[Message | None] = queue.Queue(WAITING_MESSAGES)
        self._closing = threading.Event()
        self._child = self._start(list(command), env)
        self._reader = threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True, name="toondecompose-reader")
        self._reader.start()

    def _start(self, command: list[str], env: dict[str, str] | None) -> subprocess.Popen:
        """The child in a session (Windows: process group) of its own, its stderr in job.log."""
        apart = {"creationflags": 0x08000200} if WINDOWS else {  # CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP
            "start_new_session": True, "pass_fds": [self._lock.fileno()] if self._lock else []}
        try:
            log = open(self.folder / LOG_FILE, "ab", buffering=0)
        except OSError as cause:
            raise folder_error(self.folder, cause) from cause
        with log:
            try:
                log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {command}\n".encode("utf-8", "replace"))
                self._log_start = log.tell()
                return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=-1,
                                        env={**(os.environ if env is None else env), "PYTHONUTF8": "1"}, **apart)
            except (FileNotFoundError, PermissionError, NotADirectoryError, ValueError) as cause:
                raise EngineError("engine.missing", f"The engine cannot be started: {cause}.", REPAIR) from cause
            except OSError as cause:
                raise folder_error(self.folder, cause) from cause

    # What the reader's thread does

    def _read(self, stream: BinaryIO) -> None:
        """Decode line by line; a full queue makes this thread, and so the engine, wait."""
        with stream:
            while not self._closing.is_set():
                line = stream.readline(LONGEST_LINE)
                if not line:
                    break
                message = self._understand(line)
                if message is not None:
                    self._put(message)
        self._put(None)

    def _understand(self, line: bytes) -> Message | None:
        """The message of a line; of lines that are none the first is told, the others only counted."""
        try:
            return decode(line.decode("utf-8"))
        except UnicodeDecodeError as cause:
            error = EngineError("engine.protocol", f"The engine sent bytes that are no text: {cause}.", REPAIR)
        except EngineError as cause:
            error = cause
        if error.code == "engine.version":
            return Failed(error.code, error.message, error.remedy)
        self._garbage += 1
        return Warned(error.code, error.message, error.remedy) if self._garbage == 1 else None

    def _put(self, message: Message | None) -> None:
        while not self._closing.is_set():
            try:
                return self._messages.put(message, timeout=0.2)
            except queue.Full:
                continue

    # What the owner calls

    @property
    def running(self) -> bool:
        """False once the last word was polled and the process is gone."""
        return self.outcome is None

    @property
    def silent_seconds(self) -> float:
        """How long nothing was heard; shown to the artist, never punished."""
        return time.monotonic() - self._heard

    def poll(self, seconds: float = 0.005) -> list[Message]:
        """What came since the last call, taking at most about `seconds`; of neighboring progress only the newest is kept.

        The last message ever is Done, Failed or Cancelled, and comes when the process has ended; then nothing is left running.
        """
        if self.outcome is not None:
            return []
        heard: list[Message] = []
        deadline = time.perf_counter() + seconds
        self._climb()
        self._check_log()
        while time.perf_counter() < deadline:
            try:
                message = self._messages.get_nowait()
            except queue.Empty:
                break
            self._heard = time.monotonic()
            if message is None:
                self._output_ended = True
                self._plan_end(LEAVE_SECONDS)
            else:
                self._sort(message, heard)
        return [*heard, self._end()] if self._has_ended() else heard

    def cancel(self) -> None:
        """Ask the engine to leave, and make it leave if it does not; the ladder is climbed by `poll`."""
        if self.cancelling or self.outcome is not None:
            return
        self.cancelling = True
        self._say(b"cancel\n")
        self._plan_end(self._patience)

    def close(self) -> None:
        """Blender leaves: end the engine now, within a second; finished stages stay.  Nothing is told any more."""
        if self.outcome is not None:
            return
        self._say(b"cancel\n", last=True)
        try:
            self._child.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self._signal_group(9)
        self.outcome = Cancelled()
        self._release()

    # How it ends

    def _sort(self, message: Message, heard: list[Message]) -> None:
        """Keep the last word until the process has ended; drop what comes after it and progress that is already old."""
        if self._last_word is not None:
            return
        if isinstance(message, Hello) and message.protocol != PROTOCOL_VERSION:
            message = Failed("engine.version", f"The engine speaks protocol {message.protocol}, this extension {PROTOCOL_VERSION}.",
                             REPAIR)
        if is_last(message):
            self._last_word = message
            self._say(b"", last=True)
            if not self._ladder:
                self._plan_end(EXIT_SECONDS)
        elif isinstance(message, Progress) and heard and isinstance(heard[-1], Progress):
            heard[-1] = message
        else:
            heard.append(message)

    def _has_ended(self) -> bool:
        """True when the process is gone and all that it said was heard; what it had started is ended with it."""
        if self._child.poll() is None:
            return False
        if self._gone_since is None:
            self._gone_since = time.monotonic()
            self._signal_group(9)
        return self._output_ended or time.monotonic() - self._gone_since > LEAVE_SECONDS

    def _end(self) -> Message:
        self.outcome = self._last_word or (Cancelled() if self.cancelling else self._died(self._child.returncode))
        self._release()
        return self.outcome

    def _died(self, code: int) -> Failed:
        remedy = "Press Resume; if it happens again, Copy Report holds the end of the log."
        if code == -9:
            remedy = "The computer may have run out of memory: choose a smaller Size or Draft quality, then press Resume."
        last_lines = log_tail(self.folder).splitlines()[-1:] if self._log_start < self._log_size() else []
        reason = f" Its log ends with: {last_lines[0].strip()[:200]}" if last_lines else ""
        return Failed("engine.died", f"The engine ended without a word ({_exit_name(code)}).{reason}", remedy)

    def _plan_end(self, patience: float) -> None:
        now = time.monotonic()
        self._ladder = [(now + patience, 15), (now + patience + TERMINATE_SECONDS, 9)]

    def _climb(self) -> None:
        while self._ladder and time.monotonic() >= self._ladder[0][0]:
            self._signal_group(self._ladder.pop(0)[1])

    def _check_log(self) -> None:
        """A log without end would fill the artist's disk."""
        if time.monotonic() - self._log_checked < LOG_CHECK_SECONDS or self._last_word is not None:
            return
        self._log_checked = time.monotonic()
        if self._log_size() - self._log_start > LARGEST_LOG:
            self._last_word = Failed("engine.flood", "The engine wrote a log without end; Copy Report holds its last lines.", REPAIR)
            self._signal_group(9)

    def _log_size(self) -> int:
        try:
            return (self.folder / LOG_FILE).stat().st_size
        except OSError:
            return 0

    def _say(self, line: bytes, *, last: bool = False) -> None:
        try:
            self._child.stdin.write(line)
            self._child.stdin.flush()
            if last:
                self._child.stdin.close()
        except (OSError, ValueError):
            pass        # it is gone already; its end is told by poll

    def _signal_group(self, number: int) -> None:
        """End the child and all that it started."""
        if WINDOWS:
            subprocess.run(["taskkill", "/T", *(["/F"] if number == 9 else []), "/PID", str(self._child.pid)], capture_output=True)
            return
        try:
            os.killpg(self._child.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def _release(self) -> None:
        """Leave no process, thread, pipe, lock or unfinished file behind."""
        self._signal_group(9)       # what the engine itself may have started
        self._closing.set()
        self._child.wait()
        sweep(self.folder, self._child.pid)
        try:
            self._child.stdin.close()
        except OSError:
            pass
        self._reader.join(1.0)
        if self._lock is not None:
            self._lock.release()


def _exit_name(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
