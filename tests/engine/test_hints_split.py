# SPDX-License-Identifier: GPL-3.0-or-later
"""Hints among several sprites: each kind brings out one that the split gives to another, and a wrong one changes nothing.
The clips are drawn here; nothing here knows how the split works inside."""

import json

import cv2
import numpy as np
import pytest

from tests.engine.test_split import HEIGHT, STANDING, WIDTH, drawn, flow_of, overlap, shifted
from toondecompose_blender.engine.layers.hints import UNKNOWN, Hint, Hints, read_hints
from toondecompose_blender.engine.layers.split import split_sprites
from toondecompose_blender.engine.report import Silent

HILL = [(0, 90), (40, 34), (70, 20), (104, 44), (150, 90), (150, 126), (0, 126)]
CLOUD = [(0, 8), (6, 2), (16, 0), (26, 3), (30, 9), (24, 14), (6, 14)]
POINTED = 8     # the frame that the hints are on


class Told(Silent):
    """Keeps the codes of what was warned of."""

    def __init__(self):
        self.codes = []

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        self.codes.append(code)


@pytest.fixture(scope="module")
def lost():
    """A cloud before a hill, hardly faster than it: the split takes both for one."""
    sky = np.full((HEIGHT, WIDTH, 3), (150, 200, 235), np.uint8)
    frames, truth = drawn(lambda t: sky, (HILL, (90, 120, 90), lambda t: shifted(4 + t, 0)),
                          (CLOUD, (225, 228, 232), lambda t: shifted(60 + 1.5 * t, 50)))
    return frames, truth, flow_of(frames)


def drawn_on(truth: np.ndarray, sprite: int, kind: str) -> Hint:
    """What an artist would draw on a sprite; "wrong": a box where there is nothing."""
    shown = truth[POINTED] == sprite
    ys, xs = np.nonzero(shown)
    region = np.zeros(shown.shape, np.uint8)
    if kind == "box":
        region[ys.min() - 2:ys.max() + 3, xs.min() - 2:xs.max() + 3] = 1
    elif kind == "scribble":
        middle = int(np.median(ys))
        cv2.line(region, (int(xs.min()) + 4, middle), (int(xs.max()) - 4, middle), 1)
    elif kind == "wrong":
        region[4:34, 4:44] = 1
    else:
        region = shown
    return Hint("box" if kind == "wrong" else kind, sprite, POINTED, region > 0)


def split(clip, *hints, report=None):
    frames, truth, flow = clip
    hints = Hints(np.full(truth.shape, UNKNOWN, np.uint8), hints) if hints else None
    return split_sprites(frames, flow, sprites=3, camera=STANDING, static=True, hints=hints, report=report)


@pytest.mark.parametrize("kind", ["mask", "scribble", "box"])
def test_a_hint_on_one_frame_parts_a_sprite_from_the_one_it_is_taken_for(lost, kind):
    _, truth, _ = lost
    without, led = split(lost).labels, split(lost, drawn_on(truth, 2, kind)).labels
    assert max(overlap(np.where(without == k, 2, 0), truth, 2) for k in (1, 2)) < 0.2 and overlap(led, truth, 2) > 0.9
    assert overlap(led, truth, 1) > 0.9 and overlap(led, truth, 0) > 0.9


def test_a_wrong_box_changes_nothing_and_is_told_of(lost):
    report = Told()
    assert np.array_equal(split(lost).labels, split(lost, drawn_on(lost[1], 2, "wrong"), report=report).labels)
    assert report.codes == ["hints.ignored"]


def test_a_line_across_the_background_changes_nothing(lost):
    region = np.zeros(lost[1].shape[1:], bool)
    region[12, 10:60] = True
    report = Told()
    assert np.array_equal(split(lost).labels, split(lost, Hint("scribble", 2, POINTED, region), report=report).labels)
    assert report.codes == ["hints.ignored"]


def test_a_wrong_box_leaves_alone_what_another_hint_brings_out(lost):
    _, truth, _ = lost
    one, both = (split(lost, drawn_on(truth, 2, "mask"), *more).labels for more in ((), (drawn_on(truth, 1, "wrong"),)))
    assert overlap(both, truth, 2) > 0.9 and (one != both).mean() < 0.02


def test_a_scribble_that_slips_over_another_sprite_does_not_take_it(lost):
    _, truth, _ = lost
    slipped = np.zeros(truth.shape[1:], np.uint8)
    cv2.line(slipped, (20, 100), (150, 100), 1)         # along the hill ...
    cv2.line(slipped, (80, 100), (80, 55), 1)           # ... and up to the cloud
    labels = split(lost, Hint("scribble", 1, POINTED, slipped > 0), drawn_on(truth, 2, "mask")).labels
    assert overlap(labels, truth, 1) > 0.9 and overlap(labels, truth, 2) > 0.9


def test_what_never_moves_is_brought_out_by_a_mask_and_not_by_a_box_that_nothing_was_cut_out_of(lost):
    frames, truth = (np.repeat(of[POINTED:POINTED + 1], len(of), 0) for of in lost[:2])
    flow, reports = flow_of(frames), (Told(), Told())
    for kind, report in zip(("mask", "box"), reports):
        hints = Hints(np.full(truth.shape, UNKNOWN, np.uint8), (drawn_on(truth, 1, kind),))
        labels = split_sprites(frames, flow, sprites=None, camera=STANDING, static=True, hints=hints, report=report).labels
        assert (overlap(labels, truth, 1) > 0.9) == (kind == "mask")
    assert [report.codes for report in reports] == [[], ["hints.ignored"]]


def test_what_never_moves_is_cut_out_of_a_box_by_its_colors_and_nothing_out_of_an_empty_one(lost, tmp_path):
    frames, truth = (np.repeat(of[POINTED:POINTED + 1], len(of), 0) for of in lost[:2])
    still, found = (frames, truth, flow_of(frames)), []
    for kind in ("box", "wrong"):
        ys, xs = np.nonzero(drawn_on(truth, 2, kind).region)
        box = [int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1]
        (tmp_path / "hints.json").write_text(json.dumps({"hints": [{"frame": POINTED + 1, "sprite": 2, "box": box}]}), encoding="utf-8")
        marks = read_hints(tmp_path / "hints.json", frames, clip_size=(WIDTH, HEIGHT), sprites=3).marks
        report = Told()
        found.append((split(still, *marks, report=report).labels, report.codes))
    assert overlap(found[0][0], truth, 2) > 0.9 and found[0][1] == []
    assert np.array_equal(found[1][0], split(still).labels) and found[1][1] == ["hints.ignored"]


def test_the_artists_number_is_the_sprites(lost):
    _, truth, _ = lost
    labels = split(lost, Hint("mask", 1, POINTED, truth[POINTED] == 2)).labels
    assert overlap(np.where(labels == 1, 2, 0), truth, 2) > 0.9
