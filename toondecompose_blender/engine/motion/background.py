# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion of the background through a whole clip, from flow to drift-free homographies.
It leads the other modules; sprites, masks and plates are not its business beyond the weights it is given."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from ..flow import Flow
from ..geometry import resized
from ..parallel import map_ordered
from ..report import Report, ticked
from .bundle import Bundle, bundled
from .candidates import Candidate, candidates, shared
from .hypotheses import flow_homographies, flow_shifts
from .links import Measure
from .motion import Motion
from .pictures import Pictures, prepare
from .planes import rearmost, separated
from .static import camera_is_static
from .tracks import chained, find_tracks

__all__ = ["background_motion", "refine_motion"]

_TRACKS = 4  # the background and three more
_DOUBTFUL = 0.08  # px at 360 lines: links that disagree so much follow several planes (.02 px is usual; engine design 3b.7)
_CLEARER = 0.6  # of that disagreement: what planes apart must reach


def background_motion(frames: np.ndarray, flow: Flow, *, weights: np.ndarray | None = None, report: Report) -> Motion:
    """How the background moves.

    `frames` RGB uint8 (T, h, w, 3), `flow` of the same frames; `weights` uint8 (T, h, w), 255 where surely background, or None.
    """
    count = len(frames)
    if count == 1:
        return Motion(np.eye(3)[None], True, "identity", 0.0, 0)
    reference = count // 2
    pictures = prepare(frames, masks=weights)
    static = camera_is_static(frames)
    report.stage("motion", count - 1)
    pairs = list(ticked(map_ordered(lambda t: _pair(pictures, flow, t), range(count - 1)), report))
    pairs = list(map_ordered(lambda t: shared(pictures, pairs, t), range(count - 1)))
    tracks = find_tracks(pairs, list(pictures.few[:-1]), width=pictures.width, height=pictures.height, count=_TRACKS, static=static)
    others = _full_size(pictures, (chained(track.steps, reference) for track in tracks[1:]))
    if static:
        return Motion(_still(count), True, "identity", 0.0, reference, others)
    measure = Measure(pictures, "homography", _point_weights(pictures, weights))
    bundle = bundled(measure, chained(tracks[0].steps, reference), reference)
    if bundle.residual > _DOUBTFUL * pictures.scale and weights is None:
        bundle, planes = _rear_plane(measure, flow, bundle, reference)
        others = _full_size(pictures, planes) + others
    homographies = _full_size(pictures, [bundle.homographies])[0]
    return Motion(homographies, bundle.family == "identity", bundle.family, bundle.residual / pictures.factor, reference, others)


def refine_motion(frames: np.ndarray, motion: Motion, *, weights: np.ndarray | None = None, report: Report) -> Motion:
    """The same motion measured again from where it is, with `weights` uint8 (T, h, w), 255 where surely background.

    A static motion stays static; the result is `motion` itself if the frames do not support a better one.
    """
    if motion.static:
        return motion
    report.stage("motion refined", 1)
    pictures = prepare(frames, masks=weights)
    start = resized(motion.homographies, pictures.factor, pictures.factor)
    bundle = bundled(Measure(pictures, "homography", _point_weights(pictures, weights)), start, motion.reference)
    report.step()
    if not bundle.links:
        return motion
    homographies = _full_size(pictures, [bundle.homographies])[0]
    return Motion(homographies, False, bundle.family, bundle.residual / pictures.factor, motion.reference, motion.alternatives)


def _rear_plane(measure: Measure, flow: Flow, whole: Bundle, reference: int) -> tuple[Bundle, list[np.ndarray]]:
    """If planes apart agree better with the pictures than one motion for all: the plane in the back, and the others' motions."""
    pictures = measure.pictures
    size = (pictures.width, pictures.height)
    flows, shifts = [], []
    for t, dense in enumerate(flow.forward):
        small = cv2.resize(dense.astype(np.float32), size, interpolation=cv2.INTER_AREA) * np.float32(pictures.factor)
        believed = cv2.resize(flow.consistent(t).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        flows.append(small)
        shifts.append(flow_shifts(small, believed, pictures.gray[t]) or [np.eye(3)])
    planes = [plane for plane in separated(measure, flows, shifts, reference) if plane.residual < _CLEARER * whole.residual]
    if not planes:
        return whole, []
    rear = rearmost(pictures, planes)
    return rear, [plane.homographies for plane in planes if plane is not rear]


def _pair(pictures: Pictures, flow: Flow, t: int) -> list[Candidate]:
    """The candidates of frame t -> t+1 at the working size."""
    height, width = flow.forward.shape[1:3]
    frame_gray = pictures.gray[t]
    if pictures.factor < 1:
        frame_gray = cv2.resize(frame_gray, (width, height), interpolation=cv2.INTER_LINEAR)
    proposals = flow_homographies(flow.forward[t].astype(np.float32), flow.consistent(t), frame_gray)
    small = [resized(homography, pictures.factor, pictures.factor) for homography in proposals]
    return candidates(pictures, t, small)


def _point_weights(pictures: Pictures, weights: np.ndarray | None) -> tuple[np.ndarray, ...] | None:
    """The weights at the precise points, 0..1."""
    if weights is None:
        return None
    sampled = []
    for points, weight in zip(pictures.points, weights, strict=True):
        x, y = np.minimum(np.round((points.T + 0.5) / pictures.factor - 0.5).astype(int), [[weight.shape[1] - 1], [weight.shape[0] - 1]])
        sampled.append(weight[y, x].astype(np.float32) / 255)
    return tuple(sampled)


def _full_size(pictures: Pictures, motions: Iterable[np.ndarray]) -> tuple[np.ndarray, ...]:
    return tuple(resized(motion, 1 / pictures.factor, 1 / pictures.factor) for motion in motions)


def _still(count: int) -> np.ndarray:
    return np.broadcast_to(np.eye(3), (count, 3, 3)).copy()
