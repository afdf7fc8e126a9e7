# SPDX-License-Identifier: GPL-3.0-or-later
"""Small clips drawn for tests: a textured background under a moving camera, and flat sprites with line art on top.
Returns truth beside the frames; it knows nothing of the engine."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

OVERSAMPLED = 4


@dataclass(frozen=True)
class DrawnClip:
    """`frames` uint8 (T, H, W, 3) RGB; `alphas` float32 (S, T, H, W) of the sprites; `camera` (T, 3, 3) background -> frame;
    `background` uint8 (H', W', 3)."""
    frames: np.ndarray
    alphas: np.ndarray
    camera: np.ndarray
    background: np.ndarray


def textured(width: int, height: int, seed: int) -> np.ndarray:
    """A painted-looking background, uint8 (height, width, 3): clouds of color, houses, windows."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for size in (96, 40, 12):
        noise = random.random((height // size + 3, width // size + 3, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * np.sqrt(size / 96)
    picture = (picture - picture.min()) / np.ptp(picture) * 150 + 50
    left = -10
    while left < width:
        wide, top = int(random.integers(60, 110)), int(random.integers(height // 6, height // 2))
        color = [int(c) for c in random.integers(90, 230, 3)]
        cv2.rectangle(picture, (left, top), (left + wide, height), color, -1)
        cv2.rectangle(picture, (left, top), (left + wide, height), (40, 40, 50), 1)
        for y in range(top + 10, height - 8, int(random.integers(24, 32))):
            for x in range(left + 8, left + wide - 12, int(random.integers(17, 26))):
                cv2.rectangle(picture, (x, y), (x + 7, y + 13), [int(c * 0.45) for c in color], -1)
        left += wide + int(random.integers(0, 6))
    # A painted or filmed line is soft; one of a single hard pixel cannot be moved by a fraction of one.
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 0.7), 0, 255).astype(np.uint8)


def figure(size: int, phase: float, color: tuple[int, int, int]) -> np.ndarray:
    """A round-headed figure with swinging limbs and dark outlines: premultiplied RGBA float32 (size, size, 4), alpha 0..1."""
    big = size * OVERSAMPLED
    picture = np.zeros((big, big, 4), np.float32)
    swing = 1 - 2 * phase
    dark, line = tuple(c * 0.55 for c in color), max(2, big // 45)

    def limb(start: tuple[float, float], end: tuple[float, float], paint: tuple[float, ...]) -> None:
        points = [tuple(int(v * big) for v in point) for point in (start, end)]
        cv2.line(picture, *points, (25, 20, 35, 255), big // 9 + line, cv2.LINE_8)
        cv2.line(picture, *points, (*paint, 255), big // 9 - line, cv2.LINE_8)

    def disc(center: tuple[float, float], radius: float, paint: tuple[float, ...]) -> None:
        at = tuple(int(v * big) for v in center)
        cv2.circle(picture, at, int(radius * big), (25, 20, 35, 255), -1)
        cv2.circle(picture, at, int(radius * big) - line, (*paint, 255), -1)

    limb((0.5, 0.6), (0.5 + 0.25 * swing, 0.88), dark)
    limb((0.5, 0.6), (0.5 - 0.25 * swing, 0.88), color)
    limb((0.5, 0.42), (0.5 - 0.28 * swing, 0.6), dark)
    disc((0.5, 0.52), 0.17, color)
    disc((0.5, 0.24), 0.15, (235, 200, 170))
    disc((0.56, 0.22), 0.03, (40, 30, 30))
    picture /= 255
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)


def draw_clip(*, frames: int = 16, width: int = 288, height: int = 176, sprites: int = 1, hold: int = 2, pan: float = 5.0,
              size: int = 130, cycle: int = 4, speed: float = 1.5, seed: int = 1) -> DrawnClip:
    """Figures running before a panned background; `pan` px a frame, drawings held for `hold` frames, repeating after `cycle`;
    every other figure comes the other way, all at `speed` px a frame."""
    background = textured(width + int(abs(pan) * frames) + 60, height + 40, seed)
    colors = [(200, 70, 60), (60, 120, 210), (90, 180, 80)]
    pictures, alphas, camera = [], np.zeros((sprites, frames, height, width), np.float32), np.tile(np.eye(3), (frames, 1, 1))
    for t in range(frames):
        camera[t, :2, 2] = -20 - pan * t, -20 - 3 * np.sin(t / 4) * (pan != 0)
        frame = cv2.warpPerspective(background, camera[t], (width, height), flags=cv2.INTER_CUBIC).astype(np.float32)
        for k in range(sprites):
            drawing = figure(size, ((t // hold) % cycle) / cycle + 0.11 * k, colors[k])
            left = width - size - 20 - speed * t if k % 2 else 20 + 30 * k + speed * t
            place = np.float32([[1, 0, left], [0, 1, height - size - 4 - 6 * k]])
            laid = cv2.warpAffine(drawing, place, (width, height))
            alphas[k, t] = laid[..., 3]
            frame = laid[..., :3] * 255 + (1 - laid[..., 3:]) * frame
        pictures.append(np.rint(np.clip(frame, 0, 255)).astype(np.uint8))
    return DrawnClip(np.stack(pictures), alphas, camera, background)


def overlap(soft: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two soft masks at one half."""
    one, other = soft > 0.5, truth > 0.5
    return float((one & other).sum() / max(1, (one | other).sum()))
