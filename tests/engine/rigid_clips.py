# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn clips of rigid things that move as planes do: a car that drives up, a wheel that rolls, a sign that turns, a flag that shears.
One drawing each, with its true homographies; knows nothing of the engine but its conventions."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import cv2
import numpy as np

from .motion_clips import painted, seen

__all__ = ["RIGID", "RigidClip", "draw_rigid", "sprite_error"]


@dataclass(frozen=True)
class RigidClip:
    """`frames` RGB uint8 (T, h, w, 3); `alphas` float32 (T, h, w); `homographies` (T, 3, 3) drawing -> frame; `size`: the drawing's width
    and height in px."""

    frames: np.ndarray
    alphas: np.ndarray
    homographies: np.ndarray
    size: tuple[int, int]


def draw_rigid(kind: str, *, count: int = 16, width: int = 640, height: int = 360, pan: float = 3.0, grain: float = 1.5,
               seed: int = 5, altered: Container[int] = ()) -> RigidClip:
    """A clip of one of `RIGID`, the same bytes every time, over a painted background that pans `pan` px a frame; in frames
    `altered` the drawing has a patch on it."""
    rng = np.random.default_rng(seed)
    painter, place, pose = RIGID[kind]
    sprite = painter(height / 360)
    patched = sprite.copy()
    middle = tuple(side // 2 for side in sprite.shape[1::-1])
    cv2.circle(patched, middle, round(9 * height / 360), (60, 120, 60, 255), -1, cv2.LINE_AA)
    scenery = painted(rng, width + int(abs(pan) * count) + 40, height + 40)
    frames, alphas, homographies = [], [], []
    for t in range(count):
        u = t / (count - 1)
        homography = _place(*np.multiply(place(u), (width, height))) @ pose(u, t, sprite.shape[1], sprite.shape[0])
        homography = homography / homography[2, 2]
        layer = seen(patched if t in altered else sprite, homography, width, height)
        alpha = layer[..., 3:] / 255
        behind = seen(scenery, np.array([[1, 0, -10 - pan * t], [0, 1, -10.0 - 0.3 * t], [0, 0, 1]]), width, height)
        frame = behind * (1 - alpha) + layer[..., :3]
        frames.append((frame + rng.normal(0, grain, frame.shape)).clip(0, 255).round().astype(np.uint8))
        alphas.append(alpha[..., 0].astype(np.float32))
        homographies.append(homography)
    return RigidClip(np.stack(frames), np.stack(alphas), np.stack(homographies), sprite.shape[1::-1])


def sprite_error(found: np.ndarray, clip: RigidClip, reference: int) -> tuple[float, float]:
    """Mean and largest distance in px between found motion (T, 3, 3), any plane -> frame, and true motion, frame `reference` ->
    frame t, over a grid of the part of the drawing that shows in both."""
    width, height = clip.size
    grid = np.stack(np.meshgrid(np.linspace(0.1, 0.9, 5) * (width - 1), np.linspace(0.1, 0.9, 5) * (height - 1)), -1).reshape(-1, 2)
    start = _through(clip.homographies[reference], grid)
    errors = []
    for t, truth in enumerate(clip.homographies):
        there = _through(truth, grid)
        shown = _shown(start, clip) & _shown(there, clip)
        gap = _through(found[t] @ np.linalg.inv(found[reference]), start) - there
        errors.extend(np.linalg.norm(gap, axis=1)[shown])
    return float(np.mean(errors)), float(np.max(errors))


def _shown(points: np.ndarray, clip: RigidClip) -> np.ndarray:
    return (points >= 0).all(1) & (points[:, 0] < clip.frames.shape[2]) & (points[:, 1] < clip.frames.shape[1])


def _through(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    image = points @ homography[:, :2].T + homography[:, 2]
    return image[:, :2] / image[:, 2:]


def _sheet(width: int, height: int, scale: float) -> tuple[np.ndarray, float]:
    """An empty drawing, premultiplied RGBA float32, and the factor from units to its px."""
    return np.zeros((round(height * scale), round(width * scale), 4), np.float32), scale


def _sign(scale: float) -> np.ndarray:
    """A shop sign, 150 x 100: a frame, a star, three lines of writing."""
    image, s = _sheet(170, 120, scale)
    cv2.rectangle(image, (int(10 * s), int(10 * s)), (int(160 * s), int(110 * s)), (235, 205, 90, 255), -1)
    cv2.rectangle(image, (int(10 * s), int(10 * s)), (int(160 * s), int(110 * s)), (60, 30, 20, 255), max(1, int(4 * s)))
    star = [(40 + r * np.sin(a), 60 - r * np.cos(a)) for a, r in zip(np.arange(10) * np.pi / 5, [24, 10] * 5, strict=True)]
    cv2.fillPoly(image, [np.array([(x * s, y * s) for x, y in star], np.int32)], (190, 40, 40, 255), cv2.LINE_AA)
    for line, (left, right) in enumerate(((75, 145), (78, 130), (75, 140))):
        for x in np.arange(left, right, 11):
            wide = 3 + 4 * ((x * 7 + line) % 2)
            cv2.rectangle(image, (int(x * s), int((30 + 24 * line) * s)), (int((x + wide) * s), int((44 + 24 * line) * s)),
                          (50, 70, 130, 255), -1)
    return cv2.GaussianBlur(image, (0, 0), 0.6)


def _car(scale: float) -> np.ndarray:
    """A car from the side, 200 x 90, one flat color, windows, wheels, a stripe."""
    image, s = _sheet(210, 100, scale)

    def box(x0, y0, x1, y1, paint):
        cv2.rectangle(image, (int(x0 * s), int(y0 * s)), (int(x1 * s), int(y1 * s)), (*paint, 255), -1)

    cv2.ellipse(image, (int(105 * s), int(45 * s)), (int(62 * s), int(36 * s)), 0, 180, 360, (200, 60, 50, 255), -1, cv2.LINE_AA)
    box(8, 44, 202, 76, (200, 60, 50))
    box(60, 24, 98, 43, (150, 205, 225))
    box(108, 24, 146, 43, (150, 205, 225))
    box(8, 58, 202, 62, (245, 240, 230))
    box(184, 48, 200, 55, (250, 230, 120))
    box(112, 48, 124, 51, (60, 20, 20))
    for x in (50, 160):
        cv2.circle(image, (int(x * s), int(78 * s)), int(17 * s), (30, 30, 35, 255), -1, cv2.LINE_AA)
        cv2.circle(image, (int(x * s), int(78 * s)), int(8 * s), (190, 190, 195, 255), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 0.6)


def _wheel(scale: float) -> np.ndarray:
    """A wheel with five spokes, 120 across, and a patch on its rim: without it a fifth of a turn would look like none."""
    image, s = _sheet(130, 130, scale)
    middle = (int(65 * s), int(65 * s))
    cv2.circle(image, middle, int(58 * s), (70, 45, 35, 255), -1, cv2.LINE_AA)
    cv2.circle(image, middle, int(46 * s), (225, 200, 160, 255), -1, cv2.LINE_AA)
    for spoke in range(5):
        a = spoke * 2 * np.pi / 5
        rim = (int((65 + 50 * np.cos(a)) * s), int((65 + 50 * np.sin(a)) * s))
        cv2.line(image, middle, rim, (70, 45, 35, 255), max(1, int(8 * s)), cv2.LINE_AA)
    cv2.circle(image, middle, int(13 * s), (180, 60, 50, 255), -1, cv2.LINE_AA)
    cv2.circle(image, (int(92 * s), int(40 * s)), int(8 * s), (60, 110, 190, 255), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 0.6)


def _place(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def _turned(angle: float, tilt: float, width: int, height: int) -> np.ndarray:
    """A picture about its middle, turned about its upright and then its level axis, seen from three widths away."""
    turn = cv2.Rodrigues(np.array([tilt, angle, 0.0]))[0]
    far = 3.0 * width
    lens = np.diag([far, far, 1.0])
    return lens @ np.column_stack([turn[:, 0], turn[:, 1], [0, 0, far]]) @ _place(-width / 2, -height / 2)


def _spun(angle: float, size: float, width: int, height: int) -> np.ndarray:
    c, s = size * np.cos(angle), size * np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ _place(-width / 2, -height / 2)


def _sheared(u: float, width: int, height: int) -> np.ndarray:
    return np.array([[1 + 0.25 * u, 0.35 * np.sin(3 * u), 0], [0, 1 - 0.15 * u, 0], [0, 0, 1]]) @ _place(-width / 2, -height / 2)


#: kind -> (what is painted, where its middle is, in shares of the frame, how it lies about its middle): at u = 0..1, frame t, for a
#: drawing of a x b px
RIGID = {
    "car driving up": (_car, lambda u: (0.25 + 0.4 * u, 0.45 + 0.15 * u), lambda u, t, a, b: _spun(0, 0.6 * 2.6**u, a, b)),
    "car passing": (_car, lambda u: (1.1 * u - 0.05, 0.6), lambda u, t, a, b: _spun(0, 1, a, b)),
    "wheel rolling": (_wheel, lambda u: (0.2 + 0.5 * u, 0.6), lambda u, t, a, b: _spun(0.22 * t, 1, a, b)),
    "wheel spinning": (_wheel, lambda u: (0.5, 0.5), lambda u, t, a, b: _spun(0.5 * t, 1, a, b)),
    "sign turning": (_sign, lambda u: (0.35 + 0.2 * u, 0.5), lambda u, t, a, b: _turned(1.7 * u - 0.9, 0.2, a, b)),
    "sign swinging": (_sign, lambda u: (0.5, 0.45),
                      lambda u, t, a, b: _turned(0.7 * np.sin(0.35 * t), 0.15 * np.cos(0.25 * t), a, b)),
    "flag shearing": (_sign, lambda u: (0.4 + 0.1 * u, 0.5), lambda u, t, a, b: _sheared(u, a, b)),
    "small sign": (_sign, lambda u: (0.3 + 0.3 * u, 0.4), lambda u, t, a, b: np.diag([0.3, 0.3, 1]) @ _turned(u - 0.5, 0, a, b)),
}
