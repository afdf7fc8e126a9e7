# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recomposition lacks of its clip, frame by frame, as pictures that are kept apart from the sprites.
It knows two pictures of one frame and a file; not how either picture came about."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..protocol import Decomposition, ResultError, inside
from .pictures import write_bytes

__all__ = ["residual_name", "write_residual", "add_residual"]

# Half of 16 bits and half of 8: the high byte of a difference is 128 unless it is beyond -128..127, so PNG packs it to almost nothing.
# Differences modulo 256 would fit 8 bits, but a processor that rounds one pixel differently would then turn white into black.
_ZERO = 0x8080
# The smallest of six measured on the published test clip: 760 kB a frame of 1280x720 in .3 s, its frames themselves have 940 kB.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 5, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH]


def residual_name(t: int) -> str:
    """Path of frame t's picture (from 0) in a result folder."""
    return f"residual/{t + 1:04d}.png"


def write_residual(path: Path, frame: np.ndarray, recomposed: np.ndarray) -> None:
    """Write frame - recomposed, both uint8 (H, W, 3) RGB, as a 16-bit RGB PNG.  Raises `EngineError` like `write_picture`."""
    difference = frame.astype(np.int32) - recomposed + _ZERO
    packed = cv2.cvtColor(difference.astype(np.uint16), cv2.COLOR_RGB2BGR)
    write_bytes(path, cv2.imencode(".png", packed, _PNG)[1].tobytes())


def add_residual(folder: Path, decomposition: Decomposition, t: int, recomposed: np.ndarray) -> np.ndarray:
    """The clip's own frame t: `recomposed` uint8 (H, W, 3) and its residual.

    Raises `ResultError` result.residual if the result has none, or if this one cannot be read.
    """
    if not decomposition.residual:
        raise ResultError("result.residual", "This result was made without a residual.", "Decompose the clip again with --residual.")
    path = inside(folder, decomposition.residual[t])
    packed = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if packed is None or packed.dtype != np.uint16 or packed.shape != recomposed.shape:
        raise ResultError("result.residual", f"The residual of frame {t + 1} is missing or damaged: {path.name}.",
                          "Decompose the clip again with --residual.")
    difference = cv2.cvtColor(packed, cv2.COLOR_BGR2RGB).astype(np.int32) - _ZERO
    return np.clip(recomposed + difference, 0, 255).astype(np.uint8)
