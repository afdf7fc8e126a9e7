# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and shade of a still background have no outline: what goes over into it without an edge is not a sprite's.
It must not know motions, only labels, how much of the pieces' outlines is an edge, and which pieces show two colors at one place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .edgels import Edgels
from .ownership import CONFLICT_WEIGHT, SHARP_SHARE, Graph, components_of
from .split_search import Layers

__all__ = ["faint_lengths", "goes_on", "shades_of", "without_light"]

FAINT = 0.9     # share of a common outline without an edge by which pieces are shades of one gradient (.5 lets figures leak)
LIGHT = 0.55    # share of its outline to the background without an edge from which a shade is no sprite's (measured: .44, .57) ...
OPEN = 0.05     # ... if that is this share of its whole outline (judgement) ...
STILL = 0.01    # ... and if this share of it, at most, hides other background in turn, as clouds that drift do (measured: .002, .03)


def without_light(layers: Layers, edgels: Edgels) -> Layers:
    """`layers` of a still background after what sprites hold of its light, as between two figures, became background."""
    labels, graph = layers.labels, layers.energy.graph
    faint, hidden, size = faint_lengths(graph, edgels), _hidden(layers), graph.voxels.size
    result = labels.copy()
    for label in range(1, len(layers.motions)):
        shades = shades_of(graph, labels == label, faint)
        if (shades >= 0).any():
            soft, sharp, outline = _outlines(labels, shades, graph, faint)
            inside = shades >= 0
            hides = np.bincount(shades[inside], hidden[inside]) > STILL * np.bincount(shades[inside], size[inside])
            light = (soft > LIGHT * (soft + sharp)) & (soft > OPEN * outline) & ~hides
            result[inside & light[shades]] = 0
    return replace(layers, labels=result)


def _hidden(layers: Layers) -> np.ndarray:
    """How many voxels of the background each piece hides at other times, (n,)."""
    conflicts = layers.energy.conflicts
    rows = conflicts.rows()
    behind = layers.labels[conflicts.neighbor] == 0
    return np.bincount(rows[behind], conflicts.weight[behind], len(layers.labels)) / CONFLICT_WEIGHT


def faint_lengths(graph: Graph, edgels: Edgels) -> np.ndarray:
    """How much of the common outline of each pair of pieces is without an edge, px (P,)."""
    return graph.length - SHARP_SHARE * np.bincount(graph.pair_of, edgels.weight, len(graph.length))


def shades_of(graph: Graph, member: np.ndarray, faint: np.ndarray) -> np.ndarray:
    """The gradients that the `member` pieces, bool (n,), are shades of: numbers (n,), -1 outside."""
    soft = faint > FAINT * graph.length
    return components_of(graph, member, soft)


def goes_on(labels: np.ndarray, parts: np.ndarray, graph: Graph, faint: np.ndarray) -> np.ndarray:
    """Share of each part's whole outline, (parts,), where it goes on in other background without an edge."""
    soft, _, outline = _outlines(labels, parts, graph, faint)
    return soft / np.maximum(outline, 1e-9)


def _outlines(labels: np.ndarray, parts: np.ndarray, graph: Graph, faint: np.ndarray) -> np.ndarray:
    """Of each part, px: its outline to the background without an edge, that with one, and its whole outline: (3, parts)."""
    sharp = (graph.length - faint) / SHARP_SHARE
    result = np.zeros((3, int(parts.max()) + 1))
    for a, b in ((graph.first, graph.second), (graph.second, graph.first)):
        edge = (parts[a] >= 0) & (parts[b] != parts[a])
        np.add.at(result[2], parts[a[edge]], (sharp + faint)[edge])
        edge &= labels[b] == 0
        np.add.at(result[0], parts[a[edge]], faint[edge])
        np.add.at(result[1], parts[a[edge]], sharp[edge])
    return result
