# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of a clip as motion estimation looks at them: gray, not larger than needed, at three blurs, with salient points.
It prepares pictures; it compares none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from ..paged import Recalled
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

    Per frame: `gray` uint8 (h, w), `fine` and `coarse` gradients, `deep` ones of red, green and blue, `DEEP` times smaller, all made
    when they are asked for; `points` (N, 2) for precise and `few` (n, 2) for coarse work, in px of the working size; `firm` and
    `few_firm`, float32 (N,) and (n,): 1 for points with contrast of more than one direction nearby, .25 for those that could slide
    along an edge.
    """

    factor: float
    scale: float
    width: int
    height: int
    gray: Recalled[np.ndarray]
    fine: Recalled[Gradients]
    coarse: Recalled[Gradients]
    deep: Recalled[tuple[Gradients, ...]]
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

    def shown(t: int) -> np.ndarray:
        return frames[t] if factor == 1 else cv2.resize(frames[t], size, interpolation=cv2.INTER_AREA)

    def deeper(t: int) -> tuple[Gradients, ...]:
        smaller = (max(8, size[0] // DEEP), max(8, size[1] // DEEP))
        tiny = cv2.resize(shown(t).astype(np.float32), smaller, interpolation=cv2.INTER_AREA)
        return tuple(gradients(channel, blur=_DEEPER * reach) for channel in cv2.split(tiny))

    pixels, frame_count = size[0] * size[1], len(frames)
    gray = Recalled(lambda t: cv2.cvtColor(shown(t), cv2.COLOR_RGB2GRAY), frame_count, size=pixels)
    fine, coarse = (Recalled(partial(lambda t, blur: gradients(gray[t], blur=blur), blur=blur), frame_count, size=12 * pixels)
                    for blur in (_FINE, _COARSE * reach))
    deep = Recalled(deeper, frame_count, size=36 * pixels // DEEP**2)

    def chosen(t: int) -> tuple[np.ndarray, ...]:
        mask = None if masks is None else cv2.resize(masks[t], size, interpolation=cv2.INTER_NEAREST) > 0
        points, few = (salient_points(fine[t], count=number, cell=max(3, round(cell * reach)), mask=mask)
                       for number in (count, min(count, _FEW)))
        return points, few, *_firm(fine[t], (points, few), _WINDOW * reach)

    return Pictures(factor, scale, *size, gray, fine, coarse, deep,
                    *(tuple(column) for column in zip(*map_ordered(chosen, range(frame_count)), strict=True)))


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
