# SPDX-License-Identifier: GPL-3.0-or-later
"""Plates as sharp as the frames that they were stitched from: what a view lacks of its frame is carried back, a few times over.
It takes plates and weights as given; nothing but the picture changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..geometry import corners, project, translation
from ..parallel import map_ordered
from ..resampling import warp_to
from .plate import Plate

__all__ = ["sharpened"]

# Iterative back-projection (Irani and Peleg, "Improving resolution by image registration", 1991), without a change of size.
ROUNDS = 3              # six or twelve bring less than .01 of a gray level more, on two clips with painted backgrounds
STRANGER = 24.0         # gray levels: what differs by more is not this plane, whatever the mask says; a guess
LEAST_VIEWS = 0.5       # frames' worth of weight: less than this changes a pixel by less


def sharpened(plate: Plate, read: Callable[[int], np.ndarray], weight: Callable[[int], np.ndarray]) -> np.ndarray:
    """The picture of a plate, uint8 (H, W, 3), with bilinear views that come nearer to the frames; what was never seen stays.

    `read(t)` uint8 (h, w, 3) and `weight(t)` uint8 (h, w), 255 where the frame surely shows this plane, as for the vote.
    """
    picture = plate.picture.astype(np.float32)
    for _ in range(ROUNDS):
        picture = _nearer(plate, picture, read, weight)
    return np.rint(picture).astype(np.uint8)


def _nearer(plate: Plate, picture: np.ndarray, read: Callable[[int], np.ndarray], weight: Callable[[int], np.ndarray]) -> np.ndarray:
    """One round: the picture float32 (H, W, 3) and the mean of what its views lack."""
    change, views = np.zeros_like(picture), np.zeros(picture.shape[:2], np.float32)
    numbers = range(len(plate.canvas.homographies))
    for lack in map_ordered(lambda t: _lack(picture, plate.canvas.homographies[t], read(t), weight(t)), numbers, ahead=1):
        change[lack.place] += lack.color
        views[lack.place] += lack.weight
    change *= ((plate.seen > 0) / np.maximum(views, LEAST_VIEWS))[..., None]
    return np.clip(picture + change, 0, 255)


@dataclass(frozen=True)
class _Lack:
    """What one view lacks of its frame, on the part of the canvas at `place`: `color` float32 (h, w, 3), weighted, and `weight` (h, w)."""
    place: tuple[slice, slice]
    color: np.ndarray
    weight: np.ndarray


def _lack(picture: np.ndarray, homography: np.ndarray, frame: np.ndarray, weight: np.ndarray) -> _Lack:
    height, width = frame.shape[:2]
    view = warp_to(picture, homography, width, height, border=cv2.BORDER_REPLICATE)
    difference = frame - view
    believed = weight * (np.abs(difference).max(2) < STRANGER) / np.float32(255)
    to_canvas = np.linalg.inv(homography)
    outline = project(to_canvas, corners(width, height))
    left, top = np.maximum(np.floor(outline.min(0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(outline.max(0)) + 1, picture.shape[1::-1]).astype(int)
    back = cv2.warpPerspective(np.dstack([difference * believed[..., None], believed]), translation(-left, -top) @ to_canvas,
                               (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    return _Lack((slice(top, bottom), slice(left, right)), back[..., :3], back[..., 3])
