# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts a clip into supervoxels: pieces of near-constant color that follow the flow through time, hundreds instead of millions of pixels.
It must not know motions, layers or sprites: only colors and flow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numba
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..channels import apart
from ..paged import new, paged
from ..parallel import map_ordered
from .supervoxels_apart import cut_apart

__all__ = ["Supervoxels", "build_supervoxels", "tones_of"]

TOGGLE_RANGE = 24       # gray range of a 3x3 window from which a pixel counts as an edge's ramp (by trial on toon clips)
TOGGLE_PASSES = 2
SCALE = 300.0           # Felzenszwalb and Huttenlocher 2004, their k, for the max channel difference (by trial on toon clips)
LARGEST_STEP = 60       # color steps from here on are never inside a piece (by trial on toon clips)
SOFT_REACH = 2          # px on both sides of a step over which a blurred edge is measured ...
SOFT_SHARE = 0.5        # ... and the share of its contrast that counts as the step (measured on blurred planes: .81 -> .89 of them kept)
SHARP_STEP = 12         # color step of a sharp edge, beside which nothing is blurred
SMALLEST = 40           # voxels: below, a piece joins its most similar neighbor (by trial on toon clips)
LINE_DEPTH = 24         # gray levels by which a line stands out from both its sides
LINE_WIDTH = 5          # px, the widest line
LINE_LENGTH = 40        # px a frame that a piece of a line may have: lines of one color touch and would join all they bound
WINDOW_VOXELS = 10_000_000  # grown at once, 42 bytes each: longer clips are grown in windows and stitched
WINDOWS_AT_ONCE = 2     # so that memory stays bounded
STITCH_STEP = 20        # mean color step, two pieces on both sides of a window's end are one below it (judgement)


@dataclass(frozen=True)
class Supervoxels:
    """`labels` int32 (T, h, w) in 0..count-1; `sharp` uint8 (T, h, w, 3) the frames with edges without ramps; `low`, `high`
    its 3x3 minimum and maximum; of each piece `size` voxels, `border` voxels on the frame's border, `life` frames (float64) and mean
    `color` (count, 3)."""
    labels: np.ndarray
    sharp: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: int
    size: np.ndarray
    border: np.ndarray
    life: np.ndarray
    color: np.ndarray


def build_supervoxels(frames: np.ndarray, flow) -> Supervoxels:
    """Supervoxels of `frames` RGB uint8 (T, h, w, 3) along `flow` (forward (T-1, h, w, 2) px, consistent(t) bool (h, w))."""
    sharp, low, high = (new(frames.shape, np.uint8) for _ in range(3))
    for t, pictures in enumerate(map_ordered(_sharpened, frames)):
        sharp[t], low[t], high[t] = pictures
    labels = cut_apart(_stitched(sharp, flow), flow)
    count = int(labels.max()) + 1
    border = sum(np.bincount(side.ravel(), minlength=count) for side in
                 (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]))
    size, life, color = np.zeros(count), np.zeros(count), np.zeros((count, 3))
    for voxels, colors in map_ordered(lambda t: _sums(labels[t].ravel(), sharp[t].reshape(-1, 3), count), range(len(labels))):
        size += voxels
        life += voxels > 0
        color += colors
    return Supervoxels(labels, sharp, low, high, count, size, border.astype(float), life, color / size[:, None])


