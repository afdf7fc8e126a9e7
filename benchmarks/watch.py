# SPDX-License-Identifier: GPL-3.0-or-later
"""What one decomposition takes, stage by stage: seconds, time of the processor, memory, and what else ran on the machine meanwhile.
It starts a real engine, listens to its protocol and reads the system's account of it (Linux); it prints nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from toondecompose_blender.protocol import Done, Failed, Progress, decode

__all__ = ["Run", "StageUse", "cores", "watch"]

INTERVAL = 0.05             # s between looks at the engine's threads and at the memory that is its own
TICK = os.sysconf("SC_CLK_TCK")
FORGET_PEAK = "5"           # written to clear_refs: the kernel's peak starts anew (man 5 proc)


@dataclass(frozen=True)
class StageUse:
    """`seconds` of the clock, `busy` of the processor, `others` of it that other programs had meanwhile; `alone`: what the clock
    would have said without them, as far as it is known how many threads were ready to work at each time.
    `peak_gb` resident, `own_gb` of it not pages of files."""
    name: str
    seconds: float
    busy: float
    others: float
    alone: float
    peak_gb: float
    own_gb: float


@dataclass(frozen=True)
class Run:
    """One decomposition from nothing; `load` is the machine's mean over a minute before it."""
    clip: str
    sprites: str
    lines: int | None
    when: str
    load: float
    cores: int
    stages: tuple[StageUse, ...]

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    @property
    def busy(self) -> float:
        return sum(stage.busy for stage in self.stages)

    @property
    def alone(self) -> float:
        return sum(stage.alone for stage in self.stages)

    @property
    def peak_gb(self) -> float:
        return max(stage.peak_gb for stage in self.stages)

    @property
    def own_gb(self) -> float:
        return max(stage.own_gb for stage in self.stages)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def watch(clip: Path, *, name: str, sprites: str, lines: int | None = None, device: str = "auto", keep: Path | None = None) -> Run:
    """Decompose `clip` by the engine's command, as an artist would; `keep` is the result's folder, else it is thrown away.

    Raises `SystemExit` with the engine's words if it fails.
    """
    load, when = os.getloadavg()[0], datetime.now().isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as temporary:
        words = ["decompose", str(clip), "--sprites", sprites, "--device", device, "--out", str(keep or temporary), "--json"]
        words += ["--size", str(lines)] if lines else []
        with subprocess.Popen([sys.executable, "-m", "toondecompose_blender.engine", *words], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, encoding="utf-8") as child:
            stages = _follow(child)
    if child.returncode:
        raise SystemExit(f"The engine ended with {child.returncode} after {', '.join(stage.name for stage in stages)}.")
    return Run(name, sprites, lines, when, round(load, 2), cores(), tuple(stages))


def _follow(child: subprocess.Popen) -> list[StageUse]:
    account, stages, stage = _Account(child.pid), [], "Start"
    account.start()
    for line in child.stdout:
        message = decode(line)
        if isinstance(message, Failed):
            raise SystemExit(f"{message.code}: {message.message} {message.remedy}")
        if isinstance(message, Done) or isinstance(message, Progress) and message.stage != stage:
            stages.append(account.close(stage))
            stage = getattr(message, "stage", "End")
    child.stdin.close()
    account.over.set()
    return stages


class _Account(threading.Thread):
    """Reads what the system says of a process; `close` ends a stage and begins the next."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.folder, self.over, self.lock = Path(f"/proc/{pid}"), threading.Event(), threading.Lock()
        self.before = self.looked = self._now()
        self.own_kb, self.alone = 0, 0.0

    def run(self) -> None:
        while not self.over.wait(INTERVAL):
            with self.lock:
                self._look()

    def close(self, name: str) -> StageUse:
        with self.lock:
            self._look()
            seconds, busy, machine = (b - a for a, b in zip(self.before, self.looked))
            peak, own, alone = self._status("VmHWM"), self.own_kb, min(self.alone, seconds)
            with suppress(OSError):
                (self.folder / "clear_refs").write_text(FORGET_PEAK)
            self.before, self.own_kb, self.alone = self.looked, 0, 0.0
        return StageUse(name, round(seconds, 2), round(busy, 2), round(max(0.0, machine - busy), 2), round(alone, 2),
                        round(peak / 2**20, 3), round(own / 2**20, 3))

    def _look(self) -> None:
        """What was worked since the last look takes less time the more threads can work at it; waiting takes its time."""
        now, ready = self._now(), self._ready()
        seconds, busy = now[0] - self.looked[0], now[1] - self.looked[1]
        self.alone += busy / min(ready, cores()) if ready else seconds
        self.own_kb = max(self.own_kb, self._status("RssAnon"))
        self.looked = now

    def _now(self) -> tuple[float, float, float]:
        """The clock, seconds of the processor that the process had, and those that all programs had."""
        return time.perf_counter(), self._busy(), _busy_machine()

    def _busy(self) -> float:
        with suppress(OSError):
            fields = _fields(self.folder / "stat")
            return (int(fields[11]) + int(fields[12])) / TICK       # utime and stime, fields 14 and 15 of all
        return 0.0

    def _ready(self) -> int:
        """Threads that work, or would if a core were free."""
        count = 0
        with suppress(OSError):
            for task in (self.folder / "task").iterdir():
                with suppress(OSError):
                    count += _fields(task / "stat")[0] == "R"
        return count

    def _status(self, row: str) -> int:
        """kB; a process that has ended has none."""
        with suppress(OSError, StopIteration):
            lines = (self.folder / "status").read_text().splitlines()
            return int(next(line for line in lines if line.startswith(row + ":")).split()[1])
        return 0


def _fields(stat: Path) -> list[str]:
    """The fields behind the program's name, the state first (man 5 proc)."""
    return stat.read_text().rpartition(")")[2].split()


def _busy_machine() -> float:
    """Seconds that all cores together were at work (or taken away by a host) since the machine started."""
    user, nice, system, _, _, irq, softirq, steal = (int(value) for value in Path("/proc/stat").read_text().split(None, 9)[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK
