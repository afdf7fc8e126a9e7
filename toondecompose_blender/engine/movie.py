# SPDX-License-Identifier: GPL-3.0-or-later
"""Movies through OpenCV: the true number of frames, and frames in order without seeking (which is inexact in most formats).
Knows nothing of folders or ranges of frames."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from ..protocol import ClipError

__all__ = ["Movie"]

_KEPT_BYTES = 64 << 20  # decoded frames kept for readers that look back a little
_DEFAULT_FPS = 24.0  # film's, where the file does not say


class Movie:
    """A movie file: `count` frames at `fps`.  `announced` is what its header says, `short` whether much less can be decoded.

    Counting decodes the file once, up to frame `stop` at most.  Raises `ClipError` clip.damaged.
    """

    def __init__(self, path: Path, *, stop: int | None = None):
        self.path = path
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._next = 0
        self._capture = self._open()
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = round(float(rate), 4) if 0.1 < rate < 1000 else _DEFAULT_FPS
        self.announced = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.count = 0
        while (stop is None or self.count < stop) and self._capture.grab():
            self.count += 1
        if not self.count:
            raise _damaged(f"{path.name} holds no frame that can be decoded.")
        # Headers round durations, so a frame or two less is usual.
        self.short = (stop is None or self.count < stop) and self.count < 0.98 * self.announced - 2
        self._capture = self._open()

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise _damaged(f"{self.path.name} cannot be opened as a movie.")
        return capture

    def read(self, index: int) -> np.ndarray:
        """Frame `index` (from 0) as uint8 RGB; looking far back decodes again from the start."""
        with self._lock:
            if index in self._kept:
                return self._kept[index].copy()
            if index < self._next:
                self._capture, self._next = self._open(), 0
            while self._next < index and self._capture.grab():
                self._next += 1
            ok, picture = self._capture.read() if self._next == index else (False, None)
            if not ok:
                raise _damaged(f"Frame {index + 1} of {self.path.name} cannot be decoded.")
            self._next += 1
            return self._keep(index, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))

    def _keep(self, index: int, picture: np.ndarray) -> np.ndarray:
        self._kept[index] = picture
        while len(self._kept) > 1 and len(self._kept) * picture.nbytes > _KEPT_BYTES:
            self._kept.popitem(last=False)
        return picture.copy()


def _damaged(what: str) -> ClipError:
    return ClipError("clip.damaged", what, "Export the movie again, or as a folder of PNG frames.")
