# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the camera stand still?  Asked before any motion is estimated, because on a static camera nothing but actors moves, and again
after: what a large actor does may look like a camera, and a bare wall that is panned like one that stands.
It compares pictures and knows nothing of flow."""

from __future__ import annotations

import cv2
import numpy as np

from ..channels import apart
from ..geometry import relative
from ..resampling import warp_to

__all__ = ["stands_still", "seems_still", "stays_rather", "unchanged_shares"]

LAG = 11  # frames: longer than held drawings (threes), shorter than most shots
_SHARE = 0.3  # of textured cells: static cameras measured .35 to .97, moving ones under .12
_MOVES = 0.05  # ... where no more than this stays, it surely moves (measured: .02 and less of painted pans, .15 of a hold within a pan)
_SOON, _AT_ONCE = 3, 0.45  # frames, and how much of what moves may look the same so soon (measured: .25 of slow pans, .66 of a wipe)
_LEAST = 0.15  # in the worst tenth of the clip: a camera that holds and then pans is not static
_LEVELS = 6  # of 255, after the blur: the same color
_GRADIENT = 3.0  # gray levels per px, after the blur: textured
_TEXTURED = 12  # pixels that make a cell a witness
_CELLS = (16, 9)
_PAINTED = 0.8, 0.3  # shares of the border and of the picture that one paint fills, if it is all the background (measured: .57, .85)
_BARE = 0.5  # share of the border where it is never anything else (measured: .29 of drawings on paper that is panned, else from .87)
_UNCHANGED = 0.985, 0.8  # ... and that stay as they are, if nothing moves (measured: from .986 of still borders, to .995 of bare pans)
_RING = 2  # px: the border
_PAINT = 8  # levels that such a paint varies by
_WINDOWS = 12
_LAGS = 2, 5, 11  # frames: slow motions show late, fast ones leave the picture soon
_RESTS, _RATHER = 0.12, 2.0  # share of the picture that rests, and times what moves (measured: from .18 and 3.4, else up to .087 or 1.3)
_AROUND = 1 / 16  # of the frame's sides: what is looked at around a px
_ALIKE, _NOISE = 4.0, 0.5  # gray levels on average: the same, and nothing


def stands_still(frames: np.ndarray) -> bool | None:
    """Whether the background of RGB uint8 (T, h, w, 3) stays where it is for the whole clip; None if that does not tell.
    Nothing tells that paint moves."""
    if _before_paint(frames):
        return True
    shares = unchanged_shares(frames)
    if len(shares) == 0 or np.median(shares) > _SHARE and np.quantile(shares, 0.1) > _LEAST:
        return True
    soon = unchanged_shares(frames, lag=_SOON)
    return False if np.median(shares) < _MOVES and len(soon) and np.median(soon) < _AT_ONCE else None


def seems_still(frames: np.ndarray) -> bool:
    """Whether the border of RGB uint8 (T, h, w, 3) never changes, and hardly what is within: a gradient has no texture that could tell,
    but a bare wall that is panned has none either, so that a motion must be asked (`stays_rather`)."""
    moments = frames[_moments(len(frames))].astype(np.int32)
    stays = np.abs(moments - np.median(moments, 0)).max(-1) < _PAINT
    around, filled = _UNCHANGED
    return bool(stays[:, _border(frames)].mean() > around and stays.mean() > filled)


def _before_paint(frames: np.ndarray) -> bool:
    """Whether everything in the clip, uint8 (T, h, w, 3), is surrounded by one flat paint, but where something is cut by the border."""
    moments = frames[_moments(len(frames))].astype(np.int32)
    ring = _border(frames)
    border = moments[:, ring].reshape(-1, 3)
    _, first, count = np.unique(border // _PAINT @ (1 << 16, 1 << 8, 1), return_index=True, return_counts=True)
    paint = np.abs(moments - border[first[count.argmax()]]).max(-1) < _PAINT
    around, filled = _PAINTED
    bare = paint.all(0)     # what is drawn on paper that is panned comes in at every side
    return bool(bare[ring].mean() > _BARE and not _window(~bare) and paint[:, ring].mean() > around and paint.mean() > filled)


def _border(frames: np.ndarray) -> np.ndarray:
    """Which px of `frames` (T, h, w, 3) lie along their sides: bool (h, w)."""
    ring = np.ones(frames.shape[1:3], bool)
    ring[_RING:-_RING, _RING:-_RING] = False
    return ring


def _window(shown: np.ndarray) -> bool:
    """Whether what is `shown`, bool (h, w), fills a rectangle away from the border: a picture between bars."""
    x, y, width, height = cv2.boundingRect(shown.astype(np.uint8))
    sides = (shown[y:y + height, x:x + width][side] for side in (np.s_[:1], np.s_[-1:], np.s_[:, :1], np.s_[:, -1:]))
    inside = x > 0 and y > 0 and x + width < shown.shape[1] and y + height < shown.shape[0]
    return width > 0 and inside and all(side.mean() > 0.5 for side in sides)


def unchanged_shares(frames: np.ndarray, *, lag: int = LAG) -> np.ndarray:
    """For moments evenly in time: which share (0..1) of the textured cells looks the same `lag` frames later.

    Moments without any texture are left out, so the answer may be empty.
    """
    lag = min(lag, len(frames) - 1)
    if lag == 0:
        return np.zeros(0)
    shares = [_unchanged(frames[t], frames[t + lag]) for t in _moments(len(frames), lag)]
    return np.array([share for share in shares if share is not None])


def stays_rather(frames: np.ndarray, camera: np.ndarray) -> bool:
    """Whether much more of RGB uint8 (T, h, w, 3) lasts where it is than goes with a `camera` float64 (T, 3, 3), plane -> frame, of what
    only one of them explains: where there is little texture an actor, or a sea that swells, is soon taken for the background."""
    rests, moves = np.mean([_explained(frames, camera, t) for t in _moments(len(frames))], 0)
    return bool(rests > _RESTS and rests > _RATHER * moves)


def _explained(frames: np.ndarray, camera: np.ndarray, t: int) -> np.ndarray:
    """Share of frame `t` that all of others show in place, and through the `camera`, and at least one only so: (2,)."""
    alike, only = np.ones((2, *frames.shape[1:3]), bool), np.zeros((2, *frames.shape[1:3]), bool)
    here = _calmed(frames[t])
    for lag in _LAGS:
        for s in (t - lag, t + lag):
            if 0 <= s < len(frames):
                gaps = _gaps(here, _calmed(frames[s]), relative(camera[s], camera[t]))
                alike &= gaps < _ALIKE
                only |= gaps[::-1] > 2 * gaps + _NOISE
    return (alike & only).mean((1, 2))


def _gaps(here: np.ndarray, there: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """By how many gray levels two pictures differ around each px, in place and through `homography`, `there` -> `here`, float32 (2, h, w);
    both the same where the other does not show it."""
    height, width = here.shape[:2]
    moved = warp_to(there, homography, width, height)
    seen = warp_to(np.ones((height, width), np.uint8), homography, width, height, flags=cv2.INTER_NEAREST)
    size = tuple(max(1, round(_AROUND * side)) for side in (width, height))
    still, moved = (cv2.blur(apart(here, other).astype(np.float32), size) for other in (there, moved))
    hidden = cv2.blur(seen.astype(np.float32), size) < 1
    return np.stack([still, np.where(hidden, still, moved)])


def _moments(count: int, lag: int = 0) -> np.ndarray:
    """Numbers of frames, evenly in time, of `count`, that have another one `lag` frames later."""
    return np.unique(np.linspace(0, count - 1 - lag, _WINDOWS).astype(int))


def _unchanged(early: np.ndarray, late: np.ndarray) -> float | None:
    early, late = _calmed(early), _calmed(late)
    textured = _textured(early)
    same = textured & (cv2.absdiff(early, late).max(2) <= _LEVELS)
    witnesses, steady = _per_cell(textured), _per_cell(same)
    busy = witnesses >= _TEXTURED
    return float((steady[busy] > 0.6 * witnesses[busy]).mean()) if busy.any() else None


def _calmed(frame: np.ndarray) -> np.ndarray:
    """Without most of its grain and compression."""
    return cv2.GaussianBlur(frame, (0, 0), 1.0)


def _textured(frame: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    gx, gy = cv2.Sobel(gray, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(gray, cv2.CV_32F, 0, 1, scale=0.125)
    return gx**2 + gy**2 > _GRADIENT**2


def _per_cell(mask: np.ndarray) -> np.ndarray:
    """Number of True pixels in each of 16 x 9 cells."""
    height, width = mask.shape
    columns, rows = _CELLS
    cell = (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width
    return np.bincount(cell[mask], minlength=columns * rows)
