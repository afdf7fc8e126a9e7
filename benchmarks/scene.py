# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m benchmarks.scene RESULT: how fast Blender imports, plays and renders a result, on the interpreter that has bpy.
It knows the extension's scene functions only, not the engine."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.rendering import ENGINES, Pictures, engine_of, render_pictures
from toondecompose_blender.scene.strips import add_scene_strip
from toondecompose_blender.scene.versions import strips_of


def measure(result: Path, *, frames: int, engines: list[str]) -> dict[str, str]:
    """Figures by name: seconds to import, ms a sprite for a frame change, frames a second rendered, kB of .blend a 1000 frames."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    seconds, imported = _timed(lambda: import_result(result))
    scene = bpy.data.scenes[imported.scene]
    bpy.context.window.scene = scene
    count, last = len(imported.sprites), scene.frame_end
    figures = {"size": f"{scene.render.resolution_x}x{scene.render.resolution_y}, {count} sprites, {last} frames",
               "import": f"{seconds:.2f} s"}
    seconds, _ = _timed(lambda: [scene.frame_set(frame) for frame in range(1, last + 1)])
    figures["frame change"] = f"{1000 * seconds / last / count:.2f} ms a sprite"
    with tempfile.TemporaryDirectory() as folder:
        for engine in engines:
            scene.render.engine = engine_of(engine)
            figures[engine] = _speed(scene, Path(folder), frames)
        figures["sequencer"] = _speed(_edit(scene), Path(folder), frames)
        blend = Path(folder, "scene.blend")
        bpy.ops.wm.save_as_mainfile(filepath=str(blend))
        figures[".blend"] = f"{blend.stat().st_size / 1000 * 1000 / last:.0f} kB a 1000 frames"
    return figures


def _speed(scene, folder: Path, frames: int) -> str:
    """Frames a second, the first left out: it compiles shaders and loads pictures."""
    render_pictures(scene, Pictures(folder, 1, 1), rendered=lambda frame: True)
    seconds, _ = _timed(lambda: render_pictures(scene, Pictures(folder, 2, 1 + frames), rendered=lambda frame: True))
    return f"{frames / seconds:.2f} frames a second"


def _edit(scene):
    """An edit with the sprites over a plain strip."""
    edit = bpy.data.scenes.new("Edit")
    edit.view_settings.view_transform = "Standard"
    edit.render.resolution_x, edit.render.resolution_y = scene.render.resolution_x, scene.render.resolution_y
    strips = strips_of(edit.sequence_editor_create())
    length = {"length": scene.frame_end} if bpy.app.version >= (5, 0, 0) else {"frame_end": scene.frame_end + 1}
    plain = strips.new_effect(name="Clip", type="COLOR", channel=1, frame_start=1, **length)
    add_scene_strip(edit, plain, scene)
    return edit


def _timed(work: Callable):
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.scene", description="Measure import, playback and rendering in Blender.")
    parser.add_argument("result", type=Path, metavar="RESULT")
    parser.add_argument("--frames", type=int, default=5, help="frames to render with each engine (default: %(default)s)")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    options = parser.parse_args()
    figures = measure(options.result, frames=options.frames, engines=options.engines)
    print(f"Blender {bpy.app.version_string}")
    for name, value in figures.items():
        print(f"{name:<14}{value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
