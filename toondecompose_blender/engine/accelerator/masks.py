# SPDX-License-Identifier: GPL-3.0-or-later
"""The soft masks of `layers.evidence` for many frames at once, from the camera's motion and from the difference to a plate.
Constants and meaning stand there; this is their arithmetic on batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..geometry import relative
from ..layers import evidence as rules
from .card import Accelerator
from .pictures import averaged, blurred, darkest, gray, lightest, resized, warped
from .walker import edge_weights, random_walk

__all__ = ["RESIDUAL_BYTES", "WALK_BYTES", "MOTION_BYTES", "interval", "label_walk", "residual_evidence", "residual_walk", "motion_walk"]

# Bytes a pixel and frame that batches hold at their peak: by malloc's count 194, 52 (and sprite) and 273 (of a picture at half size),
# with a fifth or more on top for how an allocator of a card rounds.
RESIDUAL_BYTES = 240
WALK_BYTES = 80
MOTION_BYTES = 340


def interval(frames: torch.Tensor, others: torch.Tensor, *, slack: float = 0.0) -> torch.Tensor:
    """(N, 1, h, w): distance of each pixel of `frames` (N, 3, h, w) to the range of colors around it in `others`."""
    low, high = darkest(others), lightest(others)
    if slack:
        margin = ((high - low) * slack).round()
        low, high = (low - margin).clamp_min(0), (high + margin).clamp_max(255)
    return torch.maximum(low - frames, frames - high).clamp_min(0).square().sum(1, keepdim=True).sqrt()


def residual_evidence(frames: torch.Tensor, shown: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Evidence of foreground and of background, (N, 1, h, w) each, of frames against what the plate shows, (N, 3, h, w) each,
    where it is `seen`, (N, 1, h, w) 0 or 1."""
    sharp = interval(frames, shown, slack=rules.RESAMPLED).clamp_max(80)
    residual = torch.minimum(blurred(sharp, 0.6), sharp * 1.6 + 3)
    threshold = 0.6 * rules.TOLERANCE
    foreground = ((residual - threshold) / rules.TOLERANCE).clamp(0, 1) * seen
    trust = rules.FLAT_TRUST + rules.TEXTURE_TRUST * (_local_deviation(shown) / 12).clamp(0, 1)
    return foreground, ((threshold - residual) / threshold).clamp(0, 1) * trust * seen


def _local_deviation(pictures: torch.Tensor, box: int = 7) -> torch.Tensor:
    brightness = gray(pictures)
    mean = averaged(brightness, box)
    return (averaged(brightness * brightness, box) - mean * mean).clamp_min(0).sqrt()


def residual_walk(accelerator: Accelerator, frames: np.ndarray, looks: Sequence[tuple[np.ndarray, np.ndarray]],
                  hints: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], seeds: np.ndarray | None) -> np.ndarray:
    """Soft masks float32 (N, h, w) of frames uint8 (N, h, w, 3) against what `looks` show.

    Of `hints`, three a frame, the first is another mask, 0 or 1, the others are what it is worth where the plate was seen, and where not.
    """
    pictures, shown = accelerator.pictures(frames), accelerator.pictures([colors for colors, _ in looks])
    seen = accelerator.pictures([known.astype(np.uint8) for _, known in looks])
    belief, where_seen, where_unseen = (accelerator.pictures(part) for part in zip(*hints, strict=True))
    foreground, background = residual_evidence(pictures, shown, seen)
    hint = torch.where(seen > 0, where_seen, where_unseen)
    confidence = 0.6 * foreground + background + hint + 1e-4
    value = (0.6 * foreground + hint * belief + 3e-5) / confidence
    if seeds is not None:
        told = accelerator.pictures(seeds)
        value = torch.where(told == rules.UNKNOWN, value, (told > 0).to(torch.float32))
        confidence = torch.where(told == rules.UNKNOWN, confidence, rules.SEED_TRUST)
    return random_walk(value, confidence, *edge_weights(pictures, shown))[:, 0].cpu().numpy()


