# SPDX-License-Identifier: GPL-3.0-or-later
"""A cel and its ink: shapes, dark outlines that swell on the shadow side, one flat color and one shade color each.
Knows nothing of what is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import CubicSpline

__all__ = ["Cel", "Paint", "curve", "turned", "SUPERSAMPLING"]

SUPERSAMPLING = 4  # cel pixels per frame pixel: 17 levels along an edge, as soft as a scanned line
INK = (40, 28, 46)
_LIGHT = np.array([0.75, -0.66])  # towards the sun, up on the right

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Paint:
    """A cel color and the one for its shade side, display RGB."""
    fill: Color
    shade: Color

    def far(self) -> Paint:
        """The same paint on the side of the body turned away from the light."""
        dimmed = tuple(int(round(0.82 * a + 0.18 * b)) for a, b in zip(self.shade, (70, 70, 130), strict=True))
        return Paint(self.shade, dimmed)


def curve(points: np.ndarray, *, closed: bool = False, step: float = 0.6) -> np.ndarray:
    """A smooth line (N, 2) through the points, sampled about every `step` units."""
    points = np.asarray(points, np.float64)
    if closed:
        points = np.concatenate([points, points[:1]])
    length = np.concatenate([[0], np.cumsum(np.sqrt(np.linalg.norm(np.diff(points, axis=0), axis=1)))])  # centripetal: no loops
    count = int(np.ceil(np.linalg.norm(np.diff(points, axis=0), axis=1).sum() / step)) + 2
    return CubicSpline(length, points, bc_type="periodic" if closed else "natural")(np.linspace(0, length[-1], count))


def turned(points: np.ndarray, degrees: float, at: np.ndarray) -> np.ndarray:
    """Points (N, 2) around the origin, turned (positive: clockwise on screen) and moved to `at`."""
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(points, np.float64) @ rotation.T + at


class Cel:
    """A transparent sheet of `width` x `height` units around `origin`, `unit` pixels a unit; parts are laid on each other."""

    def __init__(self, width: float, height: float, *, origin: tuple[float, float], unit: float):
        shape = (int(np.ceil(height * unit)), int(np.ceil(width * unit)))
        self.unit, self.origin = unit, np.array(origin)
        self.color = np.zeros((*shape, 3), np.uint8)
        self.alpha = np.zeros(shape, np.uint8)

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        return np.round((np.asarray(points, np.float64) + self.origin) * self.unit).astype(np.int32)

    def empty(self) -> np.ndarray:
        """A mask without anything in it."""
        return np.zeros_like(self.alpha)

    def shape(self, outline: np.ndarray, *, mask: np.ndarray | None = None) -> np.ndarray:
        """The mask of a closed outline (N, 2), joined to `mask` if there is one."""
        mask = self.empty() if mask is None else mask
        cv2.fillPoly(mask, [self._pixels(outline)], 255)
        return mask

    def limb(self, points: np.ndarray, widths: list[float], *, mask: np.ndarray | None = None) -> np.ndarray:
        """The mask of a soft tube through the points; `widths` are its diameters, spread evenly along it."""
        mask = self.empty() if mask is None else mask
        line = curve(points) if len(points) > 2 else np.linspace(points[0], points[1], 60)
        diameters = np.interp(np.linspace(0, 1, len(line)), np.linspace(0, 1, len(widths)), widths)
        for place, diameter in zip(self._pixels(line), diameters, strict=True):
            cv2.circle(mask, place.tolist(), int(round(diameter * self.unit / 2)), 255, -1)
        return mask

    def lay(self, mask: np.ndarray, paint: Paint, *, line: float = 1.5, depth: float = 4.0) -> np.ndarray:
        """Paint a mask: flat color, its shade `depth` units in from the shadow side, and an outline from `line` to twice that.

        Returns the mask without its outline, for details that must not cross it.
        """
        box = _box(mask)
        shape = mask[box]
        inner = _eroded(shape, line * self.unit)
        inner &= _moved(inner, _LIGHT * line * self.unit)
        lit = inner & _moved(inner, _LIGHT * depth * self.unit)
        for region, color in ((shape, INK), (inner, paint.shade), (lit, paint.fill)):
            self.color[box][region > 0] = color
        self.alpha[box] |= shape
        inside = self.empty()
        inside[box] = inner
        return inside

    def stroke(self, points: np.ndarray, widths: list[float], color: Color = INK, *, within: np.ndarray | None = None) -> None:
        """A brush stroke through the points, kept inside `within`."""
        self.fill(self.limb(points, widths), color, within=within)

    def fill(self, mask: np.ndarray, color: Color, *, within: np.ndarray | None = None) -> None:
        """Flat color without a line, kept inside `within`."""
        box = _box(mask)
        shape = mask[box] if within is None else mask[box] & within[box]
        self.color[box][shape > 0] = color
        self.alpha[box] |= shape


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """Where there is anything in a mask: sheets are large and parts are small."""
    x, y, width, height = cv2.boundingRect(mask)
    return slice(y, y + height), slice(x, x + width)


def _eroded(mask: np.ndarray, radius: float) -> np.ndarray:
    size = 2 * max(1, int(round(radius))) + 1
    return cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), borderValue=0)


def _moved(mask: np.ndarray, shift: np.ndarray) -> np.ndarray:
    x, y = np.round(shift).astype(int).tolist()
    return cv2.warpAffine(mask, np.array([[1.0, 0, x], [0, 1, y]]), mask.shape[::-1], flags=cv2.INTER_NEAREST)
