# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames that go in: a folder of pictures, one picture, or a movie, read one by one as 8-bit RGB of one size.
Frames are numbered from 1 as an animator counts; knows nothing of what becomes of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from natsort import natsorted, ns

from ..protocol import Clip, ClipError, SettingsError, Warned
from . import pictures
from .digest import combined_digest
from .movie import Movie
from .stages import fingerprint

__all__ = ["ClipReader", "open_clip", "parse_range", "MIN_SIDE", "BACKDROP"]

MIN_SIDE = 32  # px; below, no flow window (8 px, three pyramid levels) fits
BACKDROP = 128  # gray level behind transparent pixels
_MOVIES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ogv", ".gif", ".wmv", ".flv", ".mxf", ".ts")
_DEFAULT_FPS = 24.0  # pictures carry no rate; film's


def parse_range(text: str) -> slice:
    """"A:B" -> the frames A to B of a clip, counted from 1, both included; "A:" and ":B" are open.

    Returns a slice for `open_clip`.  Raises `SettingsError` settings.frames.
    """
    match = re.fullmatch(r"\s*(\d*)\s*:\s*(\d*)\s*", text)
    first, last = (int(match[1] or 1), int(match[2]) if match[2] else None) if match else (0, None)
    if first < 1 or (last is not None and last < first):
        raise SettingsError("settings.frames", f"{text!r} is no range of frames.",
                            "Write it as first:last, counted from 1, for instance 1:48.")
    return slice(first - 1, last)


def open_clip(path: str | Path, *, frames: slice | None = None) -> ClipReader:
    """Open a folder of pictures, one picture, or a movie; `frames` (from `parse_range`) limits it.

    A folder without pictures that has a "frames" folder stands for that one.  The first frame is read at once, the others
    when they are asked for.  Raises `ClipError`: clip.missing, clip.empty, clip.unreadable, clip.damaged, clip.range, clip.too_small.
    """
    path = Path(path)
    if not path.exists():
        raise ClipError("clip.missing", f"There is no clip at {path}.", "Choose a folder of frames or a movie.")
    wanted = frames or slice(0, None)
    if path.is_dir():
        return _open_folder(path, wanted)
    suffix = path.suffix.lower()
    if suffix in pictures.SUFFIXES:
        return _chosen(ClipReader(path.stem, path, [path], numbers=[1], fps=_DEFAULT_FPS), wanted)
    if suffix in _MOVIES:
        movie = Movie(path, stop=wanted.stop)
        return _chosen(ClipReader(path.stem, path, movie, numbers=range(1, movie.count + 1), fps=movie.fps), wanted)
    raise ClipError("clip.unreadable", f"{path.name} is neither a movie nor a picture that can be read.",
                    "Choose a folder of PNG, JPEG, WebP, TIFF or EXR frames, or a movie such as MP4, MOV or MKV.")


def _open_folder(folder: Path, wanted: slice) -> ClipReader:
    found, name = _pictures_of(folder), folder.resolve().name
    if not found and (folder / "frames").is_dir():
        folder, found = folder / "frames", _pictures_of(folder / "frames")
    elif name == "frames":
        name = folder.resolve().parent.name
    if not found:
        raise ClipError("clip.empty", f"There are no pictures in {folder}.",
                        "Choose a folder that holds PNG, JPEG, WebP, TIFF or EXR frames.")
    warnings = []
    kinds = Counter(file.suffix.lower() for file in found)
    if len(kinds) > 1:
        kind = max(sorted(kinds), key=kinds.__getitem__)
        found = [file for file in found if file.suffix.lower() == kind]
        warnings.append(Warned("clip.mixed_kinds", f"{folder} holds {', '.join(sorted(kinds))}; only {kinds[kind]} {kind} files are used.",
                               "Keep one kind of picture in a folder."))
    numbers = _numbers(found)
    return _chosen(ClipReader(name, folder, found, numbers=numbers, fps=_DEFAULT_FPS, warnings=warnings), wanted)


def _pictures_of(folder: Path) -> list[Path]:
    try:
        found = [entry for entry in folder.iterdir()
                 if entry.suffix.lower() in pictures.SUFFIXES and not entry.name.startswith(".") and entry.is_file()]
    except OSError as cause:
        raise ClipError("clip.unreadable", f"{folder} cannot be listed: {cause.strerror}.",
                        "Check that you may read the folder.") from cause
    return natsorted(found, key=lambda entry: entry.name, alg=ns.IGNORECASE)


def _numbers(files: list[Path]) -> list[int]:
    """The number at the end of each file's name; 1, 2, 3 ... where names do not count upwards."""
    ends = [re.search(r"(\d{1,9})\D*$", file.stem) for file in files]
    numbers = [int(end[1]) for end in ends if end]
    rising = len(numbers) == len(files) and all(a < b for a, b in zip(numbers, numbers[1:], strict=False))
    return numbers if rising else list(range(1, len(files) + 1))


