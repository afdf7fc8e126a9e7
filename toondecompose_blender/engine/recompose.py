# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames that a result stands for: sprites through their homographies, laid over each other back to front.
It reads a result folder only; Blender's planes must show the same pictures."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import lru_cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numba
import numpy as np

from ..protocol import Decomposition, ResultError, Sprite, inside
from .parallel import map_ordered
from .pictures import read_picture
from .resampling import warp_to

if TYPE_CHECKING:
    from .accelerator import Accelerator

__all__ = ["SpriteRenderer", "Recomposer", "whole_sprites", "over", "through", "rounded", "decibel"]

CACHED_DRAWINGS = 4        # of a sprite, as they are mixed ...
CACHED_BYTES = 64 << 20    # ... and as they were read: a cycle's drawings come again and again
AT_ONCE = 8                # frames made on a device before the first is handed on


def through(straight: np.ndarray, homography: np.ndarray, width: int, height: int) -> np.ndarray:
    """A straight-alpha drawing float32 (h, w, 4) in 0..1 through a homography: premultiplied float32 (height, width, 4).

    Color and alpha are interpolated apart, bilinearly, and fade to zero outside, as Blender's planes do: measured there, 87 dB
    from this and 74 dB from interpolating premultiplied color.  The drawings continue their colors under alpha 0, so no
    fringe comes of it.
    """
    picture = warp_to(straight, homography, width, height)
    _premultiply(picture)
    return picture


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _premultiply(picture):
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            for c in range(3):
                picture[y, x, c] *= picture[y, x, 3]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def over(front: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """`front` premultiplied float32 (H, W, 4) over `behind` float32 (H, W, 3 or 4), in display space, like the artist's paint."""
    result = np.empty_like(behind)
    for y in range(behind.shape[0]):
        for x in range(behind.shape[1]):
            rest = np.float32(1) - front[y, x, 3]
            for c in range(behind.shape[2]):
                result[y, x, c] = front[y, x, c] + rest * behind[y, x, c]
    return result


@numba.njit(nogil=True, cache=True, error_model="numpy")
def rounded(picture: np.ndarray) -> np.ndarray:
    """uint8 of float32 (H, W, 3) in 0..1."""
    result = np.empty(picture.shape, np.uint8)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            for c in range(picture.shape[2]):
                result[y, x, c] = np.uint8(np.rint(min(max(picture[y, x, c], np.float32(0)), np.float32(1)) * np.float32(255)))
    return result


def decibel(squared_error: float) -> float:
    """Peak signal to noise ratio in dB of 8-bit pictures with this mean squared error; at most 138 dB."""
    return round(float(10 * np.log10(255**2 / max(squared_error, 1e-9))), 2)


def whole_sprites(decomposition: Decomposition) -> list[Sprite]:
    """The sprites back to front, without the planes that are parts of others."""
    return [sprite for sprite in decomposition.sprites if not sprite.part_of]


class SpriteRenderer:
    """One sprite of a result in frame space, the planes that are parts of it included."""

    def __init__(self, folder: Path, decomposition: Decomposition, sprite: Sprite, *, size: tuple[int, int] | None = None):
        """`size` (width, height) of the frames to make, px; default: the clip's own."""
        self.folder, self.sprite = Path(folder), sprite
        clip = decomposition.clip
        self._clip_size, self._homographies = (clip.width, clip.height), load_homographies(self.folder, decomposition, sprite)
        self.parts = [SpriteRenderer(folder, decomposition, part) for part in decomposition.sprites if part.part_of == sprite.id]
        self._stored = lru_cache(max(CACHED_DRAWINGS, CACHED_BYTES // (4 * sprite.width * sprite.height)))(self._read)
        self._drawing = lru_cache(CACHED_DRAWINGS)(self._mixable)
        self._resize(size or self._clip_size)

    def _resize(self, size: tuple[int, int]) -> None:
        self.width, self.height = size
        x, y = (own / clip for own, clip in zip(size, self._clip_size, strict=True))
        shrink = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1.0]])
        self.homographies = shrink @ self._homographies
        self.parts = [part.of_size(size) for part in self.parts]

    def of_size(self, size: tuple[int, int]) -> SpriteRenderer:
        """The same sprite in frames of `size` (width, height); both share the drawings that they have read."""
        other = copy(self)
        other._resize(size)
        return other

    def frame(self, t: int) -> np.ndarray:
        """The sprite in frame t (from 0): premultiplied RGBA float32 (H, W, 4) in 0..1; all zeros where it is not shown."""
        pictures = [part.frame(t) for part in self.parts]
        if self.sprite.exposure[t]:
            pictures.append(through(self.drawing(t), self.homographies[t], self.width, self.height))
            if self.sprite.opacity and self.sprite.opacity[t] != 1:
                pictures[-1] *= np.float32(self.sprite.opacity[t])
        if not pictures:
            return np.zeros((self.height, self.width, 4), np.float32)
        return reduce(lambda behind, front: over(front, behind), pictures)

    def drawing(self, t: int) -> np.ndarray:
        """The drawing that frame t shows, if it shows one: straight RGBA float32 (h, w, 4) in 0..1."""
        return self._drawing(self.sprite.exposure[t])

    def _read(self, number: int) -> np.ndarray:
        return read_picture(inside(self.folder, self.sprite.drawings[number - 1]))

    def _mixable(self, number: int) -> np.ndarray:
        mixable = self._stored(number).astype(np.float32)
        mixable /= 255
        return mixable


