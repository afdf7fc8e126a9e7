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
    graph, n = energy.graph, len(labels)
    stay, move = energy.unary[np.arange(n), labels].copy(), energy.unary[:, label].copy()
    inner = graph.first == graph.second
    at = graph.first[inner]
    np.add.at(stay, at, energy.ownership[np.flatnonzero(inner), labels[at], 0])
    np.add.at(move, at, energy.ownership[inner, label, 0])
    a, b, kept, second, first, both = _pair_terms(energy, labels, label, ~inner)
    _split_excess(a, b, kept, second, first, both, stay, move, graph, ~inner)
    np.add.at(move, a, first - kept)
    np.add.at(move, b, both - first)
    link = second + first - kept - both
    lowest = np.minimum(stay, move)
    cut = maxflow.GraphFloat(n, len(a))
    nodes = cut.add_nodes(n)
    cut.add_grid_tedges(nodes, move - lowest, stay - lowest)
    strong = link > 1e-9
    cut.add_edges(a[strong], b[strong], link[strong], np.zeros(strong.sum()))
    cut.maxflow()
    return np.where(cut.get_grid_segments(nodes), label, labels)


def _pair_terms(energy: Energy, labels: np.ndarray, label: int, apart: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pieces a, b and the cost if both stay, only b moves, only a moves, both move, for edges and then conflicts."""
    graph, pairs = energy.graph, np.flatnonzero(apart)
    a, b = graph.first[pairs].astype(np.int64), graph.second[pairs].astype(np.int64)
    border = energy.potts * graph.length[pairs]
    terms = [energy.pairs(pairs, k, m) + border * (k != m) for k, m in
             ((labels[a], labels[b]), (labels[a], label), (label, labels[b]))] + [energy.ownership[pairs, label, 0]]
    rows, neighbor, weight = energy.conflicts.rows(), energy.conflicts.neighbor, energy.conflicts.weight
    once = rows < neighbor
    rows, neighbor, weight = rows[once], neighbor[once], weight[once]
    back_a, back_b, back = labels[rows] == 0, labels[neighbor] == 0, label == 0
    clashes = [weight * (back_a & back_b), weight * (back_a & back), weight * (back_b & back), weight * back]
    return np.concatenate([a, rows]), np.concatenate([b, neighbor]), *(np.concatenate(t) for t in zip(terms, clashes))


def _split_excess(a, b, kept, second, first, both, stay, move, graph, apart) -> None:
    """Raise (in place) the cost of a mixed choice where a pair is not submodular: that of the piece which gains less by moving."""
    n = len(stay)
    gain = np.bincount(a, kept - first, n) + np.bincount(b, kept - second, n) + stay - move
    outline = np.bincount(graph.first[apart], graph.length[apart], n) + np.bincount(graph.second[apart], graph.length[apart], n)
    eager = gain / (outline + 1)
    excess = np.maximum(0, kept + both - second - first)
    a_leads = eager[a] >= eager[b]
    second += np.where(a_leads, excess, 0)
    first += np.where(a_leads, 0, excess)


def swept(energy: Energy, labels: np.ndarray, *, rounds: int) -> np.ndarray:
    """`labels` after each piece, small ones first, took its cheapest label, `rounds` times or until nothing changes."""
    labels = labels.copy()
    conflicts = energy.conflicts
    _sweep(labels, energy.graph.by_size, energy.graph.start, energy.graph.incident, energy.graph.first, energy.graph.second,
           energy.graph.length * energy.potts, energy.ownership, energy.unary, conflicts.start, conflicts.neighbor,
           conflicts.weight, rounds)
    return labels


@numba.njit(nogil=True, cache=True)
def _sweep(labels, order, start, incident, first, second, border, own, unary, clash_start, clash, clash_weight, rounds):
    for _ in range(rounds):
        changes = 0
        for i in order:
            cost = unary[i].copy()
            for r in range(clash_start[i], clash_start[i + 1]):
                if labels[clash[r]] == 0:
                    cost[0] += clash_weight[r]
            for r in range(start[i], start[i + 1]):
                pair = incident[r]
                other = second[pair] if first[pair] == i else first[pair]
                for k in range(len(cost)):
                    if other == i or k == labels[other]:
                        cost[k] += own[pair, k, 0]
                    else:
                        front = (k > labels[other]) == (first[pair] == i)
                        cost[k] += own[pair, max(k, labels[other]), 1 if front else 2] + border[pair]
            best = labels[i]
            for k in range(len(cost)):
                if cost[k] < cost[best] - 1e-6:
                    best = k
            if best != labels[i]:
                labels[i] = best
                changes += 1
        if changes == 0:
            break


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
