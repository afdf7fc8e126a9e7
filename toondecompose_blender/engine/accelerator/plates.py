# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a plate, strips of them at once: every frame's share is warped there and voted on.
It knows frames, weights and homographies; which pixels are believed is decided by `layers.plate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..geometry import corners, project, translation
from ..layers.plate import CANDIDATES, LEAST_WEIGHT, MEAN_SHIFTS, VOTE_SIGMA, Canvas
from ..parallel import map_ordered
from .card import Accelerator
from .pictures import rounded, warped
from .voting import mode

__all__ = ["STRIP", "strip_bytes", "voted"]

STRIP = 16             # rows: what memory is planned in
_BYTES = 48            # bytes a pixel and frame: colors and weight as numbers, and three such numbers at work
_AT_ONCE = 8           # frames uploaded and warped together


def strip_bytes(canvas: Canvas) -> int:
    """Bytes that voting on one strip of a canvas needs."""
    return _BYTES * len(canvas.homographies) * canvas.width * STRIP


def voted(accelerator: Accelerator, read: Callable[[int], np.ndarray], weight: Callable[[int], np.ndarray], canvas: Canvas,
          strips: Sequence[tuple[int, int]], *, cubic: bool) -> list[tuple[np.ndarray, ...]]:
    """For each of neighboring strips (top, bottom): colors float32 (h, w, 3), agreement, support and number of views (h, w)."""
    top, bottom = strips[0][0], strips[-1][1]
    colors, weights, views = _warped(accelerator, read, weight, canvas, top, bottom, cubic)
    picture, agreement, support = mode(colors, weights, sigma=VOTE_SIGMA, candidates=CANDIDATES, shifts=MEAN_SHIFTS, least=LEAST_WEIGHT)
    whole = [part.cpu().numpy() for part in (picture.permute(1, 2, 0).contiguous(), agreement, support, views)]
    return [tuple(part[start - top:end - top] for part in whole) for start, end in strips]


def _warped(accelerator: Accelerator, read: Callable[[int], np.ndarray], weight: Callable[[int], np.ndarray], canvas: Canvas,
            top: int, bottom: int, cubic: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows of the canvas as all frames show them: colors (T, 3, h, w) and weights (T, h, w), 0..255; the number of views (h, w)."""
    size = (canvas.width, bottom - top)
    to_frames = canvas.homographies @ translation(0, top)
    colors = torch.zeros((len(to_frames), 3, *size[::-1]), device=accelerator.device)
    weights = torch.zeros((len(to_frames), *size[::-1]), device=accelerator.device)
    views = torch.zeros(size[::-1], device=accelerator.device)
    shape = weight(0).shape
    touching = [t for t, homography in enumerate(to_frames) if _touches(homography, shape, size[1])]
    for first in range(0, len(touching), _AT_ONCE):
        some = touching[first:first + _AT_ONCE]
        frames, masks = (accelerator.pictures(list(map_ordered(source, some))) for source in (read, weight))
        moved = warped(frames, to_frames[some], size, interpolation="bicubic" if cubic else "bilinear", border="border")
        colors[some] = rounded(moved)
        weights[some] = warped(masks, to_frames[some], size).round()[:, 0]
        views += warped(torch.ones_like(masks), to_frames[some], size, interpolation="nearest")[:, 0].sum(0)
    return colors, weights, views


def _touches(to_frame: np.ndarray, shape: tuple[int, int], rows: int) -> bool:
    """Whether a frame (height, width) reaches into the first `rows` of what `to_frame` leads from."""
    y = project(np.linalg.inv(to_frame), corners(shape[1], shape[0]))[:, 1]
    return bool(y.max() >= -1 and y.min() <= rows)
