# SPDX-License-Identifier: GPL-3.0-or-later
"""The published system's inner loops, timed here for a few steps and multiplied, beside the engine's time for the same clip.
On the processor one thread's time is divided by the cores, as if nothing were lost; what the loops are stands in published_loops."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from .cases import measured, violet_case
from .published_loops import HEIGHT, SAMPLES, Loop, Shape, loops
from .tables import keep_beside, kept, table
from .watch import cores

__all__ = ["VIOLET", "measure", "step_seconds"]

VIOLET = Shape(frames=78, width=456, sprites=2)     # of 1280x720, rounded up to eights as the published system does
QUICK = Shape(frames=4, width=64, sprites=2)
STEPS, WARM = 20, 3
PAIRS, UPDATES = 3, 20                              # of RAFT: pairs to time; the published system's refinements a pair


def measure(clips: Path, *, device: str, quick: bool = False) -> None:
    """Print a row a loop, their sum and the engine's time; keep them in benchmarks/results/published.json (not the quick one)."""
    where = torch.device("cuda" if device == "auto" and torch.cuda.is_available() else "cpu" if device == "auto" else device)
    torch.set_num_threads(1)
    load, rows, shape = os.getloadavg()[0], [], QUICK if quick else VIOLET
    for loop in loops(shape, where, samples=100 if quick else SAMPLES):
        rows.append((loop.name, step_seconds(loop, where), loop.steps))
        print(f"{loop.name}: {1000 * rows[-1][1]:.0f} ms a step", flush=True)
    pair = None if quick else _raft_seconds(shape, where)
    if pair is not None:
        # Four flows a frame, then one there and back for each pair of neighbors and sprite, at least.
        rows.insert(0, ("RAFT flows (pairs)", pair, 4 * shape.frames + 2 * (shape.frames - 1) * shape.sprites))
    total = sum(seconds * steps for _, seconds, steps in rows)
    engine = None if quick else _engine_seconds(clips)
    if not quick:
        keep_beside("published", {where.type: {
            "loops": [{"name": name, "step_seconds": round(seconds, 5), "steps": steps} for name, seconds, steps in rows],
            "seconds": round(total), "engine_seconds": engine, "load": round(load, 2), "timed_steps": STEPS, "raft": pair is not None}})
    print(_table(rows, total, engine, load, where, pair is not None))


def _table(rows: list[tuple[str, float, int]], total: float, engine: float | None, load: float, where: torch.device, raft: bool) -> str:
    lines = [[name, f"{1000 * seconds:.1f}", str(steps), f"{seconds * steps / 3600:.2f}"] for name, seconds, steps in rows]
    lines.append(["in all", "", str(sum(steps for *_, steps in rows)), f"{total / 3600:.2f}"])
    if engine:
        lines.append(["Toon Decompose, the whole of it, at 720 lines", "", "", f"{engine / 3600:.4f}"])
        lines.append(["times as long", "", "", f"{total / engine:.0f}"])
    left_out = "" if raft else ", RAFT left out: torchvision is not here"
    return table(f"The published system's loops, {where.type}: {STEPS} steps of each timed and multiplied (no pictures, no files"
                 f"{left_out}; load {load:.1f})", ["loop", "ms a step", "steps", "hours"], lines)


def step_seconds(loop: Loop, device: torch.device) -> float:
    """Mean seconds of a step, after some that warm up: of the processor, shared by all cores, or of the clock on another device."""
    for _ in range(WARM):
        loop.step()
    return _timed(loop.step, STEPS, device)


def _timed(work: Callable[[], object], times: int, device: torch.device) -> float:
    if device.type == "cpu":
        started = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - started) / times / cores()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(times):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / times


def _raft_seconds(shape: Shape, device: torch.device) -> float | None:
    """Of one pair; the weights' values make no difference to the time.  None without torchvision."""
    try:
        from torchvision.models.optical_flow import raft_large
    except (ImportError, RuntimeError):     # a build for another device than torch's raises the latter
        return None
    network = raft_large(weights=None, progress=False).to(device).eval()
    first, second = (torch.rand(1, 3, HEIGHT, shape.width, device=device) * 2 - 1 for _ in range(2))
    with torch.inference_mode():
        network(first, second, num_flow_updates=UPDATES)
        return _timed(lambda: network(first, second, num_flow_updates=UPDATES), PAIRS, device)


def _engine_seconds(clips: Path) -> float | None:
    """Of a run kept on this machine, else of one made now; None where the clip is not there."""
    case = violet_case(clips)
    if case is None:
        return None
    record = kept("stages").get(case.name)
    return record["alone"] if record else round(measured(case).run.alone, 2)
