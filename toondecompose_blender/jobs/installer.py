# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs, adopts, checks and removes the engine: run as a process that speaks the engine's protocol, so that it can be cancelled.
Standard library only; it writes below the engine's folder and nowhere else."""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from ..protocol import ENGINE_VERSION, PROTOCOL_VERSION, Cancelled, Done, EngineError, Failed, Hello, Message, Progress, encode
from ..requirements import requirements_file, requirements_hash
from .environment import BUILDS, CURRENT_FILE, REPORT_FILE, Build, EngineHome, EngineRecord, child_environment, free_bytes
from .environment import module_command, recommended_build
from .spec import write_record
from .store import folder_error, tree_bytes

__all__ = ["main"]

STAGES = ("Interpreter", "Environment", "Packages", "Check", "Switch")
PYTHONS = ((3, 11), (3, 12), (3, 13))       # for which all pinned packages publish wheels
RAW_PROGRESS = (24, 1)                      # the first pip that can write its progress as plain lines
MB = 1 << 20


class Stopped(Exception):
    """Cancelled, or the parent is gone."""


class Talk:
    """Words to the parent on standard output, its wishes on standard input; the running child ends with a wish to stop."""

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
        os.dup2(2, 1)
        self._seq, self._stopping, self.child = 0, threading.Event(), None
        signal.signal(signal.SIGTERM, lambda *_: self._stopping.set())      # not its death: what is half-made has to be removed
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, message: Message) -> None:
        self._out.write(encode(message, self._seq) + "\n")
        self._out.flush()
        self._seq += 1

    def stage(self, name: str, done: int = 0, total: int = 1, left: float | None = None) -> None:
        if self._stopping.is_set():
            raise Stopped
        self.say(Progress(name, STAGES.index(name) + 1, len(STAGES), done, total, left))

    def lines(self, command: list[str], home: Path):
        """The lines that a child writes; raises `Stopped` when it was ended by a wish, CalledProcessError when it failed."""
        env = {**child_environment(home), "PYTHONUTF8": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              encoding="utf-8", errors="replace", env=env) as self.child:
            if self._stopping.is_set():
                self._end_child()
            for line in self.child.stdout:
                sys.stderr.write(line)
                yield line.rstrip()
        if self._stopping.is_set():
            raise Stopped
        if self.child.returncode:
            raise subprocess.CalledProcessError(self.child.returncode, command)

    def _listen(self) -> None:
        sys.stdin.readline()
        self._stopping.set()
        self._end_child()

    def _end_child(self) -> None:
        """End the running child, if there is one, with all that it started: what went on could write where all was just deleted."""
        if self.child is None or self.child.poll() is not None:
            return
        if os.name == "nt":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(self.child.pid)], capture_output=True)
        elif os.getpgrp() == os.getpid():       # the supervisor starts it so
            os.killpg(0, signal.SIGTERM)
        else:
            self.child.terminate()


def find_interpreter(talk: Talk, home: Path) -> str:
    """A complete Python for the new environment: one of the system's if there is one, because Blender's own goes with its version."""
    named = [shutil.which(f"python{a}.{b}") for a, b in PYTHONS]
    for python in [*filter(None, named), getattr(sys, "_base_executable", sys.executable), sys.executable]:
        try:
            words = list(talk.lines([python, "-I", "-c", "import sys, venv, ensurepip; print(*sys.version_info[:2])"], home))
            if tuple(map(int, words[-1].split())) in PYTHONS:
                return python
        except (OSError, ValueError, IndexError, subprocess.CalledProcessError):
            continue
    raise EngineError("engine.python", "No complete Python 3.11, 3.12 or 3.13 was found.",
                      "Install one, or choose Existing Python in the preferences.")


def install(talk: Talk, home: Path, options: argparse.Namespace) -> None:
    """Make an environment in a new folder, check it, switch to it, and only then remove the old one."""
    build = recommended_build()[0] if options.build == "auto" else next(b for b in BUILDS if b.id == options.build)
    if free_bytes(home) < build.disk * MB:
        raise EngineError("engine.space", f"{build.disk / 1000:.1f} GB are needed, {free_bytes(home) / 1e9:.1f} GB are free.",
                          "Free some space, or choose another folder.")
    home.mkdir(parents=True, exist_ok=True)
    sweep(home)
    folder = home / f"env-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        talk.stage("Interpreter")
        python = find_interpreter(talk, home)
        talk.stage("Environment")
        made = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        # In two steps: of what venv itself starts, nobody hears when it has ended.
        list(talk.lines([python, "-I", "-m", "venv", "--without-pip", str(folder)], home))
        list(talk.lines([str(made), "-I", "-m", "ensurepip", "--upgrade", "--default-pip"], home))
        packages(talk, home, str(made), build, options.wheels)
        report = examine(talk, home, str(made))
        refuse_unhealthy(report)
        switch(talk, home, EngineRecord(str(made), False, requirements_hash(), build.id, tree_bytes(folder)), report)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def packages(talk: Talk, home: Path, python: str, build: Build, wheels: str) -> None:
    """pip install of the pinned packages, from the internet or from a folder of wheels alone."""
    talk.stage("Packages", 0, build.download)
    source = ["--no-index", "--find-links", wheels] if wheels else ["--extra-index-url", build.index] if build.index else []
    version = tuple(map(int, re.findall(r"\d+", list(talk.lines([python, "-I", "-m", "pip", "--version"], home))[-1])[:2]))
    progress = "raw" if version >= RAW_PROGRESS else "off"
    command = [python, "-I", "-m", "pip", "install", "--no-color", "--progress-bar", progress, *source, "-r", str(requirements_file())]
    finished, size, started = 0.0, 0.0, time.monotonic()
    try:
        for line in talk.lines(command, home):
            if found := re.search(r"Downloading .*\(([\d.]+) ([kMG])B\)", line):
                finished, size = finished + size, float(found[1]) * {"k": 0.001, "M": 1, "G": 1000}[found[2]]
                now = finished
            elif found := re.match(r"Progress (\d+) of (\d+)", line):
                now = finished + int(found[1]) / 1e6
            elif (found := re.match(r"Processing (.+\.whl)", line)) and os.path.isfile(found[1]):
                finished, size = finished + size, os.path.getsize(found[1]) / 1e6
                now = finished
            else:
                continue
            seconds = time.monotonic() - started
            left = seconds * (build.download - now) / now if build.download * 0.05 < now < build.download else None
            talk.stage("Packages", min(round(now), build.download), build.download, left)
    except subprocess.CalledProcessError as cause:
        raise EngineError("engine.packages", "The packages could not be installed; the log says why.",
                          "Check the internet connection (or the folder of wheels), then press Install again.") from cause


