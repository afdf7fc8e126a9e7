# SPDX-License-Identifier: GPL-3.0-or-later
"""What a box means: a bound of a sprite, so the sprite is what fills it best of all that the split could be.
It sees pieces and labels in the box's frame; whether the answer is believed is decided by the caller."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .hints import Hint
from .split_search import Layers
from .supervoxels import Supervoxels

__all__ = ["Filling", "boxed", "holds"]

FILLS = 0.7             # overlap of a box with the one around a sprite from which the box is that sprite's
HOLDS = 0.5             # the same of what was cut out of a box, whose outline is left out
MOSTLY = 0.7            # share of a sprite that the box around it holds: what is outside was another's
WITHIN = 0.9            # share of a piece's px that are in a box, if the piece is
WHOLE = 0.5             # of the picture: a box that is larger says nothing (judgement)
DUST = 0.5              # percent of a sprite's px that may lie outside of the box around it, at each side


@dataclass(frozen=True)
class Filling:
    """The `pieces`, bool (n,), that fill a box; `alone`: they are no sprite of the split."""
    pieces: np.ndarray
    alone: bool


def boxed(voxels: Supervoxels, box: Hint, splits: list[Layers]) -> Filling | None:
    """The sprite of the first of the `splits` that fills `box`, or else the pieces that lie in it; None if nothing does."""
    if box.region.mean() > WHOLE:
        return None
    labels = voxels.labels[box.frame]
    size = np.bincount(labels.ravel(), minlength=voxels.count)
    share = np.bincount(labels[box.region], minlength=voxels.count) / np.maximum(size, 1)
    for layers in splits:
        members = [(layers.labels == k) & (share > 0.5) for k in range(1, len(layers.motions))]
        mostly = [size[member].sum() >= MOSTLY * size[layers.labels == k].sum() for k, member in enumerate(members, 1)]
        fits = [_fit(box.region, member[labels]) * inside for member, inside in zip(members, mostly, strict=True)]
        if max(fits, default=0) >= FILLS:
            return Filling(members[int(np.argmax(fits))], False)
    within = (share >= WITHIN) & (size > 0)
    return Filling(within, True) if _fit(box.region, within[labels]) >= FILLS else None


def holds(box: Hint) -> bool:
    """Whether what was cut out of a `box` is about as large as that."""
    return box.cut_out is not None and box.region.mean() <= WHOLE and _fit(box.region, box.cut_out) >= HOLDS


def _fit(region: np.ndarray, shown: np.ndarray) -> float:
    """Intersection over union of a full box and the one around what is `shown`, bool (h, w) both."""
    ys, xs = np.nonzero(shown)
    if not len(ys):
        return 0.0
    (top, bottom), (left, right) = (np.percentile(axis, (DUST, 100 - DUST)) for axis in (ys, xs))
    around = np.zeros_like(region)
    around[int(top):int(bottom) + 1, int(left):int(right) + 1] = True
    return float((around & region).sum() / (around | region).sum())
