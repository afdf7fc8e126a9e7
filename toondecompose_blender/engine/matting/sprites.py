# SPDX-License-Identifier: GPL-3.0-or-later
"""All drawings of a sprite at full size: gathers each drawing's exposures on the sprite's canvas and has them solved.
It knows plates, poses and masks as given; it writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..geometry import corners, normalized, project
from ..layers.plate import Canvas, Look
from ..parallel import map_ordered
from ..resampling import warp_to
from .pool import Exposure, Pool, astray, certain, pooled
from .pool_kernels import lay_over, premultiplied
from .region import find_region
from .triangulation import Matte, solve_matte

if TYPE_CHECKING:
    from ..accelerator import Accelerator

__all__ = ["Behind", "Sighting", "enlargement", "solve_drawings"]

MOST_BYTES = 220 << 20      # exposures of one drawing held at once; more are thinned out evenly in time
BYTES_PER_PIXEL = 24        # of one exposure, its evidence included
BESIDE = 9                  # px across that are next to a sprite, whose outline is not quite where it was
OCCLUDED = 64               # of 255: a pixel that a sprite in front covers at least this much is not seen


@dataclass(frozen=True)
class Behind:
    """A solved sprite: its `canvas`, `exposure` (T,) 1-based drawings, and straight RGBA `drawings` uint8."""
    canvas: Canvas
    exposure: np.ndarray
    drawings: list[np.ndarray]


@dataclass(frozen=True)
class Sighting:
    """Where a sprite can be seen: `read(t)` the full-size frame uint8 (H, W, 3); `mask(t)` its soft mask and `front(t)` the union
    of those in front of it, uint8 (h, w) at analysis size; `look(t)` the full-size background; solved sprites `behind`, back to
    front; `parted`: motion told the masks apart, so that they know more than the background does; `told(t)`: where an artist says
    that it is the sprite, bool (h, w), if there are hints."""
    read: Callable[[int], np.ndarray]
    mask: Callable[[int], np.ndarray]
    front: Callable[[int], np.ndarray]
    look: Look
    behind: tuple[Behind, ...]
    parted: bool = False
    told: Callable[[int], np.ndarray] | None = None


def solve_drawings(sighting: Sighting, canvas: Canvas, exposure: np.ndarray, *, accelerator: Accelerator | None = None) -> Iterator[Matte]:
    """The matte of drawing 1, 2, ... of a sprite with the given canvas and exposure (T,)."""
    height, width = sighting.read(0).shape[:2]
    scale = min(height, width) / 360
    most = max(2, MOST_BYTES // (canvas.width * canvas.height * BYTES_PER_PIXEL))
    shown = [_thinned(np.flatnonzero(exposure == number), most) for number in range(1, int(exposure.max(initial=0)) + 1)]

    def pool_of(frames: list[int]) -> Pool:
        return pooled([_sight(sighting, canvas, t) for t in frames])

    def solved(frames: list[int], pool: Pool) -> Matte:
        region = find_region(pool, scale=scale, told=_told(sighting, canvas, frames), before=lambda: _before(sighting, canvas, frames))
        # Of sprites told apart, what changes inside one may be another behind it, whose drawing is not quite right.
        return solve_matte(pool, region, veiled=not sighting.parted, scale=scale)

    if accelerator is None:
        return map_ordered(lambda frames: solved(frames, pool_of(frames)), shown, ahead=1)
    from ..accelerator.drawings import exposure_bytes, pooled_sights

    def pools(drawings: Sequence[list[int]]) -> list[Pool]:
        return [pooled_sights(accelerator, sighting, canvas, frames) for frames in drawings]

    need = exposure_bytes(canvas) * max(map(len, shown), default=0)
    pooling = accelerator.map(pools, shown, otherwise=pool_of, bytes_each=need, most=1)
    return map_ordered(lambda drawing: solved(*drawing), zip(shown, pooling, strict=True), ahead=1)


def _thinned(frames: np.ndarray, most: int) -> list[int]:
    """At most so many of the frames, evenly in time."""
    if len(frames) > most:
        frames = frames[np.linspace(0, len(frames) - 1, most).round().astype(int)]
    return frames.tolist()


def _sight(sighting: Sighting, canvas: Canvas, t: int) -> Exposure:
    """Frame t brought onto the canvas.  A canvas that lies at whole pixels in the frame is cut out, not resampled."""
    frame = sighting.read(t)
    height, width = frame.shape[:2]
    to_canvas = np.linalg.inv(canvas.homographies[t])

    def seen_from(picture: np.ndarray, homography: np.ndarray, flags: int, border: int = cv2.BORDER_CONSTANT) -> np.ndarray:
        return warp_to(picture, homography, canvas.width, canvas.height, flags=flags, border=border)

    mask, front = sighting.mask(t), sighting.front(t)
    enlarged = to_canvas @ enlargement(mask.shape, (height, width))
    inside = seen_from(_everywhere(height, width), to_canvas, cv2.INTER_LINEAR) > 0.999
    background, seen = _behind(sighting, canvas, t, to_canvas)
    prior = seen_from(mask, enlarged, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    color = seen_from(frame, to_canvas, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    visible = inside & (seen_from(cv2.dilate(front, np.ones((3, 3), np.uint8)), enlarged, cv2.INTER_LINEAR) < OCCLUDED)
    sure = np.zeros(prior.shape, bool)
    if sighting.parted:
        outside, within = certain(prior)
        seen, sure = seen & ~astray(color, background, outside & visible), outside | within
    return Exposure(color, background, seen, visible, sure, prior)


@lru_cache(1)
def _everywhere(height: int, width: int) -> np.ndarray:
    return np.ones((height, width), np.float32)


def _told(sighting: Sighting, canvas: Canvas, frames: list[int]) -> np.ndarray | None:
    """Where an artist says, in any of the frames, that the canvas shows the sprite: bool (H, W), None without hints."""
    if sighting.told is None:
        return None
    told, large = np.zeros((canvas.height, canvas.width), bool), sighting.read(frames[0]).shape[:2]
    for t in frames:
        small = sighting.told(t)
        if small.any():
            enlarged = np.linalg.inv(canvas.homographies[t]) @ enlargement(small.shape, large)
            told |= cv2.warpPerspective(small.astype(np.uint8), enlarged, told.shape[::-1], flags=cv2.INTER_NEAREST) > 0
    return told


def enlargement(small: tuple[int, int], large: tuple[int, int]) -> np.ndarray:
    """Analysis px -> full-size px, pixel centers at integers."""
    y, x = large[0] / small[0], large[1] / small[1]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1.0]])


def _behind(sighting: Sighting, canvas: Canvas, t: int, to_canvas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What lies behind the sprite in frame t, uint8 (h, w, 3) on its canvas, and where that is known, bool (h, w)."""
    size = (canvas.width, canvas.height)
    shown, known = sighting.look(t)
    color = warp_to(shown, to_canvas, *size, border=cv2.BORDER_REPLICATE)
    seen = warp_to(known.astype(np.float32), to_canvas, *size) > 0.99
    for sprite in sighting.behind:
        if not sprite.exposure[t]:
            continue
        drawing = sprite.drawings[sprite.exposure[t] - 1]
        homography = normalized(to_canvas @ sprite.canvas.homographies[t])
        if _reaches(drawing, homography, size):
            lay_over(warp_to(premultiplied(drawing), homography, *size), color, seen)
    return color, seen


