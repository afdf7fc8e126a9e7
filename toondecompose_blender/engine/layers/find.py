# SPDX-License-Identifier: GPL-3.0-or-later
"""From frames and the camera's motion to one soft mask per sprite, at analysis size: plate and masks by turns, then the split.
It knows nothing of drawings or full-size pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..flow import Flow
from ..matting.random_walker import edge_weights, random_walk
from ..motion import Motion, rear_motion, refine_motion, standing
from ..paged import Recalled, new, paged, stacked
from ..parallel import map_ordered
from ..report import Report
from .evidence import background_weight, background_weights, motion_masks, residual_masks
from .hints import UNKNOWN, Hints
from .hints_labels import corrected
from .planes import cleared, find_planes
from .planes_backdrop import Backdrop, FarPlane, build_backdrop
from .plate import AT_NEED
from .repaint import find_repaints
from .shade import find_shade, under
from .split import split_sprites

if TYPE_CHECKING:
    from ..accelerator import Accelerator

__all__ = ["Layers", "find_layers", "plate_weight"]

ROUNDS = 3                 # of plates and masks: to find the planes, to clean their plates, to be believed
DUST, DUST_SHARE = 1e-4, 0.004   # smallest part, of the frame's area and of the largest part's
SHOWN = 0.03               # of a frame, that planes behind the near one fill: less is where a sprite stayed (measured: .012)
GAP = 0.06                 # of the short side: gaps in a sprite up to twice this wide are closed before the plate is built
# What labels of the split are worth against the difference to the plate: more than any (measured), but where they say background
# before a still camera, whose plate shows sprites that held still as if they were it.
LABEL_TRUST, DOUBTED_TRUST = 2.0, 0.4
LABEL_EDGE = np.ones((5, 5), np.uint8)      # within half of this from its outline a label is worth ...
EDGE_TRUST = 0.05          # ... less than the picture's edges
NEAR_TRUST = 0.01          # what the nearest label is worth beyond: an outline's soft rim is no far sprite's (measured: .001 is too little)


@dataclass(frozen=True)
class Layers:
    """`alphas` uint8 (K - 1, T, h, w): soft masks of the sprites before the background, back to front.  Of the background: the
    `camera`, the far `planes` behind the one it was measured on, the `backdrop` that they make at analysis size, and the
    `shade` float32 (h, w, 3), gray levels that stay with the frame."""
    alphas: np.ndarray
    camera: Motion
    planes: tuple[FarPlane, ...]
    backdrop: Backdrop
    shade: np.ndarray


def find_layers(frames: np.ndarray, flow: Flow, camera: Motion, *, sprites: int | None, hints: Hints | None = None,
                report: Report, accelerator: Accelerator | None = None) -> Layers:
    """Split RGB frames uint8 (T, h, w, 3) into `sprites` (the background included; None = find out).

    `hints` are an artist's, if there are any, their seeds spread.
    """
    camera, planes = rear_motion(frames, flow, camera, apart=sprites is None or sprites > 2, report=report, accelerator=accelerator)
    if sprites == 1 or len(frames) < 2:
        nothing = np.zeros(frames.shape[1:3], np.float32)
        backdrop = _backdrop(frames, camera, stacked((nothing for _ in frames), len(frames)), (), accelerator)
        return Layers(np.zeros((0, *frames.shape[:3]), np.uint8), camera, (), backdrop, np.zeros(frames.shape[1:], np.float32))
    labels, seeds = None, None if hints is None else hints.seeds
    if sprites != 2 or camera.static:
        split = split_sprites(frames, flow, sprites=sprites, camera=camera.homographies, static=camera.static, planes=planes, hints=hints,
                              report=report)
        camera = standing(len(frames)) if split.still else camera
        labels = split.labels if hints is None else corrected(split.labels, hints)
        prior = stacked((frame > 0 for frame in paged(labels)), len(labels), np.float32)
    else:
        prior = _told(motion_masks(frames, camera.homographies, accelerator=accelerator), seeds)
    camera = refine_motion(frames, camera, weights=background_weights(prior), report=report, accelerator=accelerator)
    trust = (0.0, 0.0) if labels is None else (DOUBTED_TRUST if camera.static else LABEL_TRUST, LABEL_TRUST)
    # More than two sprites may be planes themselves: then the background keeps to one.
    foreground, planes, backdrop, shade = _foreground(frames, camera, prior, trust, sprites == 2, seeds, report, accelerator)
    alone = labels is None or labels.max() < 2
    alphas = (stacked(map_ordered(_to_bytes, foreground), len(frames))[None] if alone
              else _shared_out(frames, foreground, labels, accelerator))
    return Layers(alphas, camera, planes, backdrop, shade)


def _foreground(frames: np.ndarray, camera: Motion, prior: np.ndarray, trust: tuple[float, float], inner_planes: bool,
                seeds: np.ndarray | None, report: Report,
                accelerator: Accelerator | None) -> tuple[np.ndarray, tuple[FarPlane, ...], Backdrop, np.ndarray]:
    """The union of the sprites, float32 (T, h, w); the background's far planes and all its plates; the shade, float32 (h, w, 3)."""
    if not inner_planes or camera.static:
        return _in_rounds(frames, camera, prior, trust, seeds, report, accelerator, planes_too=False)
    found = _in_rounds(frames, camera, prior, trust, seeds, report, accelerator, planes_too=True, several=True)
    if found is not None:
        return found
    # Of planes that are nowhere seen beside the near one the first masks tell most; where there are none, the second tell better what
    # sprites uncover.
    knowing = _told(motion_masks(frames, camera.homographies, before=prior, accelerator=accelerator), seeds)
    return _in_rounds(frames, camera, knowing, trust, seeds, report, accelerator, planes_too=True)


