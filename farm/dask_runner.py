# SPDX-License-Identifier: GPL-3.0-or-later
"""python dask_runner.py FOLDER --scheduler ADDRESS: do the shots of a submitted folder on Dask's workers, each exactly once.
Workers need Dask, the engine's interpreter and the shared folder; it must not know what a shot is."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import logging
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

from distributed import Client, LocalCluster
from distributed.scheduler import KilledWorker

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent if (HERE.parent / "protocol.py").is_file() else HERE.parent / "toondecompose_blender"
sys.path.append(str(PACKAGE.parent))
protocol, shots_protocol = (importlib.import_module(f"{PACKAGE.name}.{name}") for name in ("protocol", "protocol_shots"))

OK, FAILED, CANCELLED = 0, 1, 130
CONNECT = 20.0          # seconds in which the scheduler must answer
LOOK = 1.0              # seconds between two looks whether the scheduler lives and this shall go on
LAST_LINES = 20         # of a task that fails, to tell why


def run_shot(words: list[str]) -> str:
    """On a worker: one shot in a process that ends with the worker, for its standard input is the worker's."""
    with subprocess.Popen([*words, "--tied"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          encoding="utf-8", errors="replace") as child:
        last = deque(child.stdout, LAST_LINES)
    if child.returncode:
        raise RuntimeError("".join(last).strip() or f"exit code {child.returncode}")
    return last[-1].strip() if last else ""


def main() -> int:
    options = _parser().parse_args()
    logging.getLogger("distributed").setLevel(logging.ERROR)    # its words are for the studio's Dask, ours for the artist
    talk = Talk(options.json)
    try:
        failed = _run(options, talk)
    except KeyboardInterrupt:
        talk.end(protocol.Cancelled())
        return CANCELLED
    except protocol.ToonError as error:
        talk.end(protocol.Failed(error.code, error.message, error.remedy))
        return FAILED
    if failed:
        numbers = ", ".join(map(str, sorted(failed)))
        talk.end(protocol.Failed("engine.shots", f"Shots failed: {numbers}. {next(iter(failed.values()))}",
                                 "Starting again tries only these; the others are finished."))
        return FAILED
    talk.end(protocol.Done(str(options.folder.absolute())))
    return OK


def _run(options: argparse.Namespace, talk: Talk) -> dict[int, str]:
    """The shots that failed in the end, and why.  Raises `ToonError`: result.*, engine.scheduler, engine.scheduler_lost."""
    folder = options.folder.absolute()
    shots = shots_protocol.read_shots(folder).shots
    waiting = [number for number, shot in enumerate(shots, 1) if shot.state != shots_protocol.DONE]
    talk.begin(len(shots), len(shots) - len(waiting))
    if not waiting:
        return {}
    resources = {options.resource: 1} if options.resource else None
    with _cluster(options) as cluster, _client(cluster, options) as client:
        # The same folder and shot is the same task, whoever asks: two runners of one folder share the work.
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        futures = {client.submit(run_shot, [options.python, str(folder / "run_shot.py"), str(number)], key=f"toondecompose-{name}-{number}",
                                 retries=options.retries, resources=resources): number for number in waiting}
        return _gather(client, futures, talk)


def _gather(client: Client, futures: dict, talk: Talk) -> dict[int, str]:
    failed, left = {}, dict(futures)
    while left:
        for future in [future for future in left if future.done()]:
            number = left.pop(future)
            if reason := _failure(future):
                failed[number] = reason
                talk.warn(number, reason)
            talk.advance()
        if left:
            _check(client)
            time.sleep(LOOK)
    return failed


def _failure(future) -> str:
    """Why a shot failed, "" if it did not.  Raises `EngineError` if nobody knows, because the scheduler is gone."""
    if future.status in ("cancelled", "lost"):
        raise _lost()
    error = future.exception()
    if isinstance(error, KilledWorker):
        return f"It killed its worker {error.allowed_failures + 1} times; the machine may lack memory."
    return str(error).splitlines()[-1] if error else ""


def _check(client: Client) -> None:
    if client.status not in ("running", "connecting") or client.scheduler is None:
        raise _lost()
    try:
        client.sync(client.scheduler.identity, callback_timeout=CONNECT)
    except (OSError, TimeoutError, RuntimeError) as cause:
        raise _lost() from cause


def _lost():
    return protocol.EngineError("engine.scheduler_lost", "Dask's scheduler is gone.",
                                "Start it and submit again: finished shots and stages are kept.")


def _cluster(options: argparse.Namespace):
    """Workers on this machine, one shot each, unless a scheduler is named."""
    if options.scheduler:
        return contextlib.nullcontext()
    resources = {options.resource: 1} if options.resource else None
    return LocalCluster(n_workers=options.workers, threads_per_worker=1, resources=resources, dashboard_address=None)


def _client(cluster, options: argparse.Namespace) -> Client:
    try:
        return Client(cluster or options.scheduler, timeout=options.connect)
    except (OSError, TimeoutError, ValueError) as cause:
        raise protocol.EngineError("engine.scheduler", f"Dask's scheduler does not answer at {options.scheduler}.",
                                   "Check the address, as tcp://host:8786, and that the scheduler runs.") from cause


class Talk:
    """Progress and the last word, for people or as messages of the process protocol."""

    def __init__(self, json_lines: bool):
        self.json_lines, self.total, self.done, self.seq = json_lines, 1, 0, 0

    def begin(self, total: int, done: int) -> None:
        self.total, self.done = total, done
        self._progress()

    def advance(self) -> None:
        self.done += 1
        self._progress()

    def warn(self, number: int, reason: str) -> None:
        self._say(protocol.Warned("engine.shot", f"Shot {number} failed: {reason}"), f"Shot {number} failed: {reason}")

    def end(self, message) -> None:
        words = {"Done": "All shots are finished.", "Cancelled": "Stopped; shots that run on workers are finished there."}
        self._say(message, words.get(type(message).__name__) or f"Error ({message.code}): {message.message} {message.remedy}")

    def _progress(self) -> None:
        self._say(protocol.Progress("Shots", 1, 1, self.done, self.total), f"{self.done} of {self.total} shots")

    def _say(self, message, words: str) -> None:
        sys.stdout.write((protocol.encode(message, self.seq) if self.json_lines else words) + "\n")
        sys.stdout.flush()
        self.seq += 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Do the shots of a submitted folder on Dask's workers.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what `engine submit --to dask` wrote, on a disk that all share")
    parser.add_argument("--scheduler", default="", metavar="ADDRESS", help="as tcp://host:8786; without it, workers on this machine")
    parser.add_argument("--workers", type=int, default=1, help="how many, on this machine (default: %(default)s)")
    parser.add_argument("--python", default=sys.executable, metavar="FILE", help="the engine's interpreter on the workers")
    parser.add_argument("--resource", default="", metavar="NAME", help="what a worker must have free, as GPU (--resources GPU=1)")
    parser.add_argument("--retries", type=int, default=2, help="how often a shot that fails is tried again (default: %(default)s)")
    parser.add_argument("--connect", type=float, default=CONNECT, metavar="SECONDS", help="in which the scheduler must answer")
    parser.add_argument("--json", action="store_true", help="speak the process protocol on standard output")
    return parser


if __name__ == "__main__":
    sys.exit(main())
