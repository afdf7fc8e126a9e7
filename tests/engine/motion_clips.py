# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn clips with known camera motion: scenery seen through homographies, actors in front.
Shared by the tests and by anybody who wants larger versions; knows nothing of the engine but its conventions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

__all__ = ["CLIPS", "DrawnClip", "draw", "motion_error", "painted", "step_error", "seen"]


@dataclass(frozen=True)
class DrawnClip:
    """`frames` RGB uint8 (T, h, w, 3), `homographies` (T, 3, 3) scenery -> frame, `actor` uint8 (T, h, w), 255 where it covers,
    `poses` (T, 3, 3) actor's picture -> frame."""

    frames: np.ndarray
    homographies: np.ndarray
    actor: np.ndarray
    poses: np.ndarray


def draw(kind: str, *, count: int = 12, width: int = 320, height: int = 180, seed: int = 3, grain: float = 1.5) -> DrawnClip:
    """A clip of one of `CLIPS`: `count` frames of the given size, the same bytes every time."""
    rng = np.random.default_rng(seed)
    painter, camera = CLIPS[kind]
    views = [camera(t, count, width, height) for t in range(count)]  # frame -> scenery, px of the frame
    outline = np.concatenate([_through(view, _corners(width, height)) for view in views])
    low = np.floor(outline.min(0)) - 8
    size = np.ceil(outline.max(0) - low).astype(int) + 8
    scenery = painter(rng, *size)
    homographies = np.stack([np.linalg.inv(np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]]) @ view) for view in views])
    homographies /= homographies[:, 2:, 2:]
    sprite = _actor(rng, height)
    frames, covers, poses = [], [], []
    for t in range(count):
        frame = seen(scenery, homographies[t], width, height)
        poses.append(_pose(t, count, width, height, sprite))
        layer = seen(sprite, poses[t], width, height)
        cover = layer[..., 3:] / 255
        frame = frame * (1 - cover) + layer[..., :3]
        frames.append((frame + rng.normal(0, grain, frame.shape)).clip(0, 255).round().astype(np.uint8))
        covers.append((cover[..., 0] * 255).round().clip(0, 255).astype(np.uint8))
    return DrawnClip(np.stack(frames), homographies, np.stack(covers), np.stack(poses))


def motion_error(found: np.ndarray, truth: np.ndarray, width: int, height: int) -> tuple[float, float]:
    """Mean and largest distance in px between two motions (T, 3, 3), relative to the middle frame, over a grid of the frame."""
    points = np.stack(np.meshgrid(np.linspace(0, width - 1, 6), np.linspace(0, height - 1, 4)), -1).reshape(-1, 2)
    middle = len(truth) // 2
    errors = [np.linalg.norm(_through(ours @ np.linalg.inv(found[middle]), points)
                             - _through(theirs @ np.linalg.inv(truth[middle]), points), axis=1)
              for ours, theirs in zip(found, truth, strict=True)]
    return float(np.mean(errors)), float(np.max(errors))


def step_error(found: np.ndarray, truth: np.ndarray, width: int, height: int) -> tuple[float, float]:
    """Mean and largest distance in px between the motions from each frame to the next, over a grid of the frame."""
    pairs = [motion_error(np.stack([b @ np.linalg.inv(a), np.eye(3)]), np.stack([d @ np.linalg.inv(c), np.eye(3)]), width, height)
             for a, b, c, d in zip(found[:-1], found[1:], truth[:-1], truth[1:], strict=True)]
    return 2 * float(np.mean([mean for mean, _ in pairs])), float(np.max([largest for _, largest in pairs]))


