# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds layers: adds the motion that lowers the energy most as a new front layer, again and again, then polishes all together.
It must not know how many sprites the artist wants: it is told how many layers to make, more than that."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..paged import paged, stacked
from ..parallel import map_ordered
from .edgels import Edgels, lasting_cost, motion_cost
from .ownership import Conflicts, Energy, Graph, build_conflicts, components_of, edge_table, owner_cost, surfaces_tied
from .ownership_moves import expanded, relaxed, swept
from .proposals import Proposals
from .proposals_fit import fit_motion
from .split_agreement import Agreement
from .supervoxels import Supervoxels

__all__ = ["Layers", "Space", "open_space", "find_layers", "refitted", "sprite_table", "sprite_tables"]

SPRITE_CAP = 0.5        # an edgel of a sprite costs at most half of one of the background: sprites deform (by trial on toon clips)
POTTS = 0.1            # a unit of border between two labels (measured)
BORDER_STATIC, BORDER_MOVING = 0.3, 0.05    # a border px of a sprite (by trial on toon clips)
POOR_GAIN = 0.012       # share of the first energy below which a motion is no reason for a layer (by trial on toon clips) ...
LEAST_GAIN = 0.006      # ... and where nobody said how many: what merges will sort out (measured)
FOR, AGAINST = 0.15, 0.1    # a pixel that agrees with the background of a moving camera, or disagrees with it (measured)
FOR_STILL = 0.004       # ... of a still one, before which a sprite agrees as well while it holds still (measured: .003 is as good)
HIDDEN = 0.33           # share of what sprites hide from which a still part is what they move before, not what they pass behind (measured:
                        # up to .26 of parts of sprites, from .39 of background that fills a tenth of the picture)
CONVINCING = 0.1        # ... unless it explains this share of the first energy (measured: up to .05, and .15 of a hill before a sun)
REFITS = 2


Tables = np.ndarray     # (proposals, P, 3)


@dataclass(frozen=True)
class Layers:
    """`labels` int64 (n,) in layer order, their `motions` (T-1, 3, 3), edgel `costs` (edgels, 3) and `energy`; `trail`: the
    energy at each number of layers."""
    labels: np.ndarray
    motions: tuple[np.ndarray, ...]
    costs: tuple[np.ndarray, ...]
    energy: Energy
    trail: tuple[float, ...]

    def kept(self, order: list[int]) -> Layers:
        """Only the layers `order`, in this order; every piece's label must be among them."""
        renamed = np.zeros(len(self.motions), np.int64)
        renamed[order] = np.arange(len(order))
        return Layers(renamed[self.labels], tuple(self.motions[k] for k in order), tuple(self.costs[k] for k in order),
                      self.energy.kept(order), self.trail)


@dataclass(frozen=True)
class Space:
    """What a search needs: proposals, the table of the one that is `behind` (background, edgel `costs` (n, 3)), those of all `before`
    it (sprites), the fixed terms, and whether the background is to stand `still`."""
    proposals: Proposals
    graph: Graph
    behind: np.ndarray
    before: Tables
    conflicts: Conflicts
    background: int
    costs: np.ndarray
    back_cost: np.ndarray
    front_cost: np.ndarray
    still: bool

    def energy(self, chosen: list[int]) -> Energy:
        """The energy of layers with the proposals `chosen`, the background first."""
        ownership = np.stack([self.behind] + [self.before[m] for m in chosen[1:]], 1)
        return self.over(ownership)

    def over(self, ownership: np.ndarray) -> Energy:
        """The energy of layers with given ownership columns (P, K, 3)."""
        unary = np.stack([self.back_cost] + [self.front_cost] * (ownership.shape[1] - 1), 1)
        return Energy(self.graph, self.conflicts, ownership, unary, POTTS)


def open_space(proposals: Proposals, graph: Graph, before: Tables, agreement: Agreement, *, background: int, static: bool,
               known: bool) -> Space:
    """The search space with proposal number `background` as the motion of layer 0, and the pieces' `agreement` with it; `static`:
    that is to stand still, `known`: and surely does, so that no other is tried."""
    edgels, voxels = proposals.edgels, proposals.voxels
    cost = proposals.costs[background]
    if static:
        cost = lasting_cost(edgels, voxels, cost)
    back = AGAINST * agreement.against
    on_border, agreeing = (BORDER_STATIC, FOR_STILL) if static else (BORDER_MOVING, FOR)
    front = on_border * voxels.border + agreeing * agreement.for_
    return Space(
        proposals, surfaces_tied(graph) if static else graph, sprite_table(graph, edgels, cost, 0), before,
        build_conflicts(voxels, proposals.motions[background], still=known), background, cost, back, front, static)