def tones_of(color: np.ndarray, width: int) -> np.ndarray:
    """The number of each of the colors (n, 3), 0..255, if `width` gray levels a channel, a divisor of 256, are one: int (n,), below
    (256 / width)**3."""
    return np.ravel_multi_index(tuple((color // width).astype(int).T), (256 // width,) * 3)


def _sums(labels: np.ndarray, colors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each piece in a frame: its pixels (count,) and the sum of their colors (count, 3)."""
    return np.bincount(labels, minlength=count), np.stack([np.bincount(labels, colors[:, c], count) for c in range(3)], 1)


def _sharpened(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A frame whose antialiased ramps became steps, and its 3x3 minimum and maximum."""
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    for _ in range(TOGGLE_PASSES):
        frame, gray = _toggle(frame, gray)
    window = np.ones((3, 3), np.uint8)
    return frame, cv2.erode(frame, window), cv2.dilate(frame, window)


@numba.njit(nogil=True, cache=True)
def _toggle(picture, gray):
    """Each ramp pixel takes the color of the darkest or lightest pixel of its 3x3 window, whichever is nearer in gray."""
    h, w = gray.shape
    result, result_gray = picture.copy(), gray.copy()
    for y in range(h):
        for x in range(w):
            darkest = lightest = gray[y, x]
            dark_y = light_y = y
            dark_x = light_x = x
            for v in range(max(0, y - 1), min(h, y + 2)):
                for u in range(max(0, x - 1), min(w, x + 2)):
                    if gray[v, u] < darkest:
                        darkest, dark_y, dark_x = gray[v, u], v, u
                    if gray[v, u] > lightest:
                        lightest, light_y, light_x = gray[v, u], v, u
            if np.int32(lightest) - np.int32(darkest) < TOGGLE_RANGE:
                continue
            dark = np.int32(gray[y, x]) - np.int32(darkest) < np.int32(lightest) - np.int32(gray[y, x])
            v, u = (dark_y, dark_x) if dark else (light_y, light_x)
            result_gray[y, x] = gray[v, u]
            for c in range(3):
                result[y, x, c] = picture[v, u, c]
    return result, result_gray


def _stitched(sharp: np.ndarray, flow) -> np.ndarray:
    """Labels of the whole clip, grown window by window; pieces that flow from one window into the next become one."""
    frames, h, w = sharp.shape[:3]
    window = max(2, WINDOW_VOXELS // (h * w))
    labels = new((frames, h, w), np.int32)
    count, joints, begins = 0, [], range(0, frames, window)
    grown = map_ordered(lambda begin: _grown(sharp[begin:begin + window], flow, begin), begins, ahead=1, most=WINDOWS_AT_ONCE)
    for begin, part in zip(begins, grown, strict=True):
        end = begin + len(part)
        labels[begin:end] = part + count
        if begin:
            joints.append(_joints(labels, sharp, flow, begin - 1))
        count = int(labels[begin:end].max()) + 1
    if not joints:
        return labels
    a, b = np.concatenate(joints, 1)
    _, merged = connected_components(coo_matrix((np.ones(len(a)), (a, b)), (count, count)), directed=False)
    merged = merged.astype(np.int32)
    for frame in paged(labels):
        frame[...] = merged[frame]
    return labels


def _grown(sharp: np.ndarray, flow, begin: int) -> np.ndarray:
    """Labels 0..n-1 of one window whose first frame is `begin`."""
    frames, h, w = sharp.shape[:3]
    targets = np.full((frames, h, w), -1, np.int32)
    ys, xs = np.mgrid[:h, :w]
    for t in range(frames - 1):
        to_x = np.rint(xs + flow.forward[begin + t, ..., 0].astype(np.float32)).astype(np.int32)
        to_y = np.rint(ys + flow.forward[begin + t, ..., 1].astype(np.float32)).astype(np.int32)
        good = flow.consistent(begin + t) & (to_x >= 0) & (to_y >= 0) & (to_x < w) & (to_y < h)
        targets[t][good] = ((t + 1) * h + to_y[good]) * w + to_x[good]
    targets = targets.ravel()
    steps = _steps(sharp.reshape(-1, 3), targets, h, w)
    for _ in map_ordered(partial(_raise_soft, sharp, steps.reshape(frames, h, w, 3)), range(frames)):
        pass
    lines = np.stack(list(map_ordered(_lines, sharp))).ravel()
    parents = _merged(steps, _by_step(steps), targets, lines, h, w)
    numbers = np.cumsum(parents == np.arange(len(parents)), dtype=np.int32) - 1     # of the roots, in order
    return numbers[parents].reshape(frames, h, w)


def _raise_soft(sharp: np.ndarray, steps: np.ndarray, t: int) -> None:
    """Raise (in place) the steps right and down of frame t across blurred edges: pixel by pixel they would look like shading."""
    for axis in range(2):
        picture, step = (sharp[t], steps[t, :, :, 0]) if axis == 0 else (sharp[t].transpose(1, 0, 2), steps[t, :, :, 1].T)
        linked = step < 255
        small = np.where(linked, step, 0).astype(np.uint8)
        padded = np.pad(picture, ((0, 0), (SOFT_REACH, SOFT_REACH + 1), (0, 0)), mode="edge")
        across = apart(padded[:, 2 * SOFT_REACH + 1:], padded[:, :-2 * SOFT_REACH - 1])
        blurred = cv2.dilate(small, np.ones((1, 2 * SOFT_REACH + 1), np.uint8)) < SHARP_STEP
        step[...] = np.where(linked & blurred, np.maximum(small, (SOFT_SHARE * across).astype(np.uint8)), step)


def _lines(frame: np.ndarray) -> np.ndarray:
    """Where a frame shows thin lines, dark or light: bool (h, w)."""
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    window = np.ones((LINE_WIDTH, LINE_WIDTH), np.uint8)
    dark, light = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, window), cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, window)
    return np.maximum(dark, light) >= LINE_DEPTH


@numba.njit(nogil=True, cache=True)
def _steps(colors, targets, h, w):
    """Color step (max channel, 255: no link) of each voxel's links right, down and along the flow: uint8 (n, 3)."""
    n = len(colors)
    steps = np.full((n, 3), 255, np.uint8)
    for i in range(n):
        y, x = (i // w) % h, i % w
        for d in range(3):
            j = targets[i]
            if d == 0:
                j = i + 1 if x + 1 < w else -1
            elif d == 1:
                j = i + w if y + 1 < h else -1
            if j < 0:
                continue
            largest = 0
            for c in range(3):
                largest = max(largest, abs(np.int32(colors[i, c]) - np.int32(colors[j, c])))
            steps[i, d] = min(254, largest)
    return steps


@numba.njit(nogil=True, cache=True)
def _by_step(steps):
    """Links (voxel * 3 + direction) in order of their step, the ones that exist: a counting sort."""
    flat = steps.ravel()
    position = np.zeros(257, np.int64)
    for step in flat:
        position[step + 1] += 1
    for step in range(256):
        position[step + 1] += position[step]
    order = np.empty(position[255], np.int32)
    for link in range(len(flat)):
        step = flat[link]
        if step < 255:
            order[position[step]] = link
            position[step] += 1
    return order


@numba.njit(nogil=True, cache=True)
def _root(parents, i):
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i


@numba.njit(nogil=True, cache=True)
def _merged(steps, order, targets, lines, h, w):
    """Felzenszwalb's merging in the order of the steps, then small pieces join their most similar neighbor: a root a voxel."""
    n = len(targets)
    parents, sizes, limits = np.arange(n).astype(np.int32), np.ones(n, np.int32), np.full(n, SCALE, np.float32)
    begin = (np.arange(n) // (h * w)).astype(np.int32)
    end = begin + np.int32(1)
    for small in range(2):
        for link in order:
            i, d = link // 3, link % 3
            step = np.float32(steps[i, d])
            if small == 0 and step >= LARGEST_STEP:
                break
            j = i + 1 if d == 0 else i + w if d == 1 else targets[i]
            a, b = _root(parents, i), _root(parents, j)
            if a == b or (step > min(limits[a], limits[b]) if small == 0 else min(sizes[a], sizes[b]) >= SMALLEST):
                continue
            opens, ends = min(begin[a], begin[b]), max(end[a], end[b])
            if small == 0 and lines[i] and lines[j] and sizes[a] + sizes[b] > LINE_LENGTH * (ends - opens):
                continue
            if sizes[a] < sizes[b]:
                a, b = b, a
            parents[b] = a
            sizes[a] += sizes[b]
            limits[a] = step + np.float32(SCALE) / np.float32(sizes[a])
            begin[a], end[a] = opens, ends
    for i in range(n):
        parents[i] = _root(parents, i)
    return parents


def _joints(labels: np.ndarray, sharp: np.ndarray, flow, t: int) -> np.ndarray:
    """Pieces of frame t and of frame t + 1 that are each other's main continuation, of like color: (2, n)."""
    h, w = labels.shape[1:]
    ys, xs = np.nonzero(flow.consistent(t))
    to_x = np.rint(xs + flow.forward[t, ys, xs, 0].astype(np.float32)).astype(int)
    to_y = np.rint(ys + flow.forward[t, ys, xs, 1].astype(np.float32)).astype(int)
    inside = (to_x >= 0) & (to_y >= 0) & (to_x < w) & (to_y < h)
    ys, xs, to_y, to_x = ys[inside], xs[inside], to_y[inside], to_x[inside]
    step = np.abs(sharp[t, ys, xs].astype(np.int16) - sharp[t + 1, to_y, to_x]).max(1)
    ends, index, hits = np.unique(np.stack([labels[t, ys, xs], labels[t + 1, to_y, to_x]]), axis=1, return_inverse=True, return_counts=True)
    steps = np.bincount(index.ravel(), step, len(hits)) / np.maximum(hits, 1)
    best_out, best_in = {}, {}
    for link in np.argsort(hits, kind="stable"):
        best_out[ends[0, link]] = best_in[ends[1, link]] = link
    mutual = [link for link in best_out.values() if best_in[ends[1, link]] == link and steps[link] < STITCH_STEP]
    return ends[:, mutual]
