# SPDX-License-Identifier: GPL-3.0-or-later
"""How far two layers belong together: they touch for as long as both are seen, and keep their place beside each other.
It must not know energies: what attachment is worth is decided where layers merge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import project
from ..parallel import map_ordered
from .edgels import Edgels, bridged
from .supervoxels import Supervoxels

__all__ = ["attachments"]

VISIBLE = 20            # px from which a layer is there in a frame
TOUCHING = 0.06         # share of the shorter outline that two layers must have in common to touch ...
LEAST_TOUCH = 2.0       # ... and the least of it, edgel weight
BORDER_TOUCH = 8        # px a frame on the picture's border from which a layer's center says nothing about its place
CLOSE, APART = 0.25, 0.75   # of the size: a limb roams up to the first, what roams beyond the second is another sprite (judgement)
JUMP = 80.0             # px a frame, more is a motion wrongly measured


@dataclass(frozen=True)
class _Traces:
    """Per frame and layer: `area` (T, K) px, `outline` (T, K) edgel weight, `center` (T, K, 2) px; `border` (K,) px a frame."""
    area: np.ndarray
    outline: np.ndarray
    center: np.ndarray
    border: np.ndarray


def attachments(labels: np.ndarray, motions: tuple[np.ndarray, ...], edgels: Edgels, voxels: Supervoxels) -> np.ndarray:
    """How far each two layers are attached, 0..1 symmetric (K, K); `labels` int64 (n,) of the pieces, `motions` (T-1, 3, 3) a layer."""
    count = len(motions)
    traces = _traces(labels, count, edgels, voxels)
    result = np.zeros((count, count))
    for i in range(count):
        for j in range(i + 1, count):
            result[i, j] = result[j, i] = _attachment(i, j, traces, labels, motions, edgels)
    return result


def _traces(labels: np.ndarray, count: int, edgels: Edgels, voxels: Supervoxels) -> _Traces:
    frames, height, width = voxels.labels.shape
    ys, xs = (axis.ravel() for axis in np.mgrid[:height, :width])

    def shown(pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        label = labels[pieces].ravel()
        area = np.bincount(label, minlength=count)
        return area, np.stack([np.bincount(label, place, count) for place in (xs, ys)], 1) / np.maximum(1, area)[:, None]

    area, center = (np.stack(column) for column in zip(*map_ordered(shown, voxels.labels), strict=True))
    first, second = labels[edgels.pieces].T
    apart = first != second
    outline = sum(np.bincount(edgels.places[apart, 0] * count + side[apart], edgels.weight[apart], frames * count)
                  for side in (first, second)).reshape(frames, count)
    border = np.bincount(labels, voxels.border, count) / np.maximum(1, (area > VISIBLE).sum(0))
    return _Traces(area, outline, center, border)


def _attachment(i: int, j: int, traces: _Traces, labels: np.ndarray, motions: tuple[np.ndarray, ...], edgels: Edgels) -> float:
    frames = len(traces.area)
    ends = np.sort(labels[edgels.pieces], 1)
    common = (ends[:, 0] == i) & (ends[:, 1] == j)
    at, weight = edgels.places[common, 0], edgels.weight[common]
    length = np.bincount(at, weight, frames)
    both = (traces.area[:, [i, j]] > VISIBLE).all(1)
    if not both.any() or not length.any():
        return 0.0
    touching = both & (length > np.maximum(LEAST_TOUCH, TOUCHING * traces.outline[:, [i, j]].min(1)))
    if traces.border[[i, j]].max() < BORDER_TOUCH:
        offset = traces.center[both, i] - traces.center[both, j]
        roamed = np.hypot(*(np.percentile(offset, 95, 0) - np.percentile(offset, 5, 0)))
        size = np.sqrt(np.median(traces.area[:, [i, j]].max(1)[both]))
    else:
        middle = edgels.places[common][:, [2, 1, 4, 3]].reshape(-1, 2, 2).mean(1)
        meeting = np.stack([np.bincount(at, weight * axis, frames) for axis in middle.T], 1) / np.maximum(length, 1e-9)[:, None]
        roamed = _slid(meeting, both & (length > 0), motions[i], motions[j])
        size = np.sqrt(traces.area[:, [i, j]].min(1)[both].max())
    return float(touching.sum() / both.sum() * np.clip((APART - roamed / size) / (APART - CLOSE), 0, 1))


def _slid(meeting: np.ndarray, known: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """How far two motions slide along each other where they meet (`meeting` (T, 2), in the `known` frames), px."""
    first, second = bridged(first), bridged(second)
    place, places = np.zeros(2), [np.zeros(2)]
    for t in np.flatnonzero(known[:-1] & known[1:] & np.isfinite(first[:, 0, 0]) & np.isfinite(second[:, 0, 0])):
        step = project(first[t], meeting[t:t + 1])[0] - project(second[t], meeting[t:t + 1])[0]
        if np.hypot(*step) < JUMP:
            place = place + step
        places.append(place)
    return float(np.hypot(*(np.max(places, 0) - np.min(places, 0))))
