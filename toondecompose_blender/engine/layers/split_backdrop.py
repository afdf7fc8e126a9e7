# SPDX-License-Identifier: GPL-3.0-or-later
"""Flat paint behind a background that moves: a sky, or a backing of nothing but paint; and in front of it: the ground of a nearer layer.
No edge of it moves by itself, so motion alone never parts it from what does.  What a sprite of its own is worth is decided where layers
merge."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..parallel import map_ordered
from .edgels import Edgels, lasting_cost, motion_cost
from .ownership import BORDER_TOUCH, Graph, build_conflicts, components_of
from .split_search import BORDER_STATIC, Layers, sprite_table
from .supervoxels import Supervoxels

__all__ = ["backing_of", "before_backing", "sky_of", "behind_all", "grounded"]

LIKE = 8                # color difference up to which pieces of background are the same flat color
SHARE = 0.05, 0.8       # of the picture, that a sky may fill: less is a window, more is the background itself (drawn clips)
BACKING = 0.8           # share of the clip that flat paint must fill to be all that the background is (judgement)
DRAWN = 0.2             # of the edges that moved with the background: with more inside of it, it is drawn, not painted (measured: .11, .28)
SCENERY = 0.5           # share of the border that what moved with it reaches in time: with more it is scenery, drawn on paper (.78; .05)
BELOW = 0.05            # share of its contact with the picture's border that may lie at the bottom
ABOVE = 0.8             # share of the background's contact with the top that a sky holds: less is light in one (measured: .52, 1.0)

GROUND = 0.01           # of the clip, that a ground fills (judgement)
MOSTLY = 0.9            # of a piece lies there
HELD = 0.8              # share of its outline that one layer holds (judgement; measured: .93)
HALF = 0.5              # the same of flat paint (measured: .54)
CHEAP = 6e-3            # energy a voxel that it costs to be that layer's, at most (measured: .004; of background seen through one from .02)


def backing_of(layers: Layers, edgels: Edgels) -> np.ndarray:
    """The pieces of the background, bool (n,), that are flat paint of large areas, if that is nearly all of the clip; else all False."""
    voxels = layers.energy.graph.voxels
    free = layers.labels == 0
    left, backing, total = free.copy(), np.zeros(voxels.count, bool), voxels.size.sum()
    while left.any():
        largest = int(np.where(left, voxels.size, -1).argmax())
        like = left & (np.abs(voxels.color - voxels.color[largest]).max(1) < LIKE)
        if voxels.size[like].sum() < SHARE[0] * total:
            break
        backing, left = backing | like, left & ~like
    moving, plain = (edgels.weight[pieces[edgels.pieces].all(1)].sum() for pieces in (free, backing))
    flat = voxels.size[backing].sum() > BACKING * total and plain < DRAWN * moving
    return backing if flat and _around(voxels, free & ~backing) < SCENERY else np.zeros(voxels.count, bool)


def _around(voxels: Supervoxels, pieces: np.ndarray) -> float:
    """The share of the picture's border where some of the `pieces`, bool (n,), are seen at some time."""
    sides = voxels.labels[:, 0], voxels.labels[:, -1], voxels.labels[:, :, 0], voxels.labels[:, :, -1]
    seen = np.concatenate([pieces[side].any(0) for side in sides])
    return float(seen.mean())


def before_backing(layers: Layers, backing: np.ndarray, edgels: Edgels) -> Layers:
    """`layers` whose background is the `backing`, which stands still; what moved with it is one more sprite, the farthest."""
    energy, voxels = layers.energy, layers.energy.graph.voxels
    still = np.repeat(np.eye(3)[None], len(layers.motions[0]), 0)
    cost = lasting_cost(edgels, voxels, motion_cost(edgels, voxels, still))
    columns = [sprite_table(energy.graph, edgels, one, label) for label, one in enumerate((cost, layers.costs[0]))]
    ownership = np.concatenate([np.stack(columns, 1), energy.ownership[:, 1:]], 1)
    front = BORDER_STATIC * voxels.border
    unary = np.stack([np.zeros_like(front)] + [front] * len(layers.motions), 1)
    energy = replace(energy, ownership=ownership, unary=unary, conflicts=build_conflicts(voxels, still))
    labels = np.where(backing & (layers.labels == 0), 0, layers.labels + 1)
    return Layers(labels, (still, *layers.motions), (cost, *layers.costs), energy, layers.trail)


