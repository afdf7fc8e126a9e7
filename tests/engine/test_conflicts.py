# SPDX-License-Identifier: GPL-3.0-or-later
"""What shows two looks at one place of the background cannot be background both times, even if one of them is busy."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.layers.ownership import build_conflicts

SIDE = 40
BLOCK = np.s_[10:30, 10:30]


def seen(first: np.ndarray, second: np.ndarray) -> SimpleNamespace:
    """Two frames of flat paint (piece 0) with these looks of a block in it, pieces 1 and 2."""
    sharp, labels = np.full((2, SIDE, SIDE, 3), 90, np.uint8), np.zeros((2, SIDE, SIDE), np.int32)
    for t, look in enumerate((first, second)):
        sharp[t][BLOCK] = look[..., None]
        labels[t][BLOCK] = 1 + t
    window = np.ones((3, 3), np.uint8)
    low, high = (np.stack([change(frame, window) for frame in sharp]) for change in (cv2.erode, cv2.dilate))
    border, life = np.array([300.0, 0, 0]), np.array([2.0, 1, 1])
    return SimpleNamespace(labels=labels, sharp=sharp, low=low, high=high, count=3, border=border, life=life)


BUSY = np.random.default_rng(0).choice([0, 30, 220, 255], (20, 20)).astype(np.uint8)
FLAT = np.full((20, 20), 120, np.uint8)


@pytest.mark.parametrize("first, second, still, clash", [
    (FLAT, FLAT, True, False),
    (FLAT, FLAT + 60, True, True),
    (FLAT, FLAT + 60, False, True),
    (BUSY, FLAT, True, True),       # every color lies between those of the busy one's neighbors
    (FLAT, BUSY, True, True),
    (BUSY, BUSY, True, False),
    (BUSY, FLAT, False, False)])    # resampled, it might be the same
def test_two_looks_at_one_place(first, second, still, clash):
    conflicts = build_conflicts(seen(first, second), np.eye(3)[None], still=still)
    found = {(int(a), int(b)) for a, b in zip(conflicts.rows(), conflicts.neighbor, strict=True)}
    assert ((1, 2) in found) == ((2, 1) in found) == clash
