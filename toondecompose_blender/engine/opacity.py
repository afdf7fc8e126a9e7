# SPDX-License-Identifier: GPL-3.0-or-later
"""Sprites that fade in or out: a faded frame shows a known drawing, only fainter, and so gets that drawing, its place and an opacity.
It reads the sheet and the masks of one sprite and solves no mattes of its own; whole-shot fades are `veil`'s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .drawings import ExposureSheet
from .drawings_canvas import canvas_of
from .geometry import normalized, translation
from .layers.plate import Canvas, Look
from .matting.sprites import Sighting, solve_drawings
from .matting.triangulation import Matte
from .parallel import map_ordered
from .report import Report
from .resampling import warp_to

__all__ = ["Presence", "find_presence"]

SOLID, FAINT = 0.9, 0.75     # of a sprite's usual contrast with the background: certainly no fade yet; perhaps one
USUAL = 80                   # percentile of the contrast over the frames that show the sprite
LEAD = 4                     # frames before the contrast falls that are looked at again: a fade begins before it is noticed
FEWEST = 3                   # frames of a fade
LEVELS = ((4.0, 4), (1.5, 2), (0.0, 1))  # of the fit, coarse to fine: blur, px at 360 lines, and every how many px is looked at
TURNS = 4                    # Gauss-Newton steps at each
MOST_DRAWINGS, LIKELY = 8, 3  # that a faded frame is compared with coarsely, the latest before the fade: a run cycle; and finely
FARTHEST = 0.05              # of the canvas: a fit that wanders farther from where the sprite was going has lost it
EXPLAINED, LEAST_EXPLAINED = 0.8, 0.5  # share of a frame's difference to the background that a fit explains: of half the fade; of any frame
FADED, OPAQUE, GONE = 0.7, 0.97, 0.03  # opacity that a fade must reach; that counts as 1; that cannot be told from nothing
LEAST_CONTRAST = 3.0         # gray levels of a background, below which nothing of it can be seen through a sprite
THROUGH = 0.15               # by how much what is seen of the background may miss the opacity
ALONE = 0.97                 # share that a fit must explain where the background cannot be told through the sprite
RISE = 0.1                   # opacity by which a fade may seem to turn back


@dataclass(frozen=True)
class Presence:
    """A sprite's `sheet`, with faded frames on drawings that were seen solid; `opacity` (T,) 0..1; `solid` (T,) bool: the frames
    from which the drawings are to be solved."""
    sheet: ExposureSheet
    opacity: np.ndarray
    solid: np.ndarray


@dataclass(frozen=True)
class _Tail:
    """Frames outwards from a solid one, and those among them whose contrast has fallen."""
    times: np.ndarray
    fallen: frozenset[int]


@dataclass(frozen=True)
class _Fit:
    """A faded frame explained by a drawing (from 1) that lies at `homography` (3, 3), canvas -> frame; the rest are shares 0..1."""
    drawing: int
    homography: np.ndarray
    opacity: float
    explained: float
    through: float  # share of the background's own contrast that is seen inside of the sprite; NaN where it has none


def find_presence(frames: np.ndarray, masks: np.ndarray, front: Sequence[np.ndarray], sheet: ExposureSheet, *, look: Look,
                  camera: np.ndarray, report: Report) -> Presence:
    """How far a sprite is there, from frames uint8 (T, h, w, 3), its soft masks and those before it, uint8 (T, h, w).

    `look(t)` is the background, `camera` (T, 3, 3) its motion.  Most sprites do not fade: then the sheet is the given one.
    `report` is only asked whether to stop; its steps are the caller's.
    """
    nothing = Presence(sheet, np.ones(len(frames)), np.ones(len(frames), bool))
    contrast = np.zeros(len(frames))
    shown = np.flatnonzero(sheet.exposure).tolist()
    for t, own in zip(shown, map_ordered(lambda t: _contrast(frames[t], masks[t], front[t], look(t)), shown), strict=True):
        report.step(0)
        contrast[t] = own
    height, width = frames.shape[1:3]
    fits: dict[int, _Fit] = {}
    for start, tail in _tails(contrast):
        canvas = canvas_of(sheet, masks, width=width, height=height, camera=camera)
        solid = _latest(sheet.exposure, start, tail)
        numbers = np.unique(solid[solid > 0])
        sighting = Sighting(frames.__getitem__, masks.__getitem__, front.__getitem__, look, ())
        mattes = solve_drawings(sighting, canvas, _renumbered(solid, numbers))
        layers: dict[int, _Layer] = {}
        for number, matte in zip(numbers, mattes, strict=True):
            report.step(0)
            layers[int(number)] = _Layer(matte, min(height, width) / 360)
        found = _Walker(frames, front, look, canvas, layers).follow(start, tail, report)
        if _is_fade([fit for _, fit in found]):
            fits |= {t: fit for t, fit in found if fit.opacity < OPAQUE}
    return _with_fades(nothing, canvas, fits) if fits else nothing


def _contrast(frame: np.ndarray, mask: np.ndarray, front: np.ndarray, behind: tuple[np.ndarray, np.ndarray]) -> float:
    """Mean distance in gray levels of a sprite to what is behind it."""
    shown, seen = behind
    inside = (mask > 127) & (front < 64) & seen
    return float(np.linalg.norm(frame[inside].astype(np.float32) - shown[inside], axis=1).mean()) if inside.any() else 0.0


def _tails(contrast: np.ndarray) -> list[tuple[int, _Tail]]:
    """The last surely solid frame before each fall of the contrast at an end of a presence, and what comes after it."""
    present = np.flatnonzero(contrast)
    if not len(present):
        return []
    usual, tails = np.percentile(contrast[present], USUAL), []
    for run in np.split(present, np.flatnonzero(np.diff(present) > 1) + 1):
        solid = run[contrast[run] >= SOLID * usual]
        for last, end, step in ((solid[-1:], len(contrast), 1), (solid[:1], -1, -1)):
            inside = solid[(last - solid) * step >= LEAD]
            if not len(inside):
                continue
            start = int(inside[-1] if step > 0 else inside[0])
            times = np.arange(start + step, end, step)
            again = np.flatnonzero(((times - last) * step > 0) & (contrast[times] >= SOLID * usual))
            times = times[:again[0]] if len(again) else times
            fallen = frozenset(times[(contrast[times] < FAINT * usual) & np.isin(times, run)].tolist())
            if len(fallen) >= FEWEST:
                tails.append((start, _Tail(times, fallen)))
    return tails


def _latest(exposure: np.ndarray, start: int, tail: _Tail) -> np.ndarray:
    """The exposure of the drawings shown last before a tail, outwards from its start; 0 in every other frame."""
    step = 1 if tail.times[0] > start else -1
    before = exposure[:start + 1][::-1] if step > 0 else exposure[start:]
    shown = list(dict.fromkeys(before[before > 0].tolist()))[:MOST_DRAWINGS]
    outside = np.ones(len(exposure), bool)
    outside[tail.times] = False
    return np.where(np.isin(exposure, shown) & outside, exposure, 0)


def _renumbered(exposure: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Drawings counted from 1 without gaps; 0 stays 0."""
    return np.where(exposure > 0, np.searchsorted(numbers, exposure) + 1, 0).astype(np.int32)


