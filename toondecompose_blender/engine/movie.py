# SPDX-License-Identifier: GPL-3.0-or-later
"""Movies through OpenCV: read in order with their true number of frames (seeking is inexact in most formats), and written.
Knows nothing of folders or ranges of frames."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from ..protocol import ClipError, EngineError

__all__ = ["Movie", "MovieWriter"]

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


class MovieWriter:
    """An MP4 file written frame by frame, whole or not at all; the same frames give the same bytes.

    Use it in a `with` block.  Odd sizes lose their last row or column.  Raises `EngineError` engine.movie, engine.disk_full.
    """

    def __init__(self, path: Path, width: int, height: int, *, fps: float):
        self.path, self.width, self.height = Path(path), width // 2 * 2, height // 2 * 2
        self._temporary = self.path.with_name(self.path.name + ".tmp.mp4")
        # MPEG-4 part 2: the one encoder that is in every build of OpenCV.
        code = cv2.VideoWriter_fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(self._temporary), cv2.CAP_FFMPEG, code, fps, (self.width, self.height))
        if not self._writer.isOpened():
            raise EngineError("engine.movie", f"{self.path} cannot be written.",
                              "Check that the folder exists and that you may write to it.")

    def __enter__(self) -> MovieWriter:
        return self

    def write(self, picture: np.ndarray) -> None:
        """Add a frame, (height, width, 3) uint8 RGB."""
        self._writer.write(cv2.cvtColor(np.ascontiguousarray(picture[:self.height, :self.width]), cv2.COLOR_RGB2BGR))

    def __exit__(self, kind, error, trace) -> None:
        self._writer.release()
        if kind is None and self._temporary.exists() and self._temporary.stat().st_size:
            os.replace(self._temporary, self.path)
            return
        self._temporary.unlink(missing_ok=True)
        if kind is None:
            raise EngineError("engine.disk_full", f"The disk is full: {self.path} could not be written.",
                              "Free some space and start again; finished stages are kept.")
