# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels are not the background: evidence from motion against the camera's, and from the difference to a plate.
It turns pictures and homographies into soft masks; it does not know how many sprites there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..geometry import displacement, relative, resized
from ..matting.random_walker import edge_weights, random_walk
from ..paged import paged, stacked
from ..parallel import map_ordered
from ..resampling import warp_to
from .hints import UNKNOWN
from .plate import AT_NEED, Look
from .residual_kernels import distances, weighed

if TYPE_CHECKING:
    from ..accelerator import Accelerator

__all__ = ["interval", "Evidence", "motion_masks", "neighbors", "residual_evidence", "residual_masks", "background_weight",
           "background_weights", "rim_weight"]

SHIFTS = (5.0, 10.0, 20.0, 40.0)   # px of background motion at half size that make good comparisons; by trial on toon clips
TOLERANCE = 12.0                   # gray levels; by trial on toon clips
CLIPPED = 50.0
FARTHEST_NEIGHBOR = 12             # frames
UNSEEN_TRUST = 0.12                 # what a mask is worth where the background was never seen; by trial on toon clips
OUTLINE, OUTLINE_TRUST = np.ones((7, 7), np.uint8), 0.05
SEED_TRUST = 2.0                   # an artist is believed more than any evidence
RESAMPLED = 0.06                   # share of a line's contrast that resampling may take; judged on drawn lines of 1 px
BOX = 5                            # px at half size over which matches are averaged
FLAT_TRUST, TEXTURE_TRUST = 0.12, 0.3   # what a match is worth on flat and on textured plates; by trial on toon clips
NEIGHBORHOOD = np.ones((3, 3), np.uint8)
MASKED = 1.6                 # by which a mask counts where the background is told: from .6 on, nothing shows it (judgement)
DEVIATION_BOX = 7, 7         # px in which a plate is flat or textured


def interval(frame: np.ndarray, other: np.ndarray, *, slack: float = 0.0) -> np.ndarray:
    """Distance in gray levels (Euclidean over channels), float32 (H, W), of each pixel of `frame` to the range of colors
    that its 3x3 neighborhood has in `other`: it forgives misregistration of less than a pixel.  `slack` widens the range by
    that share of itself: thin lines lose contrast when they are resampled."""
    low, high = cv2.erode(other, NEIGHBORHOOD), cv2.dilate(other, NEIGHBORHOOD)
    margins = cv2.convertScaleAbs(np.arange(256, dtype=np.uint8), alpha=slack).ravel().astype(np.int32)
    return distances(frame, low, high, margins)


@dataclass(frozen=True)
class Evidence:
    """For foreground and for background, 0..1 float32 (H, W) each; `unseen` is 1 where the background was never seen."""
    foreground: np.ndarray
    background: np.ndarray
    unseen: np.ndarray