class _Layer:
    """A solved drawing as it mixes, at each level of the fit: premultiplied color float32 (h, w, 3) in gray levels, alpha (h, w, 1)."""

    def __init__(self, matte: Matte, scale: float):
        alpha = matte.rgba[..., 3:].astype(np.float32) / 255
        self.levels = [tuple(_at(part, blur * scale, stride) for part in (matte.rgba[..., :3] * alpha, alpha)) for blur, stride in LEVELS]
        self.reach = (cv2.dilate(alpha, np.ones((5, 5))) > 0.05)[..., None]


class _Walker:
    """Follows a fading sprite from frame to frame: which drawing, where, and how faint."""

    def __init__(self, frames: np.ndarray, front: Sequence[np.ndarray], look: Look, canvas: Canvas, layers: dict[int, _Layer]):
        self.frames, self.front, self.canvas, self.layers = frames, front, canvas, layers
        self.look = lru_cache(1)(look)  # many fits look at one frame
        self.scale = min(frames.shape[1:3]) / 360

    def follow(self, start: int, tail: _Tail, report: Report) -> list[tuple[int, _Fit]]:
        """Fits of the tail's frames, which lead away from the solid frame `start`, as far as they succeed."""
        step = 1 if tail.times[0] > start else -1
        here, before = self.canvas.homographies[start], self.canvas.homographies[max(0, min(len(self.frames) - 1, start - step))]
        fits: list[tuple[int, _Fit]] = []
        for t in map(int, tail.times):
            report.step(0)
            guess = normalized(here @ np.linalg.inv(before) @ here)  # straight on
            fit = self._fit(t, guess)
            if fit.explained < LEAST_EXPLAINED or fit.opacity < GONE or (t in tail.fallen and fit.opacity > SOLID):
                break
            before, here = here, fit.homography
            fits.append((t, fit))
        return fits

    def _fit(self, t: int, guess: np.ndarray) -> _Fit:
        """The drawing, its shift and its opacity that explain frame t best: all drawings coarsely, a few better, the best finely."""
        first, farthest = self._sight(t, guess, 0), FARTHEST * max(self.canvas.width, self.canvas.height)
        shifts = {number: np.zeros(2) for number in self.layers}
        for level, (_, stride) in enumerate(LEVELS):
            tries = {}
            for number, shift in shifts.items():
                sight = self._sight(t, guess @ translation(*shift), level) if level else first
                offset, _, explained = _fitted(*self.layers[number].levels[level], *sight)
                tries[number] = explained, np.clip(shift + offset * stride, -farthest, farthest)
            best = sorted(tries, key=lambda number: -tries[number][0])[:LIKELY if level == 0 else 1]
            shifts = {number: tries[number][1] for number in best}
        number, shift = next(iter(shifts.items()))
        return self._measured(t, number, normalized(guess @ translation(*shift)))

    def _measured(self, t: int, number: int, homography: np.ndarray) -> _Fit:
        """What a drawing explains of frame t when it lies there."""
        frame, behind, weight = self._sight(t, homography, len(LEVELS) - 1)
        layer = self.layers[number]
        color, alpha = layer.levels[-1]
        _, opacity, explained = _fitted(color, alpha, frame, behind, weight * layer.reach, turns=0)
        inner = (weight * layer.reach * (alpha > 0.95))[..., 0] > 0
        return _Fit(number, homography, opacity, explained, _seen_through(frame[inner], color[inner], behind[inner]))

    def _sight(self, t: int, homography: np.ndarray, level: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frame t, its background and where both are to be believed, brought onto the canvas."""
        shown, seen = self.look(t)
        usable = ((self.front[t] < 64) & seen).astype(np.float32)
        blur, stride = LEVELS[level]
        parts = (warp_to(np.float32(part), np.linalg.inv(homography), self.canvas.width, self.canvas.height)
                 for part in (self.frames[t], shown, usable))
        frame, behind, weight = (_at(part, blur * self.scale, stride) for part in parts)
        return frame, behind, (weight > 0.99).astype(np.float32)


def _seen_through(frame: np.ndarray, color: np.ndarray, behind: np.ndarray) -> float:
    """b of the least squares frame = a color + b behind + c over pixels (N, 3): of a fade 1 - opacity, of a change of color 0."""
    if len(frame) < 50:
        return float("nan")
    own, back, seen = (part - part.mean(0) for part in (color, behind, frame))
    one, both, other = (own * own).sum(), (own * back).sum(), (back * back).sum()
    left = other - both * both / max(one, 1e-6)  # of the background, what the drawing does not resemble
    if left < back.size * LEAST_CONTRAST**2:
        return float("nan")
    return float(((back * seen).sum() - both * (own * seen).sum() / max(one, 1e-6)) / left)


def _at(picture: np.ndarray, sigma: float, stride: int) -> np.ndarray:
    """A picture (h, w, C) float32 blurred and thinned out."""
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma) if sigma > 0 else picture
    return blurred.reshape(*picture.shape[:2], -1)[::stride, ::stride]


def _fitted(color: np.ndarray, alpha: np.ndarray, frame: np.ndarray, behind: np.ndarray, weight: np.ndarray, *,
            turns: int = TURNS) -> tuple[np.ndarray, float, float]:
    """The shift (2,) px of a layer, its opacity, and the share of the difference between frame and background that both explain."""
    offset, difference = np.zeros(2), frame - behind
    for turn in range(turns + 1):
        model = _moved(color, offset) - _moved(alpha, offset) * behind
        opacity = float(np.clip((weight * difference * model).sum() / max((weight * model * model).sum(), 1e-6), 0, 1.2))
        left = difference - opacity * model
        if turn < turns:
            offset = offset + _step(model, left, weight, opacity)
    explained = 1 - (weight * left * left).sum() / max((weight * difference * difference).sum(), 1e-6)
    return offset, opacity, float(explained)


def _moved(picture: np.ndarray, offset: np.ndarray) -> np.ndarray:
    if not offset.any():
        return picture
    moved = cv2.warpAffine(picture, np.float64([[1, 0, offset[0]], [0, 1, offset[1]]]), picture.shape[1::-1])
    return moved.reshape(*picture.shape[:2], -1)


def _step(model: np.ndarray, left: np.ndarray, weight: np.ndarray, opacity: float) -> np.ndarray:
    """One Gauss-Newton step (2,) for the shift of a model (h, w, 3) times `opacity` that leaves `left` unexplained."""
    slopes = [-opacity * slope for slope in np.gradient(model, axis=(1, 0))]
    normal = np.array([[(weight * one * other).sum() for other in slopes] for one in slopes])
    pull = np.array([(weight * slope * left).sum() for slope in slopes])
    step = np.linalg.solve(normal + 1e-3 * np.trace(normal) * np.eye(2) + 1e-6 * np.eye(2), pull)
    return np.clip(step, -2, 2)


def _is_fade(fits: list[_Fit]) -> bool:
    """Whether fits, from solid to faint, fall steadily and explain what they see: an odd shape or a shadow does not."""
    faded = [fit for fit in fits if fit.opacity < OPAQUE]
    if len(faded) < FEWEST or sorted(fit.opacity for fit in faded)[1] > FADED:  # one faint frame may be anything
        return False
    falling = all(after.opacity < before.opacity + RISE for before, after in zip(faded, faded[1:], strict=False))
    through = [fit.through - (1 - fit.opacity) for fit in faded if np.isfinite(fit.through)]
    explained = float(np.median([fit.explained for fit in faded]))
    return falling and explained > (EXPLAINED if through else ALONE) and abs(float(np.median(through or [0]))) < THROUGH


def _with_fades(whole: Presence, canvas: Canvas, fits: dict[int, _Fit]) -> Presence:
    """The presence with its faded frames on the drawings that fit them; drawings that no frame shows any more are dropped."""
    sheet = whole.sheet
    exposure, poses = sheet.exposure.copy(), sheet.poses.copy()
    opacity, solid = whole.opacity.copy(), whole.solid.copy()
    for t, fit in fits.items():
        exposure[t], opacity[t], solid[t] = fit.drawing, min(1.0, fit.opacity), False
        reference = canvas.homographies[sheet.references[fit.drawing - 1]]
        poses[t] = normalized(fit.homography @ np.linalg.inv(reference))
    # What is left of the sprite beyond a fade is too faint for a drawing of its own.
    lost = (exposure > 0) & ~np.isin(exposure, np.unique(exposure[solid & (exposure > 0)]))
    exposure[lost], opacity[lost], poses[lost] = 0, 1.0, np.eye(3)
    numbers = np.unique(exposure[exposure > 0])
    kept = ExposureSheet(_renumbered(exposure, numbers), poses, sheet.references[numbers - 1], sheet.pegs[numbers - 1])
    return Presence(kept, opacity, solid)
