# SPDX-License-Identifier: GPL-3.0-or-later
"""How a runner moves: eight drawings of a run, as the places of her joints.
Knows bones and angles; nothing of ink or colors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["DRAWINGS", "Leg", "Arm", "Pose", "pose"]

DRAWINGS = 8

# Contact, down, passing, up; the same for the other leg.  Degrees; a thigh or an arm hangs at 0, forward is positive.
_THIGH = (42, 26, -6, -34, -34, -4, 38, 62)
_KNEE = (22, 46, 22, 14, 66, 112, 112, 74)
_ANKLE = (12, 4, 0, -34, -30, -24, -10, 6)
_SHOULDER = (-62, -52, -16, 24, 50, 40, 6, -36)
_ELBOW = (62, 66, 82, 96, 108, 106, 92, 72)
_RISE = (0.0, -7.0, -1.0, 7.0)  # units above the mean height of the hip, every half cycle
_LEAN = (15.0, 18.0, 14.0, 12.0)

_THIGH_LENGTH, _SHIN_LENGTH, _FOOT_LENGTH = 43.0, 43.0, 24.0
_ARM_LENGTH, _FOREARM_LENGTH, _TORSO_LENGTH = 31.0, 29.0, 54.0


@dataclass(frozen=True)
class Leg:
    """Places (2,) in units around the mean place of the hip, y down."""
    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    toe: np.ndarray


@dataclass(frozen=True)
class Arm:
    shoulder: np.ndarray
    elbow: np.ndarray
    hand: np.ndarray


@dataclass(frozen=True)
class Pose:
    """One drawing's skeleton; `lean` and `nod` in degrees clockwise, `phase` 0..1 through the cycle."""
    phase: float
    hip: np.ndarray
    chest: np.ndarray
    head: np.ndarray
    lean: float
    nod: float
    near_leg: Leg
    far_leg: Leg
    near_arm: Arm
    far_arm: Arm


def _along(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([np.sin(angle), np.cos(angle)])


def _leg(hip: np.ndarray, drawing: int) -> Leg:
    thigh = _THIGH[drawing]
    shin = thigh - _KNEE[drawing]
    knee = hip + _THIGH_LENGTH * _along(thigh)
    ankle = knee + _SHIN_LENGTH * _along(shin)
    return Leg(hip, knee, ankle, ankle + _FOOT_LENGTH * _along(shin + 90 + _ANKLE[drawing]))


def _arm(shoulder: np.ndarray, drawing: int) -> Arm:
    upper = _SHOULDER[drawing]
    elbow = shoulder + _ARM_LENGTH * _along(upper)
    return Arm(shoulder, elbow, elbow + _FOREARM_LENGTH * _along(upper + _ELBOW[drawing]))


def pose(drawing: int) -> Pose:
    """The skeleton of drawing 0 ... 7."""
    other, half = (drawing + DRAWINGS // 2) % DRAWINGS, drawing % (DRAWINGS // 2)
    hip = np.array([0.0, -_RISE[half]])
    lean = _LEAN[half]
    up = -_along(-lean)
    chest = hip + _TORSO_LENGTH * up
    nod = 0.35 * lean + 2.5 * np.sin(2 * np.pi * half / 4)
    head = chest + 38 * -_along(-(lean + 6)) + np.array([2.0, 0.0])
    side = np.array([2.5, 0.0])
    twist = 3.0 * np.cos(2 * np.pi * drawing / DRAWINGS)
    return Pose(drawing / DRAWINGS, hip, chest, head, lean, nod,
                near_leg=_leg(hip - side, drawing), far_leg=_leg(hip + side, other),
                near_arm=_arm(chest + [-3 - twist, 10], drawing), far_arm=_arm(chest + [6 + twist, 10], other))
