# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of a clip as motion estimation looks at them: gray, not larger than needed, at three blurs, with salient points.
It prepares pictures; it compares none."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..parallel import map_ordered
from .alignment import Gradients, gradients, salient_points

__all__ = ["DEEP", "Pictures", "prepare"]

_LARGEST = 640 * 400  # px: larger frames are halved; at .02 px there, the error stays under .05 px in the clip
_FINE, _COARSE, _DEEPER = 1.0, 3.0, 2.0  # px of blur, at 360 lines; by trial on toon clips
DEEP = 4  # the deep pictures are that much smaller, and blurred again: about 8 px at 360 lines, wider than a drawn window
_POINTS, _FEW = 6000, 1500
_CELL = 20  # px at 360 lines
_WINDOW = 3.0  # px at 360 lines, sigma: what is near a point
_SLIDES = 0.25  # weight of a point on an edge: it matches under every motion along that edge
_ROUND = 0.05  # the least contrast in any direction there, of the greatest


@dataclass(frozen=True)
class Pictures:
    """`factor`: working size / clip size (1 or less); `scale`: px of the working size for one at 360 lines.

    Per frame: `gray` uint8 (h, w), `fine` and `coarse` gradients, `deep` ones of red, green and blue, `DEEP` times smaller, `points`
    (N, 2) for precise and `few` (n, 2) for coarse work, in px of the working size; `firm` and `few_firm`, float32 (N,) and (n,):
    1 for points with contrast of more than one direction nearby, .25 for those that could slide along an edge.
    """

    factor: float
    scale: float
    width: int
    height: int
    gray: tuple[np.ndarray, ...]
    fine: tuple[Gradients, ...]
    coarse: tuple[Gradients, ...]
    deep: tuple[tuple[Gradients, ...], ...]
    points: tuple[np.ndarray, ...]
    few: tuple[np.ndarray, ...]
    firm: tuple[np.ndarray, ...]
    few_firm: tuple[np.ndarray, ...]


def prepare(frames: np.ndarray, *, masks: np.ndarray | None = None, cell: int = _CELL, count: int = _POINTS,
            lines: int | None = None) -> Pictures:
    """Pictures of RGB uint8 frames (T, h, w, 3).

    With `masks` uint8 (T, h, w), points are chosen only where these are above 0; each square of `cell` px (at 360 lines) gets
    the same number of them, `count` in all. `lines`: the height of what the frames are cut from, if they are.
    """
    height, width = frames.shape[1:3]
    factor = 1.0
    while width * height * factor**2 > _LARGEST:
        factor /= 2
    size = (round(width * factor), round(height * factor))
    scale = (lines or height) * factor / 360
    reach = max(0.6, scale)

    def prepared(t: int) -> tuple:
        frame = frames[t] if factor == 1 else cv2.resize(frames[t], size, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        fine, coarse = gradients(gray, blur=_FINE), gradients(gray, blur=_COARSE * reach)
        smaller = (max(8, size[0] // DEEP), max(8, size[1] // DEEP))
        tiny = cv2.resize(frame.astype(np.float32), smaller, interpolation=cv2.INTER_AREA)
        deep = tuple(gradients(channel, blur=_DEEPER * reach) for channel in cv2.split(tiny))
        mask = None if masks is None else cv2.resize(masks[t], size, interpolation=cv2.INTER_NEAREST) > 0
        points, few = (salient_points(fine, count=number, cell=max(3, round(cell * reach)), mask=mask)
                       for number in (count, min(count, _FEW)))
        return gray, fine, coarse, deep, points, few, *_firm(fine, (points, few), _WINDOW * reach)

    return Pictures(factor, scale, *size, *(tuple(column) for column in zip(*map_ordered(prepared, range(len(frames))), strict=True)))


def _firm(picture: Gradients, chosen: tuple[np.ndarray, ...], sigma: float) -> list[np.ndarray]:
    """How firmly points, (n, 2) each, sit, by the eigenvalues of the structure tensor around them: float32 (n,) each."""
    products = [cv2.GaussianBlur(product, (0, 0), sigma) for product in
                (picture.x * picture.x, picture.x * picture.y, picture.y * picture.y)]
    firm = []
    for points in chosen:
        x, y = points.astype(int).T
        xx, xy, yy = (product[y, x] for product in products)
        mean, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
        firm.append(np.where(mean - spread > _ROUND * (mean + spread), np.float32(1), np.float32(_SLIDES)))
    return firm