def _gaps(numbers: list[int] | range) -> tuple[range, ...]:
    """Where the numbering jumps; a constant step (frames exported on twos) is no gap."""
    steps = np.diff(numbers)
    usual = int(steps.min(initial=1 << 30))
    return tuple(range(a + usual, b, usual) for a, b, step in zip(numbers, numbers[1:], steps, strict=False) if step > usual)


def _chosen(reader: ClipReader, wanted: slice) -> ClipReader:
    stop = reader.count if wanted.stop is None else wanted.stop
    if wanted.start >= reader.count or stop > reader.count:
        raise ClipError("clip.range", f"Frames {wanted.start + 1} to {stop} were asked for, {reader.name} has {reader.count}.",
                        f"Choose frames between 1 and {reader.count}.")
    reader._restrict(wanted.start, stop)
    return reader


class ClipReader:
    """A clip: `count` frames of `width` x `height` px, read on demand; safe to use from several threads.

    `first_frame` is the source's own number of the first frame, `gaps` the numbers that its sequence lacks,
    `warnings` what the artist should know before the work starts.
    """

    def __init__(self, name: str, source: Path, frames: list[Path] | Movie, *, numbers: list[int] | range, fps: float,
                 warnings: list[Warned] | None = None):
        self.name, self.source, self.fps = name, str(source.resolve()), fps
        self.count = len(numbers)
        self.has_alpha = False
        self.width = self.height = 0
        self.gaps: tuple[range, ...] = ()
        self.first_frame = 1
        self._frames, self._numbers, self._start, self._warnings = frames, numbers, 0, warnings or []

    def _restrict(self, start: int, stop: int) -> None:
        """Keep the frames start ... stop - 1 and learn the size from the first."""
        self._start, self.count, self._numbers = start, stop - start, self._numbers[start:stop]
        self.first_frame, self.gaps = self._numbers[0], _gaps(self._numbers)
        first = self._picture(0)
        self.height, self.width = first.shape[:2]
        if min(self.height, self.width) < MIN_SIDE:
            raise ClipError("clip.too_small", f"{self.name} is {self.width}x{self.height} pixels.",
                            f"Frames must be at least {MIN_SIDE} pixels on each side.")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the clip's frames come from: its pictures, or the movie."""
        if isinstance(self._frames, Movie):
            return (Path(self.source),)
        return tuple(self._frames[self._start : self._start + self.count])

    @property
    def key(self) -> str:
        """Changes when any file of the clip does, or the choice of its frames."""
        return fingerprint(combined_digest(self.files), self.first_frame, self.count)

    @property
    def record(self) -> Clip:
        """The clip as a manifest tells of it."""
        return Clip(self.name, self.width, self.height, self.count, float(self.fps), self.first_frame, self.source)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The source's own number of each frame."""
        return tuple(self._numbers)

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """Gaps, transparency and files left out, as messages."""
        found = list(self._warnings)
        if self.gaps:
            ranges = ", ".join(f"{gap[0]}-{gap[-1]}" if len(gap) > 1 else str(gap[0]) for gap in self.gaps[:5])
            found.append(Warned("clip.gaps", f"Frames are missing in {self.name}: {ranges}{' ...' if len(self.gaps) > 5 else ''}.",
                                "The frames on both sides are taken as neighbors; add the missing ones if motion jumps there."))
        if self.has_alpha:
            found.append(Warned("clip.alpha", f"{self.name} has transparent pixels; they are shown over gray.",
                                "Render the clip with its background for a cleaner result."))
        if isinstance(self._frames, Movie) and self._frames.short:
            found.append(Warned("clip.short", f"{self.name} announces {self._frames.announced} frames, {self._frames.count} can be read.",
                                "The movie may be cut short; export it again if its end is missing."))
        return tuple(found)

    def read(self, index: int) -> np.ndarray:
        """Frame `index` (0 ... count - 1): (height, width, 3) uint8 RGB.

        Raises `ClipError`: clip.mixed_sizes, clip.damaged, clip.missing, each naming the file.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"frame {index} of {self.count}")
        picture = self._picture(index)
        if picture.shape[:2] != (self.height, self.width):
            name, (height, width) = self._frames[self._start + index].name, picture.shape[:2]
            raise ClipError("clip.mixed_sizes", f"{name} is {width}x{height} pixels, the first frame {self.width}x{self.height}.",
                            "Render all frames at one size.")
        return picture

    def _picture(self, index: int) -> np.ndarray:
        if isinstance(self._frames, Movie):
            return self._frames.read(self._start + index)
        picture = pictures.read_picture(self._frames[self._start + index])
        if picture.shape[2] == 4:
            self.has_alpha = self.has_alpha or bool((picture[..., 3] < 255).any())
            picture = pictures.over(picture, BACKDROP)
        return picture

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.read(index) for index in range(self.count))
