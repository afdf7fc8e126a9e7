# SPDX-License-Identifier: GPL-3.0-or-later
"""The two U-shaped networks on ResNet bodies: the pose detector (which also encodes the sheet) and the encoder of target poses.
Attribute names follow the published checkpoints; nothing here knows files, devices or pictures."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["ResNetUNet", "Bottleneck", "BasicBlock", "pose_detector", "pose_encoder"]

DECODER_WIDTHS = (512, 384, 256, 128, 32)
TAPS = (2, 4, 5, 6, 7)  # children of the body whose output is a feature, from S/2 to S/32


class Norm(nn.Module):
    """Instance normalization under the key `norm`; statistics of the whole picture, so results depend on its framing."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels, eps=1e-5, affine=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x)


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(_conv(inputs, outputs, 1, stride), Norm(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (ResNet-18)."""
    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = _conv(inputs, width, 3, stride), Norm(width)
        self.conv2, self.bn2 = _conv(width, width, 3), Norm(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 (which carries the stride: ResNet v1.5), 1x1 beside a shortcut (ResNet-50)."""
    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = _conv(inputs, width, 1), Norm(width)
        self.conv2, self.bn2 = _conv(width, width, 3, stride), Norm(width)
        self.conv3, self.bn3 = _conv(width, width * 4, 1), Norm(width * 4)
        self.downsample = _shortcut(inputs, width * 4, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class UpBlock(nn.Module):
    """Twice the size, then the skip connection of that size (if any) mixed in."""

    def __init__(self, inputs: int, skip: int, outputs: int):
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
        self.bn1 = Norm(outputs)
        self.conv2 = _conv(outputs + skip, outputs, 3)
        self.bn2 = Norm(outputs)

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        x = torch.relu(self.bn1(self.up(x)))
        if skip is not None:
            x = torch.cat([x, skip], 1)
        return torch.relu(self.bn2(self.conv2(x)))


class ResNetUNet(nn.Module):
    """A ResNet body with a decoder back to full size; inputs (N, C, S, S) normalized, S a multiple of 32."""

    def __init__(self, block: type[BasicBlock] | type[Bottleneck], counts: tuple[int, ...], *,
                 inputs: int, outputs: int, reduce: nn.Module):
        super().__init__()
        children: list[nn.Module] = [nn.Conv2d(inputs, 64, 7, 2, 3, bias=False), Norm(64), nn.ReLU(), reduce]
        skips, width = [64], 64
        for level, count in enumerate(counts):
            layer = []
            for index in range(count):
                layer.append(block(width, 64 << level, 2 if level and not index else 1))
                width = (64 << level) * block.expansion
            children.append(nn.Sequential(*layer))
            skips.append(width)
        self.backbone = nn.Sequential(*children)
        ups, deep = [], skips.pop()
        for skip, out in zip([*reversed(skips), 0], DECODER_WIDTHS, strict=True):
            ups.append(UpBlock(deep, skip, out))
            deep = out
        self.upsample_blocks = nn.ModuleList(ups)
        self.final_conv = nn.Conv2d(deep, outputs, 1)

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Five features, deep to shallow: S/32, S/16, S/8, S/4, S/2."""
        taps = []
        for index, child in enumerate(self.backbone):
            x = child(x)
            if index in TAPS:
                taps.append(x)
        return taps[::-1]

    def decode(self, features: list[torch.Tensor]) -> torch.Tensor:
        """The picture (N, outputs, S, S) that the features tell of, before any clamp."""
        x = features[0]
        for block, skip in zip(self.upsample_blocks, [*features[1:], None], strict=True):
            x = block(x, skip)
        return self.final_conv(x)


def pose_detector() -> ResNetUNet:
    """Pictures (N, 3, S, S) -> landmarks and occupancy (N, 4, S, S); its features also encode the sheet."""
    return ResNetUNet(Bottleneck, (3, 4, 6, 3), inputs=3, outputs=4, reduce=_conv(64, 64, 3, 2))


def pose_encoder() -> ResNetUNet:
    """Poses (N, 4, S, S) -> features; its decoder has parameters in the checkpoint, but no part in drawing."""
    return ResNetUNet(BasicBlock, (2, 2, 2, 2), inputs=4, outputs=1, reduce=nn.MaxPool2d(3, 2, 1))
