# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes sprites of layers: still pieces join the sprite that they touch, and surplus layers merge.
It must not know frames, only pieces, their motions and the energy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..paged import paged
from ..parallel import map_ordered
from .edgels import Edgels
from .ownership import BORDER_TOUCH, CONFLICT_LAGS, CONFLICT_WEIGHT, Energy, components_of
from .ownership_moves import swept
from .split_attachment import attachments
from .split_light import faint_lengths, goes_on, shades_of
from .split_search import Layers, sprite_table
from .supervoxels import Supervoxels, tones_of

__all__ = ["attached", "merged_to", "merged_while_cheap", "smoothed", "worth_more_than_a_sprite"]

TOUCHING = 0.015        # share of a still piece's outline that its sprite must hold (by trial on toon clips) ...
EMBRACED = 0.12         # ... if the lower border cuts it, as it does busts (measured: .02 of ground, .2 and .94 of busts) ...
FAITHFUL = 0.93         # ... in this share of the frames that show the piece: what is only passed is background (measured: .89, 1.0)
ROAMING = 1.0           # sizes of the piece that the sprite may travel: an arm stays near its body (judgement)
COVERED = 0.2           # share of a still piece that sprites may pass over, if it is no background
SWEPT = 0.5             # share of what a sprite passes over that may be the piece
FLOWING = 0.5           # share of an outline without an edge from which what it holds is the background's light (measured: .24, .62)
LARGEST = 6.0           # times the sprite that a still piece may be
LIKE = 8                # color difference below which a piece looks like background that stays
NOTABLE = 2e-4          # share of the clip's voxels from which background can be a model
SMOOTHING = 2.0         # times the border cost of the search: fills that any motion explains follow their outlines (drawn clips)
ATTACHED = 0.5          # share of the energy that a merge costs which attachment forgives: limbs move by themselves (drawn clips)
ALIKE, FORGIVEN = 0.5, 0.8  # share of colors in common from which layers look alike, and of that energy, if all are (measured)
TONES = 32              # gray levels a channel that are one color
LOST_AREA = 4e-3        # energy of a voxel of the smaller layer of a merge: rather lose a patch than a plane (measured: 1e-3 loses riders)
PRICED_AREA = 1e-3      # of that, in the price of a merge: what is worthwhile was measured with it
WORTHWHILE = 0.075      # a sprite's merge costs more, of the (geometric) mean of the energy with one layer and without it (measured) ...
APART, WORTHY = 0.2, 0.045  # ... or with less than this share of the shorter outline in common: a limb touches its body (measured)
PLANE = 2e-3            # energy that a voxel of a flat plane is worth (drawn clips: a tenth of what a true sprite's merge costs)
SHARED_BORDER = 0.05    # what a unit of common outline of attached layers saves when they merge


@dataclass(frozen=True)
class _Union:
    """`layers` after the layer `gone` joined another: its `score`, the smaller, the better, its `price`; whether the two were `apart`."""
    score: float
    price: float
    layers: Layers
    gone: int
    apart: bool


def attached(layers: Layers, edgels: Edgels) -> Layers:
    """`layers` after still pieces of a still background that touch a sprite, and that nothing passes over, joined it; then also those
    that the picture's lower border cuts, if a sprite embraces them."""
    voxels = layers.energy.graph.voxels
    inside = _joined(layers, edgels, voxels.border > 0, TOUCHING)
    return _joined(inside, edgels, _beside(voxels), EMBRACED)


