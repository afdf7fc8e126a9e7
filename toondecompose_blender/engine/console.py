# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress for whoever started the engine: a bar for people, JSON lines for programs, and word of a wish to stop.
It implements `Report`; it does not know what the stages compute."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from ..protocol import Artifact, Message, Progress, Warned, encode
from .report import Stopped

__all__ = ["STAGES", "Clock", "BarReport", "JsonReport"]

# Seconds of each stage, measured on the published test clip with two cores; only for the time left.
STAGES = {"Cuts": 2, "Frames": 2, "Flow": 1, "Motion": 5, "Layers": 28, "Exposure": 4, "Plate": 11, "Drawings": 19, "Result": 8}
LEAST_INTERVAL = 0.1       # seconds between two progress messages of a stage


class Clock:
    """How far the whole job is and how long it will still take, from stages of known weight."""

    def __init__(self, weights: dict[str, float]):
        self.weights, self.names = weights, list(weights)
        self.stage, self.total, self.done = self.names[0], 1, 0
        self.worked = 0.0       # weight of the work done in this run (skipped stages took no time)
        self.started = time.monotonic()

    def plan(self, weights: dict[str, float]) -> None:
        """Other stages are to come than was thought; what has been done stays done."""
        self.weights, self.names = weights, list(weights)

    def enter(self, stage: str, total: int) -> None:
        self.worked += self.weights.get(self.stage, 0) * self._share() if self.done else 0
        self.stage, self.total, self.done = stage, max(1, total), 0

    @property
    def number(self) -> int:
        return self.names.index(self.stage) + 1 if self.stage in self.names else len(self.names)

    def seconds_left(self) -> float | None:
        now = self.weights.get(self.stage, 0)
        worked = self.worked + now * self._share()
        elapsed = time.monotonic() - self.started
        if worked <= 0 or elapsed < 1:
            return None
        ahead = now * (1 - self._share()) + sum(self.weights[name] for name in self.names[self.number:])
        return round(elapsed * ahead / worked, 1)

    def _share(self) -> float:
        return min(1.0, self.done / self.total)


class BarReport:
    """One bar a stage on the terminal, with the whole job's time left."""

    def __init__(self, weights: dict[str, float] | None = None, stream: TextIO | None = None):
        self.clock = Clock(weights or STAGES)
        self.stream = stream or sys.stderr
        self.bar: tqdm | None = None

    def plan(self, stages: dict[str, float]) -> None:
        self.clock.plan(stages)

    def stage(self, name: str, total: int) -> None:
        self.close()
        self.clock.enter(name, total)
        known = name in self.clock.names
        label = f"{name} ({self.clock.number} of {len(self.clock.names)})" if known else name.capitalize()
        self.bar = tqdm(total=total, desc=f"{label:<20}", file=self.stream, leave=True, mininterval=0.2,
                        bar_format="{desc} {bar:30} {n_fmt}/{total_fmt} {elapsed}{postfix}")

    def step(self, count: int = 1) -> None:
        self.clock.done += count
        left = self.clock.seconds_left()
        if self.bar is not None:
            if left is not None:
                self.bar.set_postfix_str(f"{tqdm.format_interval(left)} left", refresh=False)
            self.bar.update(min(count, max(0, self.bar.total - self.bar.n)))

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        tqdm.write(f"Warning: {message} {remedy}".rstrip(), file=self.stream)

    def artifact(self, kind: str, path: str) -> None:
        pass

    def close(self) -> None:
        """The stage is done: its bar is full."""
        if self.bar is not None:
            self.bar.update(self.bar.total - self.bar.n)
            self.bar.set_postfix_str("")
        self.abandon()

    def abandon(self) -> None:
        """The stage ended early: its bar stays where it is."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class JsonReport:
    """The process protocol: messages out on `stream`, `cancel` or the end of `listen` in."""

    def __init__(self, stream: TextIO, listen: TextIO | None, weights: dict[str, float] | None = None):
        self.clock = Clock(weights or STAGES)
        self.stream, self.sequence, self.sent = stream, 0, 0.0
        self.lock, self.stopping = threading.Lock(), threading.Event()
        if listen is not None:
            threading.Thread(target=self._listen, args=(listen,), daemon=True).start()

    def send(self, message: Message) -> None:
        with self.lock:
            self.stream.write(encode(message, self.sequence) + "\n")
            self.stream.flush()
            self.sequence += 1

    def plan(self, stages: dict[str, float]) -> None:
        self.clock.plan(stages)

    def stage(self, name: str, total: int) -> None:
        self.clock.enter(name, total)
        self._progress(force=True)

    def step(self, count: int = 1) -> None:
        self.clock.done += count
        self._progress(force=self.clock.done >= self.clock.total)

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        self.send(Warned(code, message, remedy))

    def artifact(self, kind: str, path: str) -> None:
        self.send(Artifact(kind, Path(path).as_posix()))

    def close(self) -> None:
        pass

    def _progress(self, *, force: bool) -> None:
        if self.stopping.is_set():
            raise Stopped
        now = time.monotonic()
        if force or now - self.sent >= LEAST_INTERVAL:
            self.sent = now
            clock = self.clock
            self.send(Progress(clock.stage, clock.number, len(clock.names), min(clock.done, clock.total), clock.total,
                               clock.seconds_left()))

    def _listen(self, listen: TextIO) -> None:
        for line in listen:
            if line.strip() == "cancel":
                break
        self.stopping.set()
