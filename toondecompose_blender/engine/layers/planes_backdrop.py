# SPDX-License-Identifier: GPL-3.0-or-later
"""A background made of several planes: its picture in a frame, composed from far to near, and its plates at any size.
It takes planes and openings as given; how they were found is not its business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..geometry import resized
from ..paged import paged, stacked
from ..resampling import warp_to
from .evidence import interval
from .plate import Canvas, Plate, build_plate, canvas_of_plane, view

if TYPE_CHECKING:
    from ..accelerator import Accelerator

__all__ = ["FarPlane", "Backdrop", "build_backdrop", "opening_at", "plane_canvases", "plane_weights", "visibility"]


ALIKE = 7.2                # gray levels; the masks' residual threshold
DOUBTFUL = 24              # px at 360 lines from an opening's edge: roofs that no plane holds well are cut off so far (published test clip)
EDGE = 4                   # px at 360 lines on both sides of an opening's outline, as far as it is wrong on the published test clip


@dataclass(frozen=True)
class FarPlane:
    """A plane behind the one the camera's motion was measured on.

    `homographies` (T, 3, 3), plane -> frame; `fraction`: how far it moves for one px of the camera's motion, 0..1;
    `opening` uint8 (H, W), 255 where the next nearer plane is transparent, on the canvas of that nearer plane
    (`canvas_of_plane` of its homographies at the size of the frames the plane was found in); (T, H, W) if it changes.
    """
    homographies: np.ndarray
    fraction: float
    opening: np.ndarray


@dataclass(frozen=True)
class Backdrop:
    """`plates` back to front; `openings[i]` uint8 (H, W), 255 where `plates[i + 1]` is transparent, on the canvas of that plate, or
    (T, H, W), if it changes."""
    plates: tuple[Plate, ...]
    openings: tuple[np.ndarray, ...]

    def view(self, t: int, width: int, height: int, *, like: Callable[[int], np.ndarray] | None = None,
             interpolation: int = cv2.INTER_CUBIC) -> tuple[np.ndarray, np.ndarray]:
        """What frame t shows of the background: colors uint8 (height, width, 3), and where they were seen, bool (height, width);
        along the edge of an opening, where the planes mix, nothing counts as seen.

        `like(t)` is the frame itself, uint8 (height, width, 3): near an opening's edge, which is known to a few px at best, that plane
        is shown which looks like it, if one does.
        """
        opened = [warp_to(opening_at(opening, t), plate.canvas.homographies[t], width, height, border=cv2.BORDER_REPLICATE)
                  for plate, opening in zip(self.plates[1:], self.openings, strict=True)]
        parts = _parts_shown(opened, height, width)
        colors, seen = view(self.plates[0], t, width, height, interpolation=interpolation, part=parts[0])
        for plate, open_here, inner, outer in zip(self.plates[1:], opened, parts[:-1], parts[1:], strict=True):
            near, near_seen = view(plate, t, width, height, interpolation=interpolation, part=outer)
            place = _within(inner, outer)
            share = open_here[inner][..., None].astype(np.float32) / 255
            mixed = np.rint(near[place] + (colors.astype(np.float32) - near[place]) * share).astype(np.uint8)
            mixed_seen = np.where(open_here[inner] > 127, seen, near_seen[place]) & ~_edge(open_here, EDGE)[inner]
            if like is not None:
                looks = [(near[place], near_seen[place]), (colors, seen)]
                _put_alike(mixed, mixed_seen, like(t)[inner], looks, _edge(open_here, DOUBTFUL)[inner])
            near[place], near_seen[place] = mixed, mixed_seen
            colors, seen = near, near_seen
        return colors, seen


Part = tuple[slice, slice]      # of a frame: rows and columns


def _parts_shown(opened: list[np.ndarray], height: int, width: int) -> list[Part]:
    """The part of a frame in which each plane, back to front, can be seen: the `opened` (h, w) of all nearer ones, and what is near."""
    parts = [np.s_[0:height, 0:width]]
    for open_here in reversed(opened):
        x, y, across, down = cv2.boundingRect(open_here)
        reach, ends = _size(DOUBTFUL, open_here) // 2 + 1, parts[0]
        parts.insert(0, (_cut(ends[0], y - reach, y + down + reach), _cut(ends[1], x - reach, x + across + reach)))
    return parts


def _cut(span: slice, start: int, stop: int) -> slice:
    """`start` to `stop` within the `span`, one pixel at least."""
    start = min(max(start, span.start), span.stop - 1)
    return slice(start, max(min(stop, span.stop), start + 1))


def _within(inner: Part, outer: Part) -> Part:
    """The `inner` part, counted from where the `outer` one begins."""
    return tuple(slice(small.start - large.start, small.stop - large.start) for small, large in zip(inner, outer, strict=True))


def _put_alike(shown: np.ndarray, known: np.ndarray, frame: np.ndarray, looks: list[tuple[np.ndarray, np.ndarray]],
               place: np.ndarray) -> None:
    """Show, in place and where `place` says so, that one of `looks` (colors, seen) which looks like the frame."""
    x, y, width, height = cv2.boundingRect(place.astype(np.uint8))
    if not width:
        return
    window = np.s_[y:y + height, x:x + width]
    missed = np.stack([np.where(seen[window], interval(frame[window], colors[window]), np.inf) for colors, seen in looks])
    best = missed.argmin(0)
    alike = place[window] & (missed.min(0) < ALIKE)
    for number, (colors, _) in enumerate(looks):
        chosen = alike & (best == number)
        shown[window][chosen] = colors[window][chosen]
    known[window][alike] = True


def _edge(opening: np.ndarray, reach: float) -> np.ndarray:
    """Within `reach`, px at 360 lines, of the edge of an opening."""
    kernel = np.ones((_size(reach, opening),) * 2, np.uint8)
    return cv2.dilate(opening, kernel) - cv2.erode(opening, kernel) > 64


def _size(reach: float, opening: np.ndarray) -> int:
    """Of a box that reaches so far, px."""
    return 2 * max(1, round(reach * min(opening.shape) / 360)) + 1


def build_backdrop(read: Callable[[int], np.ndarray], weight: Callable[[int], np.ndarray], camera: np.ndarray,
                   planes: Sequence[FarPlane], *, size: tuple[int, int], found_at: tuple[int, int] | None = None,
                   accelerator: Accelerator | None = None) -> Backdrop:
    """Stitch one plate per plane.

    `read(t)` uint8 (H, W, 3) and `weight(t)` uint8 (H, W), 255 where surely background, are frames of `size` (W, H);
    `camera` (T, 3, 3) of the nearest plane and `planes`, back to front, were found in frames of `found_at` (default: `size`).
    """
    small = found_at or size
    factors = size[0] / small[0], size[1] / small[1]
    resized_planes = [replace(plane, homographies=resized(plane.homographies, *factors)) for plane in planes]
    before = plane_canvases(camera, planes, *small)
    canvases = plane_canvases(resized(camera, *factors), resized_planes, *size)
    openings = tuple(_resized_opening(plane.opening, old, new, factors)
                     for plane, old, new in zip(planes, before[1:], canvases[1:], strict=True))
    plates = tuple(build_plate(read, plane_weights(weight, canvases[1:], openings, index, *size), canvas, accelerator=accelerator)
                   for index, canvas in enumerate(canvases))
    return Backdrop(plates, openings)


def plane_canvases(camera: np.ndarray, planes: Sequence[FarPlane], width: int, height: int) -> list[Canvas]:
    """The canvases of the planes, back to front, and of the near one, whose motion is `camera`."""
    return [canvas_of_plane(motion, width, height) for motion in [*(plane.homographies for plane in planes), camera]]


def plane_weights(weight: Callable[[int], np.ndarray], nearer: Sequence[Canvas], openings: Sequence[np.ndarray], index: int,
                  width: int, height: int) -> Callable[[int], np.ndarray]:
    """Weights t -> uint8 (height, width) for the plate of plane `index`: background, and this plane is what one sees."""
    def product(t: int) -> np.ndarray:
        return cv2.multiply(weight(t), visibility(nearer, openings, index, t, width, height), scale=1 / 255)
    return product


def visibility(nearer: Sequence[Canvas], openings: Sequence[np.ndarray], index: int, t: int, width: int, height: int) -> np.ndarray:
    """Where frame t shows plane `index` (0: the last), uint8 (height, width): through the openings of all nearer planes, and not
    through its own.  `nearer[i]` is the canvas of `openings[i]`, that is of plane i + 1."""
    shown = np.full((height, width), 255, np.uint8)
    for i in range(max(0, index - 1), len(openings)):
        seen = warp_to(opening_at(openings[i], t), nearer[i].homographies[t], width, height, border=cv2.BORDER_REPLICATE)
        shown = cv2.multiply(shown, 255 - seen if i == index - 1 else seen, scale=1 / 255)
    return shown


def opening_at(opening: np.ndarray, t: int) -> np.ndarray:
    """The opening in frame t, uint8 (H, W)."""
    return opening if opening.ndim == 2 else opening[t]


def _resized_opening(opening: np.ndarray, small: Canvas, large: Canvas, factors: tuple[float, float]) -> np.ndarray:
    """The opening on the canvas of larger frames; its edge stays as narrow as it was, in px."""
    if factors == (1, 1):
        return opening
    if opening.ndim > 2:
        return stacked((_resized_opening(one, small, large, factors) for one in paged(opening)), len(opening))
    x, y = factors
    enlarged = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1.0]])
    carried = np.linalg.inv(large.homographies[0]) @ enlarged @ small.homographies[0]
    soft = cv2.warpPerspective(opening, carried, (large.width, large.height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    sharp = (soft.astype(np.float32) - 127.5) * max(1.0, (x + y) / 2) + 127.5
    return np.clip(np.rint(sharp), 0, 255).astype(np.uint8)