def examine(talk: Talk, home: Path, python: str) -> dict:
    """Start the engine there and return its report about itself."""
    talk.stage("Check")
    report: dict = {}
    try:
        for line in talk.lines(module_command(python, "engine", ["doctor", "--json"], home), home):
            if line.startswith("{"):
                report = json.loads(line)
    except (OSError, ValueError, subprocess.CalledProcessError):
        pass        # an unhealthy engine ends with an error after its report; one without a report does not start
    failure = {"name": "Engine", "value": "does not start", "state": "error", "remedy": "Repair it; the log says why."}
    return report if "findings" in report else {"findings": [failure]}


def refuse_unhealthy(report: dict) -> None:
    """Raises `EngineError` (engine.check) for the first error of a report."""
    for finding in report["findings"]:
        if finding["state"] == "error":
            raise EngineError("engine.check", f"{finding['name']}: {finding['value']}", finding["remedy"])


def keep_report(home: Path, report: dict) -> None:
    temporary = home / (REPORT_FILE + ".tmp")
    temporary.write_text(json.dumps(report, ensure_ascii=False), encoding="utf-8")
    os.replace(temporary, home / REPORT_FILE)


def adopt(talk: Talk, home: Path, options: argparse.Namespace) -> None:
    """Use an interpreter that the studio keeps; it is checked and never changed."""
    report = examine(talk, home, options.python)
    refuse_unhealthy(report)
    home.mkdir(parents=True, exist_ok=True)
    switch(talk, home, EngineRecord(options.python, True, requirements_hash()), report)


def switch(talk: Talk, home: Path, record: EngineRecord, report: dict) -> None:
    """From now on this engine is the one; the environments before it go."""
    talk.stage("Switch")
    keep_report(home, report)
    write_record(home / CURRENT_FILE, record)
    sweep(home)


def check(talk: Talk, home: Path, options: argparse.Namespace) -> None:
    """Look at the engine in use again, and keep what it says."""
    record = EngineHome(home).record()
    if record is None:
        raise EngineError("engine.missing", "Engine not installed.", "Install it in the preferences.")
    report = examine(talk, home, record.python)
    home.mkdir(parents=True, exist_ok=True)
    keep_report(home, report)
    refuse_unhealthy(report)


def remove(talk: Talk, home: Path, options: argparse.Namespace) -> None:
    """Forget the engine and delete all that was installed; a studio's own interpreter stays."""
    for name in (CURRENT_FILE, REPORT_FILE):
        (home / name).unlink(missing_ok=True)
    sweep(home)
    shutil.rmtree(home / "cache", ignore_errors=True)


def sweep(home: Path) -> None:
    """Delete the environments that are not in use: replaced ones, and what a killed installation left."""
    try:
        used = Path(json.loads((home / CURRENT_FILE).read_text(encoding="utf-8"))["python"])
    except (OSError, ValueError, KeyError):
        used = None
    for folder in home.glob("env-*"):
        if used is None or not used.is_relative_to(folder):
            shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The engine's installation.")
    parser.add_argument("action", choices=["install", "adopt", "check", "remove"])
    parser.add_argument("home", type=Path)
    parser.add_argument("--build", default="auto", choices=["auto", *(build.id for build in BUILDS)])
    parser.add_argument("--wheels", default="")
    parser.add_argument("--python", default="")
    options = parser.parse_args(arguments)
    talk = Talk()
    talk.say(Hello(PROTOCOL_VERSION, ENGINE_VERSION, "", ""))
    try:
        {"install": install, "adopt": adopt, "check": check, "remove": remove}[options.action](talk, options.home, options)
        talk.say(Done(str(options.home)))
    except EngineError as error:
        talk.say(Failed(error.code, error.message, error.remedy))
    except Stopped:
        talk.say(Cancelled())
    except (OSError, subprocess.SubprocessError) as cause:
        error = folder_error(options.home, cause if isinstance(cause, OSError) else OSError(errno.EIO, str(cause)))
        talk.say(Failed(error.code, error.message, error.remedy))
    return 0


if __name__ == "__main__":
    sys.exit(main())