def _joined(layers: Layers, edgels: Edgels, outer: np.ndarray, least: float) -> Layers:
    """`layers` after pieces of the background that are not `outer` (bool (n,)) and do not look like those joined the sprite that holds
    at `least` that share of their outline."""
    labels, energy = layers.labels, layers.energy
    color, size = energy.graph.voxels.color, energy.graph.voxels.size
    free = (labels == 0) & ~outer
    free &= ~_like(color, _models(color, size, (labels == 0) & outer))      # sky between the spokes of a wheel ties nothing together
    if labels.max() < 1 or not free.any():
        return layers
    graph = energy.graph
    faint = faint_lengths(graph, edgels)
    shades = shades_of(graph, free, faint)
    free &= goes_on(labels, shades, graph, faint)[shades] < FLOWING
    if not free.any():
        return layers
    parts = components_of(graph, free)
    owner = np.where(goes_on(labels, parts, graph, faint) < FLOWING, _owners(labels, parts, energy, edgels, least), 0)
    joining = np.where(free, owner[parts], 0)
    joining[_like(color, color[(labels == 0) & (joining == 0) & (size > NOTABLE * size.sum())])] = 0
    return replace(layers, labels=np.where(joining > 0, joining, labels))


def _beside(voxels: Supervoxels) -> np.ndarray:
    """Which pieces touch the picture's border elsewhere than below, bool (n,)."""
    result = np.zeros(voxels.count, bool)
    for pieces in paged(voxels.labels):
        for side in (pieces[0], pieces[:-1, 0], pieces[:-1, -1]):
            result[side] = True
    return result


