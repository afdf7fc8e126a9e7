# SPDX-License-Identifier: GPL-3.0-or-later
"""From frames and the camera's motion to one soft mask per sprite, at analysis size: plate and masks by turns, then the split.
It knows nothing of drawings or full-size pictures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..flow import Flow
from ..matting.random_walker import edge_weights, random_walk
from ..motion import Motion, refine_motion
from ..parallel import map_ordered
from ..report import Report
from .evidence import background_weights, motion_masks, residual_masks
from .plate import Plate, build_plate, canvas_of_plane
from .shade import find_shade
from .split import split_sprites

__all__ = ["Layers", "find_layers", "plate_weights"]

ROUNDS = 2                 # of plate and masks; a third changed the overlap on the shared clips by less than .001
DUST, DUST_SHARE = 1e-4, 0.004   # smallest part, of the frame's area and of the largest part's
GAP = 0.06                 # of the short side: gaps in a sprite up to twice this wide are closed before the plate is built
LABEL_TRUST = 0.1          # what a label of the split is worth against the difference to the plate
SHARE_TRUST = 0.05


@dataclass(frozen=True)
class Layers:
    """`alphas` uint8 (K - 1, T, h, w): soft masks of the sprites before the background, back to front; the background's `camera`,
    and its `shade` float32 (h, w, 3), gray levels that stay with the frame."""
    alphas: np.ndarray
    camera: Motion
    shade: np.ndarray


def find_layers(frames: np.ndarray, flow: Flow, camera: Motion, *, sprites: int | None, report: Report) -> Layers:
    """Split RGB frames uint8 (T, h, w, 3) into `sprites` (the background included; None = find out)."""
    if sprites == 1 or len(frames) < 2:
        return Layers(np.zeros((0, *frames.shape[:3]), np.uint8), camera, np.zeros(frames.shape[1:], np.float32))
    labels = None
    if sprites != 2 or camera.static:
        split = split_sprites(frames, flow, sprites=sprites, camera=camera.homographies, static=camera.static, report=report)
        labels = split.labels
        prior = (labels > 0).astype(np.float32)
    else:
        prior = motion_masks(frames, camera.homographies)
    camera = refine_motion(frames, camera, weights=background_weights(prior), report=report)
    foreground, shade = _foreground(frames, camera, prior, LABEL_TRUST if labels is not None else 0.0, report)
    if labels is None or labels.max() < 2:
        return Layers(_to_bytes(foreground)[None], camera, shade)
    return Layers(_shared_out(frames, foreground, labels), camera, shade)


def _foreground(frames: np.ndarray, camera: Motion, prior: np.ndarray, trust: float, report: Report) -> tuple[np.ndarray, np.ndarray]:
    """The union of the sprites, float32 (T, h, w), and the shade, float32 (h, w, 3)."""
    masks, shade = prior, np.zeros(frames.shape[1:], np.float32)
    report.stage("masks", ROUNDS)
    for _ in range(ROUNDS):
        plate = _plate(frames, camera, masks)
        if not camera.static:
            shade = find_shade(frames, plate, masks)
        masks = residual_masks(frames, plate, prior, shade=shade, prior_trust=trust)
        report.step()
    return np.stack(list(map_ordered(_without_dust, masks))), shade


def _without_dust(mask: np.ndarray) -> np.ndarray:
    """The soft mask without parts too small to be anything: they would only widen the sprite's canvas."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    least = max(DUST * mask.size, DUST_SHARE * areas.max())
    kept = (areas >= least)[labels] & (labels > 0)
    near = cv2.dilate(kept.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return np.where(near, mask, 0).astype(np.float32)


def _plate(frames: np.ndarray, camera: Motion, masks: np.ndarray) -> Plate:
    weights = plate_weights(masks, static=camera.static)
    canvas = canvas_of_plane(camera.homographies, frames.shape[2], frames.shape[1])
    return build_plate(frames.__getitem__, weights.__getitem__, canvas)


def plate_weights(masks: np.ndarray, *, static: bool) -> np.ndarray:
    """uint8 (T, h, w): how far each pixel may vote for the background's plate, given soft foreground masks float32 (T, h, w)."""
    if static:
        return background_weights(masks)
    # Before a moving camera a gap in a mask is better not believed: what it would show of the background is seen elsewhere,
    # but a hole in a sprite would paint the sprite onto the plate, and so confirm itself.
    size = 2 * round(GAP * min(masks.shape[1:])) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return background_weights(np.stack(list(map_ordered(lambda mask: cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), masks))))


def _shared_out(frames: np.ndarray, foreground: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The foreground's soft mask divided among the sprites: each pixel walks to the nearest label along the picture's edges."""
    count = int(labels.max())

    def shares(t: int) -> np.ndarray:
        right, down = edge_weights(frames[t])
        confidence = np.where(labels[t] > 0, np.float32(SHARE_TRUST), np.float32(1e-5))
        parts = np.stack([random_walk((labels[t] == k).astype(np.float32), confidence, right, down) for k in range(1, count + 1)])
        parts /= np.maximum(parts.sum(0), 1e-6)
        return _to_bytes(foreground[t] * parts)

    return np.stack(list(map_ordered(shares, range(len(frames)))), 1)


def _to_bytes(mask: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8)
