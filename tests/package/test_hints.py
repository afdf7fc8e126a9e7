# SPDX-License-Identifier: GPL-3.0-or-later
"""Hints that are drawn in Blender, in every Blender there is here: strokes and masks arrive in the clip's own pixels and frames,
and the real engine finds with them what it cannot find without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from tests.blender import results
from tests.package.test_extension import BLENDERS
from toondecompose_blender.jobs.hints import Box, Scribble
from toondecompose_blender.protocol import read_result
from toondecompose_blender.scene import hints
from toondecompose_blender.scene.hints import Shown, annotation_hints, whole_matrix

ROOT = Path(__file__).parent.parent.parent
SIZE, DOT = (80, 40), (20, 10)


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> Path:
    """Six black pictures with a bright dot."""
    folder = tmp_path_factory.mktemp("clip") / "frames"
    picture = np.full((SIZE[1], SIZE[0], 4), (0, 0, 0, 255), np.uint8)
    picture[DOT[1] - 1:DOT[1] + 2, DOT[0] - 1:DOT[0] + 2] = 255
    for number in range(1, 7):
        results.write_png(folder / f"{number:04d}.png", picture)
    return folder


@pytest.fixture(scope="module", params=BLENDERS, ids=lambda python: Path(python).parent.parent.name)
def seen(request, frames, tmp_path_factory) -> dict:
    """What a fresh Blender made of strokes and masks over a strip that is moved, turned, scaled and flipped."""
    out = tmp_path_factory.mktemp("hints")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TOONDECOMPOSE_HOME": str(out / "home"), "BLENDER_USER_RESOURCES": str(out / "user")}
    done = subprocess.run([request.param, Path(__file__).with_name("draw_hints.py"), frames, out], env=env, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("SEEN ")]
    assert lines and "Traceback" not in done.stderr, done.stdout + done.stderr
    return {**json.loads(lines[-1][5:]), "folder": out / "hints"}


def of_kind(seen: dict, kind: str) -> list[dict]:
    return [hint for hint in seen["hints"] if kind in hint]


def test_a_stroke_lies_where_blender_shows_what_it_points_at(seen):
    scribble, = of_kind(seen, "scribble")
    assert (scribble["frame"], scribble["sprite"]) == (3, 1) and np.allclose(scribble["scribble"][0], DOT, atol=0.15)


def test_a_circle_is_a_box_of_the_layer_that_was_chosen_and_the_layers_name_counts(seen):
    box, = of_kind(seen, "box")
    left, top, right, bottom = box["box"]
    assert (box["frame"], box["sprite"]) == (1, 0) and right - left > 8 and bottom - top > 8
    assert seen["rows"] == ["Sprite 1", "Background"]


def test_a_mask_is_drawn_where_its_shape_was_set_and_only_there(seen):
    masks = of_kind(seen, "mask")
    assert [(mask["frame"], mask["sprite"]) for mask in masks] == [(2, 2), (4, 2)]
    for mask, shift in zip(masks, (0, 20)):
        picture = results.read_png(seen["folder"] / mask["mask"])
        ys, xs = np.nonzero(picture[..., 0] > 127)
        # A mask's unit is the picture's larger side, 80 px, about its middle: 0.45..0.6 of y is 12..24 px of 40 from the top.
        assert picture.shape[:2] == (40, 80) and (xs.min(), xs.max(), ys.min(), ys.max()) == (20 + shift, 39 + shift, 12, 23)


def test_buttons_say_why_they_are_grey_and_leave_nothing_behind(seen):
    assert "Open a preview" in seen["grey"] and "choose 3" in seen["refused"]
    assert (seen["scenes"], seen["masks"], seen["left"]) == (1, 1, [0, 0])


# Strokes in numbers


class Drawn:
    """An annotation as Blender's: layers of frames of strokes of points."""

    def __init__(self, **values):
        vars(self).update(values)


