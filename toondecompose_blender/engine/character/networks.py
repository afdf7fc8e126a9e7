# SPDX-License-Identifier: GPL-3.0-or-later
"""The four networks of CoNR (Lin et al., 2022), written from their description, under the names of their checkpoint files.
Knows shapes and arithmetic, not files or pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .shader import Shader
from .unets import pose_detector, pose_encoder

__all__ = ["NETWORKS", "PictureDecoder", "DETECTOR", "ENCODER", "SHADER", "DECODER", "STRIDE", "normalized"]

STRIDE = 128  # the coarsest level works at S/32 and halves twice more
MEAN, DEVIATION = 0.6, 0.2970  # the published normalization, the same for every channel of pictures and poses


def normalized(x: torch.Tensor) -> torch.Tensor:
    """Values 0..1 as the U-shaped networks expect them; black becomes -2.02."""
    return (x - MEAN) / DEVIATION


class Residual(nn.Module):
    """Two 3x3 convolutions with 1x1 convolutions where other networks normalize, beside the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.norm2 = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv1(torch.relu(self.norm1(x)))
        return self.conv2(torch.relu(self.norm2(y))) + x


class PictureDecoder(nn.Module):
    """The joined message (N, 64, S, S) -> premultiplied RGBA (N, 4, S, S) in 0..1."""

    def __init__(self):
        super().__init__()
        self.bottleneck = nn.ModuleDict({"r0": Residual(64)})
        self.conv_rgba = nn.Sequential(nn.Conv2d(64, 4, 3, 1, 1), nn.Sigmoid())

    def forward(self, message: torch.Tensor) -> torch.Tensor:
        rgba = self.conv_rgba(self.bottleneck["r0"](message))
        return torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)


DETECTOR, ENCODER, SHADER, DECODER = "udpparsernet", "target_pose_encoder", "shader", "rgbadecodernet"
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    DETECTOR: pose_detector, ENCODER: pose_encoder, SHADER: Shader, DECODER: PictureDecoder,
}
