# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting the character out of a picture to a square of the networks' size, and putting what was drawn back.
Two ways: a tight crop per picture, as published, and one crop with a margin for a whole shot, which keeps the scale still."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

__all__ = ["Crop", "tight_crop", "shot_crop", "cut", "cut_pose", "put_back"]

LEAST_AREA = 0.001  # a picture with less mean alpha counts as empty, as published
SHOT_MARGIN = 0.06  # of the square's side, on every side: room for lines that leave the mesh


@dataclass(frozen=True)
class Crop:
    """A square of `side` px around the character in a picture of `height` x `width`; it may hang over the border."""
    height: int
    width: int
    top: int
    left: int
    side: int

    @property
    def window(self) -> tuple[slice, slice]:
        """The part of the picture that the square covers."""
        return (slice(max(self.top, 0), min(self.top + self.side, self.height)),
                slice(max(self.left, 0), min(self.left + self.side, self.width)))

    @property
    def inset(self) -> tuple[slice, slice]:
        """The part of the square that lies on the picture."""
        rows, columns = self.window
        return (slice(rows.start - self.top, rows.stop - self.top), slice(columns.start - self.left, columns.stop - self.left))


def tight_crop(alpha: np.ndarray) -> Crop | None:
    """The square around alpha > 0 of a picture uint8 (H, W), as published; None if there is nothing to draw."""
    box = _box(alpha)
    return None if box is None else _square(alpha.shape, box, max(box[2:]))


def shot_crop(alphas: Iterable[np.ndarray], *, margin: float = SHOT_MARGIN) -> Crop | None:
    """One square around alpha > 0 of all pictures uint8 (H, W) of a shot, with a margin; None if all are empty."""
    low, high, shape = None, None, None
    for alpha in alphas:
        box = _box(alpha)
        if box is None:
            continue
        shape = alpha.shape
        corner = np.array(box[:2])
        low = corner if low is None else np.minimum(low, corner)
        high = corner + box[2:] if high is None else np.maximum(high, corner + box[2:])
    if low is None:
        return None
    size = high - low
    return _square(shape, (*low, *size), int(np.ceil(max(size) * (1 + 2 * margin))))


def cut(picture: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """The square of `picture` (H, W) or (H, W, C), zero outside, at `size` px: enlarged linearly, shrunk by area."""
    return _sized(_square_of(picture, crop), size, cv2.INTER_LINEAR if crop.side < size else cv2.INTER_AREA)


def cut_pose(pose: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """The square of a pose, float32 (H, W, 4): places are picked, never mixed; occupancy gets the soft edge of a picture."""
    places = _sized(_square_of(pose[..., :3], crop), size, cv2.INTER_NEAREST_EXACT)
    occupancy = cut(np.trunc(255 * pose[..., 3]).astype(np.uint8), crop, size)
    return np.concatenate([places, occupancy[..., None] / np.float32(255)], -1)


def put_back(drawn: np.ndarray, crop: Crop) -> np.ndarray:
    """`drawn`, float (S, S, C) 0..1, at its place in an empty picture: uint8 (H, W, C), truncated as published."""
    square = _sized((drawn.clip(0, 1) * 255).astype(np.uint8), crop.side, cv2.INTER_AREA)
    picture = np.zeros((crop.height, crop.width, drawn.shape[2]), np.uint8)
    picture[crop.window] = square[crop.inset]
    return picture


def _box(alpha: np.ndarray) -> tuple[int, int, int, int] | None:
    left, top, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    if alpha.mean() < LEAST_AREA * 255 or width <= 1 or height <= 1:
        return None
    return left, top, width, height


def _square(shape: tuple[int, ...], box: tuple[int, int, int, int], side: int) -> Crop:
    left, top, width, height = (int(value) for value in box)
    return Crop(shape[0], shape[1], round(top - (side - height) / 2), round(left - (side - width) / 2), side)


def _square_of(picture: np.ndarray, crop: Crop) -> np.ndarray:
    square = np.zeros((crop.side, crop.side, *picture.shape[2:]), picture.dtype)
    square[crop.inset] = picture[crop.window]
    return square


def _sized(square: np.ndarray, size: int, interpolation: int) -> np.ndarray:
    return square if len(square) == size else cv2.resize(square, (size, size), interpolation=interpolation)
