# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a clip cuts: frame pairs of which nothing is found again in each other, neither in place, nor along the flow, nor shifted.
It reads thumbnails one after the other, in bounded memory; it does not know what becomes of a shot."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from ..protocol import ClipError
from .clip import ClipReader
from .flow.field import agreement
from .motion.search import phase_shifts
from .parallel import map_ordered
from .report import Report

__all__ = ["Shot", "find_cuts", "shots_between"]

_LINES = 120              # short side of a thumbnail in px: a whip of half a frame is 60 px, a window of a house still 4
_WINDOW = (9, 9)          # px, of the correlation of neighborhoods
_TEXTURED = 6.0           # gray levels (standard deviation in the window) that a match can hold on to
_ALIKE = 0.8              # correlation above which two neighborhoods are the same drawing under any light
_LEAST_TEXTURE = 0.01     # share of a frame; below it is a flash, a fade or a card, and has nothing to match
# Of their texture, neighbors of twelve clips share .47 or more, pairs out of two clips at most .02, pairs of drawn streets .25.
_SHARED = 0.3
_UNCHANGED, _LEVELS = 0.5, 0.16    # a pop from pose to pose before a flat wall leaves half of the pixels alike (8 of 255 levels)
_COLOR, _DARKEST = 0.4, 10.0       # of the contrast: colors this far apart, in one light, are different; gray levels
_PALETTE = 0.5            # share of the color histogram that changes where a shot ends, even in the middle of fast motion
_LEAST_PALETTE = 0.15     # and at any cut: pairs of different clips .22 and more, a whip of 40 % of the frame at most .14
# A whip is sharp in one frame and smeared in the next; out of focus they still correlate by .94, pairs of different clips by .79 at most.
_BLUR, _BLURRED, _REACH = 6.0, 0.9, 0.6    # px; correlation; share of the frame by which a pan may jump
_SAME = 1.0               # gray levels: a held frame
_SHIFTS = 3               # peaks of the phase correlation that are tried
_PATIENCE = 6             # frames in which what a flash or a fast object hid must be seen again
_SAMPLED = 2              # every second of the frames around a break is asked
_WHIP = 3                 # breaks so near to each other are one fast motion: a shot of a single frame is none


@dataclass(frozen=True)
class Shot:
    """Frames `first` to `last` of a clip, counted from 1, both included."""
    first: int
    last: int


def find_cuts(reader: ClipReader, *, report: Report) -> list[int]:
    """The frames of the clip, counted from 0, with which a new shot begins; the clip's first frame is not among them.

    Hard cuts, and fades through one flat color, which cut in its middle; dissolves and wipes are part of a shot.
    A frame that cannot be read is passed over: its own shot will tell.
    """
    cv2.setNumThreads(1)        # frames are spread over threads below; the flow's own would change its sums
    report.stage("Cuts", reader.count)
    finder = _Finder()
    for t, thumbnail in enumerate(map_ordered(lambda t: _thumbnail(reader, t), range(reader.count))):
        if thumbnail is not None:
            finder.add(t, thumbnail)
        report.step()
    return finder.finish()


def shots_between(cuts: list[int], count: int) -> tuple[Shot, ...]:
    """The shots of a clip of `count` frames that cuts at `cuts`."""
    starts = [0, *cuts]
    return tuple(Shot(first + 1, last) for first, last in zip(starts, [*starts[1:], count], strict=True))


