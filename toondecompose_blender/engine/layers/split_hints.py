# SPDX-License-Identifier: GPL-3.0-or-later
"""Leads the split by an artist's hints: what they say of each piece becomes a cost of its labels, and the motion of what they mark a layer.
It sees pieces, layers and the energy; what else moves like a hinted sprite is decided by the energy, as without hints."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from ..report import Report
from .edgels import Edgels, motion_cost
from .hints import RING, Hint, Hints
from .ownership_moves import expanded, swept
from .proposals_fit import fit_motion
from .split_hints_boxes import boxed, holds
from .split_search import Layers, sprite_table
from .supervoxels import Supervoxels

__all__ = ["Votes", "hinted", "numbers_of"]

WORTH = 17.0            # energy of a hinted px: it speaks for the frames nearby, too (by trial on toon clips)
INERTIA = 3e-3          # energy of a voxel of background that becomes a sprite beside what hints speak of (measured)
DISTINCT = 0.85         # share of what marked pieces cost under a sprite's motion that they cost under one of their own
LIKELY = 0.2            # share of the marked px that a layer must have to be the one that is meant
FEWEST, SHARE = 5, 0.01     # px of hints, and share of a piece, from which a piece is marked: a scribble is thin


@dataclass(frozen=True)
class Votes:
    """What hints say of each of n pieces, in px: `sure` float64 (sprites, n), that it is of a sprite; `never`, that it is not;
    `size` (n,), its px in the frames that the hints speak of.  `doubted` (sprites,): those that must move by themselves to be believed,
    because nothing but a box speaks for them."""
    sure: np.ndarray
    never: np.ndarray
    size: np.ndarray
    doubted: np.ndarray

    def told(self) -> list[int]:
        """The sprites that hints are for, without the background."""
        return [int(number) for number in np.flatnonzero(self.sure.any(1)) if number]

    def without(self, numbers: list[int]) -> Votes:
        """The votes with nothing about the sprites `numbers`."""
        kept = ~np.isin(np.arange(len(self.sure)), numbers)[:, None]
        return replace(self, sure=self.sure * kept, never=self.never * kept)


def hinted(layers: Layers, plain: Layers, hints: Hints, edgels: Edgels, report: Report) -> tuple[Layers, Votes]:
    """`layers` led by `hints`, and what these say; `plain` are the sprites without them."""
    voxels = layers.energy.graph.voxels
    votes, empty = _votes(voxels, hints, [plain, layers])
    still = [number for number in votes.told() if votes.doubted[number] and _refused(*_meant(layers, votes, number, edgels), True)]
    if still or empty:      # what no motion tells, the picture may
        votes, empty = _votes(voxels, _cut(hints, {*still, *empty}), [plain, layers])
    columns, added, refused = {0: 0}, [], []
    for number in votes.told():
        like, motion = _meant(layers, votes, number, edgels)
        if _refused(like, motion, votes.doubted[number]):
            refused.append(number)
        elif motion is None and like not in columns.values():
            columns[number] = like
        else:
            motion = layers.motions[like] if motion is None else motion
            layers, column = _with_layer(layers, motion, votes.sure[number], edgels)
            columns = {other: at + (at >= column) for other, at in columns.items()} | {number: column}
            added.append(number)
    for number in sorted({*refused, *empty}):
        report.warn("hints.ignored", f"A hint for sprite {number} was not used: nothing was found that it fits.",
                    "Draw a box closely around the sprite, or a line along all of it, or a mask.")
    votes = votes.without(refused)
    if not votes.sure.any():
        return layers, votes    # byte for byte what there is without hints
    return _biased(layers, plain, votes, columns, added), votes


def _refused(like: int, motion: np.ndarray | None, doubted: bool) -> bool:
    """Whether a sprite that hints are for is not to be found: it neither moves by itself nor looks `like` a layer."""
    return motion is None and (like == 0 or doubted)


def _cut(hints: Hints, sprites: set[int]) -> Hints:
    """`hints` whose boxes for the `sprites` are masks of what was cut out of them, if that fills them."""
    def masked(mark: Hint) -> Hint:
        usable = mark.kind == "box" and mark.sprite in sprites and holds(mark)
        return replace(mark, kind="mask", region=mark.cut_out) if usable else mark

    return replace(hints, marks=tuple(masked(mark) for mark in hints.marks))


def _votes(voxels: Supervoxels, hints: Hints, splits: list[Layers]) -> tuple[Votes, list[int]]:
    """The votes of `hints`, and the sprites with boxes that hold nothing; what fills a box is looked for in all of the `splits`."""
    count = 1 + max(mark.sprite for mark in hints.marks)
    sure, never = np.zeros((2, count, voxels.count))
    size, believed, empty = np.zeros(voxels.count), np.zeros(count, bool), []
    for mark in hints.marks:
        labels = voxels.labels[mark.frame]
        shown = np.bincount(labels[mark.region], minlength=voxels.count)
        filling = boxed(voxels, mark, splits) if mark.kind == "box" else None
        if mark.kind == "box" and filling is None:
            empty.append(mark.sprite)
            continue
        believed[mark.sprite] |= filling is None or not filling.alone
        sure[mark.sprite] += shown if filling is None else shown * filling.pieces
        size += np.bincount(labels.ravel(), minlength=voxels.count) * (shown > 0)
        if mark.kind != "scribble" and mark.sprite:
            near = cv2.dilate(mark.region.astype(np.uint8), np.ones((RING[0],) * 2, np.uint8)) > 0
            never[mark.sprite] += np.bincount(labels[~near], minlength=voxels.count)
    return Votes(sure, never, size, ~believed), empty


def _meant(layers: Layers, votes: Votes, number: int, edgels: Edgels) -> tuple[int, np.ndarray | None]:
    """The layer that the hints for a sprite mean (0: none yet), and the motion of the marked pieces if they move otherwise."""
    sure = votes.sure[number]
    marked = (sure >= FEWEST) & (sure >= SHARE * votes.size) & (sure > votes.never[number]) & (sure >= votes.sure.sum(0) / 2)
    shares = np.bincount(layers.labels, sure * marked if marked.any() else sure, len(layers.motions))
    like = int(np.append(0, shares[1:]).argmax())
    like = like if shares[like] > LIKELY * shares.sum() else 0
    part = marked & (layers.labels == like)
    if not part.any():
        return like, None
    own = part[edgels.pieces].any(1) & np.isin(layers.labels[edgels.pieces], (0, like)).all(1)     # others' edges are theirs
    motion = fit_motion(edgels, edgels.weight * own)
    believed = like == 0 and not votes.doubted[number]
    if not np.isfinite(motion).any():
        return like, layers.motions[0] if believed else None
    cost = motion_cost(edgels, layers.energy.graph.voxels, motion)
    mine, theirs = (_costs(layers, part, cost, edgels) for cost in (cost, layers.costs[like]))
    better = sure[part & (mine < DISTINCT * theirs)].sum() > sure[part].sum() / 2
    return like, motion if better or believed else None


def _costs(layers: Layers, part: np.ndarray, cost: np.ndarray, edgels: Edgels) -> np.ndarray:
    """What the edges of each of the pieces `part`, bool (n,), cost if they are a sprite in front with edgel costs `cost`: (n,)."""
    graph, count = layers.energy.graph, len(part)
    table = sprite_table(graph, edgels, cost, 1)
    mine = np.isin(layers.labels, (0, layers.labels[part].max()))
    counts = mine[graph.first] & mine[graph.second]
    first, second = part[graph.first] & counts, part[graph.second] & counts & (graph.first != graph.second)
    one, other = np.where(part[graph.second], table[:, 0], table[:, 1]), np.where(part[graph.first], table[:, 0], table[:, 2])
    return np.bincount(graph.first, one * first, count) + np.bincount(graph.second, other * second, count)


def _with_layer(layers: Layers, motion: np.ndarray, sure: np.ndarray, edgels: Edgels) -> tuple[Layers, int]:
    """`layers` with one more of a `motion`, at the depth where it costs least, and its number."""
    energy = layers.energy
    cost = motion_cost(edgels, energy.graph.voxels, motion)
    column = sprite_table(energy.graph, edgels, cost, 1)
    best = None
    for depth in range(len(layers.motions), 0, -1):
        unary = np.insert(energy.unary + WORTH * sure[:, None], depth, energy.unary[:, -1], 1)
        wider = replace(energy, ownership=np.insert(energy.ownership, depth, column, 1), unary=unary)
        labels = layers.labels + (layers.labels >= depth)
        labels = swept(wider, expanded(wider, labels, depth), rounds=2)
        value = wider.of(labels)
        if best is None or value < best[0] - 1e-6:
            best = value, depth, labels, wider
    _, depth, labels, wider = best
    plain = replace(wider, unary=np.insert(energy.unary, depth, energy.unary[:, -1], 1))
    motions, costs = ((*old[:depth], added, *old[depth:]) for old, added in ((layers.motions, motion), (layers.costs, cost)))
    return Layers(labels, motions, costs, plain, layers.trail), depth


def _biased(layers: Layers, plain: Layers, votes: Votes, columns: dict[int, int], added: list[int]) -> Layers:
    """`layers` whose energy knows what hints say of the sprites with these `columns`, and relabeled accordingly: background that no
    hint speaks of is to stay it, and so are sprites beside those whose layers were `added`."""
    unary = layers.energy.unary.copy()
    staying = INERTIA * layers.energy.graph.voxels.size * (votes.sure.sum(0) < FEWEST)
    unary[:, 1:] += (staying * (plain.labels == 0))[:, None]
    unary[:, [columns[number] for number in added]] += (staying * (plain.labels > 0))[:, None]
    for number, column in columns.items():
        unary += WORTH * votes.sure[number][:, None] * (np.arange(unary.shape[1]) != column)
        unary[:, column] += WORTH * votes.never[number]
    energy, labels = replace(layers.energy, unary=unary), layers.labels
    for number, column in columns.items():
        if votes.sure[number].any():
            labels = expanded(energy, labels, column)
    return replace(layers, labels=swept(energy, labels, rounds=2), energy=energy)


def numbers_of(labels: np.ndarray, votes: Votes, count: int) -> np.ndarray:
    """The artist's number of each of `count` labels: hinted sprites have theirs, the others keep their order."""
    told, total = votes.told(), max(count, len(votes.sure))
    agree = np.stack([np.zeros(total), *(np.bincount(labels, votes.sure[number], total) for number in told)])
    rows, ours = linear_sum_assignment(-agree[1:, 1:])
    result = np.full(total, -1)
    result[[0, *(ours + 1)]] = [0, *(told[row] for row in rows)]
    result[result < 0] = [number for number in range(total) if number not in (0, *told)]
    return result
