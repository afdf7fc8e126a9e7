# SPDX-License-Identifier: GPL-3.0-or-later
"""The exposure sheet of a sprite: which frames show the same drawing, first neighbors (holds), then anywhere (cycles).
It asks `likeness` about pairs of frames and knows nothing of layers, plates or mattes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .geometry import normalized, translation
from .likeness import HOLD, REPEAT, Likeness, Limits, View, compare, correlate, ground_of, view_of
from .parallel import map_ordered
from .report import Report

__all__ = ["ExposureSheet", "exposure_sheet"]

_CANDIDATES = 8  # drawings that a new hold is aligned with: the nearest by thumbnail
_AREA_RANGE = 0.25  # log of the area: a sprite that repeats a drawing is about as large
_THUMBNAIL = 40.0  # levels, mean over mask and gray: farther is certainly another drawing


@dataclass(frozen=True)
class ExposureSheet:
    """`exposure` (T,) int32: the drawing of each frame, from 1 in order of appearance, 0 where the sprite is absent.

    `references` (D,) int32: the frame that shows each drawing best. `poses` (T, 3, 3) float64, px of the analyzed
    frames: similarities from the drawing's reference frame to frame t; identity there and where the sprite is absent.
    """

    exposure: np.ndarray
    poses: np.ndarray
    references: np.ndarray


@dataclass(frozen=True)
class _Group:
    """Frames that show one drawing, with the poses (3, 3) `reference` -> frame."""

    reference: View
    poses: dict[int, np.ndarray]

    def seen_from(self, view: View, pose: np.ndarray) -> _Group:
        """The same with another reference, to which `pose` leads from the present one."""
        back = np.linalg.inv(pose)
        return _Group(view, {t: normalized(own @ back) for t, own in self.poses.items()})

    def joined(self, other: _Group, pose: np.ndarray) -> _Group:
        """Both, where `pose` leads from this reference to the other's; the clearer of the two is kept."""
        if other.reference.clearness > self.reference.clearness:
            return other.joined(self, np.linalg.inv(pose))
        return replace(self, poses=self.poses | {t: normalized(own @ pose) for t, own in other.poses.items()})


def exposure_sheet(frames: np.ndarray, alphas: np.ndarray, *, report: Report) -> ExposureSheet:
    """The sheet of one sprite from frames, uint8 (T, h, w, 3) RGB, and its alphas (T, h, w), uint8 0..255 or float 0..1.

    At about 360 lines. `report` is only asked whether to stop; its steps are the caller's.
    """
    scale = np.float32(1 / 255 if alphas.dtype == np.uint8 else 1)
    ground = ground_of(frames, alphas, scale)
    look = map_ordered(lambda t: view_of(t, frames[t], alphas[t] * scale, ground), range(len(frames)))
    views = list(_polled(look, report))
    links = list(_polled(map_ordered(lambda t: _alike(views[t], views[t + 1], ground, HOLD), range(len(frames) - 1)), report))
    runs = _runs(views, links)
    holds = [hold for found in _polled(map_ordered(lambda run: _holds(views, run, links), runs), report) for hold in found]
    return _sheet(_cycles(holds, ground, report), len(frames))


def _polled(results, report: Report):
    """The results; between them the artist may stop the work."""
    for result in results:
        report.step(0)
        yield result


def _alike(a: View | None, b: View | None, ground: float, limits: Limits) -> Likeness | None:
    """How b follows from a, if both show the same drawing."""
    return None if a is None or b is None else compare(a, b, _guesses(a, b, ground), limits)


def _guesses(a: View, b: View, ground: float) -> list[np.ndarray]:
    """Where a sprite may have gone: centers on centers, unless the border cuts them; nowhere; where it correlates best."""
    guesses = [np.eye(3), translation(*correlate(a, b, ground))]
    if not (a.cut or b.cut):
        guesses.insert(0, translation(*(b.center - a.center)))
    return guesses


def _runs(views: list[View | None], links: list[Likeness | None]) -> list[list[int]]:
    """Frames in which each is like the one before."""
    runs: list[list[int]] = []
    for t, view in enumerate(views):
        if view is None:
            continue
        if t > 0 and links[t - 1] is not None:
            runs[-1].append(t)
        else:
            runs.append([t])
    return runs


def _holds(views: list[View], run: list[int], links: list[Likeness]) -> list[_Group]:
    """The run as it is, if all of it is like its clearest frame; a slow change, invisible from frame to frame, splits it."""
    middle = max(run, key=lambda t: views[t].clearness)
    reference, poses = views[middle], {middle: np.eye(3)}
    for direction in (1, -1):
        t, pose = middle, np.eye(3)
        while t + direction in run:
            step = links[t].homography if direction > 0 else np.linalg.inv(links[t - 1].homography)
            likeness = compare(reference, views[t + direction], [step @ pose], HOLD)
            if likeness is None:
                break
            t, pose = t + direction, likeness.homography
            poses[t] = pose
    before, after = [t for t in run if t < min(poses)], [t for t in run if t > max(poses)]
    return [*(_holds(views, before, links) if before else ()), _Group(reference, poses), *(_holds(views, after, links) if after else ())]


def _cycles(holds: list[_Group], ground: float, report: Report) -> list[_Group]:
    """Holds of the same drawing made one. Each is compared with the few drawings so far that look most like it."""
    drawings: list[_Group] = []
    for hold in holds:
        near = _nearest(hold.reference, [drawing.reference for drawing in drawings])
        pairs = [(drawings[k].reference, hold.reference) for k in near]
        tries = map_ordered(lambda pair: _alike(*pair, ground, REPEAT), pairs)
        found = [(k, likeness) for k, likeness in zip(near, _polled(tries, report), strict=True) if likeness is not None]
        if found:
            k, likeness = max(found, key=lambda pair: (pair[1].inliers, -pair[0]))
            drawings[k] = drawings[k].joined(hold, likeness.homography)
        else:
            drawings.append(hold)
    return drawings


def _nearest(view: View, others: list[View]) -> list[int]:
    """The drawings worth an alignment, the likest first. A sprite cut by the border has no telling thumbnail."""
    distances = []
    for k, other in enumerate(others):
        cut = view.cut or other.cut
        if not cut and abs(np.log(view.area / other.area)) > _AREA_RANGE:
            continue
        distance = float(np.abs(view.thumbnail.astype(np.float32) - other.thumbnail).mean())
        if cut or distance < _THUMBNAIL:
            distances.append((distance, k))
    return [k for _, k in sorted(distances)[:_CANDIDATES]]


def _sheet(drawings: list[_Group], count: int) -> ExposureSheet:
    drawings = sorted(drawings, key=lambda drawing: min(drawing.poses))
    exposure = np.zeros(count, np.int32)
    poses = np.tile(np.eye(3), (count, 1, 1))
    for number, drawing in enumerate(drawings, 1):
        for t, pose in drawing.poses.items():
            exposure[t], poses[t] = number, pose
    return ExposureSheet(exposure, poses, np.array([drawing.reference.frame for drawing in drawings], np.int32))
