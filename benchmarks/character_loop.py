# SPDX-License-Identifier: GPL-3.0-or-later
"""The published inference loop of CoNR as its description has it: one view after another, nothing shared, nothing laid out anew.
It is what `character` measures against; it uses the same parameters, and must not use the engine's shortcuts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from toondecompose_blender.engine.character.checkpoints import load_network
from toondecompose_blender.engine.character.networks import DECODER, DETECTOR, ENCODER, NETWORKS, SHADER, normalized
from toondecompose_blender.engine.character.renderer import premultiplied

__all__ = ["PublishedLoop"]

GROUPS = 16


class PublishedLoop:
    """Sheet uint8 (V, S, S, 4) once, then a pose float32 (S, S, 4) a call -> float32 (4, S, S), premultiplied."""

    def __init__(self, weights: Path):
        self._nets = {name: load_network(weights, name) for name in NETWORKS}
        self._sheet: list[tuple[torch.Tensor, list[torch.Tensor]]] = []

    @torch.no_grad()
    def study(self, sheet: np.ndarray) -> None:
        """Run the whole detector on the views, its decoder too, and keep the features, as the first frame does."""
        color = torch.from_numpy(premultiplied(sheet)).permute(0, 3, 1, 2).float() / 255
        alpha = torch.from_numpy(np.ascontiguousarray(sheet[..., 3:])).permute(0, 3, 1, 2).float() / 255
        detector = self._nets[DETECTOR]
        features = detector.features(normalized(color))
        detector.decode(features).clamp(0, 1)
        references = torch.cat([color * alpha, alpha], 1)
        self._sheet = [(references[v:v + 1], [level[v:v + 1] for level in features]) for v in range(len(sheet))]

    @torch.no_grad()
    def draw(self, pose: np.ndarray) -> np.ndarray:
        values = torch.from_numpy(np.ascontiguousarray(pose)).permute(2, 0, 1)[None]
        occupancy = torch.trunc(255 * values[:, 3:]) / 255
        target = self._nets[ENCODER].features(normalized(torch.cat([values[:, :3] * occupancy, occupancy], 1)))
        return self._nets[DECODER](self._shade(target))[0].numpy()

    def _shade(self, target: list[torch.Tensor]) -> torch.Tensor:
        views = []
        for references, features in self._sheet:
            small = _resize(references, features[0].shape[-2:])
            views.append({"flow": torch.zeros_like(small[:, :2]), "picture": small, "feature": features[0],
                          "joined_flow": torch.zeros_like(small[:, :2]), "joined_picture": small, "message": None, "local": None})
        for level, block in enumerate(self._nets[SHADER].decoder_blocks):
            drawn = [self._block(block, view, target[level] if level < 5 else None) for view in views]
            levels = [self._warped(out, view, level, block, number) for number, (out, view) in enumerate(zip(drawn, views, strict=True))]
            shares = torch.softmax(torch.stack([mask for _, mask in levels], 1), 1)
            weights = [mask * shares[:, number] for number, (_, mask) in enumerate(levels)]
            views = [view for view, _ in levels]
            flow = sum(weight[:, :1] * view["flow"] for weight, view in zip(weights, views, strict=True))
            picture = sum(weight[:, :1] * view["picture"] for weight, view in zip(weights, views, strict=True))
            message = sum(weight[:, 2:] * view["message"] for weight, view in zip(weights, views, strict=True))
            if level < 4:
                sum(weight[:, 1:2] * view["feature"] for weight, view in zip(weights, views, strict=True))  # computed, never read
            for view in views:
                view.update(joined_flow=flow, joined_picture=picture, message=message)
        return message

    @staticmethod
    def _block(block, view: dict, target: torch.Tensor | None) -> torch.Tensor:
        parts = (view["flow"], target, view["picture"], view["feature"], view["joined_flow"], view["joined_picture"], view["message"],
                 view["local"])
        x = block.conv0(torch.cat([part for part in parts if part is not None], 1))
        for convolutions in block.convblocks:
            x = convolutions(x) + x
        return block.conv_last(x)

    def _warped(self, out: torch.Tensor, view: dict, level: int, block, number: int) -> tuple[dict, torch.Tensor]:
        references, features = self._sheet[number]
        feature = features[level + 1] if level < 4 else None
        size = (references if feature is None else feature).shape[-2:]
        factor = size[0] / out.shape[-2]
        flow, message, message_flow, local, local_flow, mask = out.split(block.parts, 1)
        flow = _resize(flow + view["flow"], size) * factor
        message = _warp_groups(_resize(message, size), _resize(message_flow, size) * factor)
        local = _warp_groups(_resize(local, size), _resize(local_flow, size) * factor) if local.shape[1] else None
        warped = {"flow": flow, "picture": _warp(_resize(references, size), flow), "message": message, "local": local,
                  "feature": None if feature is None else _warp(feature, flow)}
        return warped, _resize(torch.sigmoid(mask), size)


def _resize(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def _warp(picture: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    height, width = picture.shape[-2:]
    ys, xs = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    base = torch.stack([xs, ys], -1)[None]
    moved = torch.stack([flow[:, 0] / ((width - 1) / 2), flow[:, 1] / ((height - 1) / 2)], -1)
    return F.grid_sample(picture, base + moved, mode="bilinear", padding_mode="border", align_corners=True)


def _warp_groups(message: torch.Tensor, flows: torch.Tensor) -> torch.Tensor:
    _, channels, height, width = message.shape
    warped = _warp(message.reshape(GROUPS, channels // GROUPS, height, width), flows.reshape(GROUPS, 2, height, width))
    return warped.reshape(message.shape)
