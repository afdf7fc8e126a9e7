# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiles of a plate, strips of rows at once where that fits: every frame's share is warped there and voted on.
It knows frames, weights and homographies; which pixels are believed is decided by `layers.plate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from ..geometry import translation
from ..layers.plate import CANDIDATES, ENOUGH, LEAST_AT_NEED, LEAST_WEIGHT, MEAN_SHIFTS, VOTE_SIGMA, Canvas, Tile
from ..parallel import map_ordered
from .card import Accelerator
from .pictures import rounded, warped
from .voting import mode

__all__ = ["STRIP", "voted"]

STRIP = 16             # rows: what memory is planned in, where all frames vote everywhere
_BYTES = 96            # bytes a pixel and frame; 79 by malloc's count
_AT_ONCE = 8           # frames uploaded and warped together


def voted(accelerator: Accelerator, read: Callable[[int], np.ndarray], weight: Callable[[int], np.ndarray], canvas: Canvas,
          tiles: Sequence[Tile], voters: Callable[[Tile], np.ndarray], *, otherwise: Callable[[Tile], tuple[np.ndarray, ...]],
          cubic: bool) -> Iterator[tuple[np.ndarray, ...]]:
    """For each tile colors float32 (h, w, 3), agreement, support and number of views (h, w), as `otherwise` finds them.

    `voters(tile)`: the frames that vote there.  Tiles as wide as the canvas, one below the other, are done together.
    """
    strips = all(tile.width == canvas.width for tile in tiles)

    def together(some: Sequence[Tile]) -> list[tuple[np.ndarray, ...]]:
        first, last = some[0], some[-1]
        whole = _voted(accelerator, read, weight, canvas, replace(first, height=last.top + last.height - first.top), voters, cubic)
        return [tuple(part[tile.top - first.top:][:tile.height] for part in whole) for tile in some]

    need = max(len(voters(tile)) * tile.width * tile.height for tile in tiles) * _BYTES
    return accelerator.map(together, tiles, otherwise=otherwise, bytes_each=need, most=None if strips else 1)


def _voted(accelerator: Accelerator, read: Callable[[int], np.ndarray], weight: Callable[[int], np.ndarray], canvas: Canvas,
           tile: Tile, voters: Callable[[Tile], np.ndarray], cubic: bool) -> list[np.ndarray]:
    colors, weights, views = _warped(accelerator, read, weight, canvas, tile, voters(tile).tolist(), cubic)
    picture, agreement, support = mode(colors, weights, sigma=VOTE_SIGMA, candidates=CANDIDATES, shifts=MEAN_SHIFTS, least=LEAST_WEIGHT,
                                       enough=ENOUGH, at_need=LEAST_AT_NEED)
    return [part.cpu().numpy() for part in (picture.permute(1, 2, 0).contiguous(), agreement, support, views)]


def _warped(accelerator: Accelerator, read: Callable[[int], np.ndarray], weight: Callable[[int], np.ndarray], canvas: Canvas,
            tile: Tile, voters: list[int], cubic: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A tile as the voters show it: colors (n, 3, h, w) and weights (n, h, w), 0..255; the number of views (h, w)."""
    size, to_frames = (tile.width, tile.height), canvas.homographies @ translation(tile.left, tile.top)
    count = max(1, len(voters))     # where no frame reaches, one of weight 0 does
    colors = torch.zeros((count, 3, *size[::-1]), device=accelerator.device)
    weights = torch.zeros((count, *size[::-1]), device=accelerator.device)
    views = torch.zeros(size[::-1], device=accelerator.device)
    for first in range(0, len(voters), _AT_ONCE):
        some, place = voters[first:first + _AT_ONCE], slice(first, first + _AT_ONCE)
        frames, masks = (accelerator.pictures(list(map_ordered(source, some))) for source in (read, weight))
        moved = warped(frames, to_frames[some], size, interpolation="bicubic" if cubic else "bilinear", border="border")
        colors[place] = rounded(moved)
        weights[place] = warped(masks, to_frames[some], size).round()[:, 0]
        views += warped(torch.ones_like(masks), to_frames[some], size, interpolation="nearest")[:, 0].sum(0)
    return colors, weights, views
