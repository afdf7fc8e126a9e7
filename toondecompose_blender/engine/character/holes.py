# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling the unknown parts of a picture smoothly from the known ones, coarse to fine (push-pull).
Knows one picture and one mask; what is unknown and why is decided elsewhere."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ["push_pull"]


def push_pull(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """`picture` float64 (H, W, C) with everything outside of `known`, bool (H, W), filled; known pixels keep their values.

    A picture without known pixels comes back unchanged.
    """
    if known.all() or not known.any():
        return picture
    weight = known.astype(np.float64)
    filled = _filled(picture * weight[..., None], weight)
    return np.where(known[..., None], picture, filled)


def _filled(weighted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Pull: halve until one pixel is left, averaging what is known; push: fill each level's gaps from the coarser one."""
    height, width = weight.shape
    own = weighted / np.maximum(weight, 1e-12)[..., None]
    if height <= 1 and width <= 1:
        return own
    even = ((0, height % 2), (0, width % 2))
    half_weight = _halved(np.pad(weight, even))
    half = _halved(np.pad(weighted, (*even, (0, 0))))
    total = np.maximum(half_weight, 1e-12)
    strength = np.minimum(half_weight * 4, 1)  # one known pixel of four is enough to know the coarser one
    coarse = _filled(half / total[..., None] * strength[..., None], strength)
    raised = cv2.resize(coarse, (coarse.shape[1] * 2, coarse.shape[0] * 2), interpolation=cv2.INTER_LINEAR)[:height, :width]
    raised = raised.reshape(height, width, -1)
    share = weight.clip(0, 1)[..., None]
    return own * share + raised * (1 - share)


def _halved(values: np.ndarray) -> np.ndarray:
    return (values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]) / 4
