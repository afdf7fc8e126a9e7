# SPDX-License-Identifier: GPL-3.0-or-later
"""A limb of a sprite moves by itself, and seldom as its body does: on an energy of a few numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.test_split_search import FAR, LEFT, REST, RIGHT, graph
from toondecompose_blender.engine.layers.ownership import Conflicts, Energy
from toondecompose_blender.engine.layers.split_merge import smoothed
from toondecompose_blender.engine.layers.split_search import Layers

BODY, FOOT, TURF = LEFT, RIGHT, FAR     # pieces; the others are background, and what an edge costs the background is dear
STILL = np.repeat(np.eye(3)[None], 3, 0)


def layers_of(labels: dict[int, int], costs: list[list[float]]) -> Layers:
    """Layers with these labels of pieces, others being background; `costs`: of the edges inside the body, the foot and the turf under
    each layer's motion."""
    pieces = graph([(BODY, BODY), (FOOT, FOOT), (TURF, TURF), (BODY, FOOT)], [0, 0, 0, 10], [0] * 4)
    pieces.voxels.life = np.full(REST + 1, 10)
    count = len(costs[0])
    ownership = np.repeat(np.array([*costs, [0] * count], float)[..., None], 3, 2)
    conflicts = Conflicts(np.zeros(REST + 2, np.int64), np.zeros(0, np.int64), np.zeros(0))
    found = np.array([labels.get(piece, 0) for piece in range(REST + 1)])
    energy = Energy(pieces, conflicts, ownership, np.zeros((REST + 1, count)), 0.1)
    return Layers(found, (STILL,) * count, (np.zeros((0, 3)),) * count, energy, (0.0,))


@pytest.mark.parametrize("alone, sprite", [(True, 1), (False, 2)])
def test_a_limb_that_was_found_by_itself_does_not_go_with_ground_that_moves_like_it_for_a_while(alone, sprite):
    sprites = layers_of({BODY: 1, FOOT: 1, TURF: 2}, [[90, 0, 90], [90, 20, 12], [90, 90, 0]])
    limbs = layers_of({BODY: 1, FOOT: 2, TURF: 3}, [[90, 0, 90, 90], [90, 20, 0, 12], [90, 90, 90, 0]])
    assert smoothed(sprites, limbs if alone else sprites).labels[[BODY, FOOT, TURF]].tolist() == [1, sprite, 2]
