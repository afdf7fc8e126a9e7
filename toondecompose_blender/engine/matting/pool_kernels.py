# SPDX-License-Identifier: GPL-3.0-or-later
"""Exposures and the sums over them that a pool is made of, compiled: one pass over the pixels each, where arrays would take a dozen.
What is summed, and why, is said in `pool`; the order of every sum is that of the exposures."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["add_colors", "add_evidence", "add_scatter", "divide", "lay_over", "painted_alike", "parts_chosen",
           "premultiplied", "ranked", "sums_of_parts", "surroundings_count"]


@njit(nogil=True, cache=True, error_model="numpy")
def add_evidence(foreground, background, seen, visible, certain, believing, gain, trusts, levels, sums, quiet, known):
    """One exposure's evidence: into `levels` uint8 (H, W) that of foreground; onto the `sums` float32 (4, H, W) that of background
    times `gain`, what the mask is worth, the same where it is `believing`, and 1 where the exposure is visible.

    `trusts` float32 (3,): what the mask is worth where the background is seen, where it is not, and where the mask is certain.
    """
    height, width = foreground.shape
    for i in range(height):
        for j in range(width):
            if not visible[i, j]:
                levels[i, j] = 0
                continue
            known[i, j] &= seen[i, j]
            levels[i, j] = np.uint8(np.rint(foreground[i, j] * np.float32(255)))
            sums[0, i, j] += background[i, j] * gain
            trust = trusts[2] if certain[i, j] else trusts[0] if seen[i, j] else trusts[1]
            sums[1, i, j] += trust
            if believing[i, j]:
                sums[2, i, j] += trust
            sums[3, i, j] += np.float32(1)
            quiet[i, j] &= seen[i, j] and foreground[i, j] == 0


@njit(nogil=True, cache=True, error_model="numpy")
def surroundings_count(background, seen, visible, prior, faint, least):
    """How many pixels are surely background, and in how many of them the evidence `background` reaches `least`."""
    count = reaching = 0
    for i in range(prior.shape[0]):
        for j in range(prior.shape[1]):
            if seen[i, j] and visible[i, j] and prior[i, j] < faint:
                count += 1
                if background[i, j] >= least:
                    reaching += 1
    return count, reaching


@njit(nogil=True, cache=True, error_model="numpy")
def ranked(levels, skipped):
    """At each pixel of `levels` uint8 (N, H, W) the strongest but for so many, `skipped` int64 (H, W) below N: float32 (H, W) in 0..1."""
    count, height, width = levels.shape
    result = np.empty((height, width), np.float32)
    if count == 1:      # most drawings are seen once
        for i in range(height):
            for j in range(width):
                result[i, j] = np.float32(levels[0, i, j]) / np.float32(255)
        return result
    strongest = np.empty(count, np.uint8)
    for i in range(height):
        for j in range(width):
            last = skipped[i, j]
            strongest[:last + 1] = 0
            for n in range(count):
                level, place = levels[n, i, j], last
                if level <= strongest[last]:
                    continue
                while place > 0 and strongest[place - 1] < level:
                    strongest[place] = strongest[place - 1]
                    place -= 1
                strongest[place] = level
            result[i, j] = np.float32(strongest[last]) / np.float32(255)
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def add_colors(color, background, visible, colors, backgrounds):
    """One exposure's colors and backgrounds onto their sums float32 (H, W, 3), where it is visible."""
    for i in range(visible.shape[0]):
        for j in range(visible.shape[1]):
            if visible[i, j]:
                for c in range(3):
                    colors[i, j, c] += np.float32(color[i, j, c])
                    backgrounds[i, j, c] += np.float32(background[i, j, c])


@njit(nogil=True, cache=True, error_model="numpy")
def divide(sums, divisor):
    """`sums` float32 (H, W, 3) by `divisor` (H, W), in place, which counts at least a thousandth."""
    for i in range(divisor.shape[0]):
        for j in range(divisor.shape[1]):
            least = max(divisor[i, j], np.float32(1e-3))
            for c in range(3):
                sums[i, j, c] /= least


@njit(nogil=True, cache=True, error_model="numpy")
def add_scatter(color, background, visible, seen, colors, backgrounds, covariance, variance):
    """One exposure's scatter about the mean `colors` and `backgrounds`, where it is visible and its background known."""
    for i in range(visible.shape[0]):
        for j in range(visible.shape[1]):
            if visible[i, j] and seen[i, j]:
                both = square = np.float32(0)
                for c in range(3):
                    step = np.float32(background[i, j, c]) - backgrounds[i, j, c]
                    both += (np.float32(color[i, j, c]) - colors[i, j, c]) * step
                    square += step * step
                covariance[i, j] += both
                variance[i, j] += square


@njit(nogil=True, cache=True, error_model="numpy")
def premultiplied(drawing):
    """float32 of straight RGBA uint8 (H, W, 4), in gray levels."""
    height, width, _ = drawing.shape
    result = np.empty((height, width, 4), np.float32)
    for i in range(height):
        for j in range(width):
            result[i, j, 3] = np.float32(drawing[i, j, 3])
            share = result[i, j, 3] / np.float32(255)
            for c in range(3):
                result[i, j, c] = np.float32(drawing[i, j, c]) * share
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def lay_over(laid, color, seen):
    """Lay a `premultiplied` picture over `color` uint8 (H, W, 3), in place; what is opaque is `seen`."""
    for i in range(seen.shape[0]):
        for j in range(seen.shape[1]):
            if laid[i, j, 3] != 0 or laid[i, j, 0] != 0 or laid[i, j, 1] != 0 or laid[i, j, 2] != 0:
                alpha = laid[i, j, 3] / np.float32(255)
                for c in range(3):
                    level = np.rint(laid[i, j, c] + (np.float32(1) - alpha) * np.float32(color[i, j, c]))
                    color[i, j, c] = np.uint8(min(max(level, np.float32(0)), np.float32(255)))
                seen[i, j] |= alpha > np.float32(0.95)


@njit(nogil=True, cache=True, error_model="numpy")
def sums_of_parts(labels, values, count):
    """The sum of `values` (H, W) over each of `count` parts of a picture, `labels` int32 (H, W): float64."""
    sums = np.zeros(count)
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            sums[labels[i, j]] += values[i, j]
    return sums


@njit(nogil=True, cache=True, error_model="numpy")
def parts_chosen(labels, chosen):
    """Where a picture's parts, `labels` int32 (H, W), are `chosen` ones, bool (parts,): bool (H, W)."""
    result = np.empty(labels.shape, np.bool_)
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            result[i, j] = chosen[labels[i, j]]
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def painted_alike(mask, telling, hidden, color, background, same, colored):
    """uint8 (H, W), in the `mask` where a color, within `same` gray levels, is that of the background, unless that is `telling`: 2 where
    that paint is `colored`, 1 where it is white, gray or black; else 0."""
    height, width = mask.shape
    result = np.zeros((height, width), np.uint8)
    for i in range(height):
        for j in range(width):
            if not mask[i, j] or hidden[i, j] or telling[i, j]:
                continue
            apart, low, high = np.float32(0), np.float32(255), np.float32(0)
            for c in range(3):
                level = background[i, j, c]
                apart, low, high = max(apart, abs(color[i, j, c] - level)), min(low, level), max(high, level)
            if apart <= same:
                result[i, j] = 2 if high - low >= colored else 1
    return result
