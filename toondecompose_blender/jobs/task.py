# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m toondecompose_blender.jobs.task FOLDER: the unit of every farm, one job.json to the result beside it.
Must not know bpy nor which farm asks; done twice, it finds its result and changes nothing."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

from ..protocol import Cancelled, Done, Failed, Message, Progress, ToonError, Warned
from ..protocol_shots import write_failure
from .environment import ENGINE_VARIABLE, child_environment, data_folder, module_command
from .spec import engine_arguments, read_spec
from .supervisor import Supervisor, is_last

__all__ = ["main"]

OK, FAILED, CANCELLED = 0, 1, 130
_LOOK = 0.1                 # seconds between two looks at the engine
_LEAST = 2.0                # seconds between two lines of progress of the same stage


def main(arguments: list[str] | None = None) -> int:
    """Do one job; returns 0 done, 1 failed, 130 cancelled.  Whoever works on the same folder already is waited for."""
    parser = argparse.ArgumentParser(prog="toondecompose task", description="Do one job folder: job.json becomes the result beside it.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder with a job.json")
    parser.add_argument("--talk", choices=("plain", "openjd"), default="plain", help="how to tell of progress (default: %(default)s)")
    parser.add_argument("--tied", action="store_true", help="stop when standard input ends: then whoever started this is gone")
    options = parser.parse_args(arguments)
    talk = _Talk(openjd=options.talk == "openjd")
    try:
        last = _work(options.folder.absolute(), talk, tied=options.tied)
    except ToonError as error:
        last = Failed(error.code, error.message, error.remedy)
    _note(options.folder, last)
    if isinstance(last, Done):
        talk.say(f"Finished: {last.result}")
        return OK
    if isinstance(last, Cancelled):
        talk.say("Stopped. Finished stages are kept; the same command goes on from there.")
        return CANCELLED
    talk.fail(f"({last.code}) {last.message} {last.remedy}".strip())
    return FAILED


def _work(folder: Path, talk: _Talk, *, tied: bool) -> Message:
    """Run the engine on a job folder to its last word."""
    spec = read_spec(folder)
    home = data_folder()
    python = os.environ.get(ENGINE_VARIABLE) or sys.executable
    command = module_command(python, "engine", [*engine_arguments(spec, folder), *([] if spec.sheet else ["--wait"])], home)
    engine = Supervisor(command, folder, env=child_environment(home))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if tied:
        threading.Thread(target=_until_end_of_input, args=(stopping,), daemon=True).start()
    try:
        while True:
            for message in engine.poll():
                if is_last(message):
                    return message
                talk.tell(message)
            if stopping.is_set():
                engine.cancel()
            time.sleep(_LOOK)
    finally:
        engine.close()


def _until_end_of_input(stopping: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(sys.stdin.fileno(), 1024):     # not through sys.stdin, whose lock this thread would keep when the others are done
            pass
    stopping.set()


def _note(folder: Path, last: Message) -> None:
    """Leave word of a failure beside the result; where that cannot be written, the exit code alone must tell."""
    with contextlib.suppress(OSError):
        write_failure(folder, ToonError(last.code, last.message, last.remedy) if isinstance(last, Failed) else None)


class _Talk:
    """Lines for a farm's log; Open Job Description reads progress and failure out of some of them."""

    def __init__(self, *, openjd: bool):
        self._openjd, self._stage, self._said = openjd, "", 0.0

    def tell(self, message: Message) -> None:
        if isinstance(message, Warned):
            self.say(f"Warning: {message.message} {message.remedy}".rstrip())
        elif isinstance(message, Progress):
            now = time.monotonic()
            if message.stage == self._stage and now - self._said < _LEAST:
                return
            self._stage, self._said = message.stage, now
            share = (message.stage_number - 1 + message.done / max(1, message.total)) / max(1, message.stage_count)
            if self._openjd:
                self.say(f"openjd_progress: {100 * share:.1f}")
                self.say(f"openjd_status: {message.stage}, {message.stage_number} of {message.stage_count}")
            else:
                self.say(f"{message.stage}, {message.stage_number} of {message.stage_count}: {100 * share:.0f} %")

    def fail(self, text: str) -> None:
        self.say(f"openjd_fail: {text}" if self._openjd else f"Error {text}")

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):      # a farm that does not listen any more is no reason to stop
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
