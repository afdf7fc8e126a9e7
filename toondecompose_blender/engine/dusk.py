# SPDX-License-Identifier: GPL-3.0-or-later
"""A light that changes over a whole shot, little by little: dusk, a fade to a color.  Found by what the same places show in frames near
each other; it must not know sprites, and leaves sudden flashes to `veil`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import lsqr

from .paged import stacked
from .parallel import map_ordered
from .veil import FEWEST, Veil

__all__ = ["find_dusk"]

ACROSS, CLOSELY = 160, 400  # px of a frame's long side when pairs are compared to find out, and to measure
NARROWEST = 32             # px of the short side: OpenCV's fast flow, which begins at a quarter of the size, may crash below
LAGS = 1, 2, 5, 12, 30     # frames apart: near ones follow every change, far ones keep small errors from adding up
STRIDE = 2                 # frames apart of a first look
NEAR = 9                   # px across of a neighborhood whose contrast is made even, so that flow sees no light
STRETCHED, EVEN = 50.0, 0.15    # gray levels of that contrast, and of the whole picture's what counts as contrast
RETURN = 0.7               # px by which a flow may miss its start on the way back
LEAST_SEEN = 0.15          # of the frame, that a pair must show both
ROUNDS = 8                 # of reweighting, so that the sprites, which are few, count little
AGAIN, NOISE = 5, (0.005, 0.5)  # the same of pairs, and how far their gains and offsets are off without being wrong
CLOSE, LEFT = 3.0, 0.4     # gray levels that are no change, and the share of a change that a light may leave unexplained
SIDE, LEAST = 64, 0.01     # gray levels, a side of a cube of colors, and the share of the places from which such a cube counts
COLORS = 3                 # that a pair must show: one that changes may be a sky's
EXPLAINED = 0.4            # of those that a light must explain (measured: .44 and more, else .33 at most, and mostly none) ...
FEWEST_PAIRS, MOST_PAIRS = 3, 12  # ... in most of so many pairs
TELLING = 4.0              # gray levels on average, between the lights of two frames, that tell something
CLEAR, AS_CLEAR = 99, 0.02  # percentile of contrast that a clear frame has (dusk may last the whole clip), and how much less is as clear
LEAST_RANGE = 8.0          # gray levels between the lights of a clip that are a change
QUIET, LEAST_AMOUNT = 0.006, 0.08   # of a veil that is none, and the least that one comes to: light that is only added is no veil


@dataclass(frozen=True)
class _Pair:
    """Two frames by their `numbers`, the mean color `here` (3,) and the `spread` of the first's places, gray levels, and the light between:
    there = `gain` here + `offset` (3,) for the share `fits` of the places."""
    numbers: tuple[int, int]
    here: np.ndarray
    spread: float
    gain: float
    offset: np.ndarray
    fits: float


@dataclass(frozen=True)
class _Small:
    """Small pictures of all frames: `colors` uint8 (T, h, w, 3), and in gray with `even` contrast, uint8 (T, h, w)."""
    colors: np.ndarray
    even: np.ndarray

    @classmethod
    def of(cls, frames: np.ndarray, across: int) -> _Small:
        height, width = frames.shape[1:3]
        scale = max(min(1.0, across / max(height, width)), NARROWEST / min(height, width))
        size = round(width * scale), round(height * scale)
        colors = stacked(map_ordered(lambda frame: cv2.resize(frame, size, interpolation=cv2.INTER_AREA), frames), len(frames))
        return cls(colors, stacked(map_ordered(_even, colors), len(frames)))


def find_dusk(frames: np.ndarray) -> tuple[Veil, ...]:
    """The veil of a light that changes over frames RGB uint8 (T, h, w, 3), or ()."""
    count = len(frames)
    if count < FEWEST:
        return ()
    small = _Small.of(frames, ACROSS)
    looked_at = [*range(0, count - 1, STRIDE), count - 1]
    pairs = _paired(zip(looked_at, looked_at[1:], strict=False), small)
    if not pairs or _range(pairs, *(light[looked_at] for light in _lights(pairs, count))) < LEAST_RANGE:
        return ()
    every = [(t, t + lag) for lag in LAGS for t in range(0, count - lag, max(1, lag // 4))]
    pairs = _paired(every, small)
    if not pairs or not _believed(pairs, *_lights(pairs, count), small):
        return ()
    pairs = _paired(every, _Small.of(frames, CLOSELY)) or pairs
    veil = _veil(*_lights(pairs, count))
    return (veil,) if veil.amount.max() > LEAST_AMOUNT else ()


def _even(picture: np.ndarray) -> np.ndarray:
    """The picture, uint8 (h, w, 3), in gray whose contrast is the same everywhere and under any light: uint8 (h, w)."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = cv2.blur(gray, (NEAR, NEAR))
    spread = np.sqrt(np.maximum(cv2.blur(gray * gray, (NEAR, NEAR)) - mean * mean, 0))
    return np.clip(127 + STRETCHED * (gray - mean) / (spread + np.float32(EVEN) * gray.std() + np.float32(0.5)), 0, 255).astype(np.uint8)


