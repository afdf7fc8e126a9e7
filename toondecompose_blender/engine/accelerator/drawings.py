# SPDX-License-Identifier: GPL-3.0-or-later
"""What all exposures of one drawing say together, `matting.pool`, with the exposures side by side on the device.
Frames are brought onto the canvas there, too; nothing but the pool comes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import normalized
from ..layers.evidence import TOLERANCE
from ..layers.plate import Canvas
from ..matting import pool as rules
from ..matting.pool import Pool
from ..matting.sprites import OCCLUDED, Sighting, enlargement
from ..parallel import map_ordered
from .card import Accelerator
from .masks import interval, residual_evidence
from .pictures import averaged, darkest, lightest, rounded, warped
from .walker import edge_weights, random_walk

__all__ = ["exposure_bytes", "pooled_sights"]

_BYTES = 260       # bytes a pixel and exposure; 202 by malloc's count


def exposure_bytes(canvas: Canvas) -> int:
    """Bytes that one exposure on a canvas needs."""
    return _BYTES * canvas.width * canvas.height


@dataclass(frozen=True)
class _Sights:
    """Exposures on their canvas: `color`, `background` (N, 3, h, w) in gray levels; the others (N, 1, h, w), 0 or 1."""
    color: torch.Tensor
    background: torch.Tensor
    seen: torch.Tensor
    visible: torch.Tensor
    certain: torch.Tensor
    prior: torch.Tensor       # 0..255


def pooled_sights(accelerator: Accelerator, sighting: Sighting, canvas: Canvas, frames: list[int]) -> Pool:
    """The pool of a drawing that is exposed in the given `frames` (one or more)."""
    sights = _sights(accelerator, sighting, canvas, frames)
    foreground, background = residual_evidence(sights.color, sights.background, sights.seen)
    strongest, open_, hint, believed = _pooled(sights, foreground, background)
    walk = random_walk(*rules.walk_input(strongest, open_, hint, believed), *_bonds(sights))
    visible = sights.visible.amax(0, keepdim=True) > 0
    quiet = ((sights.visible == 0) | ((sights.seen > 0) & (foreground == 0))).all(0, keepdim=True) & visible
    known = ((sights.visible == 0) | (sights.seen > 0)).all(0, keepdim=True) & visible
    parts = walk, open_, ~visible, known, quiet, *_moments(sights)
    return Pool(*(_returned(part) for part in parts))


def _sights(accelerator: Accelerator, sighting: Sighting, canvas: Canvas, frames: list[int]) -> _Sights:
    size, to_frames = (canvas.width, canvas.height), canvas.homographies[frames]
    color = accelerator.pictures(list(map_ordered(sighting.read, frames)))
    inside = warped(torch.ones_like(color[:, :1]), to_frames, size) > 0.999
    large = color.shape[2:]
    color = rounded(warped(color, to_frames, size, interpolation="bicubic", border="border"))
    mask, front = (accelerator.pictures([source(t) for t in frames]) for source in (sighting.mask, sighting.front))
    to_masks = np.linalg.inv(enlargement(mask.shape[2:], large)) @ to_frames
    uncovered = warped(lightest(front), to_masks, size).round() < OCCLUDED
    prior = warped(mask, to_masks, size, border="border").round()
    visible = (inside & uncovered).to(torch.float32)
    background, seen = _behind(accelerator, sighting, canvas, frames)
    sure = torch.zeros_like(prior)
    if sighting.parted:
        outside = lightest(lightest(prior)) <= rules.CERTAIN[0]
        sure = (outside | (darkest(darkest(prior)) >= rules.CERTAIN[1])).to(torch.float32)
        seen = seen * ~_astray(color, background, outside * visible)
    return _Sights(color, background, seen, visible, sure, prior)


def _astray(color: torch.Tensor, background: torch.Tensor, telling: torch.Tensor) -> torch.Tensor:
    """Where backgrounds (N, 3, h, w) are not what is behind the sprite, by the pixels around that are surely background,
    `telling` (N, 1, h, w) 0 or 1."""
    differs = telling * (interval(color, background) > TOLERANCE)
    box = rules.surroundings(*telling.shape[2:])
    share, around = averaged(differs, box), averaged(telling, box)
    return (around > rules.FEWEST_AROUND) & (share > rules.ASTRAY * around)


def _behind(accelerator: Accelerator, sighting: Sighting, canvas: Canvas, frames: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """What lies behind the sprite on its canvas, (N, 3, h, w), and where that is known, (N, 1, h, w)."""
    size, to_frames = (canvas.width, canvas.height), canvas.homographies[frames]
    looks = list(map_ordered(sighting.look, frames))
    color = warped(accelerator.pictures([shown for shown, _ in looks]), to_frames, size, border="border").round()
    seen = warped(accelerator.pictures([known.astype(np.uint8) for _, known in looks]), to_frames, size) > 0.99
    for sprite in sighting.behind:
        for i, t in enumerate(frames):
            if not sprite.exposure[t]:
                continue
            drawing = accelerator.pictures([sprite.drawings[sprite.exposure[t] - 1]])
            drawing[:, :3] *= drawing[:, 3:] / 255
            from_there = normalized(np.linalg.inv(sprite.canvas.homographies[t]) @ canvas.homographies[t])
            laid = warped(drawing, from_there[None], size)[0]
            alpha = laid[3:] / 255
            color[i] = rounded(laid[:3] + (1 - alpha) * color[i])
            seen[i] |= alpha > 0.95
    return color, seen.to(torch.float32)


def _pooled(sights: _Sights, foreground: torch.Tensor, background: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Evidence of foreground, if a few exposures say so, and of background, if all do; what the mask from analysis is worth and says."""
    count = len(foreground)
    levels = (foreground * sights.visible * 255).round().to(torch.uint8)
    number = sights.visible.sum(0, keepdim=True)
    skipped = rules.few(number.to(torch.int64))
    strongest = levels.sort(0, descending=True).values.gather(0, skipped) / 255
    background = background * sights.visible * _gains(sights, background)
    doubtful = rules.PRIOR_TRUST + (rules.UNSEEN_TRUST - rules.PRIOR_TRUST) * (1 - sights.seen)
    trust = torch.where(sights.certain > 0, rules.CERTAIN_TRUST, doubtful) * sights.visible
    open_ = background.sum(0, keepdim=True) / number.clamp_min(1) * (1 - strongest)
    believed = (trust * (sights.prior > rules.BELIEVED)).sum(0, keepdim=True)
    return strongest, open_, trust.sum(0, keepdim=True) / count, believed / count


