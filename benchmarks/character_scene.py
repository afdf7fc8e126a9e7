# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks.character_scene OUT: the scripted toon character as a sheet of eight views, a walk that turns, and its render.
It runs where bpy is and knows no engine; OUT gets sheet, poses, truth and seconds.json."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import bpy

from tests.blender import toon_rig
from toondecompose_blender.scene.character import render_poses, render_view_pose

__all__ = ["main"]

ANGLES = tuple(range(0, 360, 45))
STEP = 24  # frames of two steps; the turn takes 72, three seconds
PAIRS = (10, 30, 50, 65)  # frames drawn, each with the next, so that flicker shows


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.character_scene")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, size = bpy.context.scene, (options.size, options.size)
    rig = toon_rig.build(scene)
    for angle in ANGLES:
        scene.camera = toon_rig.add_camera(scene, angle)
        view = options.out / "sheet" / f"{angle:03d}"
        render_view_pose(scene, rig.armature, view.with_suffix(".npz"), size=size)
        toon_rig.render_truth(scene, str(view.with_suffix(".png")), options.size)
    for start in range(1, 73, STEP):
        toon_rig.walk(rig, start, STEP)
    toon_rig.turn(rig, 1, 72)
    scene.camera = toon_rig.add_camera(scene)
    frames = sorted({frame + more for frame in PAIRS for more in (0, 1)})
    for frame in frames:
        scene.frame_set(frame)
        toon_rig.render_truth(scene, str(options.out / "truth" / f"{frame:04d}.png"), options.size)
    seconds = {name: _poses(scene, rig, options.out / "poses", frames, size, soft) for name, soft in (("hard", False), ("soft", True))}
    (options.out / "seconds.json").write_text(json.dumps({"size": options.size, "seconds a pose": seconds}))
    return 0


def _poses(scene, rig, folder: Path, frames: list[int], size: tuple[int, int], soft: bool) -> dict[str, float]:
    """Render the poses; seconds of the clock and of the processor for the middle one."""
    clocks, busy, clock, before = [], [], time.perf_counter(), sum(os.times()[:2])
    for _ in render_poses(scene, rig.armature, folder, frames=frames, size=size, soft_edges=soft):
        clocks.append(time.perf_counter() - clock)
        busy.append(sum(os.times()[:2]) - before)
        clock, before = time.perf_counter(), sum(os.times()[:2])
    return {"clock": round(statistics.median(clocks), 2), "processor": round(statistics.median(busy), 2)}


if __name__ == "__main__":
    sys.exit(main())
