# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that carries the sheet into the pose: six levels of flow and messages from S/32 to S, views joined at every level.
Attribute names follow the published checkpoints; nothing here knows files, devices or pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Shader", "warp"]

WIDTH = 224
LAYOUT = torch.channels_last  # in which transposed convolutions and resizes work without copying (measured on the CPU)
FLOW_GROUPS = 16  # a message moves in 16 groups of channels, each with a flow of its own
TARGET = (512, 256, 128, 64, 64, 0)  # channels of the pose encoder's features per level; level 5 has none
REFERENCE = (2048, 1024, 512, 256, 64, 0)  # channels of the sheet's features per level
MESSAGE = (2048, 1024, 512, 256, 64, 64)
LOCAL = (2048, 1024, 512, 256, 64, 0)


def warp(picture: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """`picture` (N, C, h, w) sampled at x + flow (N, 2, h, w), pixels, +dx reads to the right; the border is continued."""
    height, width = picture.shape[-2:]
    xs = torch.linspace(-1, 1, width, device=flow.device)
    ys = torch.linspace(-1, 1, height, device=flow.device)
    grid = torch.stack([xs + flow[:, 0] / ((width - 1) / 2), ys[:, None] + flow[:, 1] / ((height - 1) / 2)], -1)
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=True)


def _resize(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return x if x.shape[-2:] == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _warp_groups(message: torch.Tensor, flows: torch.Tensor) -> torch.Tensor:
    count, channels, height, width = message.shape
    grouped = message.reshape(count * FLOW_GROUPS, channels // FLOW_GROUPS, height, width)
    return warp(grouped, flows.reshape(count * FLOW_GROUPS, 2, height, width)).reshape(message.shape)


def _conv(inputs: int, stride: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, WIDTH, 3, stride, 1), nn.PReLU(WIDTH)


class Block(nn.Module):
    """One level: down by four, residual convolutions, up by four."""

    def __init__(self, level: int):
        super().__init__()
        message = MESSAGE[level - 1] + LOCAL[level - 1] if level else 0
        inputs = 2 + TARGET[level] + 4 + REFERENCE[level] + 2 + 4 + message
        self.parts = (2, MESSAGE[level], 2 * FLOW_GROUPS, LOCAL[level], 2 * FLOW_GROUPS if LOCAL[level] else 0, 2 + MESSAGE[level])
        self.conv0 = nn.Sequential(*_conv(inputs, 2), *_conv(WIDTH, 2))
        self.convblocks = nn.ModuleList(
            nn.Sequential(*(layer for _ in range(6) for layer in _conv(WIDTH, 1))) for _ in range(2 if level == 5 else 1))
        self.conv_last = nn.Sequential(nn.ConvTranspose2d(WIDTH, WIDTH, 4, 2, 1), nn.PReLU(WIDTH),
                                       nn.ConvTranspose2d(WIDTH, sum(self.parts), 4, 2, 1))

    def forward(self, parts: list[torch.Tensor]) -> torch.Tensor:
        """Flow, message, message flows, local message, local flows and masks (0..1), as `self.parts` divides the channels.

        The inputs, in the published order of channels, have a batch of all views, or of one where all views share them.
        """
        x = self.conv0[1:](self._first(parts))
        for block in self.convblocks:
            x = block(x) + x
        outputs = self.conv_last(x.contiguous(memory_format=LAYOUT))
        masks = outputs[:, -self.parts[-1]:]
        masks.copy_(torch.sigmoid(masks.contiguous(memory_format=LAYOUT)))
        return outputs


    def _first(self, parts: list[torch.Tensor]) -> torch.Tensor:
        """The first convolution, once for what the views share and once for each view's own: a third fewer products."""
        views, first = max(map(len, parts)), self.conv0[0]
        columns = first.weight.split([part.shape[1] for part in parts], 1)
        own = [number for number, part in enumerate(parts) if len(part) == views]
        shared = [number for number, part in enumerate(parts) if len(part) < views]

        def convolved(chosen: list[int], bias: torch.Tensor | None) -> torch.Tensor:
            return F.conv2d(torch.cat([parts[n] for n in chosen], 1), torch.cat([columns[n] for n in chosen], 1), bias, 2, 1)

        x = convolved(own, first.bias)
        return x + convolved(shared, None) if shared else x


@dataclass
class _State:
    """What one level hands to the next; the first five per view (V, ...), the last three joined (1, ...)."""
    flow: torch.Tensor
    reference: torch.Tensor
    feature: torch.Tensor | None
    local: torch.Tensor | None
    joined_flow: torch.Tensor
    joined_reference: torch.Tensor
    message: torch.Tensor | None

    def inputs(self, target: torch.Tensor | None) -> list[torch.Tensor]:
        """The block's inputs in the published order of channels."""
        parts = [self.flow, target, self.reference, self.feature, self.joined_flow, self.joined_reference, self.message, self.local]
        return [part for part in parts if part is not None]


class Shader(nn.Module):
    """Views and a pose -> the joined message (1, 64, S, S) of which the last network makes a picture."""

    def __init__(self):
        super().__init__()
        self.decoder_blocks = nn.ModuleList(Block(level) for level in range(6))

    def settle(self) -> Shader:
        """Lay the loaded weights out as inference reads them; saves a copy a frame."""
        for block in self.decoder_blocks:
            block.conv_last.to(memory_format=LAYOUT)
        return self

    def forward(self, references: torch.Tensor, features: list[torch.Tensor], target: list[torch.Tensor]) -> torch.Tensor:
        """`references` (V, 4, S, S), their `features` and the pose's (`target`, batch 1), each deep to shallow."""
        state = self._start(references, features[0])
        for level, block in enumerate(self.decoder_blocks):
            outputs = block(state.inputs(target[level] if level < 5 else None))
            outputs[:, :2] += state.flow
            feature = features[level + 1] if level < 4 else None
            size = tuple((references if feature is None else feature).shape[-2:])
            factor = size[0] / outputs.shape[-2]
            # One resize for all: slice by slice, each would first be copied.
            state = self._join(_resize(outputs, size).split(block.parts, 1), factor, references, feature)
        return state.message

    @staticmethod
    def _start(references: torch.Tensor, feature: torch.Tensor) -> _State:
        small = _resize(references, tuple(feature.shape[-2:]))
        still = torch.zeros_like(small[:, :2])
        return _State(still, small, feature, None, still, small, None)

    @staticmethod
    def _join(outputs: tuple[torch.Tensor, ...], factor: float, references: torch.Tensor, feature: torch.Tensor | None) -> _State:
        """The state after a level from its resized outputs; lengths of flows grow by `factor` with their pictures."""
        flow, message, message_flow, local, local_flow, mask = (part.contiguous() for part in outputs)
        flow = flow * factor
        message = _warp_groups(message, message_flow * factor)
        if local.shape[1]:
            local = _warp_groups(local, local_flow * factor)
        reference = warp(_resize(references, tuple(flow.shape[-2:])), flow)
        weight = mask * torch.softmax(mask, 0)
        return _State(flow, reference, None if feature is None else warp(feature, flow), local,
                      (weight[:, :1] * flow).sum(0, keepdim=True), (weight[:, :1] * reference).sum(0, keepdim=True),
                      (weight[:, 2:] * message).sum(0, keepdim=True))