def sky_of(layers: Layers) -> np.ndarray:
    """The pieces of the background, bool (n,), that are one flat color all along the top of the picture and not at its bottom;
    all False if there is no such color."""
    voxels = layers.energy.graph.voxels
    top, bottom = _reach(voxels)
    free = layers.labels == 0
    highest = int(np.where(free, top, -1).argmax())
    color = voxels.color
    sky = free & (np.abs(color - color[highest]).max(1) < LIKE)
    fills = voxels.size[sky].sum() / voxels.size.sum()
    above, below = top[sky].sum(), bottom[sky].sum()
    reaches = above > max(BORDER_TOUCH * len(voxels.labels), ABOVE * top[free].sum()) and below <= BELOW * voxels.border[sky].sum()
    return sky if reaches and SHARE[0] < fills < SHARE[1] else np.zeros(len(sky), bool)


def behind_all(layers: Layers, sky: np.ndarray) -> Layers:
    """`layers` with the `sky` of their background as a new background that stands still; energies are those of before."""
    still = np.repeat(np.eye(3)[None], len(layers.motions[0]), 0)
    return replace(layers, labels=np.where(sky & (layers.labels == 0), 0, layers.labels + 1), motions=(still, *layers.motions))


def grounded(layers: Layers) -> Layers:
    """`layers` after what a nearer one cuts off from the rest of the background, below itself, became its ground, if the pictures hardly
    object: all that is there, then flat paint with hardly more than its upper edge in that layer."""
    voxels, graph = layers.energy.graph.voxels, layers.energy.graph
    low = (layers.labels == 0) & (_below(layers.labels, voxels) > MOSTLY * voxels.size)
    layers = replace(layers, labels=_given(layers, components_of(graph, low), HELD))
    alike = np.abs(voxels.color[graph.first] - voxels.color[graph.second]).max(1) < LIKE
    return replace(layers, labels=_given(layers, components_of(graph, layers.labels == 0, alike), HALF))


def _given(layers: Layers, parts: np.ndarray, held: float) -> np.ndarray:
    """The labels after each of the `parts` (n,), -1 for no part, that reaches the bottom and not the top went to the layer that holds
    more than this share of its outline, if there is one and it costs little."""
    voxels, labels, energy = layers.energy.graph.voxels, layers.labels, layers.energy
    inside, now, result = parts >= 0, energy.of(labels), labels
    size, top, bottom = (np.bincount(parts[inside], share[inside]) for share in (voxels.size, *_reach(voxels)))
    for part in np.flatnonzero((size > GROUND * voxels.size.sum()) & (bottom > 0) & (top == 0)):
        outline = _outline(energy.graph, parts == part, labels, len(layers.motions))
        owner = int(outline.argmax())
        ground = np.where(parts == part, owner, labels)
        if outline[owner] > held * outline.sum() and energy.of(ground) - now < CHEAP * size[part]:
            result = np.where(parts == part, owner, result)
    return result


def _reach(voxels: Supervoxels) -> tuple[np.ndarray, np.ndarray]:
    """Voxels of each piece in the top row and in the bottom row, (n,) each."""
    return tuple(np.bincount(voxels.labels[:, row].ravel(), minlength=voxels.count) for row in (0, -1))


def _below(labels: np.ndarray, voxels: Supervoxels) -> np.ndarray:
    """Voxels of each piece (n,) at which the background reaches the bottom of the picture and not its top."""
    def of_frame(pieces: np.ndarray) -> np.ndarray:
        count, regions = cv2.connectedComponents((labels[pieces] == 0).astype(np.uint8), connectivity=4)
        top, bottom = (np.bincount(row, minlength=count) > 0 for row in (regions[0], regions[-1]))
        low = bottom & ~top
        low[0] = False
        return np.bincount(pieces.ravel(), low[regions].ravel(), voxels.count)

    return sum(map_ordered(of_frame, voxels.labels), np.zeros(voxels.count))


def _outline(graph: Graph, part: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """How much of the outline of a `part`, bool (n,), each label holds, (count,)."""
    result = np.zeros(count)
    for inner, outer in ((graph.first, graph.second), (graph.second, graph.first)):
        across = part[inner] & ~part[outer]
        np.add.at(result, labels[outer[across]], graph.length[across])
    return result
