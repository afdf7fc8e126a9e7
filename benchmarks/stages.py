# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time of one decomposition goes: seconds of every stage, wall clock and processor, and the peak of memory.
It watches a real engine process through its protocol."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from toondecompose_blender.protocol import Done, Failed, Progress, decode

from .machine import keep

__all__ = ["measure"]


def measure(clip: Path, *, sprites: str, lines: int | None) -> None:
    """Decompose `clip` once from nothing and print a line a stage; keep them as benchmarks/results/stages_<clip>_<lines>.json."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "toondecompose_blender.engine", "decompose", str(clip), "--sprites", sprites,
                   "--out", out, "--json"]
        command += ["--size", str(lines)] if lines else []
        started = time.perf_counter()
        marks: list[tuple[str, float]] = []
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8") as child:
            for line in child.stdout:
                message = decode(line)
                if isinstance(message, Progress) and (not marks or marks[-1][0] != message.stage):
                    marks.append((message.stage, time.perf_counter() - started))
                if isinstance(message, Failed):
                    raise SystemExit(f"{message.code}: {message.message} {message.remedy}")
                if isinstance(message, Done):
                    marks.append(("end", time.perf_counter() - started))
            child.stdin.close()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = {"Start": round(marks[0][1], 2)}
    seconds |= {name: round(after - before, 2) for (name, before), (_, after) in zip(marks, marks[1:], strict=False)}
    total, busy = marks[-1][1], usage.ru_utime + usage.ru_stime
    figures = {"clip": clip.name if clip.name != "frames" else clip.parent.name, "sprites": sprites, "lines": lines,
               "stage_seconds": seconds,
               "wall_seconds": round(total, 1), "cpu_seconds": round(busy, 1), "peak_memory_gb": round(usage.ru_maxrss / 2**20, 2),
               "cores_used": round(busy / total, 2), "cores": len(os.sched_getaffinity(0))}
    for name, value in seconds.items():
        print(f"{name:<12} {value:8.2f} s")
    print(f"{'whole':<12} {total:8.2f} s wall, {busy:.1f} s of processor, {figures['peak_memory_gb']} GB at the peak")
    keep(f"stages_{figures['clip']}_{lines or 'standard'}", figures)
