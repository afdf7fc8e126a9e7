# SPDX-License-Identifier: GPL-3.0-or-later
"""The vote of `layers.plate` for all pixels of a strip at once: the mode of the colors that frames show at a place.
It sees warped colors and weights; where they come from is the plate's business."""

from __future__ import annotations

import torch

__all__ = ["mode"]


def mode(colors: torch.Tensor, weights: torch.Tensor, *, sigma: float, candidates: int, shifts: int,
         least: float, enough: float, at_need: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Color (3, h, w), agreement (h, w) and support (h, w) of `colors` (T, 3, h, w) and `weights` (T, h, w), both 0..255.

    `candidates` colors, evenly in time, are tried; the best is moved by mean `shifts` of a biweight kernel of `sigma` gray levels;
    weights below the share `least` do not count, or below `at_need` where the others come to no more than `enough`.
    """
    reach = 1 / (13.5 * sigma * sigma)
    counted = weights > least * 255
    needy = torch.where(counted, weights / 255, 0).sum(0) <= enough
    counted |= needy & (weights > at_need * 255)
    weights = torch.where(counted, weights / 255, 0)
    support, count = weights.sum(0), counted.sum(0)
    picture = _best(colors, weights, counted, count, candidates, reach)
    agreement = torch.zeros_like(support)
    for shift in range(shifts):
        kernel = _kernel(colors, weights, picture, reach * (2 if shift == shifts - 1 else 1))
        agreement = kernel.sum(0)
        moved = torch.stack([(kernel * colors[:, c]).sum(0) for c in range(3)]) / agreement
        picture = torch.where(agreement > 1e-3, moved, picture)
    empty = count == 0
    return picture.masked_fill(empty, 0), agreement.masked_fill(empty, 0), support


def _best(colors: torch.Tensor, weights: torch.Tensor, counted: torch.Tensor, count: torch.Tensor, candidates: int,
          reach: float) -> torch.Tensor:
    """The candidate color that most of the others are near, (3, h, w)."""
    order = counted.cumsum(0, dtype=torch.int32)
    tried = count.clamp(1, candidates)
    best = torch.full_like(weights[0], -1)
    winner = torch.zeros_like(colors[0])
    for k in range(candidates):
        wanted = (2 * k + 1) * count // (2 * tried) + 1
        frame = ((order == wanted) & counted).to(torch.uint8).argmax(0)
        color = colors.gather(0, frame.expand(1, 3, *frame.shape))[0]
        score = _kernel(colors, weights, color, reach).sum(0)
        better = (score > best) & (k < tried)
        best, winner = torch.where(better, score, best), torch.where(better, color, winner)
    return winner


def _kernel(colors: torch.Tensor, weights: torch.Tensor, center: torch.Tensor, reach: float) -> torch.Tensor:
    """What each frame's color, (T, h, w), counts near `center` (3, h, w)."""
    squares = sum((colors[:, c] - center[c]).square() for c in range(3))
    return weights * (1 - squares * reach).clamp_min_(0).square_()
