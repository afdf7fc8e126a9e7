# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that carries the sheet into the pose: six levels of flow and messages from S/32 to S, views joined at every level.
Attribute names follow the published checkpoints; nothing here knows files, devices or pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from .winograd import Winograd, WinogradUp

__all__ = ["Shader", "warp"]

WIDTH = 224
LEAST_WINOGRAD = 16  # smaller pictures are faster the plain way
FIRST_UP = 2  # the coarser levels never see pictures that large, or spend next to nothing on them
CACHED = 2 ** 19  # numbers that a few operations in a row may work on without leaving the caches (measured)
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


def _resize_flow(flow: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Flows, in pixels, grow with their pictures."""
    return _resize(flow, size) * (size[0] / flow.shape[-2])


def _conv(inputs: int, stride: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, WIDTH, 3, stride, 1), nn.PReLU(WIDTH)


class Block(nn.Module):
    """One level: down by four, residual convolutions, up by four."""

    def __init__(self, level: int):
        super().__init__()
        message = MESSAGE[level - 1] + LOCAL[level - 1] if level else 0
        inputs = 2 + TARGET[level] + 4 + REFERENCE[level] + 2 + 4 + message
        self._level = level
        self.parts = (2, MESSAGE[level], 2 * FLOW_GROUPS, LOCAL[level], 2 * FLOW_GROUPS if LOCAL[level] else 0, 2 + MESSAGE[level])
        self.conv0 = nn.Sequential(*_conv(inputs, 2), *_conv(WIDTH, 2))
        self.convblocks = nn.ModuleList(
            nn.Sequential(*(layer for _ in range(6) for layer in _conv(WIDTH, 1))) for _ in range(2 if level == 5 else 1))
        self.conv_last = nn.Sequential(nn.ConvTranspose2d(WIDTH, WIDTH, 4, 2, 1), nn.PReLU(WIDTH),
                                       nn.ConvTranspose2d(WIDTH, sum(self.parts), 4, 2, 1))
        self._stacks: list[list[Winograd]] = []
        self._ups: list[WinogradUp] = []
        self._layout = torch.contiguous_format

    def forward(self, parts: list[torch.Tensor]) -> torch.Tensor:
        """Flow, message, message flows, local message, local flows and masks (0..1), as `self.parts` divides the channels.

        The inputs, in the published order of channels, have a batch of all views, or of one where all views share them.
        """
        x = self._refined(self.conv0[1:](self._first(parts)))
        outputs = self._raised(x.contiguous(memory_format=LAYOUT))
        outputs[:, -self.parts[-1]:].sigmoid_()
        return outputs

    def settle(self) -> None:
        """Lay the loaded weights out as inference reads them; saves copies and near half of the products a frame."""
        if not LOCAL[self._level]:
            self._drop_unused()
            self._layout = LAYOUT  # pays for the largest pictures only
        self.conv0.to(memory_format=self._layout)
        self.conv_last.to(memory_format=LAYOUT)
        if self.conv_last[0].weight.device.type == "cpu":
            self._stacks = [[Winograd(*block[at:at + 2]) for at in range(0, len(block), 2)] for block in self.convblocks]
            if self._level >= FIRST_UP:
                self._ups = [WinogradUp(*self.conv_last[:2]), WinogradUp(self.conv_last[2])]

    def _drop_unused(self) -> None:
        """Nothing reads the flow of the last level, nor its masks of flow and feature."""
        _, message, message_flow, _, _, masks = self.parts
        used = [*range(2, 2 + message + message_flow), *range(sum(self.parts) - masks + 2, sum(self.parts))]
        last = self.conv_last[2]
        last.weight, last.bias = (nn.Parameter(values, requires_grad=False) for values in (last.weight[:, used], last.bias[used]))
        self.parts = (0, message, message_flow, 0, 0, masks - 2)

    def _refined(self, x: torch.Tensor) -> torch.Tensor:
        """The residual convolutions; (V, 224, h, w)."""
        if min(x.shape[2:]) < LEAST_WINOGRAD or not self._stacks:
            for block in self.convblocks:
                x = block(x) + x
            return x
        x = x.permute(0, 2, 3, 1).contiguous()
        for stack in self._stacks:
            y = x
            for layer in stack:
                y = layer(y)
            x = y.add_(x)
        return x.permute(0, 3, 1, 2)

    def _raised(self, x: torch.Tensor) -> torch.Tensor:
        """Four times the size; (V, O, 4h, 4w)."""
        if min(x.shape[2:]) < LEAST_WINOGRAD or not self._ups:
            return self.conv_last(x).contiguous()
        first, last = self._ups
        return last(first(x.permute(0, 2, 3, 1)))

    def _first(self, parts: list[torch.Tensor]) -> torch.Tensor:
        """The first convolution, once for what the views share and once for each view's own: a third fewer products."""
        views, first = max(map(len, parts)), self.conv0[0]
        columns = first.weight.split([part.shape[1] for part in parts], 1)
        own = [number for number, part in enumerate(parts) if len(part) == views]
        shared = [number for number, part in enumerate(parts) if len(part) < views]

        def convolved(chosen: list[int], bias: torch.Tensor | None) -> torch.Tensor:
            picture, weight = (torch.cat([each[n] for n in chosen], 1).contiguous(memory_format=self._layout) for each in (parts, columns))
            return F.conv2d(picture, weight, bias, 2, 1)

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
        """Prepare the loaded weights for inference."""
        for block in self.decoder_blocks:
            block.settle()
        return self

    def forward(self, references: torch.Tensor, features: list[torch.Tensor], target: list[torch.Tensor]) -> torch.Tensor:
        """`references` (V, 4, S, S), their `features` and the pose's (`target`, batch 1), each deep to shallow."""
        state = self._start(references, features[0])
        *blocks, last = self.decoder_blocks
        for level, block in enumerate(blocks):
            outputs = block(state.inputs(target[level]))
            outputs[:, :2] += state.flow
            feature = features[level + 1] if level < 4 else None
            state = self._join(outputs.split(block.parts, 1), references, feature)
        _, message, message_flow, _, _, mask = last(state.inputs(None)).split(last.parts, 1)
        return _joined(message, message_flow, mask, tuple(references.shape[-2:]))

    @staticmethod
    def _start(references: torch.Tensor, feature: torch.Tensor) -> _State:
        small = _resize(references, tuple(feature.shape[-2:]))
        still = torch.zeros_like(small[:, :2])
        return _State(still, small, feature, None, still, small, None)

    @staticmethod
    def _join(outputs: tuple[torch.Tensor, ...], references: torch.Tensor, feature: torch.Tensor | None) -> _State:
        """The state after a level from its outputs, at the size of `feature`, else of `references`."""
        flow, message, message_flow, local, local_flow, mask = outputs
        size = tuple((references if feature is None else feature).shape[-2:])
        message = _joined(message, message_flow, mask, size)
        local = _each(local, local_flow, size) if local.shape[1] else None
        flow, mask = _resize_flow(flow, size), _resize(mask[:, :1], size)
        reference, weight = warp(_resize(references, size), flow), mask * torch.softmax(mask, 0)
        return _State(flow, reference, None if feature is None else warp(feature, flow), local,
                      (weight * flow).sum(0, keepdim=True), (weight * reference).sum(0, keepdim=True), message)


def _joined(message: torch.Tensor, flows: torch.Tensor, mask: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The moved messages of all views as one (1, C, h, w), each weighted by its mask and by its share in all masks.

    `mask` (V, C or more, h, w): those of the messages come last.
    """
    mask = mask[:, -message.shape[1]:]
    joined = message.new_empty(1, message.shape[1], *size)
    for some, moved in _moved(message, flows, size):
        weight = _resize(mask[:, some], size)
        torch.sum(torch.softmax(weight, 0).mul_(weight).mul_(moved), 0, keepdim=True, out=joined[:, some])
    return joined


def _each(message: torch.Tensor, flows: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The moved messages of every view, (V, C, h, w)."""
    own = message.new_empty(*message.shape[:2], *size)
    for some, moved in _moved(message, flows, size):
        own[:, some] = moved
    return own


def _moved(message: torch.Tensor, flows: torch.Tensor, size: tuple[int, int]) -> Iterator[tuple[slice, torch.Tensor]]:
    """Enlarge and move a few groups of channels at a time, few enough for the caches; their channels and what became of them."""
    views, channels = message.shape[:2]
    width = channels // FLOW_GROUPS
    step = max(1, min(FLOW_GROUPS, CACHED // (views * width * size[0] * size[1])))
    for group in range(0, FLOW_GROUPS, step):
        count = min(step, FLOW_GROUPS - group)
        some = slice(group * width, (group + count) * width)
        flow = _resize_flow(flows[:, 2 * group:2 * (group + count)], size)
        picture = _resize(message[:, some], size).reshape(views * count, width, *size)
        yield some, warp(picture, flow.reshape(views * count, 2, *size)).view(views, count * width, *size)
