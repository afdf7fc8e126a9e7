# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for layers, on energies of a few numbers: what is worth little alone may be worth a layer beside what was found since."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from toondecompose_blender.engine.layers.ownership import Conflicts, Graph, surfaces_tied
from toondecompose_blender.engine.layers.split_search import Space, _grown

LEFT, RIGHT, FAR, REST = 1, 2, 3, 4     # pieces; the first two touch each other
LEFTS, RIGHTS = 1, 2                    # proposals that explain the edges of one of them; 0 is the background's, 3 of the far one


def graph(ends: list[tuple[int, int]], tie: list[float], band: list[float]) -> Graph:
    first, second = np.array(ends, np.int32).T
    apart = first != second
    nodes, pairs = np.concatenate([first, second[apart]]), np.concatenate([np.arange(len(ends)), np.flatnonzero(apart)])
    order = np.argsort(nodes, kind="stable")
    nodes, incident = nodes[order], pairs[order]
    start = np.searchsorted(nodes, np.arange(REST + 2))
    ahead = first[incident] == nodes
    across = np.where(apart[incident], np.where(ahead, second[incident], first[incident]), -1)
    voxels = SimpleNamespace(size=np.full(REST + 1, 100.0), border=np.full(REST + 1, 10.0), count=REST + 1)
    return Graph(first, second, np.array(tie), np.array(tie), np.array(band), np.zeros(0, np.int32), start, incident, across, ahead,
                 np.arange(REST + 1), voxels)


def still_space() -> Space:
    """The left piece pays for its border with the right one until that is a sprite itself."""
    pieces = graph([(LEFT, LEFT), (RIGHT, RIGHT), (LEFT, RIGHT), (FAR, FAR), (REST, REST)], [0, 0, 100, 0, 0], [0] * 5)
    costs = np.array([[12, 40, 0, 5, 500], [0, 60, 0, 5, 500], [30, 0, 0, 5, 500], [12, 40, 0, 0, 500]], float)
    tables = np.repeat(costs[..., None], 3, 2)
    conflicts = Conflicts(np.zeros(REST + 2, np.int64), np.zeros(0, np.int64), np.zeros(0))
    free = np.zeros(REST + 1)
    return Space(SimpleNamespace(), pieces, tables[0], tables, conflicts, 0, np.zeros((0, 3)), free, free, True)


def test_before_a_still_background_what_promised_little_is_tried_again_before_the_search_gives_up():
    chosen, labels, _ = _grown(still_space(), 3, forced=True)
    assert [chosen[labels[piece]] for piece in (LEFT, RIGHT)] == [LEFTS, RIGHTS]


def test_bands_of_a_gradient_are_tied_by_as_much_as_an_edge_without_a_motion_costs():
    pieces = graph([(LEFT, RIGHT), (RIGHT, FAR)], [20, 30], [20, 0])
    assert surfaces_tied(pieces).tie.tolist() == [20 + 4 * 20, 30]
