# SPDX-License-Identifier: GPL-3.0-or-later
"""Convolutions with fewer products: Winograd's F(4x4, 3x3) as Lavin and Gray (2016) apply it, and F(2x2, 2x2) for doubling pictures.
Equal to the plain convolutions but for rounding; knows one layer on the processor, not networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Winograd", "WinogradUp"]

TILES = 128  # at a time: what they become, 4.1 MB at 224 channels, stays in the caches (measured)
# What the kernels are multiplied by from both sides (Lavin and Gray, section 4.2, and the same for 2 taps); what the input and the
# output are multiplied by is small whole numbers, below.
KERNEL = ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6), (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1))
UP_KERNEL = ((0, 0, 0, 1), (0, 1, 0, 1), (0, 1, 0, 0), (0, 0, 1, 0), (1, 0, 1, 0), (1, 0, 0, 0))
UP_BIAS = (7, 10, 25, 28)  # of the 36 products, those that together reach each of a tile's pixels once, with a plus


class Winograd:
    """A convolution with a 3x3 kernel, stride and padding of 1, followed by a PReLU; pictures (V, H, W, C), H and W multiples of 4.

    36 products where the plain way needs 144.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.PReLU):
        self._weight = _transformed(conv.weight.transpose(0, 1), KERNEL)
        self._bias, self._slope = conv.bias, activation.weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        padded, out = F.pad(x, (0, 0, 1, 1, 1, 1)), x.new_empty(*x.shape[:3], len(self._bias))
        for picture, drawn in zip(padded, out, strict=True):
            for part, rows in _bands(picture, 4):
                tiles = _tiles(part, 4, _six_by_four)
                product = torch.bmm(tiles, self._weight)
                product[7] += self._bias  # the one product that reaches all pixels of a tile with a plus
                _write(product, drawn[rows], _four_by_four, self._slope)
        return out


class WinogradUp:
    """A transposed convolution with a 4x4 kernel, stride of 2 and padding of 1: pictures (V, H, W, C), H and W even, doubled.

    36 products where the plain way needs 64.  With a PReLU behind it pictures stay as they lie, (V, 2H, 2W, O); without, it is the
    last of its block, and they leave as planes, (V, O, 2H, 2W).
    """

    def __init__(self, conv: nn.ConvTranspose2d, activation: nn.PReLU | None = None):
        self._weight = _transformed(conv.weight, UP_KERNEL)
        if activation is None:
            self._weight = self._weight.transpose(1, 2).contiguous()
        self._bias, self._slope = conv.bias, None if activation is None else activation.weight

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        padded = F.pad(x, (0, 0, 1, 1, 1, 1))
        views, height, width, channels = *x.shape[:3], len(self._bias)
        if self._slope is None:
            out = x.new_empty(views, channels, 2 * height, 2 * width)
            targets = out.permute(0, 2, 3, 1)
        else:
            out = targets = x.new_empty(views, 2 * height, 2 * width, channels)
        for picture, drawn in zip(padded, targets, strict=True):
            for part, rows in _bands(picture, 2):
                self._raise(_tiles(part, 2, _six_by_two), drawn[2 * rows.start:2 * rows.stop])
        return out

    def _raise(self, tiles: torch.Tensor, out: torch.Tensor) -> None:
        """36 x (tiles, C) into `out` (4R, 2W, O)."""
        if self._slope is None:
            product = torch.bmm(self._weight, tiles.transpose(1, 2)).transpose(1, 2)
        else:
            product = torch.bmm(tiles, self._weight)
        for number in UP_BIAS:
            product[number] += self._bias
        _write(product, out, _four_by_two, self._slope)


def _transformed(weight: torch.Tensor, kernel: tuple[tuple[float, ...], ...]) -> torch.Tensor:
    """Kernels (C, O, k, k) as the factors of the products, (36, C, O)."""
    matrix = torch.tensor(kernel, dtype=torch.float64)
    factors = matrix @ weight.double() @ matrix.T
    return factors.permute(2, 3, 0, 1).flatten(0, 1).float().contiguous()