def _in_rounds(frames: np.ndarray, camera: Motion, prior: np.ndarray, trust: tuple[float, float], seeds: np.ndarray | None,
               report: Report, accelerator: Accelerator | None, *, planes_too: bool,
               several: bool = False) -> tuple[np.ndarray, tuple[FarPlane, ...], Backdrop, np.ndarray] | None:
    """The same from these prior masks; None if there must be `several` planes and those behind the near one hardly show."""
    height, width = frames.shape[1:3]
    masks, shade = prior, np.zeros(frames.shape[1:], np.float32)
    planes = find_repaints(frames, prior, camera.homographies) if camera.static else ()
    for turn in range(ROUNDS):
        backdrop = _backdrop(frames, camera, cleared(masks, camera.homographies, planes) if turn == 1 and not camera.static else masks,
                             planes, accelerator)
        look = partial(backdrop.view, width=width, height=height, like=frames.__getitem__)
        if not camera.static:
            # The shade and the masks under it look at every frame, one after the other.
            look = Recalled(look, len(frames), size=frames[0].nbytes * 4 // 3).__getitem__
            shade = find_shade(frames, look, masks)
        masks = residual_masks(frames, under(look, shade), prior, prior_trust=trust, seeds=seeds, accelerator=accelerator)
        if turn == 1 and not planes:
            break
        if turn == 0 and not camera.static and planes_too:
            planes = find_planes(frames, masks, camera.homographies, backdrop.plates[-1], report=report, accelerator=accelerator)
            if several and sum(np.count_nonzero(plane.opening > 127) for plane in planes) < SHOWN * height * width:
                return None
    return stacked(map_ordered(_without_dust, masks), len(masks)), planes, backdrop, shade


def _told(masks: np.ndarray, seeds: np.ndarray | None) -> np.ndarray:
    """The masks float32 (T, h, w), or what an artist's seeds say."""
    if seeds is None:
        return masks
    both = paged(zip(seeds, masks, strict=True))
    return stacked((np.where(seed == UNKNOWN, mask, (seed > 0).astype(np.float32)) for seed, mask in both), len(masks))


def _backdrop(frames: np.ndarray, camera: Motion, masks: np.ndarray, planes: tuple[FarPlane, ...],
              accelerator: Accelerator | None) -> Backdrop:
    weights = plate_weights(masks, static=camera.static)
    return build_backdrop(frames.__getitem__, weights.__getitem__, camera.homographies, planes, size=frames.shape[2:0:-1],
                          accelerator=accelerator)


def _without_dust(mask: np.ndarray) -> np.ndarray:
    """The soft mask without parts too small to be anything: they would only widen the sprite's canvas."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    least = max(DUST * mask.size, DUST_SHARE * areas.max())
    kept = (areas >= least)[labels] & (labels > 0)
    near = cv2.dilate(kept.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return np.where(near, mask, 0).astype(np.float32)


def plate_weights(masks: np.ndarray, *, static: bool) -> np.ndarray:
    """uint8 (T, h, w): how far each pixel may vote for the background's plate, given soft foreground masks float32 (T, h, w)."""
    return stacked(map_ordered(partial(plate_weight, static=static), masks), len(masks))


def plate_weight(mask: np.ndarray, *, static: bool) -> np.ndarray:
    """The same of one frame, (h, w)."""
    if static:
        return background_weight(mask)
    # Before a moving camera a gap in a mask is better not believed where another frame shows what it would of the background:
    # a hole in a sprite would paint the sprite onto the plate, and so confirm itself.
    gaps = cv2.multiply(background_weight(mask), 1, scale=AT_NEED / 255)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(GAP * min(mask.shape)) + 1,) * 2)
    closed = cv2.morphologyEx(_to_bytes(mask), cv2.MORPH_CLOSE, disc)    # of bytes it is four times as fast
    return np.maximum(background_weight(closed / np.float32(255)), gaps)


