# SPDX-License-Identifier: GPL-3.0-or-later
"""One curve retimes a sprite: after every operation the right drawing is at the right place in every frame."""

import bpy
import numpy as np
import pytest
import results
from reference import expected, psnr, reloaded, rendered

from toondecompose_blender.scene import retiming
from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.timing import source_curve, write_keys
from toondecompose_blender.scene.versions import eevee_engine

FRAMES = 8


@pytest.fixture
def folder(tmp_path):
    """A fox with a new drawing nearly every frame, at a new place every frame, on a still background."""
    still = np.tile(np.eye(3), (FRAMES, 1, 1))
    background = results.write_sprite(tmp_path, "background", [results.painted(160, 90, 1)], [1] * FRAMES, still)
    fox = results.write_sprite(tmp_path, "fox", [results.character(70, 60, seed) for seed in range(6)], [1, 2, 3, 4, 5, 6, 0, 1],
                               results.perspective(FRAMES, (70, 60), seed=1))
    return results.write_result(tmp_path, [background, fox], frames=FRAMES)


@pytest.fixture
def imported(folder):
    return import_result(folder)


@pytest.fixture
def fox(imported):
    return bpy.data.objects[imported.sprites[1]]


def assert_rendered(imported, folder, out, shown):
    pictures = rendered(bpy.data.scenes[imported.scene], out, 1, len(shown))
    for frame, (picture, clip_frame) in enumerate(zip(pictures, shown, strict=True), start=1):
        assert psnr(picture, expected(folder, frame if frame <= FRAMES else 1, frames={"fox": clip_frame})) > 77, f"frame {frame}"


@pytest.mark.parametrize(("operation", "shown"), [
    (lambda fox: None, [1, 2, 3, 4, 5, 6, 7, 8]),
    (lambda fox: retiming.speed(fox, 0.5), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8]),
    (lambda fox: retiming.speed(fox, 2), [1, 3, 5, 7, 8, 8]),
    (lambda fox: retiming.reverse(fox), [8, 7, 6, 5, 4, 3, 2, 1]),
    (lambda fox: retiming.speed(fox, -0.5), [8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1]),
    (lambda fox: retiming.hold(fox, 2), [1, 1, 3, 3, 5, 5, 7, 7]),
    (lambda fox: retiming.hold(fox, 3), [1, 1, 1, 4, 4, 4, 7, 7]),
    (lambda fox: (retiming.hold(fox, 4), retiming.hold(fox, 1)), [1, 2, 3, 4, 5, 6, 7, 8]),
    (lambda fox: (retiming.repeat(fox, first=1, last=6, until=12), retiming.hold(fox, 2), retiming.hold(fox, 1)),
     [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]),
    (lambda fox: retiming.freeze(fox, 5), [5, 5, 5, 5]),
    (lambda fox: retiming.offset(fox, 3), [1, 1, 1, 1, 2, 3, 4, 5]),
    (lambda fox: retiming.repeat(fox, first=2, last=4, until=10), [1, 2, 3, 4, 2, 3, 4, 2, 3, 4]),
    (lambda fox: retiming.repeat(fox, first=1, last=4, until=10, pingpong=True), [1, 2, 3, 4, 3, 2, 1, 2, 3, 4]),
    (lambda fox: (retiming.reverse(fox), retiming.hold(fox, 2), retiming.restore(fox)), [1, 2, 3, 4, 5, 6, 7, 8]),
], ids=["identity", "half speed", "double speed", "reverse", "half speed backwards", "on twos", "on threes", "on fours and back to ones",
        "loop on twos and back", "freeze", "offset", "loop", "ping-pong", "restore"])
def test_every_frame_shows_the_right_drawing_at_the_right_place(operation, shown, fox, imported, folder, tmp_path):
    operation(fox)
    assert_rendered(imported, folder, tmp_path / "out", shown)
    assert [retiming.shown_frame(fox, frame) for frame in range(1, len(shown) + 1)] == shown


def test_eevee_shows_the_right_drawing_at_the_right_place_too(fox, imported, folder, tmp_path):
    bpy.data.scenes[imported.scene].render.engine = eevee_engine()
    retiming.reverse(fox)
    reversed_picture = rendered(bpy.data.scenes[imported.scene], tmp_path / "out", 3)[0]
    assert psnr(reversed_picture, expected(folder, 3, frames={"fox": 6})) > 65
    retiming.freeze(fox, 6)
    assert psnr(rendered(bpy.data.scenes[imported.scene], tmp_path / "out", 1)[0], expected(folder, 1, frames={"fox": 3})) > 65


def test_operations_combine_half_speed_then_twos(fox):
    retiming.speed(fox, 0.5)
    retiming.hold(fox, 4)
    assert [retiming.shown_frame(fox, frame) for frame in range(1, 13)] == [1, 1, 1, 1, 3, 3, 3, 3, 5, 5, 5, 5]


def test_a_curve_is_few_plain_keys(fox):
    retiming.repeat(fox, first=1, last=8, until=80)
    assert len(source_curve(fox).keyframe_points) == 20
    retiming.hold(fox, 2)
    assert {point.interpolation for point in source_curve(fox).keyframe_points} == {"CONSTANT"}


def test_the_hold_is_read_off_the_curve(fox):
    holds = []
    for step in (1, 2, 3, 4):
        retiming.hold(fox, step)
        holds.append(retiming.hold_of(fox))
    assert holds == [1, 2, 3, 4]


def test_a_smooth_curve_of_the_artist_can_be_reversed(fox):
    write_keys(fox, [(1.0, 1.0, "BEZIER"), (8.0, 8.0, "LINEAR")])
    shown = [retiming.shown_frame(fox, frame) for frame in range(1, 9)]
    retiming.reverse(fox)
    assert [retiming.shown_frame(fox, frame) for frame in range(1, 9)] == shown[::-1]


def test_a_restored_sprite_knows_that_it_is(fox):
    assert retiming.is_restored(fox)
    retiming.hold(fox, 2)
    assert not retiming.is_restored(fox)
    retiming.restore(fox)
    assert retiming.is_restored(fox)


def test_a_retimed_sprite_survives_saving(fox, imported, folder, tmp_path):
    retiming.hold(fox, 2)
    reloaded(tmp_path / "saved.blend")
    assert_rendered(imported, folder, tmp_path / "out", [1, 1, 3, 3, 5, 5, 7, 7])


def test_in_betweens_glide_while_drawings_are_held(fox, imported, folder, tmp_path):
    retiming.speed(fox, 0.5)
    retiming.set_inbetweens(fox, True)
    halfway = rendered(bpy.data.scenes[imported.scene], tmp_path / "out", 4)[0]
    held = expected(folder, 4, frames={"fox": 2})
    nxt = expected(folder, 4, frames={"fox": 3})
    assert psnr(halfway, held) < 40 and psnr(halfway, held) > psnr(halfway, nxt)