@dataclass(frozen=True)
class _Thumbnail:
    """A small frame, and what of it is compared."""
    frame: np.ndarray  # uint8 (h, w, 3)

    @classmethod
    def of(cls, frame: np.ndarray) -> _Thumbnail:
        height, width = frame.shape[:2]
        factor = min(1.0, _LINES / min(height, width))
        size = max(16, round(width * factor)), max(16, round(height * factor))
        return cls(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))

    @cached_property
    def gray(self) -> np.ndarray:
        return cv2.cvtColor(self.frame, cv2.COLOR_RGB2GRAY)

    @cached_property
    def palette(self) -> np.ndarray:
        counts = cv2.calcHist([self.frame], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3).ravel()
        return counts / counts.sum()

    @cached_property
    def texture(self) -> np.ndarray:
        """Where there is something to hold on to, bool (h, w)."""
        gray = self.gray.astype(np.float32)
        mean = cv2.boxFilter(gray, -1, _WINDOW)
        return cv2.boxFilter(gray * gray, -1, _WINDOW) - mean * mean > _TEXTURED**2

    @cached_property
    def blurred(self) -> np.ndarray:
        """Out of focus as a fast pan is, float32 (h, w, 3)."""
        return cv2.GaussianBlur(self.frame.astype(np.float32), (0, 0), _BLUR)

    @cached_property
    def contrast(self) -> float:
        """Spread of the gray levels (50 in a usual picture), so that a dark frame is judged as strictly as a bright one."""
        return max(_DARKEST, min(50.0, float(self.gray.std())))

    @cached_property
    def flat(self) -> bool:
        return bool(self.texture.mean() < _LEAST_TEXTURE)


def _thumbnail(reader: ClipReader, t: int) -> _Thumbnail | None:
    try:
        return _Thumbnail.of(reader.read(t))
    except ClipError:
        return None


@dataclass(frozen=True)
class _Break:
    """The shot may end before frame `cut`: frame `noticed` goes on from nothing that was before; `change` of the palette, 0..1."""
    cut: int
    noticed: int
    change: float


@dataclass
class _Finder:
    """Watches the frames go by; a break is judged when its surroundings are known."""
    cuts: list[int] = field(default_factory=list)
    breaks: list[_Break] = field(default_factory=list)     # not judged yet
    judged: list[_Break] = field(default_factory=list)     # of the last frames
    recent: deque[tuple[int, _Thumbnail]] = field(default_factory=lambda: deque(maxlen=2 * _PATIENCE + 1))
    textured: _Thumbnail | None = None      # the frame before the flat ones that go by now
    flat_since: int = 0

    def add(self, t: int, now: _Thumbnail) -> None:
        before = self.recent[-1][1] if self.recent else now
        if now.flat and not before.flat:
            self.textured, self.flat_since = before, t
        elif before.flat and not now.flat:      # what lies on both sides of the flat frames can be compared
            if self.textured is not None and not _same_shot(self.textured, now):
                self.breaks.append(_Break((self.flat_since + t) // 2, t, _palette_change(self.textured, now)))
        elif not _is_held(before, now) and not _same_shot(before, now):
            self.breaks.append(_Break(t, t, _palette_change(before, now)))
        self.recent.append((t, now))
        while self.breaks and t - self.breaks[0].noticed >= _PATIENCE:
            self._judge()

    def finish(self) -> list[int]:
        """All cuts, when the last frame has gone by."""
        while self.breaks:
            self._judge()
        return self.cuts

    def _judge(self) -> None:
        """Decide on the oldest break, and remember it for those that follow it closely."""
        broken = self.breaks.pop(0)
        near = [other for other in (*self.judged, *self.breaks) if abs(other.noticed - broken.noticed) < _PATIENCE]
        self.judged = [*near, broken]
        needed = _PALETTE if len(near) + 1 >= _WHIP else _LEAST_PALETTE
        if broken.change > needed and not self._seen_again(broken):
            self.cuts.append(broken.cut)

    def _seen_again(self, broken: _Break) -> bool:
        """Whether what was there before the break is there after it: a flash or a fast object hid it."""
        before = [thumbnail for t, thumbnail in self.recent if t < broken.cut and not thumbnail.flat]
        after = [thumbnail for t, thumbnail in self.recent if t >= broken.noticed and not thumbnail.flat]
        if self.textured is not None and not before:
            before = [self.textured]
        return any(_same_shot(first, second) for first in before[::-_SAMPLED] for second in after[::_SAMPLED])


def _is_held(first: _Thumbnail, second: _Thumbnail) -> bool:
    return bool(np.abs(first.frame.astype(np.int16) - second.frame).mean() < _SAME)


def _palette_change(first: _Thumbnail, second: _Thumbnail) -> float:
    """Share of the color histogram that differs, 0..1."""
    return float(np.abs(first.palette - second.palette).sum() / 2)


def _same_shot(first: _Thumbnail, second: _Thumbnail) -> bool:
    """Whether enough of one frame is found again in the other: in place, along the flow, or shifted as a whole."""
    if first.flat or second.flat:
        return _palette_change(first, second) < _PALETTE
    difference = np.abs(first.frame.astype(np.int16) - second.frame).max(-1)
    if (difference < _LEVELS * first.contrast).mean() > _UNCHANGED or _shared(first, second, (0, 0)) > _SHARED:
        return True
    peaks = phase_shifts(first.gray.astype(np.float32), second.gray.astype(np.float32), _SHIFTS)
    shifts = [(0, 0), *((round(x), round(y)) for x, y in peaks)]
    if _palette_change(first, second) < _PALETTE and any(_blurred_match(first, second, shift) > _BLURRED for shift in shifts):
        return True
    return any(_shared(first, second, shift) > _SHARED for shift in shifts[1:])


def _blurred_match(first: _Thumbnail, second: _Thumbnail, shift: tuple[int, int]) -> float:
    """Correlation of the colors of what both frames show, both out of focus, -1..1; -1 where too little is shown by both."""
    height, width = first.gray.shape
    x, y = shift
    if abs(x) > _REACH * width or abs(y) > _REACH * height:
        return -1.0
    a = first.blurred[max(0, -y):height - max(0, y), max(0, -x):width - max(0, x)]
    b = second.blurred[max(0, y):height - max(0, -y), max(0, x):width - max(0, -x)]
    a, b = a - a.mean((0, 1)), b - b.mean((0, 1))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1))


