# SPDX-License-Identifier: GPL-3.0-or-later
"""One sprite in one frame, as comparisons look at it: its mask, what of it is sure, and where it has salient points.
It prepares views; it compares none."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

from .layers.evidence import interval
from .motion.alignment import gradients, salient_points
from .paged import Keeper

__all__ = ["SAME", "View", "difference", "ground_of", "placed", "view_of"]

_SMALLEST = 12  # px: less than this is dirt, not a sprite
_PART = 0.1  # of the largest part's area
_SOLID = 0.8  # alpha: through less one sees the background, which moves
SAME = 7.2  # levels: less is what a known background explains; by trial on toon clips
_TRACE = 0.1  # alpha: more than that in front of the sprite hides it
_PAD = 24  # px around the sprite's box that the gradients cover: the reach of the coarse alignment
_POINTS = 1500
_CLEAR = 15  # px across around what may hide the sprite: its outline, which moves otherwise, must not reach into the coarse blur
_BLUR = 1.0  # px
_SOFT = 0.8  # px of blur before colors are compared: resampled line art then differs by a few levels only
_SATURATED = 60.0  # levels: one wild pixel must not count as many


@dataclass(frozen=True)
class View:
    """One sprite in one frame. Crops lie at `origin` (x, y) of the frame; `picture` is the whole frame, not a copy."""

    frame: int
    picture: np.ndarray  # uint8 (h, w, 3)
    open: np.ndarray  # uint8 (h, w), 255 where nothing in front may hide the sprite
    origin: np.ndarray  # int (2,)
    mask: np.ndarray  # uint8 0/1 crop
    solid: np.ndarray  # uint8 0/1 crop: the part of it that nothing shines through
    core: np.ndarray  # uint8 0/1 crop: inside the solid part and away from its outline, where the matte's errors do not reach
    plain: np.ndarray  # uint8 0/1 crop: looks like what is behind; a matte that has it may be wrong
    behind: np.ndarray | None  # uint8 crop, RGB: what is behind
    gray: np.ndarray  # uint8 crop
    laid: np.ndarray  # uint8 crop: the sprite, gray, laid on a plain ground
    rim: np.ndarray  # uint8 0/1 crop: the sprite and what touches it, away from what is in front
    points: np.ndarray  # float32 (N, 2), crop px
    inner: np.ndarray  # float32 (M, 2): those inside the core
    thumbnail: np.ndarray  # uint8 (24, 24, 2): gray and mask, centered, of unit area
    slack: int  # px that the outline may be wrong: 3, less for thin sprites
    center: np.ndarray  # float64 (2,), frame px
    area: float
    cut: bool  # touches the frame's border or what is in front

    def whole(self, part: np.ndarray) -> np.ndarray:
        """A part of the crop in its place in the frame, uint8 (h, w)."""
        return placed(part, self.origin, self.picture.shape[1::-1])

    @property
    def silhouette(self) -> np.ndarray:
        """The sprite as it is laid, in its place in the frame, uint8 (h, w, 3)."""
        return cv2.merge([self.whole(self.laid)] * 3)

    def kept(self, keeper: Keeper) -> View:
        """The same with its crops where the keeper keeps them."""
        crops = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "picture"}
        return replace(self, **{name: keeper.keep(crop) for name, crop in crops.items() if isinstance(crop, np.ndarray)})

    @property
    def clearness(self) -> tuple[bool, float, int]:
        """Sorts views by how well they show the drawing."""
        return not self.cut, self.area, -self.frame


def ground_of(frames: np.ndarray, alphas: np.ndarray, scale: float) -> float:
    """The gray level 0, 128 or 255 that stands out best from the sprite, so that its outline can be aligned."""
    shades = []
    for frame, alpha in zip(frames[::max(1, len(frames) // 8)], alphas[::max(1, len(frames) // 8)], strict=True):
        mask = (alpha * scale > 0.5).astype(np.uint8)
        shades.append(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[mask > cv2.erode(mask, np.ones((5, 5), np.uint8))])
    shades = np.concatenate(shades).astype(np.float32)
    return max((128.0, 0.0, 255.0), key=lambda ground: float(np.abs(shades - ground).mean()) if len(shades) else 0.0)


def view_of(frame: int, picture: np.ndarray, alpha: np.ndarray, ground: float, *, front: np.ndarray | None = None,
            behind: np.ndarray | None = None) -> View | None:
    """The sprite with this alpha, float32 (h, w) 0..1, in a picture, uint8 (h, w, 3) RGB; None where it is not to be seen.

    `front`, like alpha, is what lies before it; `behind`, like the picture, what would be seen without it.
    """
    mask = _large_parts(_filled((alpha > 0.5).astype(np.uint8)))
    area = int(mask.sum())
    if area < _SMALLEST:
        return None
    x, y, width, height = cv2.boundingRect(mask)
    hidden = np.zeros_like(mask) if front is None else cv2.dilate((front > _TRACE).astype(np.uint8), np.ones((7, 7), np.uint8))
    cut = x == 0 or y == 0 or x + width == mask.shape[1] or y + height == mask.shape[0] or bool((mask & hidden).any())
    mask &= 1 - hidden
    left, top = max(0, x - _PAD), max(0, y - _PAD)
    crop = np.s_[top:y + height + _PAD, left:x + width + _PAD]
    mask, solid = mask[crop], mask[crop] & _filled((alpha[crop] > _SOLID).astype(np.uint8))
    gray = cv2.cvtColor(np.ascontiguousarray(picture[crop]), cv2.COLOR_RGB2GRAY)
    laid = np.round(ground + (gray - ground) * alpha[crop]).clip(0, 255).astype(np.uint8)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(solid, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 3)[1:-1, 1:-1]
    slack = int(np.clip(round(0.35 * float(depth.max())), 1, 3))
    core = (depth > slack).astype(np.uint8)
    plain = np.zeros_like(mask) if behind is None else (difference(picture[crop], behind[crop]) < SAME).astype(np.uint8)
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8)) & (1 - cv2.dilate(hidden[crop], np.ones((_CLEAR, _CLEAR), np.uint8)))
    points = salient_points(gradients(laid, blur=_BLUR), count=_POINTS, cell=16, mask=near > 0)
    inside = (core & (1 - plain))[points[:, 1].astype(int), points[:, 0].astype(int)] > 0
    moments = cv2.moments(mask, binaryImage=True)
    center = np.array([x - left + (width - 1) / 2, y - top + (height - 1) / 2])  # for slivers, all within what the front may hide
    if moments["m00"]:
        center = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    return View(frame, picture, 255 - 255 * hidden, np.array([left, top]), mask, solid & (1 - plain), core, plain,
                None if behind is None else np.ascontiguousarray(behind[crop]), gray, laid, near, points, points[inside],
                _thumbnail(laid, mask, center, area), slack, center + (left, top), float(area), cut)


def _large_parts(mask: np.ndarray) -> np.ndarray:
    """The mask without the parts that are small beside its largest: dirt of the matte, or too little to decide by."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = statistics[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return (areas > _PART * areas.max())[labels].astype(np.uint8)


