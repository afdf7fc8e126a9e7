# SPDX-License-Identifier: GPL-3.0-or-later
"""An artist's hints: each kind helps where automation fails, and a wrong file is refused.
The clips are drawn here; the masks are made by the real stages."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.engine.drawn import draw_clip, overlap
from toondecompose_blender.engine.flow import compute_flow
from toondecompose_blender.engine.layers.find import find_layers
from toondecompose_blender.engine.layers.hints import UNKNOWN, read_hints, spread
from toondecompose_blender.engine.motion import Motion
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.protocol import SettingsError


@pytest.fixture(scope="module")
def still():
    """A figure that stands still before a camera that does: nothing but a hint can tell that it is a sprite."""
    clip = draw_clip(frames=8, pan=0)
    frames, alphas = np.repeat(clip.frames[:1], 8, 0), np.repeat(clip.alphas[:, :1], 8, 1)
    return frames, alphas[0], compute_flow(frames, report=Silent())


def found(frames, flow, hints):
    camera = Motion(np.tile(np.eye(3), (len(frames), 1, 1)), True, "identity", 0.0, len(frames) // 2)
    return find_layers(frames, flow, camera, sprites=2, hints=hints, report=Silent()).alphas.max(0, initial=0) / 255


def hint(still, folder, kind):
    alpha = still[1][3]
    ys, xs = np.nonzero(alpha > 0.5)
    if kind == "mask":
        write_picture(folder / "m.png", np.repeat((alpha * 255).astype(np.uint8)[..., None], 3, 2))
        return {"mask": "m.png"}
    if kind == "box":
        return {"box": [int(xs.min()) - 2, int(ys.min()) - 2, int(xs.max()) + 2, int(ys.max()) + 2]}
    return {"scribble": [[85, 65], [85, 118], [115, 152], [85, 118], [55, 152]], "width": 10}  # head, body, one leg, the other


@pytest.mark.parametrize("kind, least", [("mask", 0.9), ("box", 0.6), ("scribble", 0.35)])
def test_a_hint_on_one_frame_brings_out_a_sprite_that_never_moves(still, tmp_path, kind, least):
    frames, alpha, flow = still
    (tmp_path / "hints.json").write_text(json.dumps({"hints": [{"frame": 4, "sprite": 1, **hint(still, tmp_path, kind)}]}))
    hints = read_hints(tmp_path / "hints.json", frames, clip_size=(288, 176), sprites=2)
    hints = replace(hints, seeds=spread(hints.seeds, flow))
    without, with_hint = overlap(found(frames, flow, None), alpha), overlap(found(frames, flow, hints), alpha)
    assert without < 0.1 and with_hint > least


@pytest.mark.parametrize("sprites, box, said", [
    (2, [-9, -9, 400, 300], "as large as the picture"), (3, [-50, -50, -10, -10], "outside of the picture"),
    (3, [300, 20, 400, 90], "outside of the picture"), (3, [0, 0, 288, 176], None), (3, [-20, 30, 60, 90], None)])
def test_a_box_beyond_the_picture_is_brought_into_it_or_refused_in_words(still, tmp_path, sprites, box, said):
    (tmp_path / "hints.json").write_text(json.dumps({"hints": [{"frame": 4, "sprite": 1, "box": box}]}))
    if said:
        with pytest.raises(SettingsError, match=said) as refused:
            read_hints(tmp_path / "hints.json", still[0], clip_size=(288, 176), sprites=sprites)
        assert refused.value.code == "settings.hints"
    else:
        mark = read_hints(tmp_path / "hints.json", still[0], clip_size=(288, 176), sprites=sprites).marks[0]
        ys, xs = np.nonzero(mark.region)
        assert [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] == [max(0, side) for side in box]
        assert (mark.cut_out is None) == mark.region.all()


def test_seeds_stay_within_reach_and_never_overwrite_a_hint(still):
    frames, _, flow = still
    seeds = np.full(frames.shape[:3], UNKNOWN, np.uint8)
    seeds[0, 50:60, 50:60], seeds[2, 50:60, 50:60] = 1, 0
    result = spread(seeds, flow)
    assert (result[1, 52:58, 52:58] != UNKNOWN).all() and (result[2, 50:60, 50:60] == 0).all() and (result[5, 52:58, 52:58] == 0).all()


@pytest.mark.parametrize("text", ["{", "{}", '{"hints": [{"frame": 99, "sprite": 1, "box": [1, 1, 30, 30]}]}',
                                  '{"hints": [{"frame": 1, "sprite": 5, "box": [1, 1, 30, 30]}]}',
                                  '{"hints": [{"frame": 1, "sprite": 1, "mask": "../secret.png"}]}',
                                  '{"hints": [{"frame": 1, "sprite": 1, "box": [5, 5, 6, 6]}]}'])
def test_a_wrong_file_of_hints_is_refused(still, tmp_path, text):
    (tmp_path / "hints.json").write_text(text)
    with pytest.raises(SettingsError) as refusal:
        read_hints(tmp_path / "hints.json", still[0], clip_size=(288, 176), sprites=2)
    assert refusal.value.code == "settings.hints" and refusal.value.remedy
