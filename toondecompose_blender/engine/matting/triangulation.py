# SPDX-License-Identifier: GPL-3.0-or-later
"""Alpha and color of a drawing in closed form: the same drawing over a background that moves (Smith and Blinn's triangulation,
as a ridge regression towards a known-background matte).  It sees what the exposures say together and the drawing's region."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..layers.plate import fill_unseen
from .matte_kernels import banded, contrasts, painted, regressed, straightened
from .pool import Pool
from .region import Region, odd

__all__ = ["Matte", "solve_matte"]

RIDGE = 300.0                    # squared gray levels by which the prior matte is trusted; by trial on toon clips
DISTINCT = (600.0, 1500.0)       # squared levels between foreground and background: offset and range of trust; by trial on toon clips
VARIED = 900.0                   # squared levels of background change a sight that determine alpha: 30 levels, a guess
TELLING, LEVEL = 8.0, 20.0       # squared levels, around, that tell how translucent the inside is, and of noise; by trial on toon clips
LEAST_SHARE = 0.15               # of the background, around: less may be chance (measured: as good from .12 to .2)
DUST = 0.25                      # alpha outside of a region that needs a sign of something being there
STRAND_CONTRAST = 30.0           # gray levels by which a strand must stand out from what is behind it
LONELY = 15                      # px across at 360 lines around what is thin, where nothing is well inside
AROUND, FLAT = 13, 6.0           # px at 360 lines, or more, around, and gray levels there, of a background that goes on (judgement)
BLENDED = 8.0                    # gray levels by which a blend of two flat colors is met; by trial: at 14 a light rim before a sky is lost
SNAP_LOW, SNAP_HIGH = 0.03, 0.97  # alpha beyond which it is noise around 0 or 1; by trial on toon clips


@dataclass(frozen=True)
class Matte:
    """A drawing: straight-alpha `rgba` uint8 (H, W, 4), colors continued under alpha 0; `confidence` uint8 (H, W), 255 = seen."""
    rgba: np.ndarray
    confidence: np.ndarray


def solve_matte(pool: Pool, region: Region, *, veiled: bool, scale: float) -> Matte:
    """The drawing with this pool and region, which may be translucent within if it is `veiled`; `scale` is the frame's short side over
    360 px."""
    prior = _known_background_alpha(pool, region, scale)
    solid = region.solid.astype(np.uint8)
    inner, outer = cv2.erode(solid, _square(9 * scale)) > 0, cv2.dilate(solid, _square(9 * scale)) == 0
    if veiled:
        share = _background_share(pool, region, scale)
        prior, inner = np.minimum(prior, 1 - share), inner & (share == 0)
    # Mattes leave faint dust where all is quiet, made of a background that is not quite where, or as sharp as, its plate says.
    # Where the background never changed behind the inside, its alpha is not determined: take it as opaque.
    figures = (np.float32(figure) for figure in (RIDGE, DUST, SNAP_LOW, SNAP_HIGH, VARIED))
    alpha = regressed(prior, pool.covariance, pool.variance, pool.sights, pool.quiet, region.solid, inner, outer, *figures)
    near = cv2.dilate((alpha > 0).astype(np.uint8), _square(5 * scale)) > 0
    rgba = painted(*_straight_color(pool.color, pool.background, alpha, pool.sights), alpha, near)
    confidence = np.where(alpha > 0, np.minimum(pool.sights, 1) * 255, 255).astype(np.uint8)
    return Matte(rgba, confidence)


def _background_share(pool: Pool, region: Region, scale: float) -> np.ndarray:
    """Which share of the background is seen inside the region, float32 (H, W): a glow, a shadow.  What changes there changes with the
    background around, little by little in one pixel, but everywhere alike; 0 where that is not to be told, or where it is little."""
    within = cv2.erode(region.solid.astype(np.uint8), _square(5 * scale)).astype(np.float32)
    varied, together = (cv2.blur(sums * within, (odd(9 * scale),) * 2) for sums in (pool.variance, pool.covariance))
    share = np.clip(together / (varied + np.float32(LEVEL)), 0, 1)
    return np.where((share > LEAST_SHARE) & (varied > TELLING) & region.solid, share, np.float32(0))


def _square(size: float) -> np.ndarray:
    return np.ones((odd(size), odd(size)), np.uint8)


def _known_background_alpha(pool: Pool, region: Region, scale: float) -> np.ndarray:
    """In a band around the region's border: how far the color lies between the known background and the sure inside's color."""
    color, background = pool.color, pool.background
    if not region.solid.any():
        return np.zeros(region.soft.shape, np.float32)
    inside = fill_unseen(color, _sure_inside(region, scale))
    known = pool.known | (cv2.dilate(region.through.astype(np.uint8), _square(5 * scale)) > 0)
    solid = region.solid.astype(np.uint8)
    band = (cv2.dilate(solid, _square(5 * scale)) > 0) & (cv2.erode(solid, _square(7 * scale)) == 0)
    background, flat = _going_on(background, known, band & ~known, scale)
    known = known | _blended(color, background, inside, flat)
    alpha = banded(color, background, inside, known, band, region.soft, region.solid, *(np.float32(level) for level in DISTINCT))
    strands, strength = _strands(solid, color, background, scale)
    return np.where(strands & known, np.maximum(alpha, strength), alpha).astype(np.float32)


def _sure_inside(region: Region, scale: float) -> np.ndarray:
    """Where the color is the drawing's own, float32 (H, W), 0 or 1: well inside, and along the middle of what is too thin for that."""
    sure = cv2.erode((region.soft > 0.9).astype(np.uint8), _square(5 * scale))
    depth = cv2.distanceTransform(region.solid.astype(np.uint8), cv2.DIST_L2, 3)
    middle = (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8))) & region.solid
    return ((sure > 0) | (middle & (cv2.dilate(sure, _square(LONELY * scale)) == 0))).astype(np.float32)


