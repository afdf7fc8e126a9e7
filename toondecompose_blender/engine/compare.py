# SPDX-License-Identifier: GPL-3.0-or-later
"""How near rendered frames come to the engine's own recomposition, and the recomposition to the clip and to the truth.
It reads finished folders; it renders nothing itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..protocol import ResultError, read_result
from .clip import open_clip
from .evaluate import evaluate, table
from .recompose import Recomposer, decibel

__all__ = ["compare"]


def compare(result: Path, render: Path, *, truth: Path | None = None) -> str:
    """Lines for the terminal: PSNR in dB of the render, of the recomposition, and the score table if `truth` is given.

    The render may show the first frames only.  Raises `ResultError` (result.render_size) if its size differs.
    """
    decomposition = read_result(result)
    rendered = open_clip(render)
    clip = decomposition.clip
    if (rendered.width, rendered.height) != (clip.width, clip.height):
        raise ResultError("result.render_size", f"The render is {rendered.width}x{rendered.height}, the clip {clip.width}x{clip.height}.",
                          "Render at the clip's own size.")
    recomposer = Recomposer(result, decomposition)
    count = min(rendered.count, clip.frames)
    errors = [_squared_error(rendered.read(t), recomposer.frame(t)) for t in range(count)]
    lines = [f"render against recomposition    {decibel(float(np.mean(errors))):6.2f} dB over {count} frames",
             f"recomposition against the clip  {decomposition.metrics['recomposition_psnr']:6.2f} dB"]
    if truth is not None:
        lines.append(table([evaluate(result, truth)]))
    return "\n".join(lines)


def _squared_error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean((one.astype(np.float32) - other) ** 2))
