# SPDX-License-Identifier: GPL-3.0-or-later
"""Do two frames show the same drawing of a sprite, and how did it move from one to the other?
It sees one pair of frames at a time and knows nothing of holds, cycles or canvases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from .geometry import corners, project, relative, translation, warp_to
from .motion.alignment import Alignment, Gradients, align, gradients, salient_points

__all__ = ["HOLD", "REPEAT", "Likeness", "Limits", "View", "compare", "correlate", "ground_of", "view_of"]

_SMALLEST = 12  # px: less than this is dirt, not a sprite
_PART = 0.1  # of the largest part's area
_SOLID = 0.8  # alpha: through less one sees the background, which moves
_SAME = 7.2  # levels: less is what a known background explains; engine design S7
_TRACE = 0.1  # alpha: more than that in front of the sprite hides it
_PAD = 24  # px around the sprite's box that the gradients cover: the reach of the coarse alignment
_POINTS = 1500
_BLURS = (3.0, 1.0)  # px: the first finds the place, the second the sub-pixel
_SOFT = 0.8  # px of blur before colors are compared: resampled line art then differs by a few levels only
_SEEN = 14.0  # levels, mean of 5 x 5 px: a difference that the eye sees
_SATURATED = 60.0  # levels: one wild pixel must not count as many
_ALLOWANCE = 0.0015  # of the compared px: large drawings have large mouths, and large mattes more dirt
_ZOOM = 0.7  # log of the scale: of a sprite that small little is to be seen


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
    camera: np.ndarray | None  # (3, 3) background plane -> frame
    gray: np.ndarray  # uint8 crop
    laid: np.ndarray  # uint8 crop: the sprite, gray, laid on a plain ground
    points: np.ndarray  # float32 (N, 2), crop px
    inner: np.ndarray  # float32 (M, 2): those inside the core
    thumbnail: np.ndarray  # uint8 (24, 24, 2): gray and mask, centered, of unit area
    slack: int  # px that the outline may be wrong: 3, less for thin sprites
    center: np.ndarray  # float64 (2,), frame px
    area: float
    cut: bool  # touches the frame's border or what is in front

    @property
    def clearness(self) -> tuple[bool, float, int]:
        """Sorts views by how well they show the drawing."""
        return not self.cut, self.area, -self.frame


@dataclass(frozen=True)
class Limits:
    """What two views of one drawing have at least, or at most."""

    inliers: float  # share of salient points with a residual under 8 levels
    overlap: float  # intersection over union of the masks, in the part both frames can see
    changed: int  # px well inside both masks that look different, and 15 more for each 10,000 px there
    stray: float  # px far outside the other mask that look different, as a share of the area


@dataclass(frozen=True)
class Likeness:
    """`homography` (3, 3) frame a -> frame b, a similarity; the rest as in `Limits` (`changed` beyond the allowance)."""

    homography: np.ndarray
    inliers: float
    overlap: float
    changed: int
    stray: float
    slack: int

    def within(self, limits: Limits) -> bool:
        strict = 0.1 * (3 - self.slack)  # the smaller the sprite, the more each pixel says
        return (self.inliers >= limits.inliers + strict and self.overlap >= limits.overlap + strict
                and self.changed <= limits.changed and self.stray <= limits.stray)


HOLD = Limits(inliers=0.6, overlap=0.6, changed=20, stray=0.01)
REPEAT = Limits(inliers=0.65, overlap=0.6, changed=16, stray=0.006)


def ground_of(frames: np.ndarray, alphas: np.ndarray, scale: float) -> float:
    """The gray level 0, 128 or 255 that stands out best from the sprite, so that its outline can be aligned."""
    shades = []
    for frame, alpha in zip(frames[::max(1, len(frames) // 8)], alphas[::max(1, len(frames) // 8)], strict=True):
        mask = (alpha * scale > 0.5).astype(np.uint8)
        shades.append(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[mask > cv2.erode(mask, np.ones((5, 5), np.uint8))])
    shades = np.concatenate(shades).astype(np.float32)
    return max((128.0, 0.0, 255.0), key=lambda ground: float(np.abs(shades - ground).mean()) if len(shades) else 0.0)


def view_of(frame: int, picture: np.ndarray, alpha: np.ndarray, ground: float, *, front: np.ndarray | None = None,
            behind: np.ndarray | None = None, camera: np.ndarray | None = None) -> View | None:
    """The sprite with this alpha, float32 (h, w) 0..1, in a picture, uint8 (h, w, 3) RGB; None where it is not to be seen.

    `front`, like alpha, is what lies before it; `behind`, like the picture, what would be seen without it; `camera` (3, 3)
    leads from the background's plane to the frame.
    """
    mask = _large_parts((alpha > 0.5).astype(np.uint8))
    area = int(mask.sum())
    if area < _SMALLEST:
        return None
    x, y, width, height = cv2.boundingRect(mask)
    hidden = np.zeros_like(mask) if front is None else cv2.dilate((front > _TRACE).astype(np.uint8), np.ones((7, 7), np.uint8))
    cut = x == 0 or y == 0 or x + width == mask.shape[1] or y + height == mask.shape[0] or bool((mask & hidden).any())
    mask &= 1 - hidden
    left, top = max(0, x - _PAD), max(0, y - _PAD)
    crop = np.s_[top:y + height + _PAD, left:x + width + _PAD]
    mask, solid = mask[crop], mask[crop] & (alpha[crop] > _SOLID).astype(np.uint8)
    gray = cv2.cvtColor(np.ascontiguousarray(picture[crop]), cv2.COLOR_RGB2GRAY)
    laid = np.round(ground + (gray - ground) * alpha[crop]).clip(0, 255).astype(np.uint8)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(solid, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 3)[1:-1, 1:-1]
    slack = int(np.clip(round(0.35 * float(depth.max())), 1, 3))
    core = (depth > slack).astype(np.uint8)
    plain = np.zeros_like(mask) if behind is None else (difference(picture[crop], behind[crop]) < _SAME).astype(np.uint8)
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8)) & (1 - cv2.dilate(hidden[crop], np.ones((5, 5), np.uint8)))
    points = salient_points(gradients(laid, blur=_BLURS[1]), count=_POINTS, cell=16, mask=near > 0)
    inside = (core & (1 - plain))[points[:, 1].astype(int), points[:, 0].astype(int)] > 0
    moments = cv2.moments(mask, binaryImage=True)
    center = np.array([x - left + (width - 1) / 2, y - top + (height - 1) / 2])  # for slivers, all within what the front may hide
    if moments["m00"]:
        center = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    return View(frame, picture, 255 - 255 * hidden, np.array([left, top]), mask, solid & (1 - plain), core, plain, camera,
                gray, laid, points, points[inside],
                _thumbnail(laid, mask, center, area), slack, center + (left, top), float(area), cut)


def _large_parts(mask: np.ndarray) -> np.ndarray:
    """The mask without the parts that are small beside its largest: dirt of the matte, or too little to decide by."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = statistics[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return (areas > _PART * areas.max())[labels].astype(np.uint8)


