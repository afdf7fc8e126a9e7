# SPDX-License-Identifier: GPL-3.0-or-later
"""The heroine's small companion: a bird with a flap of four drawings.
Knows how it looks; nothing of clips, cameras or frames."""

from __future__ import annotations

import numpy as np

from .ink import Cel, Paint, curve, turned

__all__ = ["draw_bird", "DRAWINGS", "SHEET", "ORIGIN"]

DRAWINGS = 4
SHEET = (110.0, 110.0)
ORIGIN = (56.0, 58.0)  # the middle of its body

BODY = Paint((104, 190, 220), (62, 128, 184))
WING = Paint((72, 146, 204), (48, 96, 162))
BELLY, BEAK = (248, 240, 216), Paint((250, 186, 66), (220, 134, 50))

_WING_TURN = (-62.0, -8.0, 52.0, 12.0)  # degrees: up, level, down, level
_WING_LENGTH = (36.0, 33.0, 34.0, 30.0)  # foreshortened on the way up
_RISE = (1.0, -1.5, -3.0, 0.5)  # the body goes up as the wings go down


def draw_bird(drawing: int, *, unit: float) -> Cel:
    """Drawing 0 ... 3 of the flap, on a sheet of `SHEET` units with `unit` pixels each."""
    cel = Cel(*SHEET, origin=ORIGIN, unit=unit)
    middle = np.array([0.0, _RISE[drawing]])
    _wing(cel, middle + [6, -4], drawing, WING.far(), 0.9)
    tail = cel.limb([middle + [-14, 2], middle + [-30, 5 + 2 * np.cos(np.pi * drawing / 2)]], [12, 9])
    cel.lay(tail, WING, depth=3)
    outline = np.array([(-19, 2), (-8, -12), (8, -17), (20, -13), (23, -4), (15, 9), (0, 14), (-13, 10)])
    body = cel.shape(curve(middle + outline, closed=True))
    inside = cel.lay(body, BODY, depth=4.5)
    belly = cel.shape(curve(middle + np.array([(-6, 5), (8, 0), (18, 0), (14, 8), (0, 12)]), closed=True))
    cel.fill(belly, BELLY, within=inside)
    beak = cel.shape(middle + np.array([(21, -9), (31, -5), (21, -2)]))
    cel.lay(beak, BEAK, line=1.0, depth=2)
    cel.stroke([middle + [14, -9], middle + [14, -6]], [5, 5])
    cel.stroke([middle + [15, -9], middle + [15, -8.6]], [1.8, 1.8], (255, 255, 250))
    _wing(cel, middle + [-1, -3], drawing, WING, 1.0)
    return cel


def _wing(cel: Cel, root: np.ndarray, drawing: int, paint: Paint, size: float) -> None:
    length = _WING_LENGTH[drawing] * size
    feathers = cel.empty()
    for share, spread in ((1.0, -9.0), (0.86, 6.0), (0.66, 22.0)):
        tip = turned(np.array([(-length * share * 0.55, 0.0), (-length * share, 0.0)]), spread - _WING_TURN[drawing], root)
        cel.limb([root, tip[0], tip[1]], [11 * size, 12 * size, 3.5], mask=feathers)
    cel.lay(feathers, paint, depth=3.5)
