# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the panel's figures that Blender measures: run by `benchmarks.panel` in an interpreter that has bpy.
Arguments: clip, file for the answer, the talking engine, how many messages; it must not print."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module

import bpy

__all__ = ["main"]

TICK = 0.1                  # seconds between two ticks of Blender's timer while a job runs


def main(clip: str, answer: str, talker: str, waiting: str) -> None:
    figures = {"blender": bpy.app.version_string, "enable_seconds": _enable()}
    session = import_module("toondecompose_blender.operators.session")
    session.current().file_opened()
    seconds = [_first_progress(clip, session) for _ in range(4)]
    figures |= {"first_progress_seconds_cold": seconds[0], "first_progress_seconds": max(seconds[1:])}
    figures["tick_ms"] = 1000 * _tick(clip, session, talker, int(waiting))
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(figures, file)
    session.current().close()


def _enable() -> float:
    started = time.perf_counter()
    import_module("toondecompose_blender").register()
    return time.perf_counter() - started


def _strip(clip: str) -> None:
    """The clip as the active strip."""
    versions = import_module("toondecompose_blender.scene.versions")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, names = bpy.context.scene, sorted(os.listdir(clip))
    strip = versions.strips_of(scene.sequence_editor_create()).new_image(
        name="demo", filepath=os.path.join(clip, names[0]), channel=1, frame_start=1)
    for name in names[1:]:
        strip.elements.append(name)
    versions.set_strip_end(strip, 1 + len(names))
    scene.sequence_editor.active_strip = strip


def _first_progress(clip: str, session) -> float:
    """Seconds from the click to the first progress that the sidebar can show; the job is cancelled then."""
    _strip(clip)
    current = session.current()
    started = time.perf_counter()
    bpy.ops.toon.decompose()
    job = list(current.queue.jobs.values())[-1]
    while job.progress is None:
        time.sleep(TICK)
        current.tick()
        if job.state.code:
            raise SystemExit(job.state.message)
    seconds = time.perf_counter() - started
    current.queue.cancel(job.id)
    while job.running:
        current.tick()
        time.sleep(TICK)
    current.queue.dismiss(job.id)
    return seconds


def _tick(clip: str, session, talker: str, waiting: int) -> float:
    """Seconds of the longest tick, panels' status included, while an engine's messages wait."""
    _strip(clip)
    current, worst = session.current(), 0.0
    current.queue._command = lambda arguments: [sys.executable, talker, str(waiting)]
    bpy.ops.toon.decompose()
    job = list(current.queue.jobs.values())[-1]
    while job.supervisor is None:
        current.tick()
    while job.supervisor._messages.qsize() < waiting - 10:
        time.sleep(0.01)
    while job.supervisor._messages.qsize():
        started = time.perf_counter()
        current.tick()
        worst = max(worst, time.perf_counter() - started)
    return worst


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)     # Blender as a module may crash while the interpreter takes it down; the answer is written
