# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and checks everything that a result folder says, before anything is built from it.
It must not know bpy."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..protocol import Decomposition, ResultError, Sprite, inside, read_result

__all__ = ["Sequence", "Source", "Result", "load_result", "sequence_of"]

_NUMBERED = re.compile(r"^(.*?)(\d+)(\.[A-Za-z0-9]+)$")
# Relative to the product of the rows' lengths; float64 leaves 1e-16, real sprites stay above 1e-9.
_SINGULAR = 1e-12
_REMEDY = "Decompose the clip again."


@dataclass(frozen=True)
class Sequence:
    """Numbered pictures in one folder as Blender's image sequences want them; `numbers[k]` is the number of picture k."""
    first: Path
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """One sprite, checked: its record, homographies (T, 3, 3) float64, and its picture sequences (`index_maps` may be None)."""
    sprite: Sprite
    homographies: np.ndarray
    drawings: Sequence
    index_maps: Sequence | None


@dataclass(frozen=True)
class Result:
    """A checked result folder; `sources` stand back to front."""
    folder: Path
    decomposition: Decomposition
    sources: tuple[Source, ...]


def load_result(folder: os.PathLike | str) -> Result:
    """Read a result folder.

    Raises `ResultError`: what `read_result` raises, result.file_missing, result.homographies, result.drawings.
    """
    folder = Path(folder).resolve()
    decomposition = read_result(folder)
    _check_sizes(decomposition)
    return Result(folder, decomposition, tuple(_source(folder, sprite) for sprite in decomposition.sprites))


def sequence_of(paths: list[Path]) -> Sequence:
    """The sequence that `paths` form.  Raises `ResultError` (result.drawings) if they are not numbered alike in one folder."""
    parts = [_NUMBERED.match(path.name) for path in paths]
    names = {(path.parent, part.group(1), part.group(3)) if part else path for path, part in zip(paths, parts, strict=True)}
    if len(names) != 1 or None in parts:
        raise ResultError("result.drawings", f"The pictures of {paths[0].parent.name} are not one numbered sequence.", _REMEDY)
    return Sequence(paths[0], tuple(int(part.group(2)) for part in parts))


def _check_sizes(decomposition: Decomposition) -> None:
    clip = decomposition.clip
    if min(clip.width, clip.height, clip.frames) < 1 or not 0 < clip.fps < 1e4:
        raise ResultError("result.damaged", f"The clip is {clip.width} x {clip.height} px, {clip.frames} frames at {clip.fps} a second.",
                          _REMEDY)
    for sprite in decomposition.sprites:
        if min(sprite.width, sprite.height) < 1:
            raise ResultError("result.damaged", f"The canvas of sprite {sprite.id} is {sprite.width} x {sprite.height} px.", _REMEDY)


def _source(folder: Path, sprite: Sprite) -> Source:
    drawings = [_picture(folder, sprite, name) for name in sprite.drawings]
    maps = [_picture(folder, sprite, name) for name in sprite.index_maps]
    if maps and len(maps) != len(drawings):
        raise ResultError("result.damaged", f"Sprite {sprite.id} has {len(maps)} index maps for {len(drawings)} drawings.", _REMEDY)
    if sprite.opacity and len(sprite.opacity) != len(sprite.exposure):
        raise ResultError("result.damaged", f"Sprite {sprite.id} has {len(sprite.opacity)} opacities for {len(sprite.exposure)} frames.",
                          _REMEDY)
    return Source(sprite, _homographies(folder, sprite), sequence_of(drawings), sequence_of(maps) if maps else None)


def _picture(folder: Path, sprite: Sprite, name: str) -> Path:
    """The path of a picture that exists, lies in the folder even through links, and has the size of the canvas."""
    path = inside(folder, name)
    if not path.is_file():
        raise ResultError("result.file_missing", f"Sprite {sprite.id} lacks its picture {name}.",
                          "Restore the file, or decompose the clip again.")
    if not path.resolve().is_relative_to(folder):
        raise ResultError("result.path", f"{name} is a link out of the result folder.", "Do not use this result; decompose the clip again.")
    with open(path, "rb") as file:
        head = file.read(24)
    if head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", head[16:24]) != (sprite.width, sprite.height):
        raise ResultError("result.drawings", f"{name} is not {sprite.width} x {sprite.height} px like sprite {sprite.id}.", _REMEDY)
    return path


def _homographies(folder: Path, sprite: Sprite) -> np.ndarray:
    """Homographies fit to be lifted: those of hidden frames, which mean nothing, repeat their neighbor's."""
    def unusable(what: str) -> ResultError:
        return ResultError("result.homographies", f"{sprite.homographies} of sprite {sprite.id} {what}.", _REMEDY)

    path = inside(folder, sprite.homographies)
    try:
        matrices = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ResultError("result.file_missing", f"Sprite {sprite.id} lacks its file {sprite.homographies}.",
                          "Restore the file, or decompose the clip again.") from None
    except (OSError, ValueError, EOFError) as cause:
        raise unusable("cannot be read") from cause
    frames = len(sprite.exposure)
    if matrices.shape != (frames, 3, 3) or matrices.dtype.kind != "f":
        raise unusable(f"has shape {matrices.shape} instead of ({frames}, 3, 3) real numbers")
    shown = np.array(sprite.exposure) > 0
    usable = np.isfinite(matrices).all((1, 2))
    lengths = np.linalg.norm(np.where(usable[:, None, None], matrices, 1.0), axis=2).prod(1)
    usable &= np.abs(np.linalg.det(np.where(usable[:, None, None], matrices, 0.0))) > _SINGULAR * lengths
    if (shown & ~usable).any():
        raise unusable(f"is singular or not finite at frame {1 + int(np.argmax(shown & ~usable))}")
    return _without_gaps(matrices.astype(np.float64), usable)


def _without_gaps(matrices: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Replace unusable matrices (of hidden frames) by the nearest usable one; by the identity where there is none."""
    if not usable.any():
        return np.broadcast_to(np.eye(3), matrices.shape).copy()
    good = np.flatnonzero(usable)
    nearest = good[np.abs(good[None, :] - np.arange(len(matrices))[:, None]).argmin(1)]
    return matrices[nearest]