def _filled(mask: np.ndarray) -> np.ndarray:
    """The mask without its pinholes: they are the matte's, and would leave no inside to a small sprite."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    pinhole = statistics[:, cv2.CC_STAT_AREA] < _SMALLEST
    pinhole[0] = False
    return mask | pinhole[labels].astype(np.uint8)


def _thumbnail(laid: np.ndarray, mask: np.ndarray, center: np.ndarray, area: float) -> np.ndarray:
    scale = 12 / np.sqrt(area)
    move = np.array([[scale, 0, 11.5 - scale * center[0]], [0, scale, 11.5 - scale * center[1]]])
    soft = [cv2.GaussianBlur(channel, (0, 0), max(0.5, 0.5 / scale)) for channel in (laid, mask * np.uint8(255))]
    return np.stack([cv2.warpAffine(channel, move, (24, 24), borderMode=cv2.BORDER_REPLICATE) for channel in soft], -1)


def placed(part: np.ndarray, offset: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (h, w) or (h, w, 3) at `offset` (x, y) of an empty one of `size` (width, height)."""
    whole = np.zeros((*size[::-1], *part.shape[2:]), np.uint8)
    whole[offset[1]:offset[1] + part.shape[0], offset[0]:offset[0] + part.shape[1]] = part
    return whole


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How far each picture lies outside the range of the other's 3 x 3 neighborhood: a shift of a pixel is no difference."""
    a, b = cv2.GaussianBlur(a, (0, 0), _SOFT), cv2.GaussianBlur(b, (0, 0), _SOFT)
    return np.minimum(np.maximum(interval(a, b), interval(b, a)), _SATURATED)
