# SPDX-License-Identifier: GPL-3.0-or-later
"""The exposure sheet of a sprite: which frames show the same drawing, first neighbors (holds), then anywhere (cycles);
and the canvas on which its drawings lie. It asks `likeness` about pairs of frames and knows nothing of plates or mattes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np

from .geometry import corners, normalized, project, resized, translation
from .layers.plate import Canvas
from .likeness import HOLD, REPEAT, Likeness, Limits, compare, correlate, turned
from .motion import rigid_motion
from .motion.models import stretch
from .paged import Keeper
from .parallel import map_ordered
from .report import Report
from .views import View, ground_of, view_of

__all__ = ["ExposureSheet", "canvas_of", "exposure_sheet"]

Item = TypeVar("Item")

_CANDIDATES = 6  # drawings that a new hold is aligned with: the nearest by thumbnail
_AREA_RANGE = 0.4  # log of the area: a sprite that repeats a drawing is about as large, as far as mattes can tell
_GROWN = 0.1  # log of the scale at which blurs stop being comparable
_GROWING = 0.002  # ... and by which it changes from frame to frame, more than a still one is measured to
_MARGIN = 8 / 360  # of the frame's height: transparent border of a canvas, where a matte may still grow
_FREEDOM = 1 / 8  # of a drawing's size: how far the middle of the canvas may lie from its own
_FINER = 2.0  # px by which a drawing's outline may correct its motion
_SMOOTH = 3.0  # frames, sigma: longer than a drawing on twos or threes, shorter than a step
_THUMBNAIL = 40.0  # levels, mean over mask and gray: farther is certainly another drawing


@dataclass(frozen=True)
class ExposureSheet:
    """`exposure` (T,) int32: the drawing of each frame, from 1 in order of appearance, 0 where the sprite is absent.

    `references` (D,) int32: the frame that shows each drawing best. `poses` (T, 3, 3) float64, px of the analyzed
    frames: homographies from the drawing's reference frame to frame t; identity there and where the sprite is absent.
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


def exposure_sheet(frames: np.ndarray, alphas: np.ndarray, *, report: Report, front: Sequence[np.ndarray] | None = None,
                   behind: Callable[[int], np.ndarray] | None = None, camera: np.ndarray | None = None) -> ExposureSheet:
    """The sheet of one sprite from frames, uint8 (T, h, w, 3) RGB, and its alphas (T, h, w), uint8 0..255 or float 0..1.

    At about 360 lines. `front`, like the alphas: what lies before the sprite; nothing is concluded from there. `behind`
    gives frame t as it would be without the sprite, uint8 (h, w, 3), and `camera` (T, 3, 3) leads from the background's
    plane to the frames: with either, alphas that hold pieces of the background do little harm. `report` is only asked
    whether to stop; its steps are the caller's.
    """
    scale = np.float32(1 / 255 if alphas.dtype == np.uint8 else 1)
    ground = ground_of(frames, alphas, scale)

    def look(t: int) -> View | None:
        return view_of(t, frames[t], alphas[t] * scale, ground, front=None if front is None else front[t] * scale,
                       behind=None if behind is None else behind(t), camera=None if camera is None else camera[t])

    keeper = Keeper()
    seen = _polled(map_ordered(look, range(len(frames))), report)
    views = [None if view is None else view.kept(keeper) for view in seen]
    links = list(_polled(map_ordered(lambda t: _alike(views[t], views[t + 1], ground, HOLD), range(len(frames) - 1)), report))
    runs = _runs(views, links)
    holds = [hold for found in _polled(map_ordered(lambda run: _holds(views, run, links), runs), report) for hold in found]
    drawings = list(_polled(map_ordered(lambda drawing: _settled(drawing, views), _cycles(holds, ground, report)), report))
    return _sheet(drawings, len(frames))


def _polled(results: Iterable[Item], report: Report) -> Iterator[Item]:
    """The results; between them the artist may stop the work."""
    for result in results:
        report.step(0)
        yield result


def _alike(a: View | None, b: View | None, ground: float, limits: Limits) -> Likeness | None:
    """How b follows from a, if both show the same drawing."""
    return None if a is None or b is None else compare(a, b, _guesses(a, b, ground), limits)


