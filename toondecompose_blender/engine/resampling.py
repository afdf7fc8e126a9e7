# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures seen through homographies.
It knows how pixels are mixed, not what the pictures show."""

from __future__ import annotations

from math import floor, isfinite

import cv2
import numpy as np

__all__ = ["warp_to"]

_TAPS = {cv2.INTER_NEAREST: 1, cv2.INTER_LINEAR: 2, cv2.INTER_CUBIC: 4}     # pixels that each way of resampling looks at, along a side
_NO_TURN, _NO_MOVE = 1e-12, 1e-9    # of a homography, and px: what rounding leaves of pans, and of moves by whole pixels


def warp_to(picture: np.ndarray, homography: np.ndarray, width: int, height: int, *,
            flags: int = cv2.INTER_LINEAR, border: int = cv2.BORDER_CONSTANT, beyond: float = 0) -> np.ndarray:
    """`picture` seen through `homography` (picture -> target) on a target of the given size; `beyond` it is that, if its `border` is
    constant.

    A pan, which most motions are, goes the short way: whole pixels are copied, and what is left of them is one filter along each side.
    """
    (a, b, x), (c, d, y), (e, f, g) = homography.tolist()   # of small matrices NumPy is slow to tell anything
    turn = max(abs(a - 1), abs(b), abs(c), abs(d - 1), abs(e), abs(f), abs(g - 1))
    if turn < _NO_TURN and isfinite(x + y) and flags in _TAPS:
        whole, part = zip(*(_parted(-move, flags) for move in (x, y)), strict=True)
        taps = _TAPS[flags] if any(part) else 1
        if taps != 2 or picture.shape[2:] != (4,):  # two pixels of four channels OpenCV mixes as fast
            left, top = (start - (taps - 1) // 2 for start in whole)
            copy = _copied(picture, left, top, width + taps - 1, height + taps - 1, border, beyond)
            if copy is not None:
                return copy if taps == 1 else _filtered(copy, part, flags)
    return cv2.warpPerspective(picture, homography, (width, height), flags=flags, borderMode=border, borderValue=(beyond,) * 4)


def _parted(place: float, flags: int) -> tuple[int, float]:
    """The pixel before a place, and how far that lies beyond it, px: not at all, if only rounding says so, or the nearest one is asked."""
    whole = floor(place + _NO_MOVE)
    part = place - whole if place - whole > _NO_MOVE else 0.0
    return (whole + (part > 0.5), 0.0) if flags == cv2.INTER_NEAREST else (whole, part)


def _copied(picture: np.ndarray, left: int, top: int, width: int, height: int, border: int, beyond: float) -> np.ndarray | None:
    """A rectangle of `picture`, which may reach over its edges; None if it lies wholly outside."""
    part = picture[max(0, top):max(0, top + height), max(0, left):max(0, left + width)]
    if not part.size:
        return None
    before, above = max(0, -left), max(0, -top)
    below, after = height - above - part.shape[0], width - before - part.shape[1]
    return cv2.copyMakeBorder(part, above, below, before, after, border, value=(beyond,) * 4)


def _filtered(picture: np.ndarray, part: tuple[float, float], flags: int) -> np.ndarray:
    """`picture` as it is at `part` (x, y) of a pixel further on, less its edges, where the filter would have nothing to look at."""
    across, down = (_weights(share, flags) for share in part)
    before, after = (len(down) - 1) // 2, len(down) // 2
    moved = cv2.sepFilter2D(picture, -1, across, down, anchor=(before, before)).reshape(picture.shape)
    return np.ascontiguousarray(moved[before:-after, before:-after])


def _weights(share: float, flags: int) -> np.ndarray:
    """What the pixels around a place count that lies a `share` of a pixel after one of them (Keys 1981, with OpenCV's slope of -.75)."""
    if flags == cv2.INTER_LINEAR:
        return np.array([1 - share, share])
    near, far, slope = np.array([share, 1 - share]), np.array([1 + share, 2 - share]), -0.75
    near = ((slope + 2) * near - (slope + 3)) * near ** 2 + 1
    far = slope * (((far - 5) * far + 8) * far - 4)
    return np.array([far[0], *near, far[1]])
