# SPDX-License-Identifier: GPL-3.0-or-later
"""Long clips: the peak of memory and the seconds a frame of every stage, for more and more frames of one drawn clip.
It watches a real engine process through its protocol and the system's own account of it (Linux)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from toondecompose_blender.engine.memory import needed_bytes
from toondecompose_blender.engine.settings import Settings
from toondecompose_blender.protocol import Done, Failed, Progress, decode

from .long_clip import SPRITES, draw_long_clip
from .machine import keep

__all__ = ["measure"]

INTERVAL = 0.05             # s between looks at the child's memory


@dataclass
class _Figures:
    """One run: seconds and the peak of memory in GB of each stage; `anonymous` leaves out pages of files, which the system can
    take back at any time and which the whole peak counts."""
    size: str
    frames: int
    seconds: dict[str, float] = field(default_factory=dict)
    peak_gb: dict[str, float] = field(default_factory=dict)
    anonymous_gb: dict[str, float] = field(default_factory=dict)
    estimate_gb: float = 0.0
    disk_gb: float = 0.0


def measure(*, size: tuple[int, int], frames: list[int], folder: Path | None) -> None:
    """Decompose the drawn clip of `size` (width, height) with each number of `frames`; print and keep the figures."""
    runs = []
    for count in sorted(frames):
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            clip = Path(temporary) / "clip"
            draw_long_clip(clip, width=size[0], height=size[1], frames=count)
            runs.append(_run(clip, Path(temporary) / "result", _Figures(f"{size[0]}x{size[1]}", count), size))
        _print(runs[-1])
        keep(f"long_{size[1]}", {"runs": [asdict(run) for run in runs], "fit": _fit(runs)})
    for line in _fit(runs).items():
        print(*line)


def _run(clip: Path, out: Path, figures: _Figures, size: tuple[int, int]) -> _Figures:
    analyzed = Settings().analysis_size(*size)
    figures.estimate_gb = round(needed_bytes(frames=figures.frames, analyzed=analyzed, native=size) / 2**30, 2)
    words = ["decompose", str(clip), "--sprites", str(SPRITES), "--out", str(out), "--json", "--shots", "off", "--device", "cpu"]
    with subprocess.Popen([sys.executable, "-m", "toondecompose_blender.engine", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, encoding="utf-8") as child:
        watch = _Watch(child.pid, figures)
        watch.start()
        for line in child.stdout:
            message = decode(line)
            if isinstance(message, Progress):
                watch.enter(message.stage)
            if isinstance(message, Failed):
                raise SystemExit(f"{message.code}: {message.message} {message.remedy}")
            if isinstance(message, Done):
                watch.enter("End")
        child.stdin.close()
        watch.over.set()
        watch.join()
    figures.disk_gb = round(sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 2**30, 2)
    return figures


class _Watch(threading.Thread):
    """Looks at the child's memory all the time and writes the highest of each stage into the figures."""

    def __init__(self, pid: int, figures: _Figures):
        super().__init__(daemon=True)
        self.status, self.figures, self.over = Path(f"/proc/{pid}/status"), figures, threading.Event()
        self.stage, self.since = "Start", time.perf_counter()

    def enter(self, stage: str) -> None:
        if stage != self.stage:
            now = time.perf_counter()
            self.figures.seconds[self.stage] = round(self.figures.seconds.get(self.stage, 0) + now - self.since, 2)
            self.stage, self.since = stage, now

    def run(self) -> None:
        while not self.over.wait(INTERVAL):
            try:
                rows = dict(line.split(":", 1) for line in self.status.read_text().splitlines())
            except OSError:
                return
            for peaks, name in ((self.figures.peak_gb, "VmRSS"), (self.figures.anonymous_gb, "RssAnon")):
                if name in rows:        # a process that ends has none
                    peaks[self.stage] = max(peaks.get(self.stage, 0.0), round(int(rows[name].split()[0]) / 2**20, 3))


def _print(figures: _Figures) -> None:
    print(f"{figures.size}, {figures.frames} frames: {sum(figures.seconds.values()) / figures.frames:.3f} s a frame, peak "
          f"{max(figures.peak_gb.values()):.2f} GB ({max(figures.anonymous_gb.values()):.2f} without pages of files), "
          f"estimate {figures.estimate_gb} GB, {figures.disk_gb} GB on disk", flush=True)
    for stage, seconds in figures.seconds.items():
        print(f"  {stage:<12} {seconds:8.2f} s {seconds / figures.frames:7.3f} s a frame {figures.peak_gb.get(stage, 0):6.2f} GB "
              f"{figures.anonymous_gb.get(stage, 0):6.2f} GB", flush=True)


def _fit(runs: list[_Figures]) -> dict[str, float]:
    """Between the shortest and the longest run: what a frame more costs, and what 1,000 frames would by that line."""
    if len(runs) < 2:
        return {}
    first, last = runs[0], runs[-1]
    more = last.frames - first.frames
    result = {}
    for name, a, b in (("seconds", sum(first.seconds.values()), sum(last.seconds.values())),
                       ("peak_gb", max(first.peak_gb.values()), max(last.peak_gb.values())),
                       ("anonymous_gb", max(first.anonymous_gb.values()), max(last.anonymous_gb.values()))):
        slope = (b - a) / more
        result |= {f"{name}_a_frame": round(slope, 5), f"{name}_of_1000": round(a + slope * (1000 - first.frames), 2)}
    return result