def annotation(*strokes, name="Fox", frame=1, **flags):
    drawn = [Drawn(points=[Drawn(co=(*point, 0.0)) for point in stroke]) for stroke in strokes]
    flags = {"annotation_hide": False, "is_ruler": False, **flags}
    return Drawn(layers=[Drawn(info=name, frames=[Drawn(frame_number=frame, strokes=drawn)], **flags)])


SHOWN = Shown(*SIZE, 1, 6, whole_matrix(*SIZE))


def around(radius: float, center=(0.0, 0.0)):
    return [(center[0] + radius * np.cos(a), center[1] + radius * np.sin(a)) for a in np.linspace(0, 6.0, 20)]


def test_the_image_editor_counts_in_widths_of_the_picture():
    hint, = annotation_hints(annotation([(0.0, 1.0), (1.0, 0.0)]), None, SHOWN)
    assert hint.scribble == ((-0.5, -0.5), (79.5, 39.5))


def test_a_circle_is_a_box_and_a_line_to_and_fro_is_a_scribble():
    circle, line = annotation_hints(annotation(around(12), [(-20, 0), (20, 1), (-20, 2), (20, 3), (-19, 0)]), None, SHOWN)
    assert isinstance(circle, Box) and isinstance(line, Scribble)
    assert np.allclose(circle.box, (39.5 - 12, 19.5 - 12, 39.5 + 12, 19.5 + 12), atol=0.5)


def test_a_circle_that_leaves_the_picture_ends_at_its_border_and_a_tiny_one_is_a_dot():
    cut, dot = annotation_hints(annotation(around(18, (30, 0)), around(2)), None, SHOWN)
    assert cut.box[2] == 79 and isinstance(dot, Scribble)


@pytest.mark.parametrize("flags", [{"annotation_hide": True}, {"is_ruler": True}, {"frame": 7}, {"frame": 0}])
def test_hidden_layers_rulers_and_other_frames_are_no_hints(flags):
    assert annotation_hints(annotation([(0, 0), (9, 9)], **flags), None, SHOWN) == []


def test_a_stroke_in_the_space_of_a_3d_view_is_no_hint():
    drawn = annotation([(3, 0), (9, 9)])
    drawn.layers[0].frames[0].strokes[0].points[0].co = (3.0, 0.0, 1.5)
    assert annotation_hints(drawn, None, SHOWN) == []


def test_layers_of_one_name_are_one_sprite_and_the_background_is_none():
    drawn = Drawn(layers=[*annotation([(0, 0)], name="Background").layers, *annotation([(0, 0)], name="Fox").layers])
    mask = Drawn(layers=[Drawn(name=name, hide=False, hide_render=False) for name in ("Car", " fox")])
    assert hints.sprite_numbers(drawn, mask) == {"background": 0, "fox": 1, "car": 2}


# From the button to the engine's result

STILL = """
import sys, pathlib, numpy as np, cv2
folder = pathlib.Path(sys.argv[1]); folder.mkdir(parents=True)
wall = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (120, 180, 3), dtype=np.uint8), (0, 0), 3)
wall = cv2.normalize(wall, None, 40, 220, cv2.NORM_MINMAX)
cv2.circle(wall, (60, 70), 24, (30, 60, 220), -1, cv2.LINE_AA)
cv2.circle(wall, (60, 70), 24, (20, 20, 20), 2, cv2.LINE_AA)
for t in range(6):
    cv2.imwrite(str(folder / f"{t + 1:04d}.png"), wall)
"""


