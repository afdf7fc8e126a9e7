# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a fresh bpy: draws an annotation and a mask over a turned, scaled and flipped strip, as an artist would, and asks
the button's own code for the hints; prints one JSON object of what was seen.  Arguments: a folder of frames, the output folder."""

import json
import os
import sys
from pathlib import Path

import bpy
import numpy as np

import toondecompose_blender
from toondecompose_blender.operators import clips, hints
from toondecompose_blender.scene import versions

WIDTH, HEIGHT = 256, 144
START = 11
SQUARE = ((0.25, 0.45), (0.5, 0.45), (0.5, 0.6), (0.25, 0.6))


def editor(kind):
    """The largest area of the window, made an editor of this kind."""
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda area: area.width * area.height)
    area.type = kind
    return window, area


def add_strip(folder):
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    names = sorted(os.listdir(folder))
    strip = versions.strips_of(scene.sequence_editor_create()).new_image(
        name="run", filepath=os.path.join(folder, names[0]), channel=1, frame_start=START)
    for name in names[1:]:
        strip.elements.append(name)
    versions.set_strip_end(strip, START + len(names))
    seen = strip.transform
    seen.offset_x, seen.offset_y, seen.scale_x, seen.scale_y, seen.rotation = 14, -9, 2.0, 1.5, 0.3
    strip.use_flip_x = True
    scene.sequence_editor.active_strip = strip
    return strip


def dot_in_preview(folder):
    """Where Blender itself shows the picture's bright dot: px from the middle, y up."""
    scene = bpy.context.scene
    scene.render.filepath, scene.render.image_settings.file_format = str(folder / "seen_##.png"), "PNG"
    scene.view_settings.view_transform = "Standard"
    scene.frame_start = scene.frame_end = START
    bpy.ops.render.render(animation=True)
    image = bpy.data.images.load(str(folder / f"seen_{START}.png"))
    light = np.array(image.pixels[:]).reshape(HEIGHT, WIDTH, 4)[..., :3].min(2)
    ys, xs = np.nonzero(light > 0.5 * light.max())
    weights = light[ys, xs]
    return np.average(xs, weights=weights) + 0.5 - WIDTH / 2, np.average(ys, weights=weights) + 0.5 - HEIGHT / 2


def draw(area, region, frame, points):
    """A stroke by the annotation's own operator; without a screen it cannot know where the mouse is, so its points are moved."""
    window = bpy.context.window_manager.windows[0]
    bpy.context.scene.frame_set(frame)
    known = bpy.types.OperatorStrokeElement.bl_rna.properties
    sample = {"name": "", "mouse": (9, 9), "mouse_event": (9, 9), "pen_flip": False, "location": (0, 0, 0), "pressure": 1.0, "size": 1.0,
              "x_tilt": 0.0, "y_tilt": 0.0}
    sample = {name: value for name, value in sample.items() if name in known}
    stroke = [{**sample, "is_start": index == 0, "time": float(index), "mouse": (9 + 20 * index, 9)} for index in range(len(points))]
    with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
        bpy.ops.gpencil.annotate("EXEC_DEFAULT", mode="DRAW", stroke=stroke, wait_for_input=False)
    layers = versions.space_annotation(area.spaces.active).layers
    drawn = next(f for f in layers[layers.active_index].frames if f.frame_number == frame).strokes[-1]
    for point, place in zip(drawn.points, points, strict=True):
        point.co = (*place, 0)


def make_mask():
    """A square that moves by a quarter of the picture from frame 12 to frame 14, in the mask editor, with keys."""
    window, area = editor("IMAGE_EDITOR")
    mask = bpy.data.masks.new("Shape")
    layer = mask.layers.new(name="Walker")
    spline = layer.splines.new()
    spline.points.add(3)
    spline.use_cyclic = True
    area.spaces.active.ui_mode, area.spaces.active.mask = "MASK", mask
    region = next(region for region in area.regions if region.type == "WINDOW")
    for frame, shift in ((START + 1, 0.0), (START + 3, 0.25)):
        bpy.context.scene.frame_set(frame)
        for point, (x, y) in zip(spline.points, SQUARE):
            point.handle_left_type = point.handle_right_type = "VECTOR"
            point.co = point.handle_left = point.handle_right = (x + shift, y)
            point.select = True
        with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
            bpy.ops.mask.shape_key_insert()
    return mask


def main(frames: str, out: str) -> dict:
    bpy.ops.wm.read_factory_settings(use_empty=False)
    toondecompose_blender.register()
    folder = Path(out)
    scene, strip = bpy.context.scene, add_strip(frames)
    if hasattr(bpy.context.workspace, "sequencer_scene"):
        bpy.context.workspace.sequencer_scene = scene
    dot = dot_in_preview(folder)
    settings = scene.toondecompose
    mask = make_mask()
    window, area = editor("SEQUENCE_EDITOR")
    grey = ""
    with bpy.context.temp_override(window=window, area=area):
        try:
            bpy.ops.toon.hints_draw()
        except RuntimeError as error:
            grey = str(error)
    area.spaces.active.view_type = "PREVIEW"
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.toon.hints_draw()
    region = next(region for region in area.regions if region.type == "PREVIEW")
    annotation = settings.hint_annotation
    draw(area, region, START + 2, [dot, (dot[0] + 3, dot[1]), dot])
    draw(area, region, START - 5, [dot, (dot[0] + 3, dot[1])])          # outside of the strip
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.toon.hints_sprite_add()
    annotation.layers[-1].info = "Background"
    angles = np.linspace(0, 2 * np.pi, 16)
    draw(area, region, START, [(20 * np.cos(a), 20 * np.sin(a)) for a in angles])
    settings.hint_mask = mask
    made = hints.drawn_hints(settings, clips.shown_strip(scene, strip, clips.strip_clip(scene, strip)), folder, current=START,
                             sprites=None)
    written = json.loads(Path(made).read_text())["hints"]
    rows = [layer.info for layer in annotation.layers]
    scenes, masks = len(bpy.data.scenes), len(bpy.data.masks)
    bpy.ops.toon.hints_clear()
    left = [len(layer.frames) for layer in annotation.layers]
    settings.sprites = "1"
    refused = toondecompose_blender.properties.hint_refusal(settings)
    return {"blender": bpy.app.version_string, "hints": written, "grey": grey, "rows": rows, "scenes": scenes, "masks": masks,
            "left": left, "refused": refused}


if __name__ == "__main__":
    print("\nSEEN " + json.dumps(main(*sys.argv[1:])), flush=True)
    os._exit(0)     # Blender as a module may crash while the interpreter takes it down; what was seen is told