def _shared_out(frames: np.ndarray, foreground: np.ndarray, labels: np.ndarray, accelerator: Accelerator | None) -> np.ndarray:
    """The foreground's soft mask divided among the sprites: each pixel walks to the nearest label along the picture's edges."""
    count = int(labels.max())

    def labeled(t: int) -> tuple[np.ndarray, np.ndarray]:
        nearest = _nearest(labels[t])
        member = np.stack([(nearest == k).astype(np.uint8) for k in range(1, count + 1)])
        inside = labels[t] > 0
        confidence = np.where(inside, np.float32(EDGE_TRUST), np.float32(NEAR_TRUST))
        for mask in member:
            confidence[cv2.erode(mask * inside, LABEL_EDGE) > 0] = 1
        return member, confidence

    def shares(t: int) -> np.ndarray:
        right, down = edge_weights(frames[t])
        member, confidence = labeled(t)
        return np.stack([random_walk(mask.astype(np.float32), confidence, right, down) for mask in member])

    if accelerator is None:
        shared = map_ordered(shares, range(len(frames)))
    else:
        from ..accelerator.masks import WALK_BYTES, label_walk

        need = WALK_BYTES * count * labels[0].size
        shared = accelerator.map(lambda numbers: label_walk(accelerator, frames[list(numbers)], list(map_ordered(labeled, numbers))),
                                 range(len(frames)), otherwise=shares, bytes_each=need)
    alphas = new((count, *labels.shape), np.uint8)
    for t, parts in enumerate(shared):
        alphas[:, t] = _to_bytes(foreground[t] * (parts / np.maximum(parts.sum(0), 1e-6)))
    return alphas


def _nearest(labels: np.ndarray) -> np.ndarray:
    """For each pixel the label above 0 nearest to it, 0 where there is none, like `labels` uint8 (h, w)."""
    if not labels.any():
        return labels
    _, number = cv2.distanceTransformWithLabels((labels == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of = np.zeros(number.max() + 1, labels.dtype)
    of[number[labels > 0]] = labels[labels > 0]
    return of[number]


def _to_bytes(mask: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8)