@pytest.mark.parametrize("switch, found", [("--no-hints", False), ("", True)])
def test_a_mask_in_the_file_brings_out_what_never_moves(switch, found, tmp_path, engine_python):
    """A disc that stands still: only the artist's mask tells that it is a sprite.  From a saved .blend to the engine's result."""
    subprocess.run([engine_python, "-c", STILL, tmp_path / "still"], check=True)
    blend = tmp_path / "still.blend"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TOONDECOMPOSE_ENGINE": engine_python, "TOONDECOMPOSE_HOME": str(tmp_path / "home"),
           "NUMBA_CACHE_DIR": str(ROOT / ".pytest_cache" / "numba")}
    words = ["decompose", "--out", str(tmp_path / "out"), "--sprites", "2", "--preset", "draft", *filter(None, [switch])]
    script = SAVE_AND_RUN.format(clip=str(tmp_path / "still"), blend=str(blend), words=words)
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert "EXIT 0" in done.stdout, done.stdout + done.stderr
    result = read_result(tmp_path / "out")
    sprites = [sprite for sprite in result.sprites if sprite.role == "sprite"]
    assert bool(sprites) == found
    if found:
        path = np.load(tmp_path / "out" / sprites[0].homographies)[2]
        middle = path @ (sprites[0].width / 2 - 0.5, sprites[0].height / 2 - 0.5, 1)
        assert np.allclose(middle[:2] / middle[2], (60, 70), atol=4) and abs(sprites[0].width - 50) < 12


SAVE_AND_RUN = """
import bpy, os
import toondecompose_blender
from toondecompose_blender import command
from toondecompose_blender.scene import versions
bpy.ops.wm.read_factory_settings(use_empty=True)
toondecompose_blender.register()
scene = bpy.context.scene
names = sorted(os.listdir({clip!r}))
strip = versions.strips_of(scene.sequence_editor_create()).new_image(
    name="still", filepath=os.path.join({clip!r}, names[0]), channel=1, frame_start=1)
for name in names[1:]:
    strip.elements.append(name)
versions.set_strip_end(strip, 1 + len(names))
scene.sequence_editor.active_strip = strip
mask = bpy.data.masks.new("Disc")
spline = mask.layers.new(name="Disc").splines.new()
spline.points.add(3)
spline.use_cyclic = True
r = 24 / 180
for point, (x, y) in zip(spline.points, ((1, 0), (0, 1), (-1, 0), (0, -1))):
    cx, cy = 60.5 / 180 + r * x, 0.5 + (60 - 70.5) / 180 + r * y
    point.handle_left_type = point.handle_right_type = "FREE"
    point.co = (cx, cy)
    point.handle_left, point.handle_right = (cx + .552 * r * y, cy - .552 * r * x), (cx - .552 * r * y, cy + .552 * r * x)
scene.toondecompose.use_hints, scene.toondecompose.hint_mask = True, mask
scene.frame_set(3)
bpy.ops.wm.save_as_mainfile(filepath={blend!r})
bpy.ops.wm.open_mainfile(filepath={blend!r})
print("EXIT", command.main({words!r}), flush=True)
os._exit(0)
"""


def test_the_button_writes_hints_into_the_job(tmp_path, monkeypatch):
    """Through the operator: hints that lie in no frame are said to, and a job has them in its own folder otherwise."""
    import toondecompose_blender
    from toondecompose_blender.operators import session
    bpy.ops.wm.read_factory_settings(use_empty=True)
    monkeypatch.setenv("TOONDECOMPOSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TOONDECOMPOSE_ENGINE", sys.executable)
    toondecompose_blender.register()
    try:
        for number in (1, 2, 3):
            results.write_png(tmp_path / "frames" / f"{number}.png", results.painted(64, 36, number))
        settings = bpy.context.scene.toondecompose
        settings.filepath, settings.use_hints = str(tmp_path / "frames" / "1.png"), True
        settings.hint_mask = bpy.data.masks.new("M")
        spline = settings.hint_mask.layers.new(name="Fox").splines.new()
        spline.points.add(2)
        for point, place in zip(spline.points, ((0.3, 0.4), (0.6, 0.4), (0.5, 0.6))):
            point.co = place
        bpy.context.scene.frame_set(2)
        bpy.ops.toon.decompose()
        job = next(iter(session.current().queue.jobs.values()))
        written = json.loads(Path(job.spec.hints).read_text(encoding="utf-8"))["hints"]
        assert Path(job.spec.hints).parent == job.folder / "hints" and [(hint["frame"], hint["sprite"]) for hint in written] == [(2, 1)]
    finally:
        toondecompose_blender.unregister()
