# SPDX-License-Identifier: GPL-3.0-or-later
"""A session in a real Blender whose engine is a child that copies a drawn result, or waits for a cancel; and strips to press the button on.
Must not import the engine: jobs inside Blender do not depend on what it computes."""

from __future__ import annotations

import time
from pathlib import Path

import bpy

from tests.blender import results
from toondecompose_blender.scene import versions

FRAMES = 4
COPY = """
import shutil
hello(); progress(1)
shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)
say('done', result=sys.argv[2])
"""
WAIT = "hello(); progress(3)\nsys.stdin.readline(); say('cancelled')"


def add_strip(folder: Path, numbers: list[int], *, start: int = 11, missing: tuple[int, ...] = ()):
    for number in set(numbers) - set(missing):
        results.write_png(folder / "frames" / f"f{number}.png", results.painted(32, 18, number))
    scene = bpy.context.scene
    strips = versions.strips_of(scene.sequence_editor_create())
    strip = strips.new_image(name="clip 'é'", filepath=str(folder / "frames" / f"f{numbers[0]}.png"), channel=1, frame_start=start)
    for number in numbers[1:]:
        strip.elements.append(f"f{number}.png")
    versions.set_strip_end(strip, start + len(numbers))
    scene.sequence_editor.active_strip = strip
    return strip


def status():
    return bpy.context.window_manager.toondecompose


def tick_until(session, holds, patience=60):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        session.tick()
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError([(job.status, job.message) for job in status().jobs])


def only_job(session):
    return next(iter(session.queue.jobs.values()))


def running():
    return bool(status().jobs) and status().jobs[0].stage == "Mattes, 5 of 8"
