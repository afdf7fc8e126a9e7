# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames that a result stands for, `recompose`, laid over each other on the device.
It reads drawings through the result's own renderers; what is done with the frames is not known here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..recompose import Recomposer, SpriteRenderer
from .card import Accelerator
from .pictures import warped

__all__ = ["frame_bytes", "recomposed"]

_BYTES = 160       # bytes a pixel of a frame: a sprite, what is behind it, and where its pixels come from, in doubles


def frame_bytes(recomposer: Recomposer) -> int:
    """Bytes that one frame needs, the largest drawings that it may show included."""
    clip = recomposer.decomposition.clip
    drawings = sum(16 * sprite.width * sprite.height for sprite in recomposer.decomposition.sprites)
    return _BYTES * clip.width * clip.height + 2 * drawings


def recomposed(accelerator: Accelerator, recomposer: Recomposer, numbers: Sequence[int]) -> list[np.ndarray]:
    """The frames `numbers` (from 0), uint8 (H, W, 3) each, over black."""
    return [_frame(accelerator, recomposer, t) for t in numbers]


def _frame(accelerator: Accelerator, recomposer: Recomposer, t: int) -> np.ndarray:
    clip = recomposer.decomposition.clip
    picture = torch.zeros((clip.height, clip.width, 3), device=accelerator.device)
    for sprite in recomposer.sprites:
        picture = _over(_sprite(accelerator, sprite, t), picture)
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()


def _sprite(accelerator: Accelerator, sprite: SpriteRenderer, t: int) -> torch.Tensor:
    """The sprite in frame t: premultiplied (H, W, 4) in 0..1."""
    picture = torch.zeros((sprite.height, sprite.width, 4), device=accelerator.device)
    for part in sprite.parts:
        picture = _over(_sprite(accelerator, part, t), picture)
    if not sprite.sprite.exposure[t]:
        return picture
    drawing = accelerator.tensor(sprite.drawing(t)).permute(2, 0, 1)[None]
    own = warped(drawing, np.linalg.inv(sprite.homographies[t])[None], (sprite.width, sprite.height))[0].permute(1, 2, 0)
    own = torch.cat([own[..., :3] * own[..., 3:], own[..., 3:]], 2)
    if sprite.sprite.opacity:
        own = own * sprite.sprite.opacity[t]
    return _over(own, picture)


def _over(front: torch.Tensor, behind: torch.Tensor) -> torch.Tensor:
    """`front` premultiplied (H, W, 4) over `behind` (H, W, 3 or 4)."""
    return front[..., :behind.shape[2]] + (1 - front[..., 3:]) * behind
