# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion of the background through a whole clip, from flow to drift-free homographies.
It leads the other modules; sprites, masks and plates are not its business beyond the weights it is given."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..flow import Flow
from ..geometry import resized
from ..paged import Recalled
from ..parallel import map_ordered
from ..report import Report, ticked
from .bundle import Bundle, bundled
from .candidates import Candidate, candidates, continued, matches, shared
from .features import LARGEST_FEATURES, Features, feature_motions, features
from .hypotheses import flow_homographies
from .ladder import choose_family
from .links import Measure
from .motion import Motion, standing
from .pictures import Pictures, prepare
from .planes import covered, first_planes, flows_of, rearmost, separated
from .static import seems_still, stands_still, stays_rather
from .tracks import chained, find_tracks

if TYPE_CHECKING:
    from ..accelerator import Accelerator

__all__ = ["background_motion", "refine_motion"]

_DOUBTFUL = 0.08  # px at 360 lines: links that disagree so much follow several planes (.02 px is usual)
_LOANS = 4  # rounds in which a motion spreads to its neighbors in time
_ASTRAY = 0.1  # weight of a point that does not go with the track: it may have been hidden, or the track be a pixel off
_CLEARER = 0.6  # of that disagreement: what planes apart must reach


def background_motion(frames: np.ndarray, flow: Flow, *, weights: np.ndarray | None = None, report: Report,
                      accelerator: Accelerator | None = None) -> Motion:
    """How the background moves.

    `frames` RGB uint8 (T, h, w, 3), `flow` of the same frames; `weights` uint8 (T, h, w), 255 where surely background, or None.
    """
    count = len(frames)
    if count == 1:
        return standing(count)
    reference = count // 2
    report.stage("motion", count - 1)
    still = stands_still(frames)
    if still:
        report.step(count - 1)
        return standing(count)
    pictures = prepare(frames, masks=weights)
    told = Recalled(lambda t: features(pictures.gray[t]), count, size=LARGEST_FEATURES)
    pairs = list(ticked(map_ordered(lambda t: _pair(pictures, flow, told, t), range(count - 1)), report))
    steps = _settled_track(pictures, pairs)
    measure = Measure(pictures, "homography", _point_weights(pictures, weights), accelerator=accelerator)
    following = replace(measure, weights=_following(pictures, steps, measure.weights))
    track = chained(steps, reference)
    if seems_still(frames) and stays_rather(frames, _full_size(pictures, track)):
        return standing(count)
    family = choose_family(following, track, stiffest="identity" if still is None else "translation")
    bundle = bundled(following, track, reference, family=family)
    if bundle.residual > _DOUBTFUL * pictures.scale and weights is None:
        bundle = _rear_plane(measure, flow, bundle, reference)
    return Motion(_full_size(pictures, bundle.homographies), bundle.family == "identity", bundle.family,
                  bundle.residual / pictures.factor, reference)


def refine_motion(frames: np.ndarray, motion: Motion, *, weights: np.ndarray | None = None, report: Report,
                  accelerator: Accelerator | None = None) -> Motion:
    """The same motion measured again from where it is, with `weights` uint8 (T, h, w), 255 where surely background.

    A static motion stays static; the result is `motion` itself if the frames do not support a better one.
    """
    if motion.static:
        return motion
    report.stage("motion refined", 1)
    pictures = prepare(frames, masks=weights)
    start = resized(motion.homographies, pictures.factor, pictures.factor)
    bundle = bundled(Measure(pictures, "homography", _point_weights(pictures, weights), accelerator=accelerator), start, motion.reference)
    report.step()
    if not bundle.links:
        return motion
    homographies = _full_size(pictures, bundle.homographies)
    return Motion(homographies, False, bundle.family, bundle.residual / pictures.factor, motion.reference)


def _settled_track(pictures: Pictures, pairs: list[list[Candidate]]) -> np.ndarray:
    """The track (T-1, 3, 3) of most of the picture, through the candidates and what each pair borrows from its neighbors."""
    pairs = list(map_ordered(lambda t: shared(pictures, pairs, t), range(len(pairs))))
    steps = find_tracks(pairs, pictures, count=1)[0]
    for _ in range(_LOANS):
        borrowed = partial(_borrowed, pictures, pairs, steps)
        richer = list(map_ordered(borrowed, range(len(pairs))))
        if all(len(more) == len(less) for more, less in zip(richer, pairs, strict=True)):
            break
        pairs, before = richer, steps
        steps = find_tracks(pairs, pictures, count=1)[0]
        if np.array_equal(steps, before):
            break
    return steps


def _borrowed(pictures: Pictures, pairs: list[list[Candidate]], steps: np.ndarray, t: int) -> list[Candidate]:
    return continued(pictures, pairs[t], steps, t)


def _rear_plane(measure: Measure, flow: Flow, whole: Bundle, reference: int) -> Bundle:
    """The plane in the back, if planes apart agree better with the pictures than one motion for the `whole`."""
    pictures = measure.pictures
    found = separated(measure, first_planes(measure, flows_of(pictures, flow), reference), reference)
    planes = [plane for plane in found if plane.residual < _CLEARER * whole.residual]
    return planes[rearmost(covered(pictures, [plane.homographies for plane in planes]))[0]] if planes else whole


def _pair(pictures: Pictures, flow: Flow, told: Recalled[Features], t: int) -> list[Candidate]:
    """The candidates of frame t -> t+1 at the working size."""
    height, width = flow.forward.shape[1:3]
    frame_gray = pictures.gray[t]
    if pictures.factor < 1:
        frame_gray = cv2.resize(frame_gray, (width, height), interpolation=cv2.INTER_LINEAR)
    proposals = flow_homographies(flow.forward[t].astype(np.float32), flow.consistent(t), frame_gray)
    small = [resized(homography, pictures.factor, pictures.factor) for homography in proposals]
    return candidates(pictures, t, small + feature_motions(told[t], told[t + 1], scale=pictures.scale))


def _point_weights(pictures: Pictures, weights: np.ndarray | None) -> tuple[np.ndarray, ...] | None:
    """The weights at the precise points, 0..1."""
    if weights is None:
        return None
    sampled = []
    for points, weight in zip(pictures.points, weights, strict=True):
        x, y = np.minimum(np.round((points.T + 0.5) / pictures.factor - 0.5).astype(int), [[weight.shape[1] - 1], [weight.shape[0] - 1]])
        sampled.append(weight[y, x].astype(np.float32) / 255)
    return tuple(sampled)


def _following(pictures: Pictures, steps: np.ndarray, weights: tuple[np.ndarray, ...] | None) -> tuple[np.ndarray, ...]:
    """The weights of the precise points, less where they do not go with the track `steps` (T-1, 3, 3), ahead or back: actors."""
    ahead = [(t, t + 1, step) for t, step in enumerate(steps)] + [None]
    back = [None] + [(t + 1, t, np.linalg.inv(step)) for t, step in enumerate(steps)]
    followed = []
    for points, *moves in zip(pictures.points, ahead, back, strict=True):
        agree = np.logical_or.reduce([matches(pictures, move[0], move[1], points, move[2]) for move in moves if move])
        followed.append(np.where(agree, np.float32(1), np.float32(_ASTRAY)))
    return tuple(followed) if weights is None else tuple(w * f for w, f in zip(weights, followed, strict=True))


def _full_size(pictures: Pictures, motion: np.ndarray) -> np.ndarray:
    return resized(motion, 1 / pictures.factor, 1 / pictures.factor)
