# SPDX-License-Identifier: GPL-3.0-or-later
"""Refills sprites that were left with next to nothing: each takes, of all parts of the others, the one whose leaving saves most energy.
It must not judge sprites that hold something: energy likes fragments of what deforms better than whole sprites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .edgels import Edgels
from .ownership import components_of
from .ownership_moves import swept
from .split_search import Layers, refitted

__all__ = ["refilled"]

NOTHING = 1e-4          # share of the clip's voxels up to which a sprite holds next to nothing (measured: 1e-5; small true ones from 3e-4)
LEAST = 3e-4            # share of the clip's voxels that a part has
MOST = 0.9              # share of its sprite that it has
LIKE = 8                # color difference between neighbors in one part
TRIED = 12              # parts, the largest ones


def refilled(layers: Layers, edgels: Edgels) -> Layers:
    """`layers`, as many as there are sprites, after each that held next to nothing took a part of another in front of all, if that
    lowers the energy."""
    for _ in range(len(layers.motions) - 1):
        size = np.bincount(layers.labels, layers.energy.graph.voxels.size, len(layers.motions))
        emptiest = 1 + int(size[1:].argmin())
        better = _refilled(layers, emptiest, edgels) if size[emptiest] < NOTHING * size.sum() else None
        if better is None:
            break
        layers = better
    return layers


def _refilled(layers: Layers, empty: int, edgels: Edgels) -> Layers | None:
    """`layers` with another part of the clip in layer `empty`, now the front one; None if none lowers the energy."""
    best, lowest = None, layers.energy.of(layers.labels)
    others = [k for k in range(len(layers.motions)) if k != empty]
    for part in _parts(layers):
        source = int(layers.labels[part][0])
        if source == empty:
            continue
        fewer = replace(layers, labels=np.where(layers.labels == empty, source, layers.labels)).kept(others)
        doubled = fewer.kept([*range(len(others)), others.index(source)])
        tried = refitted(replace(doubled, labels=np.where(part, len(others), fewer.labels)), edgels)
        tried = replace(tried, labels=swept(tried.energy, tried.labels, rounds=2))
        energy = tried.energy.of(tried.labels)
        if energy < lowest:
            best, lowest = tried, energy
    return best


def _parts(layers: Layers) -> Iterator[np.ndarray]:
    """Connected pieces of one sprite and nearly one color, bool (n,), the largest first."""
    graph, labels = layers.energy.graph, layers.labels
    color = graph.voxels.color
    alike = (labels[graph.first] == labels[graph.second]) & (np.abs(color[graph.first] - color[graph.second]).max(1) < LIKE)
    parts = components_of(graph, labels > 0, alike)
    inside = parts >= 0
    size = np.bincount(parts[inside], graph.voxels.size[inside])
    whole = np.bincount(labels, graph.voxels.size)
    label = np.zeros(len(size), np.int64)
    label[parts[inside]] = labels[inside]
    notable = (size > LEAST * whole.sum()) & (size < MOST * whole[label])
    for part in [k for k in np.argsort(-size, kind="stable") if notable[k]][:TRIED]:
        yield parts == part