def _shared(first: _Thumbnail, second: _Thumbnail, shift: tuple[int, int]) -> float:
    """Share of the texture of `first` found in `second` by flow that starts at `shift` (x, y) px, leads back, and looks the same."""
    height, width = first.gray.shape
    place = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    moved = cv2.warpAffine(second.frame, place, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
                           borderMode=cv2.BORDER_REPLICATE)
    gray = cv2.cvtColor(moved, cv2.COLOR_RGB2GRAY)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there, back = search.calc(first.gray, gray, None), search.calc(gray, first.gray, None)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    inside = (x + shift[0] >= 0) & (x + shift[0] < width) & (y + shift[1] >= 0) & (y + shift[1] < height)
    found = agreement(there, back) & inside
    warped = cv2.remap(moved, x + there[..., 0], y + there[..., 1], cv2.INTER_LINEAR)
    alike = _correlation(first.gray, cv2.cvtColor(warped, cv2.COLOR_RGB2GRAY)) > _ALIKE
    lit = _in_the_light_of(first.frame.astype(np.float32), warped.astype(np.float32), found)
    same_color = (np.abs(lit - first.frame) < _COLOR * first.contrast).all(-1)
    return float((found & alike & same_color & first.texture).sum() / max(1, first.texture.sum()))


def _in_the_light_of(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> np.ndarray:
    """`second` with the gain and offset of each channel with which it is nearest to `first`, float32 (h, w, 3)."""
    if where.sum() < 2:
        return second
    a, b = first[where], second[where]
    gain = ((a - a.mean(0)) * (b - b.mean(0))).mean(0) / (b.var(0) + 1)
    gain = np.clip(gain, 0, 5)
    return second * gain + (a.mean(0) - gain * b.mean(0))


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Normalized correlation of the neighborhoods of two gray pictures, -1..1: the same under any light."""
    first, second = first.astype(np.float32), second.astype(np.float32)
    mean_first, mean_second = cv2.boxFilter(first, -1, _WINDOW), cv2.boxFilter(second, -1, _WINDOW)
    spread_first = np.maximum(cv2.boxFilter(first * first, -1, _WINDOW) - mean_first**2, 0)
    spread_second = np.maximum(cv2.boxFilter(second * second, -1, _WINDOW) - mean_second**2, 0)
    common = cv2.boxFilter(first * second, -1, _WINDOW) - mean_first * mean_second
    return common / np.sqrt((spread_first + 4) * (spread_second + 4))     # 4: two levels of noise are no texture