def _bands(picture: torch.Tensor, step: int) -> Iterator[tuple[torch.Tensor, slice]]:
    """Parts of a padded picture (H + 2, W + 2, C) of about `TILES` tiles, and the rows 0..H that each is for."""
    height, width = picture.shape[0] - 2, picture.shape[1] - 2
    count = step * max(1, TILES // (width // step))
    for top in range(0, height, count):
        rows = slice(top, min(top + count, height))
        yield picture[rows.start:rows.stop + 2], rows


def _tiles(x: torch.Tensor, step: int, combined: Callable[..., None]) -> torch.Tensor:
    """Overlapping tiles of `x` (H + 2, W + 2, C), `step` px apart, each of their lines `combined`: (36, tiles, C)."""
    height, width = x.shape[0] - 2, x.shape[1] - 2
    rows = x.new_empty(6, height // step, *x.shape[1:])
    combined(*(x[start:start + height - step + 1:step] for start in range(step + 2)), out=rows.unbind(0))
    tiles = x.new_empty(6, 6, height // step, width // step, x.shape[2])
    combined(*(rows[:, :, start:start + width - step + 1:step] for start in range(step + 2)), out=tiles.unbind(1))
    return tiles.flatten(2, 3).flatten(0, 1)


def _write(product: torch.Tensor, out: torch.Tensor, separated: Callable[..., tuple[torch.Tensor, ...]],
           slope: torch.Tensor | None) -> None:
    """The pixels of 4 x 4 that (36, tiles, O) stands for, with a PReLU of `slope`, into `out` (H, W, O)."""
    height, width, channels = out.shape
    product = product.view(6, 6, height // 4, width // 4, channels)
    for row, of_row in enumerate(separated(*product)):
        for column, pixels in enumerate(separated(*of_row)):
            if slope is not None:
                pixels = torch.prelu(pixels.flatten(0, 1), slope).view(pixels.shape)
            out[row::4, column::4] = pixels


def _six_by_four(a, b, c, d, e, f, *, out: tuple[torch.Tensor, ...]) -> None:
    """Six neighbors as the factors of four pixels, 3 taps each."""
    even, odd = torch.sub(e, c, alpha=4), torch.sub(d, b, alpha=4)
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])
    torch.sub(e, c, out=even)
    torch.sub(d, b, out=odd)
    torch.add(even, odd, alpha=2, out=out[3])
    torch.sub(even, odd, alpha=2, out=out[4])
    torch.sub(a, c, out=out[0])
    torch.add(even, out[0], alpha=4, out=out[0])
    torch.sub(f, d, out=out[5])
    torch.sub(out[5], odd, alpha=4, out=out[5])


def _four_by_four(a, b, c, d, e, f) -> tuple[torch.Tensor, ...]:
    """Their products as those four pixels."""
    small, small_odd, large, large_odd = b + c, b - c, d + e, d - e
    return ((a + small).add_(large), torch.add(small_odd, large_odd, alpha=2), torch.add(small, large, alpha=4),
            torch.add(small_odd, large_odd, alpha=8).add_(f))


def _six_by_two(a, b, c, d, *, out: tuple[torch.Tensor, ...]) -> None:
    """Four neighbors as the factors of four pixels of the doubled line, 2 taps each."""
    torch.sub(a, b, out=out[0])
    out[1].copy_(b)
    torch.sub(b, c, out=out[2])
    out[3].copy_(out[2])
    out[4].copy_(c)
    torch.sub(c, d, out=out[5])


def _four_by_two(a, b, c, d, e, f) -> tuple[torch.Tensor, ...]:
    """Their products as those pixels: two even ones and two odd ones, in turn."""
    return a + b, d + e, b - c, e - f