def _guesses(a: View, b: View, ground: float) -> list[np.ndarray]:
    """Where a sprite may have gone: centers on centers, unless the border cuts them; nowhere; where it correlates best; turned."""
    guesses = [np.eye(3), translation(*correlate(a, b, ground))]
    if not (a.cut or b.cut):
        guesses = [translation(*(b.center - a.center)), *guesses, turned(a, b, ground)]
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
    forth, back = range(middle + 1, run[-1] + 1), range(middle - 1, run[0] - 1, -1)
    poses = {middle: np.eye(3)} | _follow(views, links, middle, forth) | _follow(views, links, middle, back)
    before, after = [t for t in run if t < min(poses)], [t for t in run if t > max(poses)]
    return [*(_holds(views, before, links) if before else ()), _Group(views[middle], poses),
            *(_holds(views, after, links) if after else ())]


def _follow(views: list[View], links: list[Likeness], start: int, times: range) -> dict[int, np.ndarray]:
    """Poses from frame `start` to each of the frames next to it, as far as they look like it.

    Where it has grown, shrunk or left the picture too much to be compared, the last frame that was like it stands in.
    """
    key, key_pose, last, pose, poses = start, np.eye(3), start, np.eye(3), {}
    for t in times:
        step = links[last].homography if t > last else np.linalg.inv(links[t].homography)
        likeness = compare(views[key], views[t], [step @ pose @ np.linalg.inv(key_pose)], HOLD)
        if likeness is None and key != last and _gone(views[key], views[last], pose @ np.linalg.inv(key_pose), step):
            key, key_pose = last, pose
            likeness = compare(views[key], views[t], [step], HOLD)
        if likeness is None:
            break
        last, pose = t, normalized(likeness.homography @ key_pose)
        poses[t] = pose
    return poses


def _gone(view: View, last: View, pose: np.ndarray, step: np.ndarray) -> bool:
    """Whether the `last` view, to which `pose` leads, shows this one at another size that goes on to change by the next `step`, or less
    than two thirds of its points."""
    x, y = np.rint(project(pose, view.points + view.origin)).astype(int).T
    inside = (x > 0) & (y > 0) & (x < last.open.shape[1] - 1) & (y < last.open.shape[0] - 1)
    shown = inside & (last.open[y * inside, x * inside] > 0)
    growing = stretch(pose, view.center) > _GROWN and stretch(step, last.center) > _GROWING
    return growing or shown.mean() < 2 / 3


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


def _settled(drawing: _Group, views: list[View]) -> _Group:
    """The drawing with its motion measured through all of its exposures: inside it, or, if that is flat, at its outline."""
    times = sorted(drawing.poses)
    if len(times) == 1:
        return drawing
    seen = [views[t] for t in times]
    poses, reference = np.stack([drawing.poses[t] for t in times]), times.index(drawing.reference.frame)
    moved = rigid_motion([view.picture for view in seen], [view.whole(view.core & view.solid) for view in seen], poses, reference)
    if moved is None:
        moved = rigid_motion([view.silhouette for view in seen], [view.whole(view.rim) for view in seen], poses, reference)
        # An outline says less than drawing inside it: it only makes finer what is known.
        moved = None if moved is None or _apart(moved, poses, drawing.reference) > _FINER else moved
    return drawing if moved is None else replace(drawing, poses=dict(zip(times, moved, strict=True)))


def _apart(moved: np.ndarray, poses: np.ndarray, reference: View) -> float:
    """How far apart, in px, two motions (N, 3, 3) carry the corners of a drawing's reference view at most."""
    outline = corners(*reference.mask.shape[::-1]) + reference.origin
    return max(float(np.abs(project(a, outline) - project(b, outline)).max()) for a, b in zip(moved, poses, strict=True))


def _sheet(drawings: list[_Group], count: int) -> ExposureSheet:
    drawings = sorted(drawings, key=lambda drawing: min(drawing.poses))
    exposure = np.zeros(count, np.int32)
    poses = np.tile(np.eye(3), (count, 1, 1))
    for number, drawing in enumerate(drawings, 1):
        for t, pose in drawing.poses.items():
            exposure[t], poses[t] = number, pose
    return ExposureSheet(exposure, poses, np.array([drawing.reference.frame for drawing in drawings], np.int32))


