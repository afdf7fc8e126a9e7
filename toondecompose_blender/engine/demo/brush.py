# SPDX-License-Identifier: GPL-3.0-or-later
"""A painter's tools for backgrounds: gradients, dabs, soft clouds of paint and the grain of a brush on paper.
Knows nothing of what is painted."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ["Board", "mixed"]

Color = tuple[float, float, float]


def mixed(a: Color, b: Color, share: float) -> Color:
    """The color `share` of the way from a to b."""
    return tuple(float(x + (y - x) * share) for x, y in zip(a, b, strict=True))


class Board:
    """A painting of `width` x `height` units, `unit` pixels each; `random` decides every hand-made irregularity."""

    def __init__(self, width: float, height: float, *, unit: float, random: np.random.Generator):
        self.width, self.height, self.unit, self.random = width, height, unit, random
        self.picture = np.zeros((int(round(height * unit)), int(round(width * unit)), 3), np.uint8)

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        return np.round(np.asarray(points, np.float64) * self.unit * 16).astype(np.int32)  # 4 bits of fraction

    def gradient(self, top: float, bottom: float, stops: list[Color]) -> None:
        """A vertical wash between two heights."""
        first, last = int(top * self.unit), int(bottom * self.unit)
        share = np.linspace(0, len(stops) - 1, max(1, last - first))
        rows = np.stack([np.interp(share, range(len(stops)), [stop[c] for stop in stops]) for c in range(3)], 1)
        self.picture[first:last] = np.round(rows).astype(np.uint8)[:, None]

    def polygon(self, points: np.ndarray, color: Color) -> None:
        cv2.fillPoly(self.picture, [self._pixels(points)], color, cv2.LINE_AA, 4)

    def box(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        """A rectangle ruled by hand: its corners are off by a hair."""
        corners = np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
        self.polygon(corners + self.random.normal(0, 0.25, (4, 2)), color)

    def line(self, points: np.ndarray, color: Color, width: float) -> None:
        cv2.polylines(self.picture, [self._pixels(points)], False, color, max(1, int(round(width * self.unit))), cv2.LINE_AA, 4)

    def dab(self, x: float, y: float, length: float, breadth: float, degrees: float, color: Color) -> None:
        """One touch of a flat brush: an ellipse."""
        self._touch(np.array([[x, y]]), np.array([[length, breadth]]), np.array([degrees]), np.array([color]))

    def dabs(self, places: np.ndarray, *, length: float, breadth: float, tilt: float, spread: float, colors: list[Color]) -> None:
        """Many touches at `places` (N, 2), each with a size, a tilt and a color of its own."""
        count, tones = len(places), np.array(colors)
        sizes = self.random.uniform(0.6, 1.4, count)[:, None] * [length, breadth]
        first, second, share = (*self.random.integers(len(tones), size=(2, count)), self.random.random(count)[:, None])
        self._touch(places, sizes, self.random.normal(tilt, spread, count), tones[first] + (tones[second] - tones[first]) * share)

    def _touch(self, places: np.ndarray, sizes: np.ndarray, degrees: np.ndarray, colors: np.ndarray) -> None:
        turn, angle = np.linspace(0, 2 * np.pi, 13)[:-1], np.radians(degrees)[:, None]
        half = np.maximum(1.0, sizes * self.unit / 2)[..., None]  # px
        along, across = half[:, 0] * np.cos(turn), half[:, 1] * np.sin(turn)
        center = np.asarray(places, np.float64) * self.unit
        x = center[:, :1] + np.cos(angle) * along - np.sin(angle) * across
        y = center[:, 1:] + np.sin(angle) * along + np.cos(angle) * across
        rings = np.round(np.stack([x, y], 2) * 16).astype(np.int32)
        for ring, color in zip(rings, colors.tolist(), strict=True):
            cv2.fillPoly(self.picture, [ring], color, cv2.LINE_AA, 4)

    def scattered(self, count: int, x: tuple[float, float], y: tuple[float, float]) -> np.ndarray:
        """Random places (count, 2), sorted from top to bottom so that nearer ones cover farther ones."""
        places = np.stack([self.random.uniform(*x, count), self.random.uniform(*y, count)], 1)
        return places[np.argsort(places[:, 1])]

    def soft(self, circles: np.ndarray, color: Color, *, blur: float, strength: float = 1.0) -> None:
        """A cloud of paint: the union of circles (x, y, radius), its edge softened."""
        reach = circles[:, 2] + 4 * blur
        left, top = np.maximum(0, np.floor((circles[:, :2] - reach[:, None]).min(0) * self.unit)).astype(int)
        right, bottom = np.ceil((circles[:, :2] + reach[:, None]).max(0) * self.unit).astype(int)
        area = self.picture[top:max(top, bottom), left:max(left, right)]
        if not area.size:
            return
        mask = np.zeros(area.shape[:2], np.uint8)
        for x, y, radius in circles:
            center = self._pixels([x, y]) - np.array([left, top], np.int32) * 16
            cv2.circle(mask, center.tolist(), int(max(16, radius * self.unit * 16)), 255, -1, cv2.LINE_AA, 4)
        weight = cv2.GaussianBlur(mask, (0, 0), max(0.3, blur * self.unit)).astype(np.float32)[..., None] * (strength / 255)
        area[:] = np.round(area + (np.array(color, np.float32) - area) * weight).astype(np.uint8)

    def grain(self, strength: float) -> None:
        """The tooth of the paper and the streaks of the brush over everything, `strength` gray levels of standard deviation."""
        shape = self.picture.shape[:2]
        total = np.zeros(shape, np.float32)
        for scale_x, scale_y, weight in ((26.0, 8.0, 0.55), (7.0, 2.0, 0.6), (1.2, 1.2, 0.55)):
            small = (max(2, round(shape[0] / (scale_y * self.unit))), max(2, round(shape[1] / (scale_x * self.unit))))
            noise = self.random.normal(0, 1, small).astype(np.float32)
            total += weight * cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
        self.picture = np.clip(np.round(self.picture + strength * total[..., None] * [1.0, 0.96, 0.9]), 0, 255).astype(np.uint8)
