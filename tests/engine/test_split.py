# SPDX-License-Identifier: GPL-3.0-or-later
"""The split finds drawn sprites, keeps their order and counts them.
Each clip is drawn in a few lines; nothing here knows how the split works inside."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.layers.edgels import Edgels
from toondecompose_blender.engine.layers.proposals_fit import fit_motion
from toondecompose_blender.engine.layers.split import split_sprites
from toondecompose_blender.engine.layers.split_order import meetings

WIDTH, HEIGHT, FRAMES = 192, 128, 16


@dataclass(frozen=True)
class DrawnFlow:
    """Flow as the engine's estimators give it, from OpenCV's DIS."""
    forward: np.ndarray
    good: np.ndarray

    def consistent(self, t: int) -> np.ndarray:
        return self.good[t]


def flow_of(frames: np.ndarray) -> DrawnFlow:
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for f in frames]
    forward, good = [], []
    xs, ys = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    for a, b in zip(gray, gray[1:]):
        there, back = (cv2.resize(estimator.calc(p, q, None), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) / 2
                       for p, q in ((a, b), (b, a)))
        returned = cv2.remap(back, xs + there[..., 0], ys + there[..., 1], cv2.INTER_LINEAR, borderValue=(1e4, 1e4))
        good.append(((there + returned) ** 2).sum(2) < 1 + 0.01 * (there ** 2).sum(2))
        forward.append(there.astype(np.float16))
    return DrawnFlow(np.stack(forward), np.stack(good))


def drawn(backdrop, *figures) -> tuple[np.ndarray, np.ndarray]:
    """Frames and true labels: `backdrop(t)` is a picture, each figure (shape, color, path) a polygon with a face, moved by path(t)."""
    frames, truth = [], []
    for t in range(FRAMES):
        picture, labels = backdrop(t).copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
        for number, (shape, color, path) in enumerate(figures, 1):
            points = np.rint(np.asarray(shape, float) + path(t)).astype(np.int32)
            center = points.mean(0).astype(int)
            cv2.fillPoly(picture, [points], color)
            line = tuple(int(c * 0.35) for c in color)
            cv2.polylines(picture, [points], True, line, 2)
            for side in (-6, 6):
                cv2.circle(picture, (int(center[0] + side), int(center[1] - 4)), 2, line, -1)
            cv2.line(picture, (int(center[0] - 5), int(center[1] + 6)), (int(center[0] + 5), int(center[1] + 6)), line, 2)
            cv2.fillPoly(labels, [points], number)
            cv2.polylines(labels, [points], True, number, 2)
        frames.append(picture)
        truth.append(labels)
    return np.stack(frames), np.stack(truth)


def street(seed: int, width: int = WIDTH) -> np.ndarray:
    """A drawn background: sky, houses with windows, a road."""
    random = np.random.default_rng(seed)
    picture = np.full((HEIGHT, width, 3), (170, 205, 235), np.uint8)
    x = 0
    while x < width:
        wide, top = int(random.integers(18, 34)), int(random.integers(25, 60))
        cv2.rectangle(picture, (x, top), (x + wide, 100), tuple(int(c) for c in random.integers(90, 200, 3)), -1)
        cv2.rectangle(picture, (x, top), (x + wide, 100), (60, 50, 50), 1)
        for y in range(top + 6, 92, int(random.integers(11, 16))):
            cv2.rectangle(picture, (x + 5, y), (x + 9, y + 5), (240, 230, 170), -1)
        x += wide
    picture[100:] = (130, 125, 120)
    cv2.line(picture, (0, 112), (width, 112), (230, 230, 220), 2)
    return picture


def shifted(x: float, y: float):
    return np.array([x, y], float)


SQUARE = [(0, 0), (34, 2), (36, 40), (2, 38)]
TALL = [(0, 8), (12, 0), (26, 10), (24, 60), (2, 58)]
WEDGE = [(0, 30), (22, 0), (44, 30), (22, 38)]
SMALL = [(0, 0), (20, 2), (22, 22), (2, 20)]
STANDING = np.repeat(np.eye(3)[None], FRAMES, 0)


def panned(step: float) -> np.ndarray:
    camera = STANDING.copy()
    camera[:, 0, 2] = -step * np.arange(FRAMES)
    return camera


def overlap(labels: np.ndarray, truth: np.ndarray, label: int) -> float:
    """Intersection over union of one label, which must be the same number in both: so the order counts too."""
    found, true = labels == label, truth == label
    return float((found & true).sum() / max(1, (found | true).sum()))


def velocity(split, label: int, x: float, y: float) -> float:
    """Median horizontal motion of a label at a place, px a frame."""
    moved = split.motions[label] @ np.array([x, y, 1.0])
    return float(np.nanmedian(moved[:, 0] / moved[:, 2] - x))


def three_crossing():
    return drawn(lambda t: street(1), (SQUARE, (205, 70, 60), lambda t: shifted(5 + 7 * t, 60)),
                 (TALL, (70, 150, 80), lambda t: shifted(150 - 8 * t, 40)),
                 (WEDGE, (225, 200, 60), lambda t: shifted(60 + 1.5 * t, 5 + 5 * t)))


def fence_before_houses():
    houses = street(2, WIDTH + 60)

    def backdrop(t):
        return houses[:, 2 * t:2 * t + WIDTH]

    fence = [(0, 60), (6, 54), (12, 60), (12, 70), (400, 70), (400, 80), (12, 80), (12, 127), (0, 127)]
    posts = [[(x + 60 * n, y) for x, y in [(0, 50), (8, 42), (16, 50), (16, 135), (0, 135)]] for n in range(7)]
    frames, truth = [], []
    for t in range(FRAMES):
        picture, labels = backdrop(t).copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
        for outline in (fence, *posts):
            points = (np.array(outline) + (-20 - 7 * t, 0)).astype(np.int32)
            cv2.fillPoly(labels, [points], 1)
            cv2.fillPoly(picture, [points], (120, 80, 50))
            cv2.polylines(picture, [points], True, (40, 25, 15), 1)
            cv2.polylines(labels, [points], True, 1, 1)
        frames.append(picture)
        truth.append(labels)
    return np.stack(frames), np.stack(truth)


def entering_and_leaving():
    return drawn(lambda t: street(3), (SQUARE, (205, 70, 60), lambda t: shifted(-60 + 18 * t, 62)))


def still_body_with_a_waving_arm():
    """A figure on a flat ground that only moves its arm; a cloud behind its head."""
    room = np.full((HEIGHT, WIDTH, 3), (190, 215, 235), np.uint8)
    for x, y in ((84, 24), (25, 30), (160, 22)):
        cv2.ellipse(room, (x, y), (20, 9), 0, 0, 360, (250, 250, 250), -1)
    frames, truth = [], []
    for t in range(FRAMES):
        picture, labels = room.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)

        def paint(points, color, picture=picture, labels=labels):
            points = np.rint(points).astype(np.int32)
            for target, value in ((picture, color), (labels, 1)):
                cv2.fillPoly(target, [points], value)
            cv2.polylines(picture, [points], True, (40, 30, 30), 2)
            cv2.polylines(labels, [points], True, 1, 2)

        paint(np.array([(60, 50), (96, 50), (102, 118), (54, 118)]), (200, 80, 70))
        paint(np.array([(66, 22), (90, 22), (92, 50), (64, 50)]), (240, 200, 170))
        angle = 0.9 * np.sin(t * 0.8)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        paint(np.array([(0, -9), (46, -7), (46, 8), (0, 9)]) @ turn + (88, 62), (70, 90, 170))
        frames.append(picture)
        truth.append(labels)
    return np.stack(frames), np.stack(truth)


def blurred_hills_before_sharp_ones():
    """Two planes of pale hills, the near one out of focus, and a figure that walks before both."""
    x = np.arange(WIDTH + 160)
    far, near = np.full((2, HEIGHT, WIDTH + 160, 3), (120, 190, 220), np.uint8)
    solid = np.zeros((HEIGHT, WIDTH + 160), np.uint8)
    for top, picture, shade in ((48 + 9 * np.sin(x / 13) + 4 * np.sin(x / 5), far, (190, 215, 228)),
                                (74 + 16 * np.sign(np.sin(x / 21)), near, (236, 246, 240))):
        below = np.arange(HEIGHT)[:, None] > top[None]
        picture[below] = shade
    solid[near[..., 0] == 236] = 255
    for n in range(14):
        cv2.line(far, (25 * n, 70), (25 * n + 9, 127), (170, 200, 212), 2)
        cv2.ellipse(near, (26 * n + 9, 108 + n % 3 * 6), (8, 5), 0, 0, 360, (178, 200, 190), -1)
    near, soft = cv2.GaussianBlur(near, (0, 0), 3), cv2.GaussianBlur(solid, (0, 0), 3)

    frames, truth = drawn(lambda t: np.zeros((HEIGHT, WIDTH, 3), np.uint8), (TALL, (60, 60, 70), lambda t: shifted(30 + 4 * t, 55)))
    for t in range(FRAMES):
        before = np.s_[:, 5 * t:5 * t + WIDTH]
        alpha = soft[before][..., None] / 255
        ground = near[before] * alpha + far[:, 2 * t:2 * t + WIDTH] * (1 - alpha)
        figure = truth[t] > 0
        frames[t] = np.where(figure[..., None], frames[t], ground)
        truth[t] = np.where(figure, 2, soft[before] > 127)
    return frames, truth


def skyline_before_a_flat_sky():
    """A skyline of one color that scrolls before a sky without anything in it, above a still road."""
    skyline = np.zeros((HEIGHT, WIDTH + 80), bool)
    random = np.random.default_rng(5)
    for x in range(0, WIDTH + 80, 12):
        skyline[int(random.integers(30, 75)):96, x:x + 12] = True
    frames, truth = [], []
    for t in range(FRAMES):
        picture, shown = np.full((HEIGHT, WIDTH, 3), (240, 245, 250), np.uint8), skyline[:, 3 * t:3 * t + WIDTH]
        picture[shown] = (90, 160, 170)
        picture[96:] = (110, 180, 195)
        cv2.line(picture, (0, 112), (90, 112), (230, 230, 220), 2)
        frames.append(picture)
        truth.append(shown.astype(np.uint8))
    return np.stack(frames), np.stack(truth)


def clouds_that_drift(frames: int = 40):
    """Pale clouds that drift by half a pixel a frame over a still street in which a figure runs; the clouds are 1, the figure 2."""
    pictures, truth = [], []
    for t in range(frames):
        picture, labels = street(6), np.zeros((HEIGHT, WIDTH), np.uint8)
        picture[:44] = (170, 205, 235)
        for x in (30, 110):
            for dx, radius in ((0, 9), (14, 13), (28, 9)):
                center = round((x + dx + 0.7 * t) * 16), 24 * 16
                cv2.circle(picture, center, radius * 16, (190, 222, 248), -1, cv2.LINE_AA, 4)
                cv2.circle(labels, center, radius * 16, 1, -1, cv2.LINE_8, 4)
        points = (np.array(SQUARE) + (-60 + 7 * t, 70)).astype(np.int32)
        cv2.fillPoly(picture, [points], (205, 70, 60))
        cv2.polylines(picture, [points], True, (70, 25, 20), 2)
        cv2.fillPoly(labels, [points], 2)
        cv2.polylines(labels, [points], True, 2, 2)
        pictures.append(picture)
        truth.append(labels)
    return np.stack(pictures), np.stack(truth)


def two_alike_and_two_others():
    """Two green figures that walk apart, and two smaller ones, a red and a yellow one; both green ones are 1."""
    frames, truth = drawn(lambda t: street(7), (TALL, (70, 150, 80), lambda t: shifted(60 - 4 * t, 50)),
                          (TALL, (70, 150, 80), lambda t: shifted(80 + 6 * t, 44)),
                          (SMALL, (205, 70, 60), lambda t: shifted(10 + 5 * t, 4 + 2 * t)),
                          (SMALL, (225, 200, 60), lambda t: shifted(150 - 6 * t, 8)))
    return frames, np.array([0, 1, 1, 2, 3], np.uint8)[truth]


def test_a_body_that_holds_still_comes_with_the_arm_that_it_waves():
    frames, truth = still_body_with_a_waving_arm()
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=STANDING, static=True)
    assert overlap(split.labels, truth, 1) >= 0.9


def test_a_window_that_a_figure_touches_whenever_it_is_up_stays_in_its_wall():
    room = np.full((HEIGHT, WIDTH, 3), (60, 110, 150), np.uint8)
    cv2.rectangle(room, (74, 20), (120, 58), (130, 210, 215), -1)
    frames, truth = drawn(lambda t: room, (TALL, (205, 70, 60), lambda t: shifted(80 + 3 * np.sin(t), 56 + 8 * np.cos(0.8 * t))))
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=STANDING, static=True)
    assert overlap(split.labels, truth, 1) >= 0.95


def test_a_plane_out_of_focus_is_its_own_sprite():
    frames, truth = blurred_hills_before_sharp_ones()
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=panned(2), static=False)
    assert overlap(split.labels, truth, 1) >= 0.8
    assert overlap(split.labels, truth, 2) >= 0.9


def test_a_sky_without_features_stays_background_behind_what_moves():
    frames, truth = skyline_before_a_flat_sky()
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=STANDING, static=True)
    assert overlap(split.labels, truth, 1) >= 0.95


def street_before_a_flat_sky():
    """A street that pans before a sky of one color, and a figure that walks on the spot; the sky is 0, the street 1, the figure 2."""
    houses = street(4, WIDTH + 4 * FRAMES)
    frames, figure = drawn(lambda t: houses[:, 4 * t:4 * t + WIDTH], (TALL, (205, 70, 60), lambda t: shifted(80, 50 + 3 * (t % 2))))
    sky = (frames == (170, 205, 235)).all(3) & (figure == 0)
    return frames, np.where(figure > 0, 2, np.where(sky, 0, 1))


def test_a_flat_sky_behind_a_pan_is_a_plane_of_its_own_when_a_sprite_more_is_asked_for():
    frames, truth = street_before_a_flat_sky()
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=panned(4), static=False)
    assert split.still and split.count == 3 == len(split.motions)
    assert overlap(split.labels, truth, 0) >= 0.95
    assert overlap(split.labels, truth, 1) >= 0.95
    assert overlap(split.labels, truth, 2) >= 0.85
    assert velocity(split, 1, 96, 64) == pytest.approx(-4, abs=0.1)


def test_a_flat_sky_stays_with_the_street_when_no_more_sprites_are_asked_for_than_move():
    frames, truth = street_before_a_flat_sky()
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=panned(4), static=False)
    assert not split.still and overlap(split.labels, truth // 2, 1) >= 0.85


def test_a_flat_sky_that_fills_most_of_the_picture_is_parted_all_the_same():
    frames, truth = street_before_a_flat_sky()
    covered = (np.arange(HEIGHT)[:, None] < 84) & (truth == 1)
    frames[covered], truth[covered] = (170, 205, 235), 0
    assert (truth == 0).mean() > 0.6
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=panned(4), static=False)
    assert [overlap(split.labels, truth, k) >= 0.9 for k in range(3)] == [True] * 3


def test_clouds_that_drift_by_less_than_a_pixel_a_frame_are_a_sprite():
    frames, truth = clouds_that_drift()
    still = np.repeat(np.eye(3)[None], len(frames), 0)
    split = split_sprites(frames, flow_of(frames), sprites=3, camera=still, static=True)
    assert overlap(split.labels, truth, 1) >= 0.85
    assert overlap(split.labels, truth, 2) >= 0.9


def test_of_four_figures_that_move_apart_the_two_that_look_alike_are_one_sprite():
    frames, truth = two_alike_and_two_others()
    split = split_sprites(frames, flow_of(frames), sprites=4, camera=STANDING, static=True)
    assert [max(overlap(split.labels == k, truth == number, True) for k in range(1, 4)) >= 0.85 for number in (1, 2, 3)] == [True] * 3


def test_an_outline_that_goes_straight_on_is_before_those_that_end_at_it():
    labels = np.zeros((60, 80), int)
    labels[20:40, 10:50] = 1
    labels[10:50, 40:70] = 2        # its left side runs on above and below label 1
    assert meetings(labels, 3)[2].tolist() == [2, 2, 0] and not meetings(labels, 3)[1].any()


def test_three_sprites_that_cross_are_found_in_their_order():
    frames, truth = three_crossing()
    split = split_sprites(frames, flow_of(frames), sprites=4, camera=STANDING, static=True)
    assert split.count == 4 and split.labels.shape == frames.shape[:3] and split.labels.dtype == np.uint8
    assert [overlap(split.labels, truth, k) >= 0.9 for k in (1, 2, 3)] == [True] * 3
    assert velocity(split, 1, 80, 80) == pytest.approx(7, abs=0.3)
    assert velocity(split, 2, 100, 70) == pytest.approx(-8, abs=0.5)


def test_a_fence_that_passes_faster_than_the_houses_is_its_own_sprite():
    frames, truth = fence_before_houses()
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=panned(2), static=False)
    assert overlap(split.labels, truth, 1) >= 0.8
    assert velocity(split, 0, 96, 64) == pytest.approx(-2, abs=0.1)
    assert velocity(split, 1, 96, 90) == pytest.approx(-7, abs=0.3)


def test_a_sprite_that_enters_and_leaves_is_found_only_while_it_is_there():
    frames, truth = entering_and_leaving()
    split = split_sprites(frames, flow_of(frames), sprites=2, camera=STANDING, static=True)
    assert overlap(split.labels, truth, 1) >= 0.9
    assert not split.labels[[0, 1, -1]][truth[[0, 1, -1]].sum((1, 2)) == 0].any()


@pytest.mark.parametrize("clip, sprites, camera, static", [
    (three_crossing, 4, STANDING, True), (fence_before_houses, 2, panned(2), False), (entering_and_leaving, 2, STANDING, True)])
def test_the_number_of_sprites_is_found_when_none_is_given(clip, sprites, camera, static):
    frames, _ = clip()
    split = split_sprites(frames, flow_of(frames), sprites=None, camera=camera, static=static)
    assert split.count == sprites == split.labels.max() + 1 == len(split.motions)
    assert list(split.energies) == sorted(split.energies, reverse=True)


def test_flow_that_ends_in_one_point_is_no_motion_that_shrinks_a_sprite_to_nothing():
    ys, xs = (axis.ravel() for axis in np.mgrid[40:60, 40:60])
    count = len(ys)
    places = np.stack([np.zeros(count), ys, xs, ys, xs + 1, np.full(count, 60)], 1).astype(np.int32)
    edgels = Edgels(places, np.ones(count), np.full((count, 2), 50.0), np.ones(count, bool), np.array([0, count, count]),
                    np.zeros((count, 2), np.int32))
    motion = fit_motion(edgels, np.ones(count))
    assert motion.shape == (1, 3, 3) and np.linalg.det(motion[0]) > 0.05


def test_the_same_clip_gives_the_same_bytes_with_one_thread_or_two(monkeypatch):
    frames, _ = three_crossing()
    results = []
    for threads in ("1", "2"):
        monkeypatch.setenv("TOONDECOMPOSE_THREADS", threads)
        split = split_sprites(frames, flow_of(frames), sprites=4, camera=STANDING, static=True)
        results.append((split.labels.tobytes(), split.motions.tobytes()))
    assert results[0] == results[1]
