# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge of a plane blends with what is behind it, as a roof out of focus does: a soft opening, and the plane's own color there.
It takes the planes' plates and hard openings as given; only the surroundings of the edges change."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..geometry import corners, project, translation
from ..parallel import map_ordered
from ..resampling import warp_to
from .planes_backdrop import Backdrop, visibility
from .plate import PerFrame, Tile, reached

__all__ = ["blended"]

SOFT = 0.0, 1.0, 2.0, 3.0, 4.0  # px at 360 lines, sigma of the blur of all edges: the softest is taken ...
NEARLY = 1.03              # ... that leaves so much more unexplained than the best: a ragged edge is seen, a soft one is not
REACH = 3.0                # sigmas from an edge: what is farther stays as it is
VOTERS = 16                # frames looked at for each place of a plane, evenly in time
SURE = 0.9                 # share of background from which a frame's pixel tells
FEWEST = 3                 # frames that must tell
OPAQUE = 0.05              # of a plane, from which its own color can be told (by trial on the published test clip)


def blended(backdrop: Backdrop, read: PerFrame, weight: PerFrame, *, size: tuple[int, int]) -> Backdrop:
    """The same with soft openings, where the frames are explained better by them, and plates without the color behind at their edges.

    `read(t)` uint8 (H, W, 3) and `weight(t)` uint8 (H, W), 255 where surely background, are frames of `size` (W, H).
    """
    around = {index: _around(opening, min(size) / 360) for index, opening in enumerate(backdrop.openings) if opening.ndim == 2}
    windows = {index: window for index, window in around.items() if window.width}
    told = {index: _summed(backdrop, index, window, read, weight) for index, window in windows.items()}
    left = sum(_unexplained(sums, backdrop.openings[index], windows[index], size) for index, sums in told.items())
    sigma = SOFT[int(np.flatnonzero(left <= NEARLY * left.min())[-1])] if windows else 0.0
    for index, window in windows.items() if sigma else ():
        share = _softened(backdrop.openings[index], sigma, window, size)
        backdrop = _blended(backdrop, index, window, told.pop(index), share)
    return backdrop


@dataclass(frozen=True)
class _Sums:
    """Over the frames that tell, float32: their number `tells` (h, w), the `color` there and that `behind` (h, w, 3), and the squares
    of the first, of both, and of the second (h, w), channels added up."""
    tells: np.ndarray
    color: np.ndarray
    behind: np.ndarray
    color_square: np.ndarray
    product: np.ndarray
    behind_square: np.ndarray

    @classmethod
    def of(cls, tells: np.ndarray, color: np.ndarray, behind: np.ndarray) -> _Sums:
        """Of one frame; `tells` is 0 or 1."""
        color, behind = color * tells[..., None], behind * tells[..., None]
        return cls(tells, color, behind, *((a * b).sum(-1) for a, b in ((color, color), (color, behind), (behind, behind))))

    def add(self, other: _Sums, place: tuple[slice, slice]) -> None:
        """Another frame's, which shows but a `place`."""
        for name, total in vars(self).items():
            total[place] += getattr(other, name)

    def unexplained(self, share: np.ndarray) -> np.ndarray:
        """Squared gray levels that are left with that `share` (h, w) of what is behind, and the best own color: (h, w)."""
        raw = self.color_square - 2 * share * self.product + share * share * self.behind_square
        mean = self.color - share[..., None] * self.behind
        return np.where(1 - share > OPAQUE, raw - (mean * mean).sum(-1) / np.maximum(self.tells, 1), raw)

    def own_color(self, share: np.ndarray) -> np.ndarray:
        """uint8 (h, w, 3)."""
        own = (self.color - share[..., None] * self.behind) / (np.maximum(self.tells, 1) * np.maximum(1 - share, OPAQUE))[..., None]
        return np.clip(np.rint(own), 0, 255).astype(np.uint8)


