# SPDX-License-Identifier: GPL-3.0-or-later
"""A still background that is painted anew while the clip runs: a wipe, a light that goes out.  Each paint is a plane, and the nearer
ones have openings that change.  It knows frames and soft masks; what covers the background is not its business."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from ..paged import paged, stacked
from ..parallel import map_ordered
from ..resampling import warp_to
from .evidence import background_weights, interval
from .plate import Plate, build_plate, canvas_of_plane, view
from .planes_backdrop import FarPlane

__all__ = ["find_repaints"]

MOST = 4                   # paints
OTHER = 24.0               # gray levels from all paints that a pixel of one more must be
LEAST = 0.05               # of all that is seen of the background, that a paint must be ...
LARGEST = 0.5              # ... and of what one frame shows: what moves by and was not found is no paint
HELD = 0.7                 # of what differs from the other paints, that one more must explain
ISLAND = 0.01              # of the picture: a smaller spot of a paint is something else
FIRST = 8                  # frames in which a paint is seen first: what comes first is the same everywhere, what is longest is not
SURE = 128                 # of 255: weight from which a pixel is background


def find_repaints(frames: np.ndarray, foreground: np.ndarray, camera: np.ndarray) -> tuple[FarPlane, ...]:
    """The other paints of a background that stands still, as planes back to front with openings uint8 (T, H, W); () if it has but one.

    `frames` RGB uint8 (T, h, w, 3), `foreground` float32 (T, h, w) what is known not to be background, `camera` (T, 3, 3) of it.
    """
    height, width = frames.shape[1:3]
    weights = background_weights(foreground)
    paints = _paints(frames, weights, camera)
    if len(paints) < 2:
        return ()
    looks = [view(paint, 0, width, height)[0] for paint in paints]
    shown = stacked(map_ordered(lambda t: _shown(frames[t], weights[t] >= SURE, looks), range(len(frames))), len(frames))
    return tuple(FarPlane(camera, 1.0, _opening(shown, paints[0], number)) for number in range(len(paints) - 1, 0, -1))


def _paints(frames: np.ndarray, weights: np.ndarray, camera: np.ndarray) -> list[Plate]:
    """Plates of the paints: each is what is seen first, at each place, of what none before it explains."""
    height, width = frames.shape[1:3]
    canvas, left, paints = canvas_of_plane(camera, width, height), weights, []
    seen = before = _sure(weights)
    while len(paints) < MOST:
        paints.append(build_plate(frames.__getitem__, _first(left).__getitem__, canvas))
        left = _unlike(frames, left, view(paints[-1], 0, width, height)[0])
        other = _sure(left)
        if len(paints) > 1 and other.sum() > (1 - HELD) * before.sum():
            return paints[:-1]
        if other.sum() < LEAST * seen.sum() or not (other > LARGEST * seen).any():
            break
        before = other
    return paints


def _sure(weights: np.ndarray) -> np.ndarray:
    """How many pixels of each frame are surely background, (T,)."""
    return np.array([np.count_nonzero(weight >= SURE) for weight in paged(weights)])


def _first(weights: np.ndarray) -> np.ndarray:
    """`weights` uint8 (T, h, w) of the first `FIRST` frames that are sure, at each place; 0 after them."""
    count = np.zeros(weights.shape[1:], np.int32)

    def early(weight: np.ndarray) -> np.ndarray:
        kept = np.where(count < FIRST, weight, 0).astype(np.uint8)
        count[...] += weight >= SURE
        return kept
    return stacked(map(early, paged(weights)), len(weights))


def _unlike(frames: np.ndarray, weights: np.ndarray, look: np.ndarray) -> np.ndarray:
    """`weights` uint8 (T, h, w) where frames differ from how a paint looks, else 0."""
    kept = map_ordered(lambda t: np.where(interval(frames[t], look) >= OTHER, weights[t], 0).astype(np.uint8), range(len(frames)))
    return stacked(kept, len(frames))


def _shown(frame: np.ndarray, known: np.ndarray, looks: list[np.ndarray]) -> np.ndarray:
    """The number of the paint at each pixel, uint8 (h, w): the one it looks like, or, where that tells nothing, the nearest known."""
    missed = np.stack([interval(frame, look) for look in looks])
    number = missed.argmin(0).astype(np.uint8)
    ordered = np.sort(missed, 0)
    known = known & (ordered[0] < OTHER) & (ordered[1] >= OTHER)
    for paint in range(len(looks)):
        count, parts, stats, _ = cv2.connectedComponentsWithStats((known & (number == paint)).astype(np.uint8), connectivity=4)
        small = stats[:, cv2.CC_STAT_AREA] < ISLAND * number.size
        small[0] = False
        known &= ~small[parts]
    if not known.any():
        return np.zeros_like(number)
    rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return number[rows, columns]


def _opening(shown: np.ndarray, paint: Plate, number: int) -> np.ndarray:
    """Where the paint before the one of this `number` is gone, 255 on its canvas, in each frame: uint8 (T, H, W)."""
    canvas = paint.canvas
    gone = (np.where(numbers >= number, 255, 0).astype(np.uint8) for numbers in paged(shown))
    openings = (warp_to(one, np.linalg.inv(homography), canvas.width, canvas.height, flags=cv2.INTER_NEAREST, border=cv2.BORDER_REPLICATE)
                for one, homography in zip(gone, canvas.homographies, strict=True))
    return stacked(openings, len(shown))
