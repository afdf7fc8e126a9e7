# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws cartoon characters with a known exposure sheet over a moving background, for the tests of the engine.
Every drawing differs from the others in known parts: arms, legs, mouth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

WIDTH, HEIGHT = 640, 360
_FINE = 3  # drawn larger, then averaged: antialiased as real line art is


@dataclass(frozen=True)
class Shot:
    frames: np.ndarray  # uint8 (T, h, w, 3)
    alphas: np.ndarray  # float32 (T, h, w)
    behind: np.ndarray  # uint8 (T, h, w, 3): without the character


def background(seed: int = 3) -> np.ndarray:
    """A painted background wider than the frame, uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    size = (HEIGHT + 120, WIDTH + 400)
    layers = [cv2.GaussianBlur(rng.normal(0, 1, (*size, 3)).astype(np.float32), (0, 0), sigma) * sigma * gain
              for sigma, gain in ((2, 30), (8, 60), (30, 120))]
    image = (sum(layers) + (120, 150, 170)).clip(0, 255).astype(np.uint8)
    for _ in range(60):
        corner = rng.integers(0, size[::-1])
        cv2.rectangle(image, corner.tolist(), (corner + rng.integers(10, 60, 2)).tolist(), rng.integers(40, 220, 3).tolist(), -1)
    return image


def character(arm: float = 0.0, leg: float = 0.0, mouth: int = 1, *, height: float = 200.0) -> np.ndarray:
    """One drawing, RGBA uint8, straight alpha: angles in radians, `mouth` px high (8 px wide at a height of 200)."""
    scale = height / 200 * _FINE
    canvas = np.zeros((int(240 * scale), int(200 * scale), 4), np.uint8)

    def at(x, y):
        return int(x * scale), int(y * scale)

    def limb(start, angle, length, color):
        end = (start[0] + length * np.sin(angle), start[1] + length * np.cos(angle))
        for thick, paint in ((15, (25, 20, 25, 255)), (10, color)):
            cv2.line(canvas, at(*start), at(*end), paint, max(1, int(thick * scale)), cv2.LINE_AA)

    ink = (25, 20, 25, 255)
    for side in (1, -1):
        limb((100 + 12 * side, 150), side * leg, 62, (60, 70, 150, 255))
    for paint, grow in ((ink, 2), ((200, 60, 50, 255), 0)):
        cv2.ellipse(canvas, at(100, 122), at(26 + grow, 44 + grow), 0, 0, 360, paint, -1)
    for line in range(3):
        cv2.line(canvas, at(78, 105 + 14 * line), at(122, 110 + 14 * line), (120, 30, 40, 255), max(1, int(2 * scale)))
    limb((78, 100), -0.5 - arm, 52, (230, 180, 150, 255))
    limb((122, 100), 0.5 + arm, 52, (230, 180, 150, 255))
    for paint, grow in ((ink, 2), ((240, 195, 165, 255), 0)):
        cv2.circle(canvas, at(100, 52), int((30 + grow) * scale), paint, -1)
    cv2.ellipse(canvas, at(100, 36), at(30, 16), 0, 180, 360, (90, 50, 20, 255), -1)
    for side in (-1, 1):
        cv2.circle(canvas, at(100 + 11 * side, 48), int(4 * scale), ink, -1)
    cv2.rectangle(canvas, at(96, 66), at(104, 66 + mouth), (90, 20, 30, 255), -1)
    alpha = canvas[..., 3:].astype(np.float32) / 255
    size = (canvas.shape[1] // _FINE, canvas.shape[0] // _FINE)
    color = cv2.resize(canvas[..., :3] * alpha, size, interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)[..., None]
    return np.concatenate([color / np.maximum(alpha, 1e-3), alpha * 255], -1).round().astype(np.uint8)


def shoot(drawings: list[np.ndarray], exposure: list[int], poses: np.ndarray, *, pan: float = 3.0, noise: float = 1.0,
          jpeg: int = 0, seed: int = 0) -> Shot:
    """Film the drawings: `exposure` 1-based (0: absent), `poses` (T, 3, 3) drawing -> frame, the background pans `pan` px a frame."""
    rng = np.random.default_rng(seed)
    wall, frames, alphas, behind = background(), [], [], []
    for t, (number, pose) in enumerate(zip(exposure, poses, strict=True)):
        move = np.array([[1, 0, -20 - pan * t % 380], [0, 1, -40 - 5 * np.sin(t / 5)]])
        picture = cv2.warpAffine(wall, move, (WIDTH, HEIGHT)).astype(np.float32)
        behind.append(picture.astype(np.uint8))
        alpha = np.zeros((HEIGHT, WIDTH), np.float32)
        if number:
            rgba = drawings[number - 1].astype(np.float32)
            rgba[..., :3] *= rgba[..., 3:] / 255
            laid = cv2.warpPerspective(rgba, pose, (WIDTH, HEIGHT))
            alpha = laid[..., 3] / 255
            picture = picture * (1 - alpha[..., None]) + laid[..., :3]
        picture = (picture + rng.normal(0, noise, picture.shape)).clip(0, 255).round().astype(np.uint8)
        if jpeg:
            picture = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, jpeg])[1], cv2.IMREAD_COLOR)
        frames.append(picture)
        alphas.append(alpha)
    return Shot(np.stack(frames), np.stack(alphas), np.stack(behind))


def walk(count: int, *, start: tuple[float, float] = (60, 60), step: tuple[float, float] = (4.3, 0.4), zoom: float = 0.0) -> np.ndarray:
    """(count, 3, 3): an even path with a sub-pixel step and a slow zoom."""
    scale = 1 + zoom * np.arange(count)
    return np.stack([np.array([[s, 0, start[0] + step[0] * t], [0, s, start[1] + step[1] * t], [0, 0, 1]]) for t, s in enumerate(scale)])