def _gains(sights: _Sights, background: torch.Tensor) -> torch.Tensor:
    """What each exposure's background evidence is multiplied by, (N, 1, 1, 1)."""
    gains = []
    for seen, visible, prior, evidence in zip(sights.seen, sights.visible, sights.prior, background, strict=True):
        around = evidence[(seen > 0) & (visible > 0) & (prior < rules.FAINT)]
        if len(around) < rules.FEWEST_SURROUNDINGS:
            gains.append(1.0)
            continue
        ordered = around.sort().values
        gains.append(rules.gain(float(ordered[(len(around) - 1) // 2] + ordered[len(around) // 2]) / 2))
    return torch.tensor(gains, device=background.device).reshape(-1, 1, 1, 1)


def _bonds(sights: _Sights) -> tuple[torch.Tensor, ...]:
    few = list(rules.looked_at(len(sights.color)))
    return tuple(bond.amax(0, keepdim=True) for bond in edge_weights(sights.color[few], sights.background[few]))


def _moments(sights: _Sights) -> tuple[torch.Tensor, ...]:
    """Number of visible exposures, mean color and background, and their joint scatter where the background is known."""
    number = sights.visible.sum(0, keepdim=True)
    color, background = ((part * sights.visible).sum(0, keepdim=True) / number.clamp_min(1e-3)
                         for part in (sights.color, sights.background))
    change = sights.background - background
    step = change * (sights.visible * sights.seen) * (len(change) > 1)
    covariance, variance = (((part * step).sum((0, 1))[None, None]) for part in (sights.color - color, change))
    return number, color, background, covariance, variance


def _returned(part: torch.Tensor) -> np.ndarray:
    """(1, C, h, w) as an array (h, w), or (h, w, 3) for colors."""
    array = part[0].permute(1, 2, 0).contiguous().cpu().numpy()
    return array[..., 0] if array.shape[2] == 1 else array
