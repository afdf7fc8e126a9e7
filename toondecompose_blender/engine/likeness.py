# SPDX-License-Identifier: GPL-3.0-or-later
"""Do two frames show the same drawing of a sprite, and how did it move from one to the other?
It sees one pair of frames at a time and knows nothing of holds, cycles or canvases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from .channels import products
from .geometry import corners, project, translation
from .guesses import stretched
from .motion.alignment import Alignment, Gradients, Model, align, gradients
from .motion.models import stretch
from .resampling import warp_to
from .views import SAME, View, difference, placed

__all__ = ["HOLD", "REPEAT", "Likeness", "Limits", "Registration", "compare", "differs", "registered", "strays"]

_BLURS = (3.0, 1.0)  # px: the first finds the place, the second the sub-pixel
_SEEN = 14.0  # levels, mean of 5 x 5 px, of 3 x 3 in what is thin: a difference that the eye sees
_ALLOWANCE = 0.0015  # of the compared px: large drawings have large mouths, and large mattes more dirt
_ZOOM = 0.7  # log of the scale: of a sprite that small little is to be seen
_VEIL = 1.0  # px of blur before two pictures and two backgrounds are compared
_NEAR = 7  # px: a veil is even that far
_LEAST_SHARE = 0.15  # of the background that a veil lets through
_SMALL = 6000  # px: of larger sprites what changes reaches further than the masks' errors, but for hair
_MISSED = 80  # px of those, besides the allowance, that mattes miss (measured: up to 70; 64, and else 119 and more, where hair waves 2 px)
_LARGE = 15000  # px: of still larger sprites a part that moves by itself is no larger (measured: beside 0 to 30 px, 140 and more)
_FREE = 100  # salient points that determine a turn and a scale
_GAIN = 0.04  # of the salient points: what a freer motion must explain more


@dataclass(frozen=True)
class Limits:
    """What two views of one drawing have at least, or at most."""

    inliers: float  # share of salient points with a residual under 8 levels
    overlap: float  # intersection over union of the masks, in the part both frames can see
    changed: int  # px well inside both masks, or here a large sprite, there its background, that differ, and 15 more for each 10,000 px
    stray: float  # px of the one far outside the other's mask, or where the other shows its background, as a share of the area, or of 15000


@dataclass(frozen=True)
class Likeness:
    """`homography` (3, 3) frame a -> frame b; the rest as in `Limits` (`changed` beyond the allowance)."""

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
FREER = Limits(inliers=0.8, overlap=0.8, changed=16, stray=0.006)  # what a motion that fits more, or a second try, must have


@dataclass(frozen=True)
class Registration:
    """Two views laid on each other as well as can be: `homography` (3, 3) frame a -> frame b, and `inliers`, 0..1, as in `Limits`: where
    the two are not alike, still the motion of what is."""

    a: View
    b: View
    found: Alignment
    ways: tuple[_Way, ...]
    guess: np.ndarray

    @property
    def homography(self) -> np.ndarray:
        return translation(*self.b.origin) @ self.found.homography @ translation(*-self.a.origin)

    @property
    def inliers(self) -> float:
        return self.found.inliers

    def likeness(self, limits: Limits) -> Likeness | None:
        """What the two have in common; None if they are not alike within the limits."""
        likeness = _judged(self.a, self.b, self.found, limits)
        if likeness is None and len(self.ways) > 1:
            likeness = _freer(self.a, self.b, self.ways[0], self.found)
        return _stiffer(self.a, self.b, self.ways[-1], self.guess) if likeness is None else likeness


def registered(a: View, b: View, guesses: list[np.ndarray]) -> Registration | None:
    """Align a with b from each guess (3, 3) frame a -> frame b until one fits well; None if no guess leads anywhere.

    The motion is a similarity, on top of the guess.
    """
    ways = [_Way(a, b, laid=True, points=a.points)]
    if len(a.inner) >= max(100, len(a.points) // 10):
        # drawing inside the sprite is trusted before its outline, which is the matte's
        ways.insert(0, _Way(a, b, laid=False, points=a.inner))
    found: Alignment | None = None
    for guess, way in ((guess, way) for guess in guesses for way in ways):
        alignment = _aligned(way, translation(*-b.origin) @ guess @ translation(*a.origin), _model(way.points))
        if alignment is not None and (found is None or alignment.inliers > found.inliers):
            found = alignment
            if found.inliers > 0.9:
                break
    return None if found is None else Registration(a, b, found, tuple(ways), guesses[0])


def compare(a: View, b: View, guesses: list[np.ndarray], limits: Limits) -> Likeness | None:
    """Register a with b, then look at what differs.

    None if no guess leads anywhere or the two are not alike within the limits. Only where a similarity fails the motion is an affine map
    or a homography, if there is drawing inside the sprite to prove it, or else the first guess, only moved on.
    """
    registration = registered(a, b, guesses)
    return None if registration is None else registration.likeness(limits)


def differs(a: View, b: View, homography: np.ndarray, limits: Limits) -> bool:
    """Whether more than the limits allow looks different when `homography` (3, 3) has brought a onto b, or lies apart."""
    likeness = _inspected(a, b, homography, 1.0)
    return likeness.changed > limits.changed or likeness.stray > limits.stray


def strays(a: View, b: View, homography: np.ndarray, limits: Limits) -> bool:
    """Whether more than the limits allow lies apart, where both frames can see it, when `homography` (3, 3) has brought a onto b."""
    return _inspected(a, b, homography, 1.0).stray > limits.stray


def _judged(a: View, b: View, found: Alignment, limits: Limits) -> Likeness | None:
    """What the two have in common under the alignment of their crops, if that is within the limits."""
    if found.inliers < limits.inliers:
        return None
    likeness = _inspected(a, b, translation(*b.origin) @ found.homography @ translation(*-a.origin), found.inliers)
    return likeness if likeness.within(limits) else None


def _stiffer(a: View, b: View, way: _Way, guess: np.ndarray) -> Likeness | None:
    """The likeness of a thing whose outline fits any scale, upright edges of a skyline: only moved on from the guess."""
    found = _aligned(way, translation(*-b.origin) @ guess @ translation(*a.origin), "translation")
    return None if found is None else _judged(a, b, found, FREER)


def _freer(a: View, b: View, way: _Way, stiff: Alignment) -> Likeness | None:
    """The likeness of a thing that turns in space: freer motions, from where the stiffer one ended and from how the masks are
    stretched, until one explains enough, and more than the stiffer one."""
    starts = [stiff.homography]
    if not (a.cut or b.cut):
        starts.append(translation(*-b.origin) @ stretched(a, b) @ translation(*a.origin))
    for start in starts:
        for model in ("affine", "homography"):
            found = _aligned(way, start, model)
            if found is None:
                break
            likeness = _judged(a, b, found, FREER) if found.inliers > stiff.inliers + _GAIN else None
            if likeness is not None:
                return likeness
            start = found.homography
    return None


class _Way:
    """What is aligned: the frame itself or the sprite laid on its ground, at which points. Made when first needed."""

    def __init__(self, a: View, b: View, *, laid: bool, points: np.ndarray):
        self._pictures = (a.laid, b.laid) if laid else (a.gray, b.gray)
        self.b = b
        self.points = points

    @cached_property
    def levels(self) -> list[tuple[Gradients, Gradients]]:
        return [(gradients(self._pictures[0], blur=blur), gradients(self._pictures[1], blur=blur)) for blur in _BLURS]


def _model(points: np.ndarray) -> Model:
    """As free a motion as that many points determine."""
    return "similarity" if len(points) >= _FREE else "translation"


def _aligned(way: _Way, start: np.ndarray, model: Model) -> Alignment | None:
    """Through the blurs, coarse to fine; None where that fails or shrinks the sprite away."""
    points = way.points
    found: Alignment | None = None
    for source, target in way.levels:
        found = align(source, target, points, start, model=model, iterations=8, minimum=max(12, len(points) // 5))
        if found is None:
            return None
        start = found.homography
        x, y = np.rint(project(translation(*way.b.origin) @ start, points)).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < way.b.open.shape[1]) & (y < way.b.open.shape[0])
        points = points[inside & (way.b.open[y * inside, x * inside] > 0)]
    return found if stretch(start, way.points.mean(0)) < _ZOOM else None


def _inspected(a: View, b: View, homography: np.ndarray, inliers: float) -> Likeness:
    """Compare the two frames where the sprite is, in a window of frame b that holds both masks."""
    low, size = _window(a, b, homography)
    window = translation(*-low) @ homography
    shown = b.picture[low[1]:low[1] + size[1], low[0]:low[0] + size[0]]
    common = (warp_to(a.open, window, *size) > 250) & (b.open[low[1]:low[1] + size[1], low[0]:low[0] + size[0]] > 0)
    parts = cv2.merge([a.mask, a.core, a.solid, a.plain]) * np.uint8(255)
    moved = [part > 127 for part in cv2.split(warp_to(parts, window @ translation(*a.origin), *size))]
    own = [placed(part, b.origin - low, size) > 0 for part in (b.mask, b.core, b.solid, b.plain)]
    change = difference(warp_to(a.picture, window, *size, border=cv2.BORDER_REPLICATE), shown)
    slack, within = np.ones((2 * min(a.slack, b.slack) + 3,) * 2, np.uint8), moved[0] | own[0]
    # sprite here, background there: no mask's error, however near the outline; limbs of a small sprite are all outline
    gone, small = (moved[2] & own[3]) | (own[2] & moved[3]), max(a.area, b.area) < _SMALL
    stray = _count(change, gone & common) / _area(within & common) if small else 0.0
    passing = moved[3] & own[3] & (change > SAME) & within  # the background, seen through a hole that the mattes miss
    if a.behind is not None and b.behind is not None:
        passing |= _shining_through(a, b, window, low, within)
    common &= cv2.dilate(passing.astype(np.uint8), slack) == 0
    core = moved[1] & own[1] & common
    near = [cv2.dilate(part.astype(np.uint8), slack) > 0 for part in (moved[0], own[0])]
    far = ((moved[2] & ~near[1]) | (own[2] & ~near[0])) & common
    both = int((moved[0] & own[0] & common).sum())
    union = within & common
    changed = max(0, _count(change, core) - int(_ALLOWANCE * core.sum()))
    if not small:   # hair that waves is nowhere inside
        changed += max(0, _count(change, gone & common, across=3) - _MISSED - int(_ALLOWANCE * union.sum()))
    return Likeness(homography, inliers, both / max(1, int(union.sum())), changed, stray + _count(change, far) / _area(union),
                    min(a.slack, b.slack))


def _area(union: np.ndarray) -> int:
    """Px that what strays is a share of: an arm is no larger for being a large body's."""
    return int(np.clip(union.sum(), 1, _LARGE))


