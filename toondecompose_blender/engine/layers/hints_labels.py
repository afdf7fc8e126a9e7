# SPDX-License-Identifier: GPL-3.0-or-later
"""An artist's hints against the labels of the split that they led: to the pixel, where they were exact.
It sees labels and hints; pictures and flow have done their part."""

from __future__ import annotations

import cv2
import numpy as np

from ..paged import paged, stacked
from .hints import UNKNOWN, Hints

__all__ = ["corrected"]


def corrected(labels: np.ndarray, hints: Hints) -> np.ndarray:
    """`labels` uint8 (T, h, w) overruled by the seeds of `hints`, and without what a mask leaves out."""
    overruled = (np.where(seed != UNKNOWN, seed, label) for seed, label in zip(paged(hints.seeds), labels, strict=True))
    result = stacked(overruled, len(labels), np.uint8)
    for mark in hints.marks:
        if mark.kind == "mask" and mark.sprite:
            _keep_what_was_meant(result[mark.frame], hints.seeds[mark.frame], mark.sprite)
    return result


def _keep_what_was_meant(labels: np.ndarray, seeds: np.ndarray, number: int) -> None:
    """Parts of a frame's label that touch none of its seeds are background (in place)."""
    count, parts = cv2.connectedComponents((labels == number).astype(np.uint8))
    meant = np.bincount(parts[seeds == number], minlength=count) > 0
    labels[(labels == number) & ~meant[parts]] = 0
