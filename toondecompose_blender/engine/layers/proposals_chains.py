# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions found without pieces: chains of each pair's dominant homographies, and shifts by which unexplained edgels correlate.
It must not know the other proposals or any label."""

from __future__ import annotations

from collections import deque
from functools import partial

import cv2
import numpy as np

from ..geometry import normalized, project
from ..paged import Recalled
from ..parallel import map_ordered
from .edgels import LONG, Edgels

__all__ = ["dominant_motions", "correlated_motions", "drifting_motion"]

GRID = 4                # px between the points of a homography search
HYPOTHESES = 4          # homographies peeled off a pair (by trial on toon clips)
REACH = 1.0             # px, MAGSAC's threshold (by trial on toon clips)
GRADIENT = 3.0          # gray levels a px from which a place has texture
FEWEST_SHARE = 0.03     # share of the points that a homography must hold
LARGEST_JUMP = 20.0     # px, the most that a jump of the center counts against a chain
IGNORED_COST = 0.2      # edgels below this cost count as explained
LARGEST_SHIFT = 0.25    # share of the frame that a thing may move in one frame


def dominant_motions(frames: np.ndarray, flow, count: int) -> list[np.ndarray]:
    """The `count` chains (T-1, 3, 3) of homographies that fill the most of the picture and jump the least, best first."""
    pairs = list(map_ordered(lambda t: _hypotheses(frames[t], flow.forward[t], flow.consistent(t)), range(len(frames) - 1)))
    h, w = frames.shape[1:3]
    used = [set() for _ in pairs]
    chains = []
    for _ in range(count):
        motion = np.full((len(pairs), 3, 3), np.nan)
        for t, best in enumerate(_best_path(pairs, used, np.array([[w / 2, h / 2]]))):
            if pairs[t]:
                motion[t] = pairs[t][best][0]
                used[t].add(best)
        chains.append(motion)
    return chains


def _hypotheses(frame: np.ndarray, forward: np.ndarray, consistent: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Up to four homographies of a pair with the number of 16 x 9 cells in which each holds."""
    h, w = consistent.shape
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    slope = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(gray, cv2.CV_32F, 0, 1, scale=0.25))
    textured = cv2.dilate((slope > GRADIENT).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    ys, xs = (axis.ravel() for axis in np.mgrid[GRID // 2:h:GRID, GRID // 2:w:GRID])
    good = consistent[ys, xs] & textured[ys, xs]
    ys, xs = ys[good], xs[good]
    source = np.stack([xs, ys], 1).astype(np.float64)
    target = source + forward[ys, xs]
    found, free = [], np.ones(len(source), bool)
    fewest = max(12, FEWEST_SHARE * len(source))
    for _ in range(HYPOTHESES):
        homography = _homography(source[free], target[free]) if free.sum() >= fewest else None
        if homography is None:
            break
        held = free & (np.linalg.norm(project(homography, source) - target, axis=1) < 2 * REACH)
        if held.sum() < fewest:
            break
        cells = np.unique((ys[held] * 9 // h) * 16 + xs[held] * 16 // w)
        found.append((homography, len(cells)))
        free &= ~held
    return found


def _homography(source: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """MAGSAC's homography, polished by least squares on its inliers; None if there is none."""
    try:
        homography, inliers = cv2.findHomography(source, target, cv2.USAC_MAGSAC, REACH, maxIters=1500, confidence=0.999)
        if homography is None or inliers.sum() < 8:
            return None
        inliers = inliers.ravel() > 0
        polished, _ = cv2.findHomography(source[inliers], target[inliers], 0)
    except cv2.error:   # degenerate points
        return None
    return normalized(homography if polished is None else polished)


def _best_path(pairs: list, used: list[set], center: np.ndarray) -> list[int]:
    """Viterbi: one hypothesis a pair, by cells filled less the jumps of the center's motion; used ones only if nothing is left."""
    score, shift, back = np.zeros(1), np.zeros((1, 2)), []
    for hypotheses, taken in zip(pairs, used):
        own = np.array([cells - 1e3 * (n in taken) for n, (_, cells) in enumerate(hypotheses)] or [0.0])
        moves = np.array([project(homography, center)[0] - center[0] for homography, _ in hypotheses] or [[0.0, 0.0]])
        jump = np.minimum(LARGEST_JUMP, np.linalg.norm(moves[:, None] - shift[None], axis=2)) if back else np.zeros((len(own), 1))
        total = score[None] - jump
        back.append(total.argmax(1))
        score, shift = own + total.max(1), moves
    path, best = [], int(score.argmax())
    for choices in reversed(back):
        path.append(best)
        best = int(choices[best])
    return path[::-1]


def correlated_motions(edgels: Edgels, lowest: np.ndarray, shape: tuple[int, int, int]) -> list[np.ndarray]:
    """Two motions from correlating unexplained edgels (cost `lowest`) with the next frame's: one shift for the clip, one a pair."""
    frames, h, w = shape
    h, w = (h + 1) // 2, (w + 1) // 2
    spectra = Recalled(partial(_spectrum, edgels, lowest, (h, w)), frames, size=16 * h * w)
    correlations = Recalled(lambda t: np.fft.irfft2(np.conj(spectra[t]) * spectra[t + 1], (2 * h, 2 * w)).astype(np.float32), frames - 1,
                            size=16 * h * w)
    whole = np.zeros((2 * h, 2 * w), np.float32)

    def nearby(t: int) -> np.ndarray:
        return _shift(sum(correlations[s] for s in range(max(0, t - 2), min(frames - 1, t + 3))), h, w)

    varying = []
    for t, shift in enumerate(map_ordered(nearby, range(frames - 1))):
        whole += correlations[t]
        varying.append(shift)
    return [np.repeat(_shift(whole, h, w)[None], frames - 1, 0), np.stack(varying)]


def drifting_motion(edgels: Edgels, lowest: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The steady translation (3, 3) a frame by which unexplained edgels correlate best with those `LONG` frames later."""
    frames, h, w = shape
    h, w = (h + 1) // 2, (w + 1) // 2
    lag = min(LONG, frames - 1)
    whole, waiting = np.zeros((2 * h, 2 * w), np.float32), deque()
    for spectrum in map_ordered(partial(_spectrum, edgels, lowest, (h, w)), range(frames)):
        waiting.append(spectrum)
        if len(waiting) > lag:
            whole += np.fft.irfft2(np.conj(waiting.popleft()) * spectrum, (2 * h, 2 * w)).astype(np.float32)
    motion = _shift(whole, h, w)
    motion[:2, 2] /= lag
    return motion


def _spectrum(edgels: Edgels, lowest: np.ndarray, size: tuple[int, int], t: int) -> np.ndarray:
    """The spectrum of the unexplained edgels (cost `lowest`) of frame t in a picture of `size` (h, w), half as large as the frame."""
    h, w = size
    span = slice(edgels.begin[t], edgels.begin[t + 1])
    mass = edgels.weight[span] * np.maximum(0, lowest[span] - IGNORED_COST)
    cell = edgels.places[span, 1] // 2 * w + edgels.places[span, 2] // 2
    picture = np.bincount(cell, mass, h * w).reshape(h, w).astype(np.float32)
    return np.fft.rfft2(cv2.GaussianBlur(picture, (0, 0), 1.0), (2 * h, 2 * w)).astype(np.complex64)


def _shift(correlation: np.ndarray, h: int, w: int) -> np.ndarray:
    """The translation (3, 3) in full-size px at the correlation's peak, standing still excluded."""
    allowed = np.zeros(correlation.shape, bool)
    up, left = int(h * LARGEST_SHIFT), int(w * LARGEST_SHIFT)
    for rows in (slice(0, up + 1), slice(2 * h - up, None)):
        for columns in (slice(0, left + 1), slice(2 * w - left, None)):
            allowed[rows, columns] = True
    for rows in (slice(0, 2), slice(2 * h - 1, None)):
        for columns in (slice(0, 2), slice(2 * w - 1, None)):
            allowed[rows, columns] = False
    y, x = np.unravel_index(np.where(allowed, correlation, -1).argmax(), correlation.shape)
    return np.array([[1, 0, 2.0 * (x if x < w else x - 2 * w)], [0, 1, 2.0 * (y if y < h else y - 2 * h)], [0, 0, 1]])