def _window(a: View, b: View, homography: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Top left corner and size (width, height) of the part of frame b that holds b and what `homography` brings of a."""
    height, width = b.picture.shape[:2]
    outline = project(homography, corners(*a.mask.shape[::-1]) + a.origin)
    low = np.floor(np.minimum(outline.min(0), b.origin)).astype(int).clip(0, (width - 1, height - 1))
    high = np.ceil(np.maximum(outline.max(0), b.origin + b.mask.shape[::-1])).astype(int).clip(low + 1, (width, height))
    across, down = (high - low).tolist()
    return low, (across, down)


def _shining_through(a: View, b: View, window: np.ndarray, low: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Where, `within` a part of the window (bool), the two differ by a constant share of what their backgrounds differ: a shadow or a veil
    over another place. Bool, window."""
    size = within.shape[::-1]

    def apart(early: np.ndarray, late: np.ndarray) -> np.ndarray:
        there = warp_to(early.astype(np.float32), window @ translation(*a.origin), *size)
        return cv2.GaussianBlur(placed(late, b.origin - low, size).astype(np.float32) - there, (0, 0), _VEIL)

    ground = apart(a.behind, b.behind)
    weight = cv2.blur(products(ground, ground), (_NEAR, _NEAR))
    told = within & (weight > SAME**2)
    if not told.any():      # as before flat paint
        return told
    change = apart(_crop(a), _crop(b))
    share = np.clip(cv2.blur(products(change, ground), (_NEAR, _NEAR)) / np.maximum(weight, 1), 0, 1)
    rest = change - share[..., None] * ground
    rest = np.sqrt(products(rest, rest))
    return told & (share > _LEAST_SHARE) & (cv2.blur(rest, (_NEAR, _NEAR)) < SAME)


def _crop(view: View) -> np.ndarray:
    x, y = view.origin
    return view.picture[y:y + view.mask.shape[0], x:x + view.mask.shape[1]]


def _count(change: np.ndarray, zone: np.ndarray, *, across: int = 5) -> int:
    return int(((cv2.blur(change * zone, (across, across)) > _SEEN) & zone).sum())