def _paired(wanted: Iterable[tuple[int, int]], small: _Small) -> list[_Pair]:
    """Those of the wanted pairs of frames that show enough in common."""
    return [pair for pair in map_ordered(lambda numbers: _pair(numbers, small), wanted) if pair is not None]


def _pair(numbers: tuple[int, int], small: _Small) -> _Pair | None:
    here, there = _places(numbers, small)
    if len(here) < LEAST_SEEN * small.even[0].size / 2:
        return None
    gain, offset, missed = _fit(here, there)
    return _Pair(numbers, here.mean(0), float(here.std(0).mean()), gain, offset, float((missed < CLOSE).mean()))


def _places(numbers: tuple[int, int], small: _Small) -> tuple[np.ndarray, np.ndarray]:
    """The colors, float32 (n, 3) each, of the same places in two frames."""
    (first, second), colors, even = numbers, small.colors, small.even
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    forth, back = search.calc(even[first], even[second], None), search.calc(even[second], even[first], None)
    # What is brought there loses contrast by it: so each is brought to the other.
    here, there = _seen(colors[first], colors[second], forth, back)
    there_too, here_too = _seen(colors[second], colors[first], back, forth)
    return np.concatenate([here, here_too]), np.concatenate([there, there_too])


def _seen(picture: np.ndarray, other: np.ndarray, forth: np.ndarray, back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colors, float32 (n, 3) each, of a quarter of the places that two pictures both show by the flows between them."""
    height, width = forth.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = x + forth[..., 0], y + forth[..., 1]
    missed = forth + cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    both = (np.abs(missed).max(2) < RETURN) & (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    both = both[::2, ::2]
    return picture[::2, ::2][both].astype(np.float32), cv2.remap(other, x, y, cv2.INTER_LINEAR)[::2, ::2][both].astype(np.float32)


def _fit(here: np.ndarray, there: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Gain and offset (3,) between most of the colors (n, 3), and what they miss of each (n,): the reduced major axis, for neither side is
    exact."""
    weight = np.ones((len(here), 1), np.float32)
    for _ in range(ROUNDS):
        means = [(weight * colors).sum(0) / weight.sum() for colors in (here, there)]
        spread = [(weight * (colors - mean) ** 2).sum() for colors, mean in zip((here, there), means, strict=True)]
        gain = np.sqrt((spread[1] + 1) / (spread[0] + 1))
        offset = means[1] - gain * means[0]
        missed = np.abs(there - gain * here - offset).max(1)
        weight = (1 / np.maximum(missed, 1))[:, None]
    return float(gain), offset, missed


def _lights(pairs: list[_Pair], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gain (T,) and offset (T, 3) of each frame's light against that of the clear ones, by all pairs together."""
    first, second = np.array([pair.numbers for pair in pairs]).T
    trust = np.array([pair.fits for pair in pairs]) ** 2 + 1e-6
    steps = np.log([pair.gain for pair in pairs])[:, None]
    gains = np.exp(_solved(first, second, np.ones(len(pairs)), steps, trust, count, NOISE[0])[:, 0])
    gains /= np.percentile(gains, CLEAR)
    between = gains[second] / gains[first]
    steps = np.stack([pair.offset + (pair.gain - gain) * pair.here for pair, gain in zip(pairs, between, strict=True)])
    offsets = _solved(first, second, between, steps, trust, count, NOISE[1])
    return gains, offsets - gains[:, None] * np.median(offsets[gains > 1 - AS_CLEAR], 0)


def _solved(first: np.ndarray, second: np.ndarray, factors: np.ndarray, steps: np.ndarray, trust: np.ndarray, count: int,
            noise: float) -> np.ndarray:
    """Values (T, n) with value[second] - factor value[first] = step (m, n) for most of the m pairs."""
    rows, values, weight = np.repeat(np.arange(len(first)), 2), np.stack([-factors, np.ones(len(first))], 1), trust
    for _ in range(AGAIN):
        system = csr_matrix(((values * weight[:, None]).ravel(), (rows, np.stack([first, second], 1).ravel())), (len(first), count))
        found = np.stack([lsqr(system, column * weight, atol=1e-9, btol=1e-9)[0] for column in steps.T], 1)
        missed = np.abs(found[second] - factors[:, None] * found[first] - steps).max(1)
        weight = trust * noise / np.maximum(missed, noise)
    return found


def _range(pairs: list[_Pair], gains: np.ndarray, offsets: np.ndarray) -> float:
    """How far lights are apart, gray levels on average of what the pairs show."""
    color, spread = np.mean([pair.here for pair in pairs], 0), np.mean([pair.spread for pair in pairs])
    return float(np.ptp(gains[:, None] * color + offsets, 0).max() + np.ptp(gains) * spread)


def _believed(pairs: list[_Pair], gains: np.ndarray, offsets: np.ndarray, small: _Small) -> bool:
    """Whether there is a change that the lights explain, color by color, between frames that were laid on each other best."""
    def step(pair: _Pair) -> tuple[float, np.ndarray]:
        first, second = pair.numbers
        gain = gains[second] / gains[first]
        return gain, offsets[second] - gain * offsets[first]

    def change(pair: _Pair) -> float:
        gain, offset = step(pair)
        return float(np.abs((gain - 1) * pair.here + offset).mean() + abs(gain - 1) * pair.spread)

    changed = [pair for pair in pairs if change(pair) > TELLING]
    shares = (_explained(*_places(pair.numbers, small), *step(pair)) for pair in sorted(changed, key=lambda pair: pair.fits, reverse=True))
    told = list(islice((share.mean() for share in shares if len(share) >= COLORS), MOST_PAIRS))
    return len(told) >= FEWEST_PAIRS and float(np.median(told)) > EXPLAINED


def _explained(here: np.ndarray, there: np.ndarray, gain: float, offset: np.ndarray) -> np.ndarray:
    """Of each color that places have `here`, (n, 3), whether the light explains what most of them are `there`: bool (colors,)."""
    lit = gain * here + offset
    change = np.abs(lit - here).max(1)
    telling = change > CLOSE
    close = np.abs(lit - there).max(1)[telling] < LEFT * change[telling]
    cube = (here[telling] // SIDE).astype(int) @ (1, 8, 64)
    count = np.bincount(cube)
    common = count > LEAST * len(here)
    return np.bincount(cube, close)[common] / count[common] > 0.5


def _veil(gains: np.ndarray, offsets: np.ndarray) -> Veil:
    amount = np.clip(1 - gains, 0, 1)
    color = np.clip((amount[:, None] * offsets).sum(0) / max((amount**2).sum(), QUIET**2), 0, 255)
    return Veil(tuple(np.rint(color).astype(int).tolist()), np.round(np.where(amount < QUIET, 0, amount), 4), np.arange(len(amount)))