def label_walk(accelerator: Accelerator, frames: np.ndarray, labeled: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """How near each pixel of frames uint8 (N, h, w, 3) is to each of the labels, float32 (N, K, h, w): of `labeled`, a pair a frame,
    the first are the labels' masks (K, h, w), 0 or 1, and the second what they are worth, (h, w)."""
    members = accelerator.tensor(np.stack([member for member, _ in labeled])).to(torch.float32)
    confidence, bonds = accelerator.pictures([trust for _, trust in labeled]), edge_weights(accelerator.pictures(frames))
    walks = [random_walk(members[:, k:k + 1], confidence, *bonds) for k in range(members.shape[1])]
    return torch.cat(walks, 1).cpu().numpy()


def motion_walk(accelerator: Accelerator, halves: np.ndarray, camera: np.ndarray, before: np.ndarray | None, numbers: Sequence[int],
                size: tuple[int, int]) -> np.ndarray:
    """Soft masks float32 (N, h, w) of `size` (width, height) of the frames `numbers` among `halves` uint8 (T, h/2, w/2, 3), from
    their neighbors along `camera` (T, 3, 3), plane -> picture, and, if there are any, the masks `before` float32 (T, h/2, w/2)."""
    own = accelerator.pictures(halves[list(numbers)])
    (match_after, trust_after), (match_before, trust_before) = (
        _side(accelerator, halves, camera, before, numbers, own, direction) for direction in (1, -1))
    after, earlier = match_after / trust_after, match_before / trust_before
    best = torch.where(trust_after < 0.3, earlier, torch.where(trust_before < 0.3, after, torch.maximum(after, earlier)))
    together = (match_after + match_before) / (trust_after + trust_before)
    value = ((0.75 - (0.5 * best + 0.5 * together)) / 0.4).clamp(0, 1)
    trust = ((trust_after + trust_before) / 2).clamp(0, 1)
    confidence = 0.4 * trust * (2 * value - 1).abs() + 1e-4
    value = torch.where(confidence < 2e-3, 0.4, value)
    return resized(random_walk(value, confidence, *edge_weights(own)), size)[:, 0].cpu().numpy()


def _side(accelerator: Accelerator, halves: np.ndarray, camera: np.ndarray, before: np.ndarray | None, numbers: Sequence[int],
          own: torch.Tensor, direction: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted share of the neighbors on one side in time that agree with the camera, and the weight, (N, 1, h, w) each."""
    height, width = halves.shape[1:3]
    chosen = [rules.neighbors(camera, t, direction, width, height) for t in numbers]
    match, trust = torch.zeros_like(own[:, :1]), torch.full_like(own[:, :1], 1e-4)
    with_any = [i for i, neighbors in enumerate(chosen) if neighbors]
    if not with_any:
        return match, trust
    frames = own[with_any]
    for place in range(len(rules.SHIFTS)):
        others = [chosen[i][place] for i in with_any]
        motion = np.stack([relative(camera[numbers[i]], camera[s]) for i, s in zip(with_any, others, strict=True)])
        inside = warped(torch.ones_like(frames[:, :1]), motion, (width, height)) > 0.99
        error = _difference(frames, accelerator.pictures(halves[others]), motion)
        distinct = _difference(frames, frames, motion)
        vote = torch.maximum((distinct / rules.TOLERANCE).clamp(0, 1),
                             ((error - 0.7 * rules.TOLERANCE) / rules.TOLERANCE).clamp(0, 1)) * inside
        agreement = ((1.25 * rules.TOLERANCE - error) / (0.5 * rules.TOLERANCE)).clamp(0, 1)
        if before is not None:
            vote *= 1 - (1 - agreement) * warped(accelerator.pictures(before[others]), motion, (width, height))
        match[with_any] += vote * agreement
        trust[with_any] += vote
    return match, trust


def _difference(frames: torch.Tensor, others: torch.Tensor, motion: np.ndarray) -> torch.Tensor:
    moved = warped(others, motion, frames.shape[:1:-1], border="border").round()
    return averaged(interval(frames, moved).clamp_max(rules.CLIPPED), rules.BOX)
