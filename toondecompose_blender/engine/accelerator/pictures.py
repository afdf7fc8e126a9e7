# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenCV's operators on batches of pictures, float32 (N, C, h, w) with gray levels 0..255: warps, ranges, blurs, sizes.
The conventions are OpenCV's to within rounding, borders included; what the pictures show is not known here."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F

__all__ = ["warped", "darkest", "lightest", "blurred", "averaged", "gray", "resized", "rounded"]

Interpolation = Literal["nearest", "bilinear", "bicubic"]   # torch's bicubic has OpenCV's slope, -3/4


def warped(pictures: torch.Tensor, to_pictures: np.ndarray, size: tuple[int, int], *, interpolation: Interpolation = "bilinear",
           border: Literal["zeros", "border"] = "zeros") -> torch.Tensor:
    """Pictures (N, C, h, w) on targets of `size` (width, height) through `to_pictures` (N, 3, 3), target -> picture px.

    `border`: zeros outside, or the nearest pixel of the picture, as OpenCV's BORDER_CONSTANT and BORDER_REPLICATE.
    """
    height, width = pictures.shape[-2:]
    device = pictures.device
    # Matrices in double precision up to places in the picture: single precision would cost .001 px on a large canvas.
    matrices = torch.from_numpy(np.asarray(to_pictures, np.float64)).to(device)
    x = torch.arange(size[0], dtype=torch.float64, device=device)
    y = torch.arange(size[1], dtype=torch.float64, device=device)
    m = matrices[:, :, :, None, None]
    depth = m[:, 2, 0] * x + (m[:, 2, 1] * y[:, None] + m[:, 2, 2])
    # torch counts from -1 to 1 between the centers of the corner pixels.
    u = (m[:, 0, 0] * x + (m[:, 0, 1] * y[:, None] + m[:, 0, 2])) / depth * (2 / max(1, width - 1)) - 1
    v = (m[:, 1, 0] * x + (m[:, 1, 1] * y[:, None] + m[:, 1, 2])) / depth * (2 / max(1, height - 1)) - 1
    grid = torch.stack([u, v], -1).clamp_(-1e4, 1e4).to(torch.float32)
    return F.grid_sample(pictures, grid, mode=interpolation, padding_mode=border, align_corners=True)


def rounded(pictures: torch.Tensor) -> torch.Tensor:
    """Whole gray levels, as if stored in 8 bits."""
    return pictures.clamp(0, 255).round()


def lightest(pictures: torch.Tensor) -> torch.Tensor:
    """Each pixel's maximum over 3 x 3."""
    return F.max_pool2d(pictures, 3, 1, 1)


def darkest(pictures: torch.Tensor) -> torch.Tensor:
    """Each pixel's minimum over 3 x 3."""
    return -F.max_pool2d(-pictures, 3, 1, 1)


def blurred(pictures: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian over 3 x 3.  Sums of slices: a convolution would let the card round to 10 bits."""
    edge, middle, _ = (float(weight) for weight in cv2.getGaussianKernel(3, sigma)[:, 0])
    padded = F.pad(pictures, (1, 1, 1, 1), mode="reflect")
    rows = edge * (padded[..., :-2, :] + padded[..., 2:, :]) + middle * padded[..., 1:-1, :]
    return edge * (rows[..., :-2] + rows[..., 2:]) + middle * rows[..., 1:-1]


def averaged(pictures: torch.Tensor, box: int) -> torch.Tensor:
    """The mean over `box` x `box`, an odd number of px."""
    return F.avg_pool2d(F.pad(pictures, (box // 2,) * 4, mode="reflect"), box, 1)


def gray(pictures: torch.Tensor) -> torch.Tensor:
    """Brightness (N, 1, h, w) of RGB pictures, in whole levels (ITU-R BT.601, as OpenCV's)."""
    red, green, blue = pictures.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue).round()[:, None]


def resized(pictures: torch.Tensor, size: tuple[int, int], *, area: bool = False) -> torch.Tensor:
    """Pictures at `size` (width, height), bilinearly or by the area that a pixel covers."""
    height, width = pictures.shape[-2:]
    if (width, height) == size:
        return pictures
    across, down = (_resampling(old, new, area).to(pictures.device) for old, new in ((width, size[0]), (height, size[1])))
    return down @ (pictures @ across.T)


@lru_cache(maxsize=64)
def _resampling(old: int, new: int, area: bool) -> torch.Tensor:
    """What OpenCV's resize does to a line of `old` px, as a matrix (new, old): taken from OpenCV, by resizing the unit vectors."""
    unit = np.eye(old, dtype=np.float32)
    rule = cv2.INTER_AREA if area else cv2.INTER_LINEAR
    return torch.from_numpy(cv2.resize(unit, (old, new), interpolation=rule))