def _models(color: np.ndarray, size: np.ndarray, member: np.ndarray) -> np.ndarray:
    """The colors (m, 3) of the `member` pieces, bool (n,), but of those that are rare among them."""
    cells = tones_of(color, LIKE)
    return color[member & (np.bincount(cells[member], size[member], (256 // LIKE) ** 3)[cells] > NOTABLE * size.sum())]


def _like(color: np.ndarray, models: np.ndarray) -> np.ndarray:
    """Which colors (n, 3) look like one of the `models` (m, 3)."""
    nearest = np.full(len(color), np.inf)
    for model in models:
        nearest = np.minimum(nearest, np.abs(color - model).max(1))
    return nearest < LIKE


def _owners(labels: np.ndarray, parts: np.ndarray, energy: Energy, edgels: Edgels, least: float) -> np.ndarray:
    """The sprite that each still part should join, 0 for none: it holds at `least` that share of the part's outline."""
    graph, count, total = energy.graph, int(labels.max()) + 1, int(parts.max()) + 1
    free, size = parts >= 0, graph.voxels.size
    area = np.bincount(parts[free], size[free], total)
    faithful, lives = _faithful(labels, parts, edgels, least)
    rows, neighbor, weight = energy.conflicts.rows(), energy.conflicts.neighbor, energy.conflicts.weight
    over = free[rows] & (labels[neighbor] > 0)
    passed = np.zeros((total, count))
    np.add.at(passed, (parts[rows[over]], labels[neighbor[over]]), weight[over])
    sweep = (labels[rows] == 0) & (labels[neighbor] > 0)
    sweeps = np.bincount(labels[neighbor[sweep]], weight[sweep], count) + 1e-6
    best = 1 + faithful[:, 1:].argmax(1)
    index = np.arange(total)
    covered = passed.sum(1) / CONFLICT_WEIGHT / len(CONFLICT_LAGS)
    shown = area / lives    # mean size in a frame
    joins = ((faithful[index, best] > FAITHFUL)
             & (_travels(labels, graph.voxels, count)[best] < ROAMING * np.sqrt(shown)) & (covered < COVERED * area)
             & (passed[index, best] < SWEPT * sweeps[best]) & (area < LARGEST * np.bincount(labels, size, count)[best]))
    return np.where(joins, best, 0)


def _faithful(labels: np.ndarray, parts: np.ndarray, edgels: Edgels, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Share of each still part's frames in which each label holds at `least` that share of its outline, (parts, labels), and the number
    of those frames (parts,)."""
    frames, count, total = len(edgels.begin) - 1, int(labels.max()) + 1, int(parts.max()) + 1
    seen, touched = np.zeros((total, frames)), np.zeros((total, frames, count))
    for a, b in (edgels.pieces.T, edgels.pieces[:, ::-1].T):
        edge = (parts[a] >= 0) & (parts[b] != parts[a])
        at = parts[a[edge]], edgels.places[edge, 0]
        np.add.at(seen, at, edgels.weight[edge])
        np.add.at(touched, (*at, labels[b[edge]]), edgels.weight[edge])
    lives = np.maximum(1, (seen > 0).sum(1))
    return (touched > least * np.maximum(seen, 1e-9)[..., None]).sum(1) / lives[:, None], lives


def _travels(labels: np.ndarray, voxels: Supervoxels, count: int) -> np.ndarray:
    """How far the center of each label gets around, px (count,)."""
    h, w = voxels.labels.shape[1:]
    ys, xs = (axis.ravel() for axis in np.mgrid[:h, :w])

    def center(pieces: np.ndarray) -> np.ndarray:
        label = labels[pieces].ravel()
        size = np.bincount(label, minlength=count)
        middle = np.stack([np.bincount(label, place, count) for place in (xs, ys)], 1) / np.maximum(1, size)[:, None]
        return np.where(size[:, None] > 0, middle, np.nan)

    centers = np.stack(list(map_ordered(center, voxels.labels)))
    seen = np.isfinite(centers).any((0, 2))
    result = np.zeros(count)
    result[seen] = np.hypot(*(np.nanmax(centers[:, seen], 0) - np.nanmin(centers[:, seen], 0)).T)
    return result


def merged_to(layers: Layers, count: int, edgels: Edgels) -> Layers:
    """`layers` after the pairs whose union costs least, and less if they are attached, merged down to `count`.

    A union moves, in each frame, like the one of the two that owns more there: so the halves of a sprite's life find together.
    """
    while len(layers.motions) > count:
        layers = _cheapest_union(layers, edgels).layers
    return layers


def merged_while_cheap(layers: Layers, most: int, edgels: Edgels) -> Layers:
    """`layers` merged as long as the next union costs little, down to 2..`most`: as many sprites as the clip seems to have."""
    while len(layers.motions) > 2:
        union = _cheapest_union(layers, edgels)
        mean = np.sqrt(layers.trail[0] * union.layers.energy.of(union.layers.labels))
        if len(layers.motions) <= most and union.price >= (WORTHY if union.apart else WORTHWHILE) * mean:
            break
        layers = union.layers
    return layers


def worth_more_than_a_sprite(layers: Layers, size: float, edgels: Edgels) -> bool:
    """Whether a plane of `size` voxels that costs no energy is worth more than the least that `layers` could lose by a merge."""
    return _cheapest_union(layers, edgels).price < PLANE * size


def _cheapest_union(layers: Layers, edgels: Edgels) -> _Union:
    union = min(_unions(layers, edgels), key=lambda union: union.score)
    return replace(union, layers=union.layers.kept([k for k in range(len(layers.motions)) if k != union.gone]))


def _unions(layers: Layers, edgels: Edgels) -> Iterator[_Union]:
    """Each union of two layers, with the emptied one still there."""
    labels, energy, total = layers.labels, layers.energy, len(layers.motions)
    frames, now = len(edgels.begin) - 1, energy.of(labels)
    together = attachments(labels, layers.motions, edgels, energy.graph.voxels)
    together[:, 0] = 0  # nothing is a limb of the background
    alike = _resemblance(layers)
    size = np.bincount(labels, energy.graph.voxels.size, total)
    outline = _shared_outlines(labels, energy, total)
    length = outline.sum(1) - outline.diagonal()
    owner = labels[edgels.pieces].max(1)
    owned = np.bincount(edgels.places[:, 0] * total + owner, edgels.weight, frames * total).reshape(frames, total)
    for gone in range(1, total):
        for into in range(total):
            if into == gone:
                continue
            union = replace(layers, labels=np.where(labels == gone, into, labels))
            if into:
                union = _with_motion(union, gone, into, owned[:, gone] > owned[:, into], edgels)
            attached, lost = together[gone, into], size[gone] if not into else min(size[gone], size[into])
            cost = (union.energy.of(union.labels) - now) * (1 - ATTACHED * attached - (FORGIVEN * alike[gone, into] if into else 0))
            cost -= SHARED_BORDER * attached * outline[gone, into]
            apart = outline[gone, into] < APART * min(length[gone], length[into])
            yield _Union(cost + LOST_AREA * lost, cost + PRICED_AREA * lost, union, gone, apart)


def _resemblance(layers: Layers) -> np.ndarray:
    """How far each two layers share their colors, beyond what many do by chance: 0..1 symmetric (K, K)."""
    voxels, count = layers.energy.graph.voxels, len(layers.motions)
    colors = tones_of(voxels.color, TONES)
    areas = np.zeros((count, (256 // TONES) ** 3))
    np.add.at(areas, (layers.labels, colors), voxels.size)
    shares = areas / np.maximum(1, areas.sum(1, keepdims=True))
    return np.clip((np.minimum(shares[:, None], shares[None]).sum(-1) - ALIKE) / (1 - ALIKE), 0, 1)


def _with_motion(layers: Layers, gone: int, into: int, leads: np.ndarray, edgels: Edgels) -> Layers:
    """`layers` with label `into` moving like `gone` in the frames where that `leads` (bool (T,))."""
    cost = np.where(leads[edgels.places[:, 0], None], layers.costs[gone], layers.costs[into])
    motion = np.where(leads[:-1, None, None], layers.motions[gone], layers.motions[into])
    ownership = layers.energy.ownership.copy()
    ownership[:, into] = sprite_table(layers.energy.graph, edgels, cost, into)
    costs = tuple(cost if k == into else other for k, other in enumerate(layers.costs))
    motions = tuple(motion if k == into else other for k, other in enumerate(layers.motions))
    return replace(layers, costs=costs, motions=motions, energy=replace(layers.energy, ownership=ownership))


def _shared_outlines(labels: np.ndarray, energy: Energy, count: int) -> np.ndarray:
    """Length of the common outline of each two labels, (count, count), symmetric."""
    graph, result = energy.graph, np.zeros((count, count))
    np.add.at(result, (labels[graph.first], labels[graph.second]), graph.length)
    return result + result.T


def smoothed(layers: Layers, found: Layers) -> Layers:
    """`layers` after each piece took its cheapest label once more, with dearer borders, but the background's at the picture's border.
    What was a layer of its own before sprites were made, when `found`, keeps half of what it gained by its own motion: a foot that comes
    down with the ground is no part of it."""
    energy = replace(layers.energy, potts=SMOOTHING * layers.energy.potts, ownership=_with_limbs(layers, found))
    voxels = energy.graph.voxels
    # Flat skies fit any motion: what is background stays it.
    backdrop = (layers.labels == 0) & (voxels.border > BORDER_TOUCH * np.maximum(voxels.life, 1))
    return replace(layers, labels=np.where(backdrop, layers.labels, swept(energy, layers.labels, rounds=2)))


def _with_limbs(layers: Layers, found: Layers) -> np.ndarray:
    """The ownership (P, K, 3) of `layers` in which a piece of a layer that was `found` moves half like that, if it costs less so, in the
    sprite that most of that layer went to."""
    graph, whole = layers.energy.graph, layers.energy.ownership
    table, went = whole.copy(), np.zeros((len(found.motions), len(layers.motions)))
    np.add.at(went, (found.labels, layers.labels), graph.voxels.size)
    sprite = went.argmax(1)
    for end, cases in ((graph.first, (0, 1)), (graph.second, (0, 2))):
        limb = found.labels[end]
        at = np.flatnonzero((limb > 0) & (sprite[limb] > 0))
        limb, into = limb[at], sprite[limb[at]]
        for case in cases:
            table[at, into, case] = np.minimum(table[at, into, case], (whole[at, into, case] + found.energy.ownership[at, limb, case]) / 2)
    return table
