# SPDX-License-Identifier: GPL-3.0-or-later
"""A sprite that fades: its opacity follows its clip frame, so that retiming the sprite retimes the fade; a flash is a plane like any."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
import results
from reference import expected, psnr, rendered

from toondecompose_blender.scene import retiming
from toondecompose_blender.scene.importing import import_result

FRAMES = 8
FADE = (1.0, 1.0, 0.875, 0.75, 0.6, 0.4, 0.25, 0.1)


@pytest.fixture
def folder(tmp_path):
    """A still background, a fox that fades out, and a white flash over frames 4 and 5."""
    still = results.translations(np.zeros((FRAMES, 2)))
    size = results.WIDTH, results.HEIGHT
    background = results.write_sprite(tmp_path, "background", [results.painted(*size, 1)], [1] * FRAMES, still)
    fox = results.write_sprite(tmp_path, "fox", [results.character(70, 60, seed) for seed in (1, 2)], [1, 1, 2, 2] * 2,
                               results.translations(np.stack([20 + 5.0 * np.arange(FRAMES), np.full(FRAMES, 15.0)], 1)), opacity=FADE)
    white = np.full((results.HEIGHT, results.WIDTH, 4), 255, np.uint8)
    flash = results.write_sprite(tmp_path, "veil_1", [white], [0, 0, 0, 1, 1, 0, 0, 0], still, opacity=(0, 0, 0, 0.8, 0.3, 0, 0, 0))
    return results.write_result(tmp_path, [background, fox, replace(flash, role="veil", name="Flash")], frames=FRAMES)


def test_a_fade_and_a_flash_render_as_the_manifest_says(folder, tmp_path):
    scene = bpy.data.scenes[import_result(folder).scene]
    pictures = rendered(scene, tmp_path / "out", 1, FRAMES)
    assert min(psnr(picture, expected(folder, frame)) for frame, picture in enumerate(pictures, start=1)) > 70


def test_retiming_a_sprite_retimes_its_fade(folder, tmp_path):
    imported = import_result(folder)
    fox = next(bpy.data.objects[name] for name in imported.sprites if bpy.data.objects[name]["toondecompose_sprite"] == "fox")
    retiming.reverse(fox)
    pictures = rendered(bpy.data.scenes[imported.scene], tmp_path / "out", 1, FRAMES)
    for frame, picture in enumerate(pictures, start=1):
        assert psnr(picture, expected(folder, frame, frames={"fox": FRAMES + 1 - frame})) > 70
        assert frame in (4, 5) or psnr(picture, expected(folder, frame)) < 50  # it is not what it was