def _around(opening: np.ndarray, scale: float) -> Tile:
    """Where an edge of an opening may be, however soft."""
    box = np.ones((2 * round(REACH * SOFT[-1] * scale) + 1,) * 2, np.uint8)
    return Tile(*cv2.boundingRect((cv2.dilate(opening, box) != cv2.erode(opening, box)).astype(np.uint8)))


def _softened(opening: np.ndarray, sigma: float, window: Tile, size: tuple[int, int]) -> np.ndarray:
    """How open it is in the window with edges of that blur, float32 in 0..1."""
    soft = cv2.GaussianBlur(opening, (0, 0), sigma * min(size) / 360) if sigma else opening
    return soft[window.place].astype(np.float32) / 255


def _unexplained(sums: _Sums, opening: np.ndarray, window: Tile, size: tuple[int, int]) -> np.ndarray:
    """Squared gray levels that each blur of an opening leaves in its window, in all: (len(SOFT),)."""
    shares = (_softened(opening, sigma, window, size) for sigma in SOFT)
    return np.array([sums.unexplained(share)[sums.tells >= FEWEST].sum(dtype=np.float64) for share in shares])


def _blended(backdrop: Backdrop, index: int, window: Tile, sums: _Sums, share: np.ndarray) -> Backdrop:
    """The same with that soft opening of the plane in front of plane `index`, and with its own color there, where enough frames tell."""
    plate, opening = backdrop.plates[index + 1], backdrop.openings[index].copy()
    soft = np.rint(255 * share).astype(np.uint8)
    told = (sums.tells >= FEWEST) & (soft != opening[window.place]) & (1 - share > OPAQUE)
    opening[window.place] = soft
    picture = plate.picture.copy()
    picture[window.place][told] = sums.own_color(share)[told]
    plates = tuple(replace(plate, picture=picture) if one is plate else one for one in backdrop.plates)
    return Backdrop(plates, (*backdrop.openings[:index], opening, *backdrop.openings[index + 1:]))


def _summed(backdrop: Backdrop, index: int, window: Tile, read: PerFrame, weight: PerFrame) -> _Sums:
    """What the frames tell of the window on the canvas of the plane in front of plane `index`."""
    canvas, shape = backdrop.plates[index + 1].canvas, (window.height, window.width)
    height, width = weight(0).shape
    count = len(canvas.homographies)
    voters = min(count, round(VOTERS * canvas.width * canvas.height / (width * height)))
    sums = _Sums(*(np.zeros((*shape, *more), np.float32) for more in ((), (3,), (3,), (), (), ())))
    numbers = np.unique(np.linspace(0, count - 1, voters).round().astype(int)).tolist()
    for seen in map_ordered(lambda t: _seen_from(backdrop, index, window, t, read(t), weight(t)), numbers, ahead=1):
        if seen is not None:
            sums.add(*seen)
    return sums


def _seen_from(backdrop: Backdrop, index: int, window: Tile, t: int, frame: np.ndarray,
               weight: np.ndarray) -> tuple[_Sums, tuple[slice, slice]] | None:
    """What frame t tells of a place of the window, and that place; None if it shows nothing of it."""
    height, width = frame.shape[:2]
    to_canvas = np.linalg.inv(backdrop.plates[index + 1].canvas.homographies[t])
    part = reached(project(to_canvas, corners(width, height)), window)
    if not (part.width and part.height):
        return None
    shown, seen = Backdrop(backdrop.plates[:index + 1], backdrop.openings[:index]).view(t, width, height)
    nearer = [plate.canvas for plate in backdrop.plates[index + 2:]]
    uncovered = visibility(nearer, backdrop.openings[index + 1:], 0, t, width, height)
    tells = np.where(seen, np.minimum(weight, uncovered), 0)
    to_part, part_size = translation(-part.left, -part.top) @ to_canvas, (part.width, part.height)
    color, behind, tells = (warp_to(picture, to_part, *part_size).astype(np.float32) for picture in (frame, shown, tells))
    place = Tile(part.left - window.left, part.top - window.top, *part_size).place
    return _Sums.of((tells > 255 * SURE).astype(np.float32), color, behind), place
