# SPDX-License-Identifier: GPL-3.0-or-later
"""How many sprites a clip has, where nobody says it: what sways by itself is one if it is apart, and a limb if it hangs on a body."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.test_split import SQUARE, STANDING, drawn, flow_of, shifted, street
from toondecompose_blender.engine.layers.split import split_sprites

BOX, FLAP = [(0, 0), (20, 0), (20, 20), (0, 20)], [(0, 0), (20, 0), (20, 12), (0, 12)]


def box_with_flap(*, apart: bool) -> np.ndarray:
    """Frames of a box, of a flap that sways below it, or far from it, and of a figure that runs the other way, larger in the first case."""
    left, top = (90, 20) if apart else (20, 40)
    runner = np.array(SQUARE) * (1.6 if apart else 1)
    return drawn(lambda t: street(1), (runner, (205, 70, 60), lambda t: shifted((130 if apart else 140) - 6 * t, 60 if apart else 70)),
                 (BOX, (70, 150, 80), lambda t: shifted(20 + 2.5 * t, 20)),
                 (FLAP, (90, 90, 200), lambda t: shifted(left + 2.5 * t + 4.5 * np.sin(0.8 * t), top)))[0]


@pytest.mark.parametrize("apart, count", [(True, 4), (False, 3)])
def test_what_sways_is_counted_unless_it_hangs_on_a_body(apart, count):
    frames = box_with_flap(apart=apart)
    assert split_sprites(frames, flow_of(frames), sprites=None, camera=STANDING, static=True).count == count