def _thumbnail(laid: np.ndarray, mask: np.ndarray, center: np.ndarray, area: float) -> np.ndarray:
    scale = 12 / np.sqrt(area)
    move = np.array([[scale, 0, 11.5 - scale * center[0]], [0, scale, 11.5 - scale * center[1]]])
    soft = [cv2.GaussianBlur(channel, (0, 0), max(0.5, 0.5 / scale)) for channel in (laid, mask * np.uint8(255))]
    return np.stack([cv2.warpAffine(channel, move, (24, 24), borderMode=cv2.BORDER_REPLICATE) for channel in soft], -1)


def correlate(a: View, b: View, ground: float) -> np.ndarray:
    """The shift (2,) in px, to about two px, under which the whole of b looks most like a; right for cut sprites as well."""
    signals = [cv2.resize(view.laid - np.float32(ground), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) for view in (a, b)]
    height, width = np.add(signals[0].shape, signals[1].shape)
    spectra = [np.fft.rfft2(signal, (height, width)) for signal in signals]
    peak = int(np.argmax(np.fft.irfft2(np.conj(spectra[0]) * spectra[1], (height, width))))
    shift = np.array([(peak % width + signals[0].shape[1]) % width - signals[0].shape[1],
                      (peak // width + signals[0].shape[0]) % height - signals[0].shape[0]])
    return 4.0 * shift + b.origin - a.origin


def compare(a: View, b: View, guesses: list[np.ndarray], limits: Limits) -> Likeness | None:
    """Align a with b from each guess (3, 3) frame a -> frame b until one fits well, then look at what differs.

    None if no guess leads anywhere or the two are not alike within the limits.
    """
    ways = [_Way(a, b, laid=True, points=a.points)]
    if len(a.inner) >= max(100, len(a.points) // 10):
        # drawing inside the sprite is trusted before its outline, which is the matte's
        ways.insert(0, _Way(a, b, laid=False, points=a.inner))
    found: Alignment | None = None
    for guess, way in ((guess, way) for guess in guesses for way in ways):
        alignment = _aligned(way, translation(*-b.origin) @ guess @ translation(*a.origin))
        if alignment is not None and (found is None or alignment.inliers > found.inliers):
            found = alignment
            if found.inliers > 0.9:
                break
    if found is None or found.inliers < limits.inliers:
        return None
    homography = translation(*b.origin) @ found.homography @ translation(*-a.origin)
    likeness = _inspected(a, b, homography, found.inliers)
    return likeness if likeness.within(limits) else None


class _Way:
    """What is aligned: the frame itself or the sprite laid on its ground, at which points. Made when first needed."""

    def __init__(self, a: View, b: View, *, laid: bool, points: np.ndarray):
        self._pictures = (a.laid, b.laid) if laid else (a.gray, b.gray)
        self.b = b
        self.points = points

    @cached_property
    def levels(self) -> list[tuple[Gradients, Gradients]]:
        return [(gradients(self._pictures[0], blur=blur), gradients(self._pictures[1], blur=blur)) for blur in _BLURS]


def _aligned(way: _Way, start: np.ndarray) -> Alignment | None:
    """Through the blurs, coarse to fine; None where that fails or shrinks the sprite away."""
    points = way.points
    model = "similarity" if len(points) >= 100 else "translation"
    found: Alignment | None = None
    for source, target in way.levels:
        found = align(source, target, points, start, model=model, iterations=8, minimum=max(12, len(points) // 5))
        if found is None:
            return None
        start = found.homography
        x, y = np.rint(project(translation(*way.b.origin) @ start, points)).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < way.b.open.shape[1]) & (y < way.b.open.shape[0])
        points = points[inside & (way.b.open[y * inside, x * inside] > 0)]
    return found if abs(np.log(np.hypot(start[0, 0], start[1, 0]))) < _ZOOM else None


def _inspected(a: View, b: View, homography: np.ndarray, inliers: float) -> Likeness:
    """Compare the two frames where the sprite is, in a window of frame b that holds both masks."""
    height, width = b.picture.shape[:2]
    outline = project(homography, corners(*a.mask.shape[::-1]) + a.origin)
    low = np.floor(np.minimum(outline.min(0), b.origin)).astype(int).clip(0, (width - 1, height - 1))
    high = np.ceil(np.maximum(outline.max(0), b.origin + b.mask.shape[::-1])).astype(int).clip(low + 1, (width, height))
    size = tuple(int(v) for v in high - low)
    window = translation(*-low) @ homography
    common = (warp_to(a.open, window, *size) > 250) & (b.open[low[1]:high[1], low[0]:high[0]] > 0)
    moved = [warp_to(255 * part, window @ translation(*a.origin), *size) > 127 for part in (a.mask, a.core, a.solid, a.plain)]
    own = [_placed(part, b.origin - low, size) > 0 for part in (b.mask, b.core, b.solid, b.plain)]
    change = difference(warp_to(a.picture, window, *size, border=cv2.BORDER_REPLICATE), b.picture[low[1]:high[1], low[0]:high[0]])
    slack = np.ones((2 * min(a.slack, b.slack) + 3,) * 2, np.uint8)
    passing = moved[3] & own[3]  # the background, seen through a hole that the mattes miss
    if a.camera is not None and b.camera is not None:
        still = warp_to(a.picture, translation(*-low) @ relative(a.camera, b.camera), *size, border=cv2.BORDER_REPLICATE)
        passing |= difference(still, b.picture[low[1]:high[1], low[0]:high[0]]) < _SAME
    passing &= change > _SAME
    common &= cv2.dilate(passing.astype(np.uint8), slack) == 0
    core = moved[1] & own[1] & common
    near = [cv2.dilate(part.astype(np.uint8), slack) > 0 for part in (moved[0], own[0])]
    far = ((moved[2] & ~near[1]) | (own[2] & ~near[0])) & common
    union = int(((moved[0] | own[0]) & common).sum())
    return Likeness(homography, inliers, int((moved[0] & own[0] & common).sum()) / max(1, union),
                    max(0, _count(change, core) - int(_ALLOWANCE * core.sum())), _count(change, far) / max(1, union), min(a.slack, b.slack))


def _placed(part: np.ndarray, offset: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(size[::-1], np.uint8)
    whole[offset[1]:offset[1] + part.shape[0], offset[0]:offset[0] + part.shape[1]] = part
    return whole


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How far each picture lies outside the range of the other's 3 x 3 neighborhood: a shift of a pixel is no difference."""
    a, b = cv2.GaussianBlur(a, (0, 0), _SOFT), cv2.GaussianBlur(b, (0, 0), _SOFT)
    near = np.ones((3, 3), np.uint8)
    worst = np.zeros(a.shape[:2], np.float32)
    for one, other in ((a, b), (b, a)):
        outside = np.maximum(cv2.subtract(cv2.erode(other, near), one), cv2.subtract(one, cv2.dilate(other, near)))
        worst = np.maximum(worst, np.sqrt((outside.astype(np.float32) ** 2).sum(-1)))
    return np.minimum(worst, _SATURATED)


def _count(change: np.ndarray, zone: np.ndarray) -> int:
    return int(((cv2.blur(change * zone, (5, 5)) > _SEEN) & zone).sum())
