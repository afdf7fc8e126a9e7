# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves that lower the ownership energy: one label expands by a graph cut, or pieces change one by one.
It must not know where the energy's terms come from."""

from __future__ import annotations

import maxflow
import numba
import numpy as np

from .ownership import Energy

__all__ = ["expanded", "swept", "relaxed"]


def expanded(energy: Energy, labels: np.ndarray, label: int) -> np.ndarray:
    """`labels` after every piece chose at once between its label and `label`: the best cut of a submodular bound."""
    graph, conflicts, n = energy.graph, energy.conflicts, len(labels)
    a, b, costs = _pair_costs(labels, label, graph.first, graph.second, energy.potts * graph.tie, energy.ownership, conflicts.start,
                              conflicts.neighbor, conflicts.weight)
    stay, move, link = _bounded(labels, label, a, b, costs, graph.first, graph.second, graph.tie, energy.ownership, energy.unary)
    lowest = np.minimum(stay, move)
    cut = maxflow.GraphFloat(n, len(a))
    nodes = cut.add_nodes(n)
    cut.add_grid_tedges(nodes, move - lowest, stay - lowest)
    strong = link > 1e-9
    cut.add_edges(a[strong], b[strong], link[strong], np.zeros(strong.sum()))
    cut.maxflow()
    return np.where(cut.get_grid_segments(nodes), label, labels)


@numba.njit(nogil=True, cache=True)
def _pair_costs(labels, label, first, second, border, own, clash_start, clash, clash_weight):
    """Pairs of pieces a, b (m,), joined by edges and then by conflicts, and their costs (4, m) if both stay, only b moves, only a
    moves, both move."""
    a, b = np.empty(len(first) + len(clash), np.int64), np.empty(len(first) + len(clash), np.int64)
    costs, m = np.zeros((4, len(a))), 0
    for p in range(len(first)):
        i, j = first[p], second[p]
        if i == j:
            continue
        a[m], b[m] = i, j
        costs[0, m], costs[1, m] = _owned(own, border, p, labels[i], labels[j]), _owned(own, border, p, labels[i], label)
        costs[2, m], costs[3, m] = _owned(own, border, p, label, labels[j]), own[p, label, 0]
        m += 1
    for i in range(len(clash_start) - 1):
        for r in range(clash_start[i], clash_start[i + 1]):
            j, weight = clash[r], clash_weight[r]
            if i < j:
                a[m], b[m] = i, j
                for case, k, other in ((0, labels[i], labels[j]), (1, labels[i], label), (2, label, labels[j]), (3, label, label)):
                    costs[case, m] = weight if k == 0 and other == 0 else 0.0
                m += 1
    return a[:m], b[:m], costs[:, :m]


@numba.njit(nogil=True, cache=True, inline="always")
def _owned(own, border, pair, k, m):
    """What a pair costs if its pieces have the labels k and m."""
    return own[pair, k, 0] if k == m else own[pair, max(k, m), 1 if k > m else 2] + border[pair]


@numba.njit(nogil=True, cache=True)
def _bounded(labels, label, a, b, costs, first, second, tie, own, unary):
    """The bound as costs of each piece if it stays or moves, and of each pair if only b moves.

    Where a pair is not submodular, the cost of a mixed choice is raised: that of the piece which gains less by moving.
    """
    n = len(labels)
    stay, move = np.empty(n), unary[:, label].copy()
    gains, outline = np.zeros((2, n)), np.zeros((2, n))
    for i in range(n):
        stay[i] = unary[i, labels[i]]
    for p in range(len(first)):
        if first[p] == second[p]:
            stay[first[p]] += own[p, labels[first[p]], 0]
            move[first[p]] += own[p, label, 0]
        else:
            outline[0, first[p]] += tie[p]
            outline[1, second[p]] += tie[p]
    for m in range(len(a)):
        gains[0, a[m]] += costs[0, m] - costs[2, m]
        gains[1, b[m]] += costs[0, m] - costs[1, m]
    eager = (gains[0] + gains[1] + stay - move) / (outline[0] + outline[1] + 1)
    link = np.empty(len(a))
    for m in range(len(a)):
        excess = max(0.0, costs[0, m] + costs[3, m] - costs[1, m] - costs[2, m])
        costs[1 if eager[a[m]] >= eager[b[m]] else 2, m] += excess
        link[m] = costs[1, m] + costs[2, m] - costs[0, m] - costs[3, m]
    for m in range(len(a)):
        move[a[m]] += costs[2, m] - costs[0, m]
    for m in range(len(a)):
        move[b[m]] += costs[3, m] - costs[2, m]
    return stay, move, link


def swept(energy: Energy, labels: np.ndarray, *, rounds: int) -> np.ndarray:
    """`labels` after each piece, small ones first, took its cheapest label, `rounds` times or until nothing changes."""
    labels = labels.copy()
    conflicts = energy.conflicts
    graph = energy.graph
    _sweep(labels, graph.by_size, graph.start, graph.incident, graph.across, graph.ahead, graph.tie * energy.potts,
           energy.ownership, energy.unary, conflicts.start, conflicts.neighbor, conflicts.weight, rounds)
    return labels


@numba.njit(nogil=True, cache=True)
def _sweep(labels, order, start, incident, across, ahead, border, own, unary, clash_start, clash, clash_weight, rounds):
    stale = np.ones(len(labels), np.bool_)      # whether something around a piece changed since it chose
    cost = np.empty(unary.shape[1])
    for _ in range(rounds):
        changes = 0
        for i in order:
            if not stale[i]:
                continue
            stale[i] = False
            cost[:] = unary[i]
            for r in range(clash_start[i], clash_start[i + 1]):
                if labels[clash[r]] == 0:
                    cost[0] += clash_weight[r]
            for r in range(start[i], start[i + 1]):
                pair, other = incident[r], across[r]
                _add_owned(cost, own, pair, border[pair], -1 if other < 0 else labels[other], ahead[r])
            best = labels[i]
            for k in range(len(cost)):
                if cost[k] < cost[best] - 1e-6:
                    best = k
            if best != labels[i]:
                labels[i] = best
                changes += 1
                for r in range(clash_start[i], clash_start[i + 1]):
                    stale[clash[r]] = True
                for r in range(start[i], start[i + 1]):
                    if across[r] >= 0:
                        stale[across[r]] = True
                stale[i] = False
        if changes == 0:
            break


@numba.njit(nogil=True, cache=True, inline="always")
def _add_owned(cost, own, pair, border, other, ahead):
    """Add (in place) to the `cost` of each label of a piece that of a pair whose other piece has the label `other`, -1: is the same
    piece; `ahead`: it is the pair's first."""
    count = len(cost)
    if other < 0:
        for k in range(count):
            cost[k] += own[pair, k, 0]
        return
    behind = own[pair, other, 2 if ahead else 1] + border
    for k in range(other):
        cost[k] += behind
    cost[other] += own[pair, other, 0]
    for k in range(other + 1, count):
        cost[k] += own[pair, k, 1 if ahead else 2] + border


def relaxed(energy: Energy, labels: np.ndarray, *, cycles: int) -> np.ndarray:
    """`labels` after `cycles` of expansions of every label, front to back, each kept only if the energy falls."""
    lowest = energy.of(labels)
    for _ in range(cycles):
        for label in reversed(range(energy.unary.shape[1])):
            candidate = expanded(energy, labels, label)
            value = energy.of(candidate)
            if value < lowest - 1e-6:
                labels, lowest = candidate, value
    return labels