def _going_on(background: np.ndarray, known: np.ndarray, wanted: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the background is `wanted`, not `known`, and all of it that is known around is of one color, that color goes on: the
    background with it, and where."""
    x, y, width, height = cv2.boundingRect(wanted.astype(np.uint8))
    reach = odd(AROUND * max(1.0, scale))
    window = np.s_[max(0, y - reach):y + height + reach, max(0, x - reach):x + width + reach]
    if not known[window].any():
        return background, np.zeros_like(wanted)
    around, shown = np.ones((reach, reach), np.uint8), known[window][..., None]
    high = cv2.dilate(np.where(shown, background[window], np.float32(0)), around)
    low = cv2.erode(np.where(shown, background[window], np.float32(255)), around)
    flat = wanted.copy()
    flat[window] &= ((high >= low) & (high - low < FLAT)).all(-1)
    background = background.copy()
    background[window][flat[window]] = ((high + low) / 2)[flat[window]]
    return background, flat


def _blended(color: np.ndarray, background: np.ndarray, inside: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Where, of the `place`, bool (H, W), the color is a blend of the background's and the inside's, and of nothing else: bool (H, W)."""
    color, background, inside = color[place], background[place], inside[place]
    span = inside - background
    share = ((color - background) * span).sum(-1) / np.maximum((span * span).sum(-1), 1)
    result = np.zeros_like(place)
    result[place] = np.abs(color - background - np.clip(share, 0, 1)[:, None] * span).max(-1, initial=0) < BLENDED
    return result


def _strands(solid: np.ndarray, color: np.ndarray, background: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Where a region is too thin to have an inside, and how strongly it stands out there, 0..1: the strongest place nearby is
    taken as opaque, for its color is the strand's own."""
    thin = solid & ~cv2.morphologyEx(solid, cv2.MORPH_OPEN, _square(5 * scale)) & 1
    contrast = contrasts(color, background)
    peak = cv2.dilate(contrast * thin, _square(5 * scale))
    near = cv2.dilate(thin, np.ones((3, 3), np.uint8)) > 0
    return near & (peak > STRAND_CONTRAST), np.clip(contrast / np.maximum(peak, 1), 0, 1)


def _straight_color(color: np.ndarray, background: np.ndarray, alpha: np.ndarray, sights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Foreground color, background removed; the same continued, where alpha or sight is missing, from the nearest known colors; and
    how well it is known."""
    straight, known = straightened(color, background, alpha, sights)
    return straight, fill_unseen(straight, known) if known.any() else straight, known