def load_homographies(folder: Path, decomposition: Decomposition, sprite: Sprite) -> np.ndarray:
    """(T, 3, 3) float64.  Raises `ResultError` (result.homographies) if missing, misshapen, not finite or singular."""
    path = inside(folder, sprite.homographies)
    remedy = "Decompose the clip again."
    try:
        homographies = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as cause:
        raise ResultError("result.homographies", f"The motion of {sprite.name} cannot be read: {path.name}: {cause}.", remedy) from cause
    if homographies.shape != (decomposition.clip.frames, 3, 3):
        raise ResultError("result.homographies", f"The motion of {sprite.name} has the shape {homographies.shape}.", remedy)
    shown = homographies[np.array(sprite.exposure) > 0].astype(np.float64)
    if not np.isfinite(shown).all() or (np.abs(np.linalg.det(shown)) < 1e-12).any():
        raise ResultError("result.homographies", f"The motion of {sprite.name} is not finite or cannot be inverted.", remedy)
    return homographies.astype(np.float64)


class Recomposer:
    """The whole clip of a result."""

    def __init__(self, folder: Path, decomposition: Decomposition):
        self.decomposition = decomposition
        self.sprites = [SpriteRenderer(folder, decomposition, sprite) for sprite in whole_sprites(decomposition)]

    def exact(self, t: int) -> np.ndarray:
        """Frame t (from 0) as float32 (H, W, 3) in 0..1, over black."""
        clip = self.decomposition.clip
        picture = np.zeros((clip.height, clip.width, 3), np.float32)
        for sprite in self.sprites:
            picture = over(sprite.frame(t), picture)
        return picture

    def frame(self, t: int) -> np.ndarray:
        """Frame t (from 0) as uint8 (H, W, 3), rounded once."""
        return rounded(self.exact(t))

    def frames(self, *, accelerator: Accelerator | None = None) -> Iterator[np.ndarray]:
        """All frames in order."""
        numbers = range(self.decomposition.clip.frames)
        if accelerator is None:
            return map_ordered(self.frame, numbers)
        from .accelerator.recomposition import frame_bytes, recomposed

        return accelerator.map(lambda batch: recomposed(accelerator, self, batch), numbers, otherwise=self.frame,
                               bytes_each=frame_bytes(self), most=AT_ONCE)