def _corners(width: int, height: int) -> np.ndarray:
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def _through(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    image = points @ homography[:, :2].T + homography[:, 2]
    return image[:, :2] / image[:, 2:]


def seen(picture: np.ndarray, homography: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture through a homography, at twice the size and averaged, as a camera would see it."""
    grow = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]])
    large = cv2.warpPerspective(picture, grow @ homography, (2 * width, 2 * height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
    return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).clip(0, 255)


def painted(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A soft texture with shapes and outlines."""
    coarse = rng.normal(0, 1, (height // 12 + 2, width // 12 + 2, 3)).astype(np.float32)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 22 + 150
    for _ in range(width * height // 1500):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(3, 24)), int(rng.integers(3, 24)))
        cv2.ellipse(image, center, axes, float(rng.integers(180)), 0, 360, rng.integers(50, 240, 3).tolist(), -1, cv2.LINE_AA)
        cv2.ellipse(image, center, axes, float(rng.integers(180)), 0, 360, (40, 35, 45), 1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def _windows(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """House fronts: the same window every 24 by 32 px, a few walls of slightly different shade."""
    image = np.full((height, width, 3), 205, np.float32)
    x = 0
    while x < width:
        front = int(rng.integers(5, 9)) * 24
        image[:, x:x + front] = rng.integers(190, 215, 3)
        x += front
    for top in range(8, height - 20, 32):
        for left in range(6, width - 12, 24):
            cv2.rectangle(image, (left, top), (left + 11, top + 18), (70, 80, 100), -1)
            cv2.rectangle(image, (left, top), (left + 11, top + 18), (245, 245, 240), 1)
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def _bricks(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A brick wall: courses of 10 px, bricks of 26 px, each a little different in shade."""
    image = np.full((height, width, 3), 190, np.float32)
    for row, top in enumerate(range(0, height, 10)):
        for left in range(-13 * (row % 2), width, 26):
            shade = np.array([170, 90, 70]) + rng.normal(0, 5)
            cv2.rectangle(image, (left, top), (left + 24, top + 8), shade.tolist(), -1)
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def _even_windows(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """One wall of one shade, every window the same but for a few that are lit."""
    image = np.full((height, width, 3), 205, np.float32)
    for top in range(8, height - 20, 32):
        for left in range(6, width - 12, 24):
            cv2.rectangle(image, (left, top), (left + 11, top + 18), (70, 80, 100), -1)
            cv2.rectangle(image, (left, top), (left + 11, top + 18), (245, 245, 240), 1)
    for _ in range(width * height // 12000):
        left, top = 7 + 24 * int(rng.integers((width - 20) // 24)), 9 + 32 * int(rng.integers((height - 30) // 32))
        cv2.rectangle(image, (left, top), (left + 9, top + 16), (240, 220, 120), -1)
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def _even_bricks(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A wall of bricks all the same, under faint stains wider than several bricks."""
    image = np.full((height, width, 3), 190, np.float32)
    for row, top in enumerate(range(0, height, 10)):
        for left in range(-13 * (row % 2), width, 26):
            cv2.rectangle(image, (left, top), (left + 24, top + 8), (170, 90, 70), -1)
    stains = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 25)
    return cv2.GaussianBlur(image, (0, 0), 0.7) + stains[..., None] * (3 / stains.std())


def _bare(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A wall, a floor, and a dot here and there: the floor's edge says nothing of how far a pan went."""
    image = np.full((height, width, 3), (235, 225, 200), np.float32)
    image[int(height * 0.8):] = (180, 160, 120)
    for _ in range(max(8, width // 60)):
        center = (int(rng.integers(width)), int(rng.integers(int(height * 0.7))))
        cv2.circle(image, center, int(rng.integers(4, 12)), rng.integers(60, 200, 3).tolist(), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def _flat(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Two flat colors, a horizon of hills and a few small clouds: hardly anything to hold on to."""
    image = np.full((height, width, 3), (150, 205, 235), np.float32)
    x = np.arange(-20, width + 20, 4)
    line = height * 0.72 + height * 0.07 * np.sin(x / 37.0) + height * 0.04 * np.sin(x / 11.0 + 1)
    hills = np.concatenate([np.stack([x, line], 1), [[width + 20, height + 20], [-20, height + 20]]]).astype(np.int32)
    cv2.fillPoly(image, [hills], (120, 180, 90), cv2.LINE_AA)
    for _ in range(max(6, width // 60)):
        center = (int(rng.integers(width)), int(rng.integers(int(height * 0.5))))
        cv2.ellipse(image, center, (int(rng.integers(8, 20)), int(rng.integers(4, 8))), 0, 0, 360, (245, 248, 250), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 0.7)


def _actor(rng: np.random.Generator, height: int) -> np.ndarray:
    """A drawn figure, premultiplied RGBA 0..255, about half the frame's height."""
    size = height // 2
    image = np.zeros((size, size, 4), np.float32)
    for _ in range(9):
        center = (int(rng.integers(size // 4, 3 * size // 4)), int(rng.integers(size // 5, 4 * size // 5)))
        axes = (int(rng.integers(size // 12, size // 6)), int(rng.integers(size // 12, size // 5)))
        angle = float(rng.integers(180))
        cv2.ellipse(image, center, axes, angle, 0, 360, (*rng.integers(30, 230, 3).tolist(), 255), -1, cv2.LINE_AA)
        cv2.ellipse(image, center, axes, angle, 0, 360, (25, 20, 30, 255), 2, cv2.LINE_AA)
    return image


def _pose(t: int, count: int, width: int, height: int, sprite: np.ndarray) -> np.ndarray:
    """The actor walks across the frame, bobs and sways a little."""
    angle = 0.12 * np.sin(t * 0.5)
    x = width * (0.12 + 0.45 * t / max(1, count - 1))
    y = height * 0.42 + height * 0.03 * np.sin(t * 0.9)
    c, s, middle = np.cos(angle), np.sin(angle), len(sprite) / 2
    return np.array([[c, -s, x + middle - c * middle + s * middle], [s, c, y + middle - s * middle - c * middle], [0, 0, 1]])


def _pan(step: float):
    return lambda t, count, w, h: np.array([[1, 0, step * t + 0.37 * t], [0, 1, 0.21 * t], [0, 0, 1.0]])


def _whip(t: int, count: int, w: int, h: int) -> np.ndarray:
    """Slow, 50 px a frame in the middle, slow again."""
    speeds = 50.0 * np.sin(np.pi * np.arange(count) / max(1, count - 1)) ** 2
    return np.array([[1, 0, speeds[:t].sum()], [0, 1, 0.5 * t], [0, 0, 1]])


def _shake(t: int, count: int, w: int, h: int) -> np.ndarray:
    return np.array([[1, 0, 14 * np.sin(t * 2.3) + 7 * np.cos(t * 1.1)], [0, 1, 10 * np.sin(t * 1.9 + 1)], [0, 0, 1.0]])


def _about_center(matrix: np.ndarray, w: int, h: int) -> np.ndarray:
    middle = np.array([[1, 0, w / 2], [0, 1, h / 2], [0, 0, 1.0]])
    return middle @ matrix @ np.linalg.inv(middle)


def _zoom(t: int, count: int, w: int, h: int) -> np.ndarray:
    scale = 1.7 ** (t / max(1, count - 1))
    return _about_center(np.diag([scale, scale, 1.0]), w, h)


def _roll(t: int, count: int, w: int, h: int) -> np.ndarray:
    angle = 0.6 * t / max(1, count - 1)
    c, s = np.cos(angle), np.sin(angle)
    return _about_center(np.array([[c, -s, 2.0 * t], [s, c, 0], [0, 0, 1]]), w, h)


def _perspective(t: int, count: int, w: int, h: int) -> np.ndarray:
    u = t / max(1, count - 1)
    return _about_center(np.array([[1, 0.02 * u, 0.4 * w * u], [0, 1, 0.05 * h * u], [0.25 * u / w, 0.1 * u / w, 1]]), w, h)


def _five_screens(t: int, count: int, w: int, h: int) -> np.ndarray:
    return np.array([[1, 0, 5 * w * t / max(1, count - 1)], [0, 1, 0], [0, 0, 1.0]])


def _hand_held(t: int, count: int, w: int, h: int) -> np.ndarray:
    """Every frame a little elsewhere, turned and nearer."""
    rng = np.random.default_rng(100 + t)
    angle, size = rng.normal(0, 0.012), 1 + rng.normal(0, 0.012)
    c, s = size * np.cos(angle), size * np.sin(angle)
    return _about_center(np.array([[c, -s, rng.normal(0, 12)], [s, c, rng.normal(0, 9)], [0, 0, 1]]), w, h)


def _everything(t: int, count: int, w: int, h: int) -> np.ndarray:
    return _roll(t, count, w, h) @ _zoom(t, count, w, h) @ _shake(t, count, w, h)


def _reversing(t: int, count: int, w: int, h: int) -> np.ndarray:
    return np.array([[1, 0, 30.37 * min(t, count - t)], [0, 1, 0], [0, 0, 1.0]])


#: kind -> (what is painted, frame -> scenery of frame t of `count`)
CLIPS = {
    "slow pan": (painted, _pan(1.0)),
    "windows at 30 px": (_windows, _pan(30.0)),
    "bricks at 30 px": (_bricks, _pan(30.0)),
    "whip pan": (painted, _whip),
    "shake": (painted, _shake),
    "zoom": (painted, _zoom),
    "roll": (painted, _roll),
    "perspective": (painted, _perspective),
    "five screens": (painted, _five_screens),
    "flat pan": (_flat, _pan(5.0)),
    "flat shake": (_flat, _shake),
    "even windows at 30 px": (_even_windows, _pan(30.0)),
    "even bricks at 30 px": (_even_bricks, _pan(30.0)),
    "windows there and back": (_windows, _reversing),
    "windows whip": (_windows, _whip),
    "windows zoom": (_windows, _zoom),
    "windows roll": (_windows, _roll),
    "windows perspective": (_windows, _perspective),
    "bricks shake": (_bricks, _shake),
    "flat whip": (_flat, _whip),
    "flat zoom": (_flat, _zoom),
    "flat roll": (_flat, _roll),
    "flat five screens": (_flat, _five_screens),
    "bare pan": (_bare, _pan(6.0)),
    "hand-held": (painted, _hand_held),
    "flat hand-held": (_flat, _hand_held),
    "shake, zoom and roll": (painted, _everything),
    "static": (painted, lambda t, count, w, h: np.eye(3)),
    "flat static": (_flat, lambda t, count, w, h: np.eye(3)),
}
