# SPDX-License-Identifier: GPL-3.0-or-later
"""Optical flow of a clip, by a method of choice.
It hands frame pairs to the method and keeps what comes back; it must not know about sprites or masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from ...protocol import ClipError, SettingsError
from ..paged import new
from ..parallel import map_ordered
from ..report import Report, ticked
from .dis import DenseInverseSearch
from .field import Flow
from .raft import Raft

__all__ = ["Flow", "METHODS", "Method", "compute_flow"]


class Method(Protocol):
    """Flow of two RGB uint8 frames (h, w, 3), both ways, each float32 (h, w, 2); `threaded`: may run in several threads."""

    threaded: bool

    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ...


#: Name of a method -> what makes it for a clip (frames, device, weights)
METHODS: dict[str, Callable[[np.ndarray, str, Path | None], Method]] = {
    "dis": lambda frames, device, weights: DenseInverseSearch(frames),
    "raft": lambda frames, device, weights: Raft(device, weights),
}


def compute_flow(frames: np.ndarray, *, method: str = "dis", device: str = "cpu", weights: Path | None = None,
                 report: Report) -> Flow:
    """Flow between all neighboring frames, both ways.

    `frames` RGB uint8 (T, h, w, 3), T >= 1; `device` and `weights` concern learned methods only.  The caller has set OpenCV to
    one thread.  Raises `SettingsError` (settings.flow) for an unknown method, `ClipError` (clip.size) for frames under
    16 px, and the method's own `EngineError`.
    """
    if method not in METHODS:
        raise SettingsError("settings.flow", f"There is no flow method {method!r}.", f"Choose one of: {', '.join(sorted(METHODS))}.")
    count, height, width = frames.shape[:3]
    if min(height, width) < 16:
        raise ClipError("clip.size", f"Frames of {width} x {height} px are too small to see motion in.", "Use a clip of 16 px or more.")
    between = METHODS[method](frames, device, weights)
    forward, backward = (new((count - 1, height, width, 2), np.float16) for _ in range(2))
    report.stage("flow", count - 1)

    def pair(t: int) -> tuple[np.ndarray, np.ndarray]:
        return between(frames[t], frames[t + 1])

    pairs = map_ordered(pair, range(count - 1)) if between.threaded else map(pair, range(count - 1))
    for t, (there, back) in enumerate(ticked(pairs, report)):
        forward[t], backward[t] = there, back
    return Flow(forward, backward)
