# SPDX-License-Identifier: GPL-3.0-or-later
"""A flash, or a fade of the whole shot to or from one color: found, and lifted so that all that follows sees clear frames.
It compares whole frames by their histograms; it knows nothing of sprites."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .paged import paged, stacked
from .parallel import map_ordered

__all__ = ["Veil", "LiftedFrames", "find_veils", "lift"]

QUANTILES = np.linspace(0.03, 0.97, 17)
WINDOW = 24                 # frames on each side among which the clear ones are looked for: a fade of a second
CLEAR_SHARE = 75            # percentile of contrast that a clear frame has; a veil can only lower contrast
SUSPECT = 0.92              # of that contrast; above, a content that changes cannot be told from a veil
EXTREME = 24.0              # gray levels: a veil is white or black, as flashes and fades of production are
STRANGER = 0.45             # lifted frames must come at least this much nearer to clear neighbors than they were
LEAST_CHANGE = 6.0          # gray levels, mean over a thumbnail: less needs no veil
END, LEAST_AMOUNT = 2, 0.03  # frames at the ends of a veil that may be thinner than suspected, and the least that is one
OPAQUE = 0.9                # a veil that leaves less than a tenth hides its frame
THUMBNAIL = (32, 18)
FEWEST = 4                  # frames of a shot in which a veil can be judged


@dataclass(frozen=True)
class Veil:
    """One `color` (RGB 0..255) over whole frames: frame = (1 - amount) clear + amount color, `amount` (T,) 0..1.
    `shown` (T,): the frame that each frame's content is taken from, itself unless the veil hides it."""
    color: tuple[int, int, int]
    amount: np.ndarray
    shown: np.ndarray


class LiftedFrames:
    """Frames uint8 (T, H, W, 3) without their veils, lifted as they are read; it stands for the array where frames are only read."""

    def __init__(self, frames: np.ndarray, veils: tuple[Veil, ...]):
        self.frames, self.veils, self.shape = frames, veils, frames.shape

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, t: int) -> np.ndarray:
        for veil in self.veils:
            if veil.shown[t] != t:
                return self[int(veil.shown[t])]
        frame = np.asarray(self.frames[t])
        for veil in self.veils:
            if veil.amount[t] > 0:
                frame = _lifted(frame, float(veil.amount[t]), veil.color)
        return frame


def lift(frames: np.ndarray, veils: tuple[Veil, ...]) -> np.ndarray:
    """All frames uint8 (T, H, W, 3) without their veils; the same array where there are none."""
    lifted = LiftedFrames(frames, veils)
    return stacked(map_ordered(lifted.__getitem__, range(len(frames))), len(frames)) if veils else frames


def _lifted(frame: np.ndarray, amount: float, color: tuple[int, int, int]) -> np.ndarray:
    levels = np.arange(256, dtype=np.float64)[:, None]
    table = np.rint(np.clip((levels - amount * np.array(color)) / (1 - amount), 0, 255)).astype(np.uint8)
    return cv2.LUT(frame, table[None])


def find_veils(frames: np.ndarray) -> tuple[Veil, ...]:
    """The veils over frames uint8 (T, h, w, 3): at most a white and a black one, usually none."""
    if len(frames) < FEWEST:
        return ()
    quantiles = np.stack(list(map_ordered(lambda frame: np.quantile(frame.reshape(-1, 3)[::7], QUANTILES, axis=0), frames)))
    contrast = (quantiles[:, -2] - quantiles[:, 1]).mean(1)
    clear_contrast = np.array([np.percentile(contrast[max(0, t - WINDOW):t + WINDOW + 1], CLEAR_SHARE) for t in range(len(frames))])
    suspects = contrast < SUSPECT * clear_contrast
    if not suspects.any() or (~suspects).sum() < FEWEST // 2:
        return ()
    thumbnails = [cv2.resize(frame, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float64) for frame in paged(frames)]
    amounts = np.zeros((2, len(frames)))
    for t in np.flatnonzero(suspects):
        shade, amount = _veil_of(quantiles, thumbnails, np.flatnonzero(~suspects), int(t))
        amounts[shade, t] = amount
    amounts = np.stack([_with_ends(shade, own, quantiles) for shade, own in enumerate(amounts)])
    return tuple(_veil(amounts[shade], color) for shade, color in enumerate([(0, 0, 0), (255, 255, 255)]) if amounts[shade].any())


def _veil_of(quantiles: np.ndarray, thumbnails: list[np.ndarray], clear: np.ndarray, t: int) -> tuple[int, float]:
    """0 for black or 1 for white, and the amount of that veil over frame t; 0 where it has none."""
    before, after = clear[clear < t][-1:], clear[clear > t][:1]
    nearest = [int(s) for s in (*before, *after)]
    weights = np.array([1 / abs(s - t) for s in nearest])
    reference = np.tensordot(weights / weights.sum(), quantiles[nearest], 1)
    kept, offset = _fit(quantiles[t], reference)
    if not 0 <= kept < SUSPECT:
        return 0, 0.0
    color = offset / (1 - kept)
    shade = int(color.mean() > 127)
    if np.abs(color - 255 * shade).max() > EXTREME:
        return 0, 0.0
    amount = _amount(quantiles[t], reference, 255.0 * shade)
    veiled = [np.abs(thumbnails[t] - thumbnails[s]).mean() for s in nearest]
    laid = [np.abs(thumbnails[t] - (1 - amount) * thumbnails[s] - amount * 255 * shade).mean() for s in nearest]
    if min(veiled) < LEAST_CHANGE or min(laid) > STRANGER * min(veiled):
        return 0, 0.0
    return shade, amount


def _with_ends(shade: int, amounts: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """The amounts again, from frames that stand clear of the veil, whose ends were too thin to be noticed alone."""
    reach = np.ones(2 * END + 1)
    near = np.convolve(amounts > 0, reach, "same") > 0
    clear = np.flatnonzero(~near)
    if not near.any() or not len(clear):
        return amounts
    again, found = np.zeros_like(amounts), np.flatnonzero(amounts)
    for t in sorted(np.flatnonzero(near), key=lambda t: np.abs(found - t).min()):
        amount = _amount(quantiles[t], quantiles[clear[np.argmin(np.abs(clear - t))]], 255.0 * shade)
        if amounts[t] > 0 or LEAST_AMOUNT < amount < again[max(0, t - 1):t + 2].max():
            again[t] = amount
    return again


def _fit(quantiles: np.ndarray, reference: np.ndarray) -> tuple[float, np.ndarray]:
    """The share k and offsets (3,) with quantiles = k reference + offsets, by least squares over (Q, 3)."""
    away = reference - reference.mean(0)
    kept = float((away * (quantiles - quantiles.mean(0))).sum() / max((away * away).sum(), 1e-6))
    return kept, quantiles.mean(0) - kept * reference.mean(0)


def _amount(quantiles: np.ndarray, reference: np.ndarray, color: float) -> float:
    """The same with a known color: one number."""
    away = color - reference
    return float(np.clip(((quantiles - reference) * away).sum() / max((away * away).sum(), 1e-6), 0, 1))


def _veil(amount: np.ndarray, color: tuple[int, int, int]) -> Veil:
    readable = np.flatnonzero(amount < OPAQUE)
    shown = np.array([t if amount[t] < OPAQUE else readable[np.argmin(np.abs(readable - t))] for t in range(len(amount))])
    return Veil(color, np.round(amount, 4), shown)