def motion_masks(frames: np.ndarray, camera: np.ndarray, *, before: np.ndarray | None = None,
                 accelerator: Accelerator | None = None) -> np.ndarray:
    """Soft foreground masks float32 (T, h, w) in 0..1 of RGB frames uint8 (T, h, w, 3), by comparing each frame with its
    neighbors along the camera's motion `camera` (T, 3, 3), plane -> frame.  Computed at half size.

    With the masks `before`, like the result, background that sprites uncover is not taken for one.  But planes that lie behind it,
    which move otherwise wherever they are seen, are then hardly told from it.
    """
    height, width = frames.shape[1:3]
    size = (max(8, width // 2), max(8, height // 2))
    halves = stacked((cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in paged(frames)), len(frames))
    if before is not None:
        before = stacked((cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in paged(before)), len(frames))
    half_camera = resized(camera, size[0] / width, size[1] / height)

    def mask(t: int) -> np.ndarray:
        return cv2.resize(_motion_mask(halves, half_camera, before, t), (width, height), interpolation=cv2.INTER_LINEAR)

    if accelerator is None:
        return stacked(map_ordered(mask, range(len(frames))), len(frames))
    from ..accelerator.masks import MOTION_BYTES, motion_walk

    masks = accelerator.map(lambda numbers: motion_walk(accelerator, halves, half_camera, before, numbers, (width, height)),
                            range(len(frames)), otherwise=mask, bytes_each=MOTION_BYTES * size[0] * size[1])
    return stacked(masks, len(frames))


def _motion_mask(frames: np.ndarray, camera: np.ndarray, before: np.ndarray | None, t: int) -> np.ndarray:
    sides = [_side(frames, camera, before, t, direction) for direction in (1, -1)]
    (match_after, trust_after), (match_before, trust_before) = sides
    after, earlier = match_after / trust_after, match_before / trust_before
    best = np.where(trust_after < 0.3, earlier, np.where(trust_before < 0.3, after, np.maximum(after, earlier)))
    together = (match_after + match_before) / (trust_after + trust_before)
    # Half the better side, half both: uncovered background matches on one side only.
    match = 0.5 * best + 0.5 * together
    value = np.clip((0.75 - match) / 0.4, 0, 1).astype(np.float32)
    trust = np.clip((trust_after + trust_before) / 2, 0, 1)
    confidence = (0.4 * trust * np.abs(2 * value - 1) + 1e-4).astype(np.float32)
    value = np.where(confidence < 2e-3, np.float32(0.4), value)
    return random_walk(value, confidence, *edge_weights(frames[t]))


def _side(frames: np.ndarray, camera: np.ndarray, before: np.ndarray | None, t: int, direction: int) -> tuple[np.ndarray, np.ndarray]:
    """Weighted share of neighbors on one side in time that agree with the camera's motion, and the weight."""
    height, width = frames.shape[1:3]
    match, trust = np.zeros((height, width), np.float32), np.full((height, width), 1e-4, np.float32)

    def difference(other: np.ndarray, motion: np.ndarray) -> np.ndarray:
        moved = warp_to(other, motion, width, height, border=cv2.BORDER_REPLICATE)
        return cv2.blur(np.minimum(interval(frames[t], moved), CLIPPED), (BOX, BOX))

    for s in neighbors(camera, t, direction, width, height):
        motion = relative(camera[s], camera[t])
        inside = warp_to(np.ones((height, width), np.float32), motion, width, height) > 0.99
        error = difference(frames[s], motion)
        # Where the picture resembles itself under this shift, a match says nothing.
        distinct = difference(frames[t], motion)
        vote = np.maximum(np.clip(distinct / TOLERANCE, 0, 1), np.clip((error - 0.7 * TOLERANCE) / TOLERANCE, 0, 1)) * inside
        agreement = np.clip((1.25 * TOLERANCE - error) / (0.5 * TOLERANCE), 0, 1)
        if before is not None:      # what hides a place in the other frame says nothing of what is there in this one
            vote *= 1 - (1 - agreement) * warp_to(before[s], motion, width, height)
        match += vote * agreement
        trust += vote
    return match, trust


def neighbors(camera: np.ndarray, t: int, direction: int, width: int, height: int) -> list[int]:
    """For each wanted shift the frame on this side whose background moved most nearly that far."""
    reach = range(t + direction, t + direction * (FARTHEST_NEIGHBOR + 1), direction)
    moved = {s: displacement(relative(camera[t], camera[s]), width, height) for s in reach if 0 <= s < len(camera)}
    return [min(moved, key=lambda s: abs(np.log((moved[s] + 0.2) / shift))) for shift in SHIFTS] if moved else []


def residual_evidence(frame: np.ndarray, plate_view: np.ndarray, seen: np.ndarray) -> Evidence:
    """Evidence of one frame uint8 (H, W, 3) against what the plate shows there; `seen` bool (H, W) where the plate
    is known."""
    sharp = interval(frame, plate_view, slack=RESAMPLED)
    np.minimum(sharp, 80, out=sharp)
    gray = cv2.cvtColor(plate_view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean, squared = cv2.blur(gray, DEVIATION_BOX), cv2.blur(gray * gray, DEVIATION_BOX)
    figures = (np.float32(figure) for figure in (0.6 * TOLERANCE, TOLERANCE, FLAT_TRUST, TEXTURE_TRUST))
    foreground, background = weighed(sharp, cv2.GaussianBlur(sharp, (3, 3), 0.6), mean, squared, seen, *figures)
    return Evidence(foreground, background, (~seen).astype(np.float32))


def residual_masks(frames: np.ndarray, look: Look, prior: np.ndarray, *, prior_trust: tuple[float, float] = (0.0, 0.0),
                   seeds: np.ndarray | None = None, accelerator: Accelerator | None = None) -> np.ndarray:
    """Soft foreground masks float32 (T, h, w) from the difference to the background that `look(t)` shows.

    `prior` float32 (T, h, w) are masks from elsewhere: they decide where the background was never seen, and count with
    `prior_trust` everywhere else (where they say background, where they say foreground), but for their outlines, which the
    pictures know better.  `seeds` uint8 (T, h, w) are an artist's hints: 0 background, `UNKNOWN`, else foreground.
    """
    def hinted(t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        belief = (prior[t] > 0.5).astype(np.float32)
        outline = cv2.dilate(belief, OUTLINE) - cv2.erode(belief, OUTLINE)
        trust = np.where(belief > 0, *np.float32(prior_trust[::-1]))
        seen = np.where(outline > 0, np.minimum(trust, np.float32(OUTLINE_TRUST)), trust)
        return belief, seen, np.maximum(trust, np.float32(UNSEEN_TRUST))

    def mask(t: int) -> np.ndarray:
        shown, seen = look(t)
        evidence = residual_evidence(frames[t], shown, seen)
        belief, where_seen, where_unseen = hinted(t)
        hint = np.where(evidence.unseen > 0, where_unseen, where_seen)
        confidence = 0.6 * evidence.foreground + evidence.background + hint + 1e-4
        value = (0.6 * evidence.foreground + hint * belief + 3e-5) / confidence
        if seeds is not None:
            told = seeds[t] != UNKNOWN
            value = np.where(told, (seeds[t] > 0).astype(np.float32), value)
            confidence = np.where(told, np.float32(SEED_TRUST), confidence)
        return random_walk(value, confidence, *edge_weights(frames[t], shown))

    if accelerator is None:
        return stacked(map_ordered(mask, range(len(frames))), len(frames))
    from ..accelerator.masks import RESIDUAL_BYTES, residual_walk

    def masks(numbers: Sequence[int]) -> np.ndarray:
        views, hints = list(map_ordered(look, numbers)), list(map_ordered(hinted, numbers))
        told = None if seeds is None else seeds[list(numbers)]
        return residual_walk(accelerator, frames[list(numbers)], views, hints, told)

    bytes_each = RESIDUAL_BYTES * frames.shape[1] * frames.shape[2]
    return stacked(accelerator.map(masks, range(len(frames)), otherwise=mask, bytes_each=bytes_each), len(frames))


def background_weights(foreground: np.ndarray) -> np.ndarray:
    """uint8 (T, h, w): how surely a pixel is background, 255 far from the soft `foreground` masks (T, h, w)."""
    return stacked(map_ordered(background_weight, foreground), len(foreground))


def background_weight(foreground: np.ndarray) -> np.ndarray:
    """The same of one frame, (h, w)."""
    return (255 * np.clip(1 - MASKED * cv2.dilate(foreground, np.ones((5, 5), np.uint8)), 0, 1) ** 2).astype(np.uint8)


def rim_weight(foreground: np.ndarray) -> np.ndarray:
    """How far a pixel close to a soft mask (h, w) may show the background, uint8 (h, w), where no frame shows it surely."""
    return np.rint(AT_NEED * np.clip(1 - MASKED * foreground, 0, 1) ** 2).astype(np.uint8)
