# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion of a plane through a clip, as data.
It does not know how motion is estimated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .models import Family

__all__ = ["Motion", "standing"]


@dataclass(frozen=True)
class Motion:
    """`homographies` (T, 3, 3) float64, plane -> frame in px; the plane is the pixel grid of frame `reference`.

    `static`: nothing moves; `model`: the family of motions that was enough; `confidence`: residual of the links in px
    (.02 is good, above .5 is bad, inf if nothing could be measured).
    """

    homographies: np.ndarray
    static: bool
    model: Family
    confidence: float
    reference: int


def standing(count: int) -> Motion:
    """A plane of `count` frames that stands still."""
    return Motion(np.tile(np.eye(3), (count, 1, 1)), True, "identity", 0.0, count // 2)