def sprite_tables(proposals: Proposals, graph: Graph) -> Tables:
    """The tables of all proposals as sprites: the same before every background."""
    tables = (sprite_table(graph, proposals.edgels, cost, 1) for cost in paged(proposals.costs))
    return stacked(tables, len(proposals.costs))


def sprite_table(graph: Graph, edgels: Edgels, cost: np.ndarray, label: int) -> np.ndarray:
    """The ownership column (P, 3) of `label` for its motion's edgel costs (n, 3)."""
    return edge_table(graph, edgels, cost, SPRITE_CAP if label else 1.0)


def find_layers(space: Space, count: int, *, forced: bool) -> Layers:
    """`count` layers; unless `forced`, fewer where no motion is a reason for one more."""
    chosen, labels, trail = _grown(space, count, forced)
    energy = space.energy(chosen)
    labels = relaxed(energy, labels, cycles=2)
    motions = [space.proposals.motions[m] for m in chosen]
    costs = [space.costs] + [space.proposals.costs[m] for m in chosen[1:]]
    for _ in range(REFITS):
        _refit(space.proposals.edgels, space.graph.voxels, labels, motions, costs)
        energy = space.over(np.stack([sprite_table(space.graph, space.proposals.edgels, cost, k) for k, cost in enumerate(costs)], 1))
        labels = relaxed(energy, labels, cycles=1)
    return Layers(labels, tuple(motions), tuple(costs), energy, tuple(trail))


def refitted(layers: Layers, edgels: Edgels) -> Layers:
    """`layers` with the motions that fit their labels best."""
    motions, costs = list(layers.motions), list(layers.costs)
    _refit(edgels, layers.energy.graph.voxels, layers.labels, motions, costs)
    columns = [layers.energy.ownership[:, 0], *(sprite_table(layers.energy.graph, edgels, cost, 1) for cost in costs[1:])]
    return replace(layers, motions=tuple(motions), costs=tuple(costs), energy=replace(layers.energy, ownership=np.stack(columns, 1)))


def _refit(edgels: Edgels, voxels: Supervoxels, labels: np.ndarray, motions: list, costs: list) -> None:
    """Fit (in place) each sprite's motion to the edgels it owns, where that explains them better."""
    for k in range(1, len(motions)):
        owner, before = owner_cost(edgels, labels, costs[k])
        own = owner == k
        motion = fit_motion(edgels, np.where(own, edgels.weight, 0))
        cost = motion_cost(edgels, voxels, motion, only=own)
        if (edgels.weight * (owner_cost(edgels, labels, cost)[1] - before))[own].sum() < 0:
            motions[k], costs[k] = motion, motion_cost(edgels, voxels, motion)


def _grown(space: Space, count: int, forced: bool) -> tuple[list[int], np.ndarray, list[float]]:
    """Proposals of the layers, the labels and the energy at each number of layers."""
    chosen, labels = [space.background], np.zeros(space.graph.voxels.count, np.int64)
    trail = [space.energy(chosen).of(labels)]
    hopes = np.full(len(space.before), np.inf)
    poor = (POOR_GAIN if forced else LEAST_GAIN) * trail[0]
    while len(chosen) < count:
        stale = np.isfinite(hopes).any()
        gain, proposal, grown = _best_front(space, chosen, labels, trail[-1], hopes)
        if gain < poor and space.still and stale:   # what promised little before others were found may promise more now
            hopes[:] = np.inf
            gain, proposal, grown = _best_front(space, chosen, labels, trail[-1], hopes)
        if gain < poor:
            if not forced:
                break
            still = _best_still(space, chosen, labels, trail[0])
            parted = _largest_part(space, labels) if len(chosen) > 1 else None
            if still is not None and still[0] > 0.3 * gain:
                gain, proposal, grown = 0.0, space.background, still[1]
            elif parted is not None and parted[0] > space.graph.voxels.size[grown == len(chosen)].sum():
                gain, proposal, grown = 0.0, chosen[parted[1]], np.where(parted[2], len(chosen), labels)
        chosen, labels, sunk = _sunk(space, [*chosen, proposal], grown) if gain else ([*chosen, proposal], grown, 0.0)
        trail.append(float(trail[-1] - gain - sunk))
    return chosen, labels, trail


