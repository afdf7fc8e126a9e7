# SPDX-License-Identifier: GPL-3.0-or-later
"""The split finds drawn sprites, keeps their order and counts them.
Each clip is drawn in a few lines; nothing here knows how the split works inside."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.layers.split import split_sprites

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
            centre = points.mean(0).astype(int)
            cv2.fillPoly(picture, [points], color)
            line = tuple(int(c * 0.35) for c in color)
            cv2.polylines(picture, [points], True, line, 2)
            for side in (-6, 6):
                cv2.circle(picture, (int(centre[0] + side), int(centre[1] - 4)), 2, line, -1)
            cv2.line(picture, (int(centre[0] - 5), int(centre[1] + 6)), (int(centre[0] + 5), int(centre[1] + 6)), line, 2)
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


def test_the_same_clip_gives_the_same_bytes_with_one_thread_or_two(monkeypatch):
    frames, _ = three_crossing()
    results = []
    for threads in ("1", "2"):
        monkeypatch.setenv("TOONDECOMPOSE_THREADS", threads)
        split = split_sprites(frames, flow_of(frames), sprites=4, camera=STANDING, static=True)
        results.append((split.labels.tobytes(), split.motions.tobytes()))
    assert results[0] == results[1]
