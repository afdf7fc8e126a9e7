# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed forms of a matte, compiled: one pass over the pixels each, where arrays would take a dozen.
What they mean is said in `triangulation`, which calls this; figures are float32, pictures of them float32 (H, W) or (H, W, 3)."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["banded", "contrasts", "painted", "regressed", "straightened"]

_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(nogil=True, cache=True, error_model="numpy")
def banded(color, background, inside, known, band, soft, solid, offset, scope):
    """Alpha in the `band`: how far the color lies between background and inside, as far as these are distinct, else the region's own
    softness; elsewhere 1 where it is `solid`."""
    height, width = soft.shape
    alpha = np.empty((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            if not band[i, j]:
                alpha[i, j] = _ONE if solid[i, j] else _ZERO
                continue
            length = along = _ZERO
            for c in range(3):
                span = inside[i, j, c] - background[i, j, c]
                length += span * span
                along += (color[i, j, c] - background[i, j, c]) * span
            between = min(max(along / max(length, _ONE), _ZERO), _ONE)
            trust = min(max((length - offset) / scope, _ZERO), _ONE) if known[i, j] else _ZERO
            sharpened = min(max((soft[i, j] - np.float32(0.5)) * np.float32(2.5) + np.float32(0.5), _ZERO), _ONE)
            alpha[i, j] = trust * between + (_ONE - trust) * sharpened
    return alpha


@njit(nogil=True, cache=True, error_model="numpy")
def contrasts(color, background):
    """Distance of each color to the background's."""
    height, width = color.shape[:2]
    result = np.empty((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            total = _ZERO
            for c in range(3):
                step = color[i, j, c] - background[i, j, c]
                total += step * step
            result[i, j] = np.sqrt(total)
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def regressed(prior, covariance, variance, sights, quiet, solid, inner, outer, ridge, dust, low, high, varied):
    """Alpha by ridge regression towards `prior`, without dust and noise; 0 in the `outer` part, and 1 in the `inner` one where it is
    not determined."""
    height, width = prior.shape
    alpha = np.empty((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            if outer[i, j]:
                alpha[i, j] = _ZERO
                continue
            if inner[i, j] and variance[i, j] < varied * max(sights[i, j], _ONE):
                alpha[i, j] = _ONE
                continue
            value = _ONE - (covariance[i, j] + ridge * (_ONE - prior[i, j])) / (variance[i, j] + ridge)
            value = min(max(value, _ZERO), _ONE)
            if value < low or (value < dust and quiet[i, j] and not solid[i, j]):
                value = _ZERO
            alpha[i, j] = _ONE if value > high else value
    return alpha


@njit(nogil=True, cache=True, error_model="numpy")
def straightened(color, background, alpha, sights):
    """Colors with the background removed, and how well each is known."""
    height, width = alpha.shape
    straight, known = np.empty((height, width, 3), np.float32), np.empty((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            share = alpha[i, j]
            for c in range(3):
                own = color[i, j, c] - (_ONE - share) * background[i, j, c]
                straight[i, j, c] = min(max(own, _ZERO), np.float32(255) * share) / max(share, np.float32(1e-3))
            sure = min(max((share - np.float32(0.1)) / np.float32(0.4), _ZERO), _ONE)
            known[i, j] = sure * min(sights[i, j], _ONE)
    return straight, known


@njit(nogil=True, cache=True, error_model="numpy")
def painted(straight, continued, known, alpha, near):
    """uint8 (H, W, 4): the colors, where they are little known as `continued`, 0 where nothing is `near`, and alpha."""
    height, width = alpha.shape
    rgba = np.zeros((height, width, 4), np.uint8)
    for i in range(height):
        for j in range(width):
            if near[i, j]:
                share = min(known[i, j] * np.float32(2), _ONE)
                for c in range(3):
                    level = np.rint(straight[i, j, c] * share + continued[i, j, c] * (_ONE - share))
                    rgba[i, j, c] = np.uint8(min(max(level, _ZERO), np.float32(255)))
            rgba[i, j, 3] = np.uint8(np.rint(alpha[i, j] * np.float32(255)))
    return rgba
