# SPDX-License-Identifier: GPL-3.0-or-later
"""A still piece of the background that something passes behind is a sprite; one that most is seen before is not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from toondecompose_blender.engine.layers.ownership import Conflicts, Graph
from toondecompose_blender.engine.layers.split_search import Space, _best_still

GAIN = 40.0     # what it saves if the still piece, and not the sprite beside it, owns the outline between them


def space(hidden: float, elsewhere: float) -> Space:
    """A still piece (1) inside the background (0), beside a sprite (2) that at times hides so much of it, and so much of the rest."""
    ends = np.array([1], np.int32), np.array([2], np.int32)
    voxels = SimpleNamespace(size=np.array([5000.0, 800, 300]), border=np.array([400.0, 0, 0]), count=3)
    none = np.zeros(0, np.int32)
    graph = Graph(*ends, np.array([30.0]), np.array([30.0]), np.zeros(1), none, none, none, none, none, np.arange(3), voxels)
    conflicts = Conflicts(np.array([0, 1, 2, 4]), np.array([2, 2, 0, 1]), np.array([elsewhere, hidden, elsewhere, hidden]))
    return Space(None, graph, np.zeros((1, 3)), np.full((2, 1, 3), GAIN), conflicts, 0, none, np.zeros(3), np.zeros(3), False)


@pytest.mark.parametrize("hidden, elsewhere, first, lifted", [
    (0.0, 60.0, 1000.0, True),      # the sprite moves elsewhere: it passes behind
    (50.0, 10.0, 1000.0, False),    # the sprite moves before it
    (50.0, 10.0, 300.0, True),      # ... but it explains so much that other sprites may well be before it
    (0.0, 60.0, 50000.0, False)])   # too little to be a reason for anything
def test_a_still_piece_is_a_sprite_if_what_passes_is_not_before_it(hidden, elsewhere, first, lifted):
    found = _best_still(space(hidden, elsewhere), [0, 1], np.array([0, 0, 1]), first)
    assert (found is not None) == lifted
    if lifted:
        assert found[0] == GAIN and found[1].tolist() == [0, 2, 1]
