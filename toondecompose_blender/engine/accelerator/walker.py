# SPDX-License-Identifier: GPL-3.0-or-later
"""The random walker of `matting.random_walker` for many pictures at once: the same grids, sweeps and order of updates.
Pixels of one color of the checkerboard do not see each other, so updating them together is what the loop does."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..matting.random_walker import COLOR_SIGMA, EXPLAINED_EDGE, EXPLAINED_RESIDUAL, LEAK, OVER_RELAXATION, SWEEPS
from .pictures import resized

__all__ = ["edge_weights", "random_walk"]


def edge_weights(frames: torch.Tensor, backgrounds: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Bonds to the right and lower neighbors, (N, 1, h, w) each, of pictures (N, 3, h, w); `backgrounds` explain contrast."""
    return tuple(_bonds(frames, backgrounds, axis) for axis in (3, 2))


def _bonds(frames: torch.Tensor, backgrounds: torch.Tensor | None, axis: int) -> torch.Tensor:
    contrast = _squared_step(frames, axis)
    if backgrounds is not None:
        residual = (frames - backgrounds).abs().amax(1, keepdim=True)
        residual = torch.maximum(residual, residual.roll(-1, axis))
        explained = _squared_step(backgrounds, axis) / EXPLAINED_EDGE
        contrast = contrast / (1 + explained * torch.exp(-residual * residual / EXPLAINED_RESIDUAL))
    bonds = LEAK + torch.exp(-contrast / (2 * COLOR_SIGMA * COLOR_SIGMA))
    bonds.select(axis, -1).zero_()
    return bonds


def _squared_step(pictures: torch.Tensor, axis: int) -> torch.Tensor:
    squares = pictures.diff(dim=axis).square().sum(1, keepdim=True)
    return F.pad(squares, (0, 1) if axis == 3 else (0, 0, 0, 1))


def random_walk(value: torch.Tensor, confidence: torch.Tensor, right: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """The x that minimizes sum confidence (x - value)^2 + sum bond (x_p - x_q)^2; all (N, 1, h, w), x in 0..1."""
    levels = [(value, confidence, right, down)]
    while len(levels) < len(SWEEPS):
        levels.append(_coarser(*levels[-1]))
    solution = levels[-1][0]
    for level, sweeps in zip(reversed(levels), reversed(SWEEPS)):
        solution = resized(solution, level[0].shape[:1:-1])
        solution = _relaxed(solution, *level, sweeps)
    return solution


def _coarser(value: torch.Tensor, confidence: torch.Tensor, right: torch.Tensor, down: torch.Tensor) -> tuple[torch.Tensor, ...]:
    height, width = value.shape[2:]
    size = (max(2, width // 2), max(2, height // 2))
    fine = torch.cat([value * confidence, confidence, right, down], 1)
    weighted, mean, coarse_right, coarse_down = resized(fine, size, area=True).split(1, 1)
    coarse_right[..., -1] = 0
    coarse_down[..., -1, :] = 0
    return weighted / mean.clamp_min(1e-8), mean * 4, coarse_right, coarse_down


def _relaxed(x: torch.Tensor, value: torch.Tensor, confidence: torch.Tensor, right: torch.Tensor, down: torch.Tensor,
             sweeps: int) -> torch.Tensor:
    padded = F.pad(x, (1, 1, 1, 1))
    inner = padded[..., 1:-1, 1:-1]
    around = padded[..., 1:-1, 2:], padded[..., 1:-1, :-2], padded[..., 2:, 1:-1], padded[..., :-2, 1:-1]
    bonds = right, F.pad(right[..., :-1], (1, 0)), down, F.pad(down[..., :-1, :], (0, 0, 1, 0))
    own, mass = confidence * value, confidence + sum(bonds)
    rate = torch.where(mass > 0, OVER_RELAXATION / mass, 0)
    height, width = x.shape[2:]
    odd = torch.from_numpy(np.indices((height, width)).sum(0) % 2 > 0).to(x.device)
    rates = [torch.where(odd == color, rate, 0) for color in (False, True)]
    for _ in range(sweeps):
        for step in rates:
            pull = torch.addcmul(own, mass, inner, value=-1)
            for bond, neighbor in zip(bonds, around, strict=True):
                pull.addcmul_(bond, neighbor)
            inner.addcmul_(step, pull)
    return inner.contiguous()