def canvas_of(sheet: ExposureSheet, alphas: np.ndarray, *, width: int, height: int, camera: np.ndarray | None = None) -> Canvas:
    """The canvas of a sprite for frames of `width` x `height` px, from its sheet and its alphas (T, h, w), uint8, analyzed size.

    `camera` (T, 3, 3), background plane -> frame at analyzed size: motion is judged as seen against the background.

    All drawings share one size, so that a drawing can be exposed on any frame. Each lies on the canvas as its reference
    frame shows it, moved by whole pixels: nothing is resampled there. Which whole pixels is a free choice (a gauge) made
    once for each drawing: its canvas is centered, as nearly as its exposures agree, on a smoothed path of the sprite's
    center, so that the canvas itself travels evenly and a drawing put on another frame does not jump; but never farther
    from the middle of the drawing than an eighth of its size. Frames without the sprite carry the homography of the
    nearest frame that has it.
    """
    x_factor, y_factor = width / alphas.shape[2], height / alphas.shape[1]
    poses = resized(sheet.poses, x_factor, y_factor)
    outlines = [_outline(alpha, x_factor, y_factor) for alpha in alphas]
    extents = np.array([_extent(sheet, poses, outlines, number) for number in range(1, len(sheet.references) + 1)])
    camera = np.tile(np.eye(3), (len(poses), 1, 1)) if camera is None else resized(camera, x_factor, y_factor)
    path = _path(sheet, np.linalg.inv(camera) @ poses, extents.mean(1))
    anchors = np.zeros((len(extents), 2), int)
    for number, extent in enumerate(extents, 1):
        shown = np.flatnonzero(sheet.exposure == number)
        wanted = [project(np.linalg.inv(poses[t]) @ camera[t], path[t][None])[0] for t in shown]
        middle, freedom = extent.mean(0), np.ptp(extent, 0) * _FREEDOM
        anchors[number - 1] = np.rint(np.clip(np.mean(wanted, 0), middle - freedom, middle + freedom))
    margin = int(np.ceil(_MARGIN * height))
    low = np.ceil((anchors - extents[:, 0]).max(0)).astype(int) + margin
    high = np.ceil((extents[:, 1] - anchors).max(0)).astype(int) + margin
    homographies = np.tile(np.eye(3), (len(poses), 1, 1))
    present = np.flatnonzero(sheet.exposure)
    for t in range(len(poses)):
        nearest = present[np.argmin(np.abs(present - t))]
        homographies[t] = normalized(poses[nearest] @ translation(*(anchors[sheet.exposure[nearest] - 1] - low)))
    return Canvas(*(int(side) for side in low + high + 1), homographies)


def _outline(alpha: np.ndarray, x_factor: float, y_factor: float) -> np.ndarray | None:
    """Points (N, 2), full-size px, of the convex hull of everything that is not quite transparent."""
    shown = cv2.findNonZero((alpha > 12).astype(np.uint8))
    if shown is None:
        return None
    hull = cv2.convexHull(shown)[:, 0].astype(np.float64)
    pixels = (hull[:, None] + corners(2, 2) - 0.5).reshape(-1, 2)
    return (pixels + 0.5) * (x_factor, y_factor) - 0.5


def _extent(sheet: ExposureSheet, poses: np.ndarray, outlines: list[np.ndarray | None], number: int) -> np.ndarray:
    """Lowest and highest x, y (2, 2) that any exposure of a drawing reaches, in px of its reference frame.

    What a pose in perspective would bring from afar, more than twice as large as the middle, is dirt of the matte.
    """
    reached = []
    for t in np.flatnonzero(sheet.exposure == number):
        if outlines[t] is not None:
            back = np.linalg.inv(poses[t])
            depths = outlines[t] @ back[2, :2] + back[2, 2]
            reached.append(project(back, outlines[t][depths > np.median(depths) / 2]))
    reached = np.concatenate(reached)
    return np.stack([reached.min(0), reached.max(0)])


def _path(sheet: ExposureSheet, poses: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Where the sprite's center is in each frame (T, 2), smoothed over each unbroken presence; steady motion stays as it is."""
    path = np.zeros((len(poses), 2))
    present = np.flatnonzero(sheet.exposure)
    for run in np.split(present, np.flatnonzero(np.diff(present) > 1) + 1):
        raw = np.array([project(poses[t], centers[sheet.exposure[t] - 1][None])[0] for t in run])
        reach = min(len(run) - 1, int(3 * _SMOOTH))
        before, after = 2 * raw[0] - raw[reach:0:-1], 2 * raw[-1] - raw[-2:-2 - reach:-1]
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SMOOTH) ** 2)
        longer = np.concatenate([before, raw, after])
        for k, t in enumerate(run):
            path[t] = (weights[:, None] * longer[k:k + 2 * reach + 1]).sum(0) / weights.sum()
    return path
