# SPDX-License-Identifier: GPL-3.0-or-later
"""A gradient is one surface: nobody sees a border between two of its bands, so no sprite ends there.
The clip is drawn in a few lines: a sea whose color runs from one to another below a wave that bends, with a buoy behind it or without."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.test_split import HEIGHT, WIDTH, flow_of, overlap
from toondecompose_blender.engine.layers.find import find_layers
from toondecompose_blender.engine.layers.split import split_sprites
from toondecompose_blender.engine.motion import background_motion, rear_motion
from toondecompose_blender.engine.report import Silent

FRAMES = 24
STANDING = np.repeat(np.eye(3)[None], FRAMES, 0)


def sea(slope: float, *, buoy: bool, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Frames and true labels; `slope`: by how many gray levels a px the sea's green changes, and by which steps."""
    ys, xs = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    sky = np.stack([28 + xs * slope / 2, np.full_like(xs, 16), 84 - xs * slope / 3], -1)
    water = np.stack([116 - (ys - 50) * slope * 0.3, 112 + (ys - 50) * slope, 222 - (ys - 50) * slope * 0.1], -1)
    water[..., 1] = np.rint(water[..., 1] / step) * step
    frames, truth = [], []
    for t in range(FRAMES):
        picture, labels = sky.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
        if buoy:
            x, y = 60 + 1.5 * t, 44 + 6 * np.sin(t / 2)
            for radius, color, right in ((20, (240, 236, 230), 0), (3, (20, 20, 30), 6)):
                inside = (xs - x - right) ** 2 + (ys - y) ** 2 < radius ** 2
                picture[inside], labels[inside] = color, 1
        below = ys > 62 + 14 * np.sin(xs / 28 + 0.4 * t) + 5 * np.sin(xs / 13 - 0.25 * t)
        picture[below], labels[below] = water[below], 1 + buoy
        frames.append(np.rint(picture).astype(np.uint8))
        truth.append(labels)
    return np.stack(frames), np.stack(truth)


@pytest.mark.parametrize("slope", [0.3, 0.6])
@pytest.mark.parametrize("buoy", [False, True])
@pytest.mark.parametrize("step", [1, 2])
def test_a_sea_with_a_gradient_is_whole_though_its_depth_never_moves(slope, buoy, step):
    frames, truth = sea(slope, buoy=buoy, step=step)
    split = split_sprites(frames, flow_of(frames), sprites=2 + buoy, camera=STANDING, static=True)
    for label in range(1, 2 + buoy):
        assert overlap(split.labels, truth, label) > 0.97


@pytest.mark.parametrize("slope", [0.3, 0.6])
@pytest.mark.parametrize("buoy", [False, True])
def test_before_a_soft_sky_no_sea_and_no_buoy_is_taken_for_the_background(slope, buoy):
    frames, _ = sea(slope, buoy=buoy)
    flow = flow_of(frames)
    camera = background_motion(frames, flow, report=Silent())
    assert not camera.static        # waves and buoys have edges, a sky that goes from one color to another has none
    rear, others = rear_motion(frames, flow, camera, report=Silent())
    assert rear.static and len(others) == 1 and others[0] is camera.homographies


def test_nor_is_it_where_the_background_is_all_that_is_asked_for():
    frames, _ = sea(0.3, buoy=True)
    flow = flow_of(frames)
    layers = find_layers(frames, flow, background_motion(frames, flow, report=Silent()), sprites=1, report=Silent())
    assert layers.camera.static and not len(layers.alphas)