def _before(sighting: Sighting, canvas: Canvas, frames: list[int]) -> np.ndarray:
    """Where, in one of the frames, a sprite is behind the canvas or next to that, and not only the background: bool (H, W)."""
    covered, size = np.zeros((canvas.height, canvas.width), np.uint8), (canvas.width, canvas.height)
    for sprite, t in product(sighting.behind, frames):
        if sprite.exposure[t]:
            drawing = sprite.drawings[sprite.exposure[t] - 1]
            homography = normalized(np.linalg.inv(canvas.homographies[t]) @ sprite.canvas.homographies[t])
            if _reaches(drawing, homography, size):
                covered |= (warp_to(drawing[..., 3], homography, *size) > 0).astype(np.uint8)
    return cv2.dilate(covered, np.ones((BESIDE, BESIDE), np.uint8)) > 0


def _reaches(drawing: np.ndarray, homography: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether anything of a drawing (h, w, 4) may lie on a canvas of `size` (width, height), to which the homography leads."""
    left, top, width, height = cv2.boundingRect(drawing[..., 3])
    outline = corners(width + 2, height + 2) + (left - 1, top - 1)      # a pixel around fades
    if (outline @ homography[2, :2] + homography[2, 2] <= 0).any():     # it turns over
        return True
    outline = project(homography, outline)
    return width > 0 and bool((outline.max(0) >= -1).all() and (outline.min(0) <= size).all())
