# SPDX-License-Identifier: GPL-3.0-or-later
"""Exposure sheets are exact against the truth of drawn clips: several sprites, each with its timing, small ones, shadows, dirty mattes."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.engine.sheet_clips import draw_sheet

from toondecompose_blender.engine.drawings import exposure_sheet
from toondecompose_blender.engine.report import Silent


def sheets_of(clip):
    return [tuple(exposure_sheet(clip.frames, alphas, report=Silent(), front=front, behind=clip.behind.__getitem__).exposure.tolist())
            for alphas, front in clip.sprites]


@pytest.mark.parametrize("kind", ["two of different timing", "three of different timing", "a long hold, then ones", "there and back",
                                  "mouths, static camera", "sixty pixels high", "whipped past", "compressed"])
def test_every_sprite_keeps_its_own_timing(kind):
    clip, truth = draw_sheet(kind)
    assert sheets_of(clip) == truth


def test_a_shadow_that_lies_on_a_moving_background_does_not_split_a_hold():
    clip, truth = draw_sheet("mixed")
    alphas, front = clip.sprites[0]
    frames, wider = clip.frames.copy(), alphas.copy()
    for t in range(len(frames)):
        shadow = np.zeros(frames.shape[1:3], np.float32)
        y, x = np.nonzero(alphas[t] > 0.5)
        cv2.ellipse(shadow, (int(x.mean()), int(y.max())), (70, 26), 0, 0, 360, 0.5, -1, cv2.LINE_AA)
        shadow *= alphas[t] < 0.5
        frames[t] = np.rint(frames[t] * (1 - shadow[..., None]) + shadow[..., None] * (20, 20, 30))
        wider[t] = np.maximum(alphas[t], (shadow > 0.25).astype(np.float32))  # a hard mask, as the split gives it
    assert sheets_of(replace(clip, frames=frames, sprites=[(wider, front)])) == truth


def test_pinholes_in_the_mattes_do_not_split_a_hold():
    clip, truth = draw_sheet("mixed")
    alphas, front = clip.sprites[0]
    rng = np.random.default_rng(2)
    holes = rng.random(alphas.shape) < 0.03
    assert sheets_of(replace(clip, sprites=[(np.where(holes, 0, alphas).astype(np.float32), front)])) == truth
