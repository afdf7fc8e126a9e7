# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the scene's figures that runs in Blender: python -m benchmarks.scene_blender speed|render ..., JSON on standard output.
It knows the extension's scene functions only, not the engine."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.rendering import ENGINES, Pictures, engine_of, render_pictures
from toondecompose_blender.scene.sprites import sprites_of
from toondecompose_blender.scene.strips import add_scene_strip
from toondecompose_blender.scene.versions import strips_of

__all__ = ["main"]


def speed(result: Path, rendered: int) -> dict[str, float]:
    """Seconds to import, ms a sprite for a frame change, frames a second rendered, kB that 1,000 frames of a sprite add to a .blend."""
    empty = {compress: _blend_bytes(compress) for compress in (True, False)}
    seconds, imported = _timed(lambda: import_result(result))
    scene = bpy.data.scenes[imported.scene]
    bpy.context.window.scene = scene
    count, last = len(imported.sprites), scene.frame_end
    changes, _ = _timed(lambda: [scene.frame_set(frame) for frame in range(1, last + 1)])
    figures = {"sprites": count, "frames": last, "import_seconds": seconds, "frame_set_ms_per_sprite": 1000 * changes / last / count}
    for compress, name in ((True, "compressed_blend"), (False, "blend")):
        figures[f"{name}_kb_per_1000_frames_and_sprite"] = (_blend_bytes(compress) - empty[compress]) / last / count
    with tempfile.TemporaryDirectory() as folder:
        for engine in ENGINES:
            scene.render.engine = engine_of(engine)
            figures[f"{engine}_fps"] = _frames_a_second(scene, Path(folder), rendered)
        scene.render.engine = engine_of("cycles")
        figures["sequencer_of_scene_in_cycles_fps"] = _frames_a_second(_edit(scene), Path(folder), rendered)
        figures["sequencer_of_pictures_fps"] = _frames_a_second(_edit_of_pictures(scene, Path(folder, "0001.png"), rendered + 1),
                                                                Path(folder, "edit"), rendered)
    return figures


def render(result: Path, out: Path, frames: list[int], color: list[float]) -> dict[str, float]:
    """16-bit pictures `out`/<engine>/0001.png ... of some frames, the front sprite's first swatch being `color` if there is one;
    how long each engine took."""
    scene = bpy.data.scenes[import_result(result).scene]
    if color:
        front = sprites_of(scene)[-1]
        front["color_1"] = color
        front.update_tag()
    figures = {}
    for engine in ENGINES:
        scene.render.engine = engine_of(engine)
        start = time.perf_counter()
        for frame in frames:
            render_pictures(scene, Pictures(out / engine, frame, frame, depth=16), rendered=lambda _: True)
        figures[engine] = time.perf_counter() - start
    return figures


def _blend_bytes(compress: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scene.blend")
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=compress, copy=True)
        return path.stat().st_size


def _frames_a_second(scene, folder: Path, frames: int) -> float:
    """The first frame left out: it compiles shaders and loads pictures."""
    render_pictures(scene, Pictures(folder, 1, 1), rendered=lambda _: True)
    seconds, _ = _timed(lambda: render_pictures(scene, Pictures(folder, 2, 1 + frames), rendered=lambda _: True))
    return frames / seconds


def _edit(scene):
    """An edit with the sprites' scene as a strip."""
    edit = _new_edit(scene)
    strips = strips_of(edit.sequence_editor_create())
    length = {"length": scene.frame_end} if bpy.app.version >= (5, 0, 0) else {"frame_end": scene.frame_end + 1}
    add_scene_strip(edit, strips.new_effect(name="Clip", type="COLOR", channel=1, frame_start=1, **length), scene)
    return edit


def _edit_of_pictures(scene, first: Path, count: int):
    """An edit with rendered pictures as a strip: what the sequencer itself costs."""
    edit = _new_edit(scene)
    strip = strips_of(edit.sequence_editor_create()).new_image("Pictures", str(first), 1, 1)
    for number in range(2, count + 1):
        strip.elements.append(f"{number:04d}.png")
    return edit


def _new_edit(scene):
    edit = bpy.data.scenes.new("Edit")
    edit.view_settings.view_transform = "Standard"
    edit.render.resolution_x, edit.render.resolution_y = scene.render.resolution_x, scene.render.resolution_y
    return edit


def _timed(work: Callable):
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value


def main(task: str, request: str) -> None:
    asked = json.loads(request)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if task == "speed":
        figures = speed(Path(asked["result"]), asked["rendered"])
    else:
        figures = render(Path(asked["result"]), Path(asked["out"]), asked["frames"], asked["color"])
    Path(asked["answer"]).write_text(json.dumps({"blender": bpy.app.version_string, **figures}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
