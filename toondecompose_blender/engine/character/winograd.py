# SPDX-License-Identifier: GPL-3.0-or-later
"""3x3 convolutions with 16 products where the plain way needs 36: Winograd's F(2x2, 3x3), as Lavin and Gray (2016) apply it.
Equal to the plain convolution but for rounding; knows one layer on the processor, not networks."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Winograd"]

TILES = 256  # of 2 x 2 px at a time: what they become, 3.7 MB at 224 channels, stays in the caches (measured)
# What the kernel is multiplied by from both sides; those of the input and the output are sums and differences only.
KERNEL = ((1, 0, 0), (.5, .5, .5), (.5, -.5, .5), (0, 0, 1))


class Winograd:
    """A convolution with a 3x3 kernel, stride and padding of 1, followed by a PReLU; pictures (V, H, W, C), H and W even."""

    def __init__(self, conv: nn.Conv2d, activation: nn.PReLU):
        kernel = torch.tensor(KERNEL, dtype=torch.float64)
        weight = kernel @ conv.weight.double() @ kernel.T
        self._weight = weight.permute(2, 3, 1, 0).reshape(16, conv.in_channels, conv.out_channels).float().contiguous()
        self._bias, self._slope = conv.bias, activation.weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        views, height, width, channels = x.shape
        padded = F.pad(x, (0, 0, 1, 1, 1, 1))
        out = x.new_empty(views, height // 2, 2, width // 2, 2, self._weight.shape[2])
        step = max(1, TILES // (width // 2))
        for view in range(views):
            for top in range(0, height // 2, step):
                rows = min(step, height // 2 - top)
                self._convolve(padded[view, 2 * top:2 * (top + rows) + 2], out[view, top:top + rows])
        return out.view(views, height, width, -1)

    def _convolve(self, x: torch.Tensor, out: torch.Tensor) -> None:
        """`x` (2R + 2, W + 2, C) into `out` (R, 2, W / 2, 2, O)."""
        product = torch.bmm(_tiles(x).flatten(2, 3).flatten(0, 1), self._weight)
        product[5] += self._bias  # the one product that reaches all four pixels of a tile with a plus
        product = product.view(4, 4, *out.shape[::2])
        for row, of_row in enumerate(_pair(*product)):
            for column, pixels in enumerate(_pair(*of_row)):
                out[:, row, :, column] = torch.prelu(pixels.flatten(0, 1), self._slope).view(pixels.shape)


def _tiles(x: torch.Tensor) -> torch.Tensor:
    """Overlapping tiles of 4 x 4 px, two apart, of `x` (2R + 2, W + 2, C), transformed: (4, 4, R, W / 2, C)."""
    height, width = len(x) - 2, x.shape[1] - 2
    rows = x.new_empty(4, height // 2, *x.shape[1:])
    _four(*(x[start:start + height:2] for start in range(4)), out=rows.unbind(0))
    tiles = x.new_empty(4, 4, height // 2, width // 2, x.shape[2])
    _four(*(rows[:, :, start:start + width:2] for start in range(4)), out=tiles.unbind(1))
    return tiles


def _four(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor, *, out: tuple[torch.Tensor, ...]) -> None:
    torch.sub(a, c, out=out[0])
    torch.add(b, c, out=out[1])
    torch.sub(c, b, out=out[2])
    torch.sub(b, d, out=out[3])


def _pair(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return (a + b).add_(c), (b - c).sub_(d)