def _sunk(space: Space, chosen: list[int], labels: np.ndarray) -> tuple[list[int], np.ndarray, float]:
    """Proposals and labels with the front layer at the depth where it costs least, and what that saves."""
    front = len(chosen) - 1
    first = lowest = space.energy(chosen).of(labels)
    best = chosen, labels
    for depth in range(1, front):
        order = [*range(depth), front, *range(depth, front)]
        renamed = np.argsort(order)[labels]
        energy = space.energy([chosen[k] for k in order])
        grown = expanded(energy, renamed, depth)
        grown = swept(energy, expanded(energy, grown, 0) if space.still else grown, rounds=2)   # tied surfaces fall back as one
        value = energy.of(grown)
        if value < lowest - 1e-6:
            best, lowest = ([chosen[k] for k in order], grown), value
    return *best, first - lowest


def _best_front(space: Space, chosen: list[int], labels: np.ndarray, now: float, hopes: np.ndarray) -> tuple[float, int, np.ndarray]:
    """The proposal that lowers the energy most as a new front layer; `hopes`, updated, are the gains of the last time,
    beyond which none is expected to go: a proposal that promised less than the best is not tried again."""
    def tried(m: int) -> tuple[float, np.ndarray]:
        energy = space.energy([*chosen, m])
        grown = swept(energy, expanded(energy, labels, len(chosen)), rounds=2)
        return now - energy.of(grown), grown

    best = (-np.inf, space.background, labels)
    order = np.argsort(-hopes, kind="stable")
    tries = map_ordered(tried, order, ahead=1) if np.isinf(hopes).all() else map(tried, order)   # at first all are tried
    for m in order:
        if hopes[m] <= best[0]:
            break
        hopes[m], grown = next(tries)
        if hopes[m] > best[0]:
            best = (hopes[m], int(m), grown)
    return best


def _best_still(space: Space, chosen: list[int], labels: np.ndarray, first: float) -> tuple[float, np.ndarray] | None:
    """A piece of background that moves like it, but whose edges something else passes behind: its gain in ownership, and the labels."""
    voxels = space.graph.voxels
    free = (labels == 0) & (voxels.border == 0)
    parts = components_of(space.graph, free)
    area = np.bincount(parts[free], voxels.size[free]) if free.any() else np.zeros(0)
    energy = space.energy(chosen)
    still = np.minimum(space.behind, SPRITE_CAP)
    energy = replace(space.over(np.concatenate([energy.ownership, still[:, None]], 1)), potts=0.0)
    now, best = energy.of(labels), None
    hidden = _hidden_share(space, labels, parts)
    for part in np.flatnonzero(area > 2e-3 * voxels.size.sum()):
        lifted = np.where(parts == part, len(chosen), labels)
        gain = now - energy.of(lifted)
        least = max(20, (1e-3 if hidden[part] < HIDDEN else CONVINCING) * first)
        if gain > least and (best is None or gain > best[0]):
            best = gain, lifted
    return best


def _hidden_share(space: Space, labels: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Of all background that sprites hide at times, the share that is each part's, (parts,)."""
    conflicts, rows = space.conflicts, space.conflicts.rows()
    over = (labels[rows] == 0) & (labels[conflicts.neighbor] > 0)
    inside = over & (parts[rows] >= 0)
    hidden = np.bincount(parts[rows[inside]], conflicts.weight[inside], int(parts.max(initial=-1)) + 1)
    return hidden / max(1e-9, float(conflicts.weight[over].sum()))


def _largest_part(space: Space, labels: np.ndarray) -> tuple[float, int, np.ndarray] | None:
    """The largest second component of a sprite: its voxels, the sprite's label and the member pieces."""
    best = None
    for label in range(1, labels.max() + 1):
        parts = components_of(space.graph, labels == label)
        if (parts >= 0).any():
            sizes = np.bincount(parts[parts >= 0], space.graph.voxels.size[parts >= 0])
            second = np.argsort(-sizes, kind="stable")[1:2]
            if len(second) and sizes[second[0]] > (best[0] if best else 0):
                best = float(sizes[second[0]]), label, parts == second[0]
    return best
