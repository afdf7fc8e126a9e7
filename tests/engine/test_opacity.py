# SPDX-License-Identifier: GPL-3.0-or-later
"""Sprites that fade: found with their opacity and on the drawings they had when they were solid; sprites that do not are left alone."""

from dataclasses import replace

import numpy as np
import pytest

from tests.engine.edge_clips import EdgeClip, edge_clip
from toondecompose_blender.engine.drawings import exposure_sheet
from toondecompose_blender.engine.opacity import Presence, find_presence
from toondecompose_blender.engine.report import Silent

FRAMES = 24


def presence_of(clip: EdgeClip) -> Presence:
    """From the true background, and masks as far as they can be found: where the sprite differs from it."""
    height, width = clip.frames.shape[1:3]
    differs = np.abs(clip.frames.astype(int) - clip.behind).max(-1) > 14
    masks = np.where(differs & (clip.layers[..., 3] > 0.02), 255, 0).astype(np.uint8)
    nothing, camera = np.zeros_like(masks), np.tile(np.eye(3), (len(masks), 1, 1))
    seen = np.ones((height, width), bool)
    sheet = exposure_sheet(clip.frames, masks, report=Silent(), behind=clip.behind.__getitem__)
    return find_presence(clip.frames, masks, nothing, sheet, look=lambda t: (clip.behind[t], seen), camera=camera, report=Silent())


def backwards(clip: EdgeClip) -> EdgeClip:
    return EdgeClip(*(value[::-1] for value in (clip.frames, clip.layers, clip.opacity, clip.behind)))


@pytest.fixture(scope="module")
def fading():
    return edge_clip(frames=FRAMES, fade=12)


@pytest.mark.parametrize("way", ["out", "in"])
def test_a_fade_over_twelve_frames_is_an_opacity_on_drawings_seen_before(fading, way):
    clip = fading if way == "out" else backwards(fading)
    presence = presence_of(clip)
    shown = (presence.sheet.exposure > 0) * presence.opacity
    assert np.abs(shown - clip.opacity).max() < 0.06 and np.abs(shown - clip.opacity).mean() < 0.02
    assert len(presence.sheet.references) == 3 and presence.solid.sum() == 12
    assert presence.sheet.exposure.max() == 3


def test_a_faded_frame_is_placed_where_the_sprite_is(fading):
    sheet = presence_of(fading).sheet
    for t in range(FRAMES - 12, FRAMES - 2):
        reference = sheet.references[sheet.exposure[t] - 1]
        assert np.allclose(sheet.poses[t][:2, 2], [2.5 * (t - reference), 0], atol=0.6)


def test_a_sprite_that_stays_keeps_its_sheet_and_is_opaque():
    presence = presence_of(edge_clip(frames=FRAMES))
    assert (presence.opacity == 1).all() and presence.solid.all()


def test_a_sprite_that_darkens_does_not_fade(fading):
    """Its color falls, yet nothing of the background comes through."""
    layers = edge_clip(frames=FRAMES).layers.copy()
    layers[..., :3] *= np.linspace(1.6, 0.5, FRAMES)[:, None, None, None].clip(0, 1)
    frames = np.rint(layers[..., :3] * 255 + (1 - layers[..., 3:]) * fading.behind).clip(0, 255).astype(np.uint8)
    assert (presence_of(replace(fading, frames=frames, layers=layers)).opacity > 0.95).all()


def test_a_sprite_that_is_never_there_has_no_opacity_to_find(fading):
    presence = presence_of(replace(fading, frames=fading.behind))
    assert not presence.sheet.exposure.any() and (presence.opacity == 1).all()
