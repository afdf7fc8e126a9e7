# SPDX-License-Identifier: GPL-3.0-or-later
"""Splits a clip into sprites: a label a pixel, in layer order, and a motion a sprite.
It must not know plates, mattes or drawings: its labels are where those begin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry import project, relative
from ..motion.models import grid_points, restricted
from ..motion.tracks import chained
from ..paged import paged, stacked
from ..parallel import map_ordered
from ..report import Report, Silent
from .edgels import Edgels, find_edgels
from .hints import Hints
from .ownership import build_graph
from .proposals import Proposals, propose_motions
from .split_agreement import measure_agreement
from .split_backdrop import backing_of, before_backing, behind_all, grounded, sky_of
from .split_faint import told_apart
from .split_gaps import opened
from .split_hints import hinted, numbers_of
from .split_light import without_light
from .split_merge import attached, merged_to, smoothed, worth_more_than_a_sprite
from .split_order import ordered
from .split_refill import refilled
from .split_search import Layers, find_layers, open_space, sprite_tables
from .split_whole import each_its_own, made_whole, merged_but_bodies
from .supervoxels import build_supervoxels

__all__ = ["Split", "split_sprites"]

SURPLUS = 3             # layers found beyond the sprites asked for, then merged (by trial on toon clips)
MOST_SPRITES = 8
CAMERA_TRUST = 0.7      # factor on the energy with the camera's background: a rival must be clearly better
FRAMED, AROUND = 0.5, 0.9   # shares of the border: with less, what moves with the camera is framed by what stands still with more
STILL = 1               # number of the proposal that nothing moves
BENT = 0.25             # px a step, at 360 lines, on average (measured: .00 of cameras, .5 and .6 of two planes taken for one)
RIVALS = 2              # other proposals tried as the background of a moving camera


@dataclass(frozen=True)
class Split:
    """`labels` uint8 (T, h, w), 0 the background, then back to front; `count` labels; `motions` float64 (count, T-1, 3, 3) frame
    t -> t+1 in px, NaN where unknown; `energies`: what is unexplained with 1, 2, ... layers; `still`: the background stands still,
    whatever the camera was said to do."""
    labels: np.ndarray
    count: int
    motions: np.ndarray
    energies: tuple[float, ...]
    still: bool


@dataclass(frozen=True)
class _Finished:
    """`layers` in order, as many as there are sprites (`count`), and whether their background stands `still`."""
    layers: Layers
    count: int
    still: bool


def split_sprites(frames: np.ndarray, flow, *, sprites: int | None, camera: np.ndarray, static: bool, planes: Sequence[np.ndarray] = (),
                  hints: Hints | None = None, report: Report | None = None) -> Split:
    """Labels and motions of the sprites in `frames` RGB uint8 (T, h, w, 3), short side about 270 to 360 px.

    `flow`: forward (T-1, h, w, 2) px and consistent(t); `sprites`: how many with the background, 2..8, None: as many as a
    merge would miss; `camera` float64 (T, 3, 3): background plane -> frame; `static`: whether the background stands still.
    `planes`: motions (T, 3, 3) of planes that are known to be apart, which sprites may have.
    An artist's `hints` lead the split: then the labels of the sprites they are for are those of the artist.
    """
    report = report or Silent()
    steps = [np.stack([relative(motion[t], motion[t + 1]) for t in range(len(frames) - 1)]) for motion in (camera, *planes)]
    voxels = build_supervoxels(frames, flow)
    edgels = find_edgels(voxels, flow)
    report.step()
    proposals = propose_motions(edgels, voxels, frames, flow, steps[0], static=static, planes=steps[1:])
    report.step()
    graph = build_graph(voxels, edgels, flow)
    tables = sprite_tables(proposals, graph)

    def search(rival: tuple[int, np.ndarray]) -> Layers:
        agreement, stands = measure_agreement(voxels, rival[1]), static or rival[0] == STILL
        space = open_space(proposals, graph, tables, agreement, background=rival[0], static=stands, known=static)
        return find_layers(space, (sprites or MOST_SPRITES) + SURPLUS, forced=sprites is not None)

    backgrounds = _backgrounds(proposals, camera, static)
    number, layers = _best(zip((rival[0] for rival in backgrounds), map_ordered(search, backgrounds, ahead=1), strict=True))
    still = static or number == STILL
    backed = _backed(layers, sprites, edgels) if sprites is not None and not still and sprites > 2 else None
    layers, still = (layers, still) if backed is None else (backed, True)
    del proposals, tables, search    # what was searched in is large
    layers, faint = (layers, np.zeros(voxels.count, bool)) if still else told_apart(frames, layers)
    done = _finished(layers, sprites, edgels, still, faint)
    numbers = np.arange(done.count)
    if hints is not None and hints.marks:
        plain = done.layers
        layers, votes = hinted(layers, plain, hints, edgels, report)
        done = _finished(layers, sprites, edgels, still, faint, free=plain.labels > 0)
        numbers = numbers_of(done.layers.labels, votes, done.count)
    report.step()
    labels = stacked(map(numbers[done.layers.labels].astype(np.uint8).__getitem__, paged(voxels.labels)), len(frames))
    return Split(labels, done.count, np.stack(done.layers.motions), done.layers.trail, done.still)


def _best(found: Iterable[tuple[int, Layers]]) -> tuple[int, Layers]:
    """The layers that leave least unexplained, and the number of their background; the camera's, which comes first, is trusted more,
    unless what stands still frames it."""
    best, least, framed = None, np.inf, False
    for number, layers in found:
        border = layers.energy.graph.voxels.border
        around = border[layers.labels == 0].sum() / max(1, border.sum())
        trusted = best is None or framed and number == STILL and around > AROUND
        framed |= best is None and around < FRAMED
        energy = layers.energy.of(layers.labels) * (CAMERA_TRUST if trusted else 1)
        if energy < least:
            best, least = (number, layers), energy
    return best


def _finished(layers: Layers, sprites: int | None, edgels: Edgels, still: bool, faint: np.ndarray,
              free: np.ndarray | bool = True) -> _Finished:
    """`layers` merged to `sprites`, in order, no body joined to another by what is `faint`; of the pieces that are `free` to, what holds
    still with a sprite joined it, and light and what shows through it left it."""
    found = layers
    layers = merged_to(layers, sprites, edgels) if sprites else merged_but_bodies(layers, MOST_SPRITES, edgels, faint)
    count = sprites or max(2, len(layers.motions))
    sky = sky_of(layers) if sprites is not None and not still and count > 2 else np.zeros(0, bool)
    parted = bool(sky.any()) and worth_more_than_a_sprite(layers, layers.energy.graph.voxels.size[sky].sum(), edgels)
    layers = merged_to(layers, count - parted, edgels)
    layers = smoothed(ordered(made_whole(refilled(layers, edgels) if sprites else layers, edgels, faint)), found)
    layers = each_its_own(without_light(layers, edgels) if still else layers, edgels, faint)
    if still:
        joined = attached(layers, edgels)
        layers = ordered(opened(replace(joined, labels=np.where(free, joined.labels, layers.labels))))
    elif count > 2:
        layers = grounded(layers)
    return _Finished(behind_all(layers, sky) if parted else layers, count, still or parted)


def _backed(layers: Layers, sprites: int, edgels: Edgels) -> Layers | None:
    """`layers` before a backing of flat paint, if there is one, no sky, and what moved with it is among the `sprites` that are left."""
    backing = backing_of(layers, edgels)
    if not backing.any() or sky_of(layers).any():
        return None
    backed = before_backing(layers, backing, edgels)
    return backed if (merged_to(backed, sprites, edgels).labels[(layers.labels == 0) & ~backing] > 0).any() else None


def _backgrounds(proposals: Proposals, camera: np.ndarray, static: bool) -> list[tuple[int, np.ndarray]]:
    """Proposals that may be the background's, with plane -> frame poses: the camera's, standing still, and those that explain more
    of the clip and that a camera can make."""
    result = [(0, camera)] if static else [(0, camera), (STILL, np.repeat(np.eye(3)[None], len(camera), 0))]
    unexplained = [(proposals.edgels.weight * cost[:, 0]).sum() for cost in proposals.costs]
    for number in np.argsort(unexplained, kind="stable"):
        motion = proposals.motions[number]
        if static or unexplained[number] >= unexplained[0] or len(result) > RIVALS + 1:
            break
        if number != STILL and np.isfinite(motion).all() and not _bent(motion, proposals.voxels.labels.shape[:0:-1]):
            result.append((int(number), chained(motion, 0)))
    return result


def _bent(motion: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a motion (T-1, 3, 3) of pictures of `size` (width, height) is none of a camera before drawings, which moves, turns and
    zooms: a tilt explains two planes that slide past each other, one above the other, as one."""
    points = grid_points(*size)
    gaps = [project(step, points) - project(restricted(step, "similarity", points), points) for step in motion]
    return float(np.linalg.norm(gaps, axis=2).mean()) > BENT * min(size) / 360
