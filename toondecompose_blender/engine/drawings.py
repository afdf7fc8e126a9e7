# SPDX-License-Identifier: GPL-3.0-or-later
"""The exposure sheet of a sprite: which frames show the same drawing, first neighbors (holds), then anywhere (cycles).
It asks `likeness` about pairs of frames and knows nothing of canvases, plates or mattes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from .geometry import corners, normalized, project, translation
from .guesses import correlate, turned
from .likeness import HOLD, REPEAT, Likeness, compare, differs, registered, strays
from .motion import rigid_motion
from .motion.models import stretch
from .paged import Keeper
from .parallel import map_ordered
from .report import Report
from .views import View, ground_of, view_of

__all__ = ["ExposureSheet", "exposure_sheet"]

Item = TypeVar("Item")

_CANDIDATES = 6  # drawings that a new hold is aligned with: the nearest by thumbnail
_AREA_RANGE = 0.4  # log of the area: a sprite that repeats a drawing is about as large, as far as mattes can tell
_GROWN = 0.1  # log of the scale at which blurs stop being comparable
_GROWING = 0.002  # ... and by which it changes from frame to frame, more than a still one is measured to
_TOGETHER = 150  # exposures of a drawing that are measured at once: pictures of more do not fit into memory
_FINER = 2.0  # px by which a drawing's outline may correct its motion
_FIRM = 0.55  # share of the points from which what changes is a part of one body (measured: .35 px off there, 3 px below)
_THUMBNAIL = 40.0  # levels, mean over mask and gray: farther is certainly another drawing


@dataclass(frozen=True)
class ExposureSheet:
    """`exposure` (T,) int32: the drawing of each frame, from 1 in order of appearance, 0 where the sprite is absent.

    `references` (D,) int32: the frame that shows each drawing best. `poses` (T, 3, 3) float64, px of the analyzed
    frames: homographies from the drawing's reference frame to frame t; identity there and where the sprite is absent.
    `pegs` (D, 3) float64: the number of the pegs that a drawing hangs on, and where they are, x and y in px of its reference frame:
    drawings on the same pegs show one body, of which parts change, and fit on each other there.
    """

    exposure: np.ndarray
    poses: np.ndarray
    references: np.ndarray
    pegs: np.ndarray


@dataclass(frozen=True)
class _Link:
    """How a frame's view follows from the one before: the `likeness` if they look the same, and, also where only most of it moves as one
    body, that body's `motion` (3, 3) and the share `inliers` of the points that go with it."""

    likeness: Likeness | None = None
    motion: np.ndarray | None = None
    inliers: float = 0.0


@dataclass(frozen=True)
class _Group:
    """Frames that show one drawing, with the poses (3, 3) from the clearest of them, the `reference`, to each; and the `first` that was
    not cut: a drawing that each new hold might change a little would end as another."""

    first: View
    reference: View
    poses: dict[int, np.ndarray]

    def fits(self, hold: _Group, pose: np.ndarray) -> bool:
        """Whether a hold that looks like the reference looks like the first too, where `pose` leads from the reference to the hold's."""
        there = pose @ np.linalg.inv(self.poses[self.first.frame])
        return self.first is self.reference or not differs(self.first, hold.reference, there, REPEAT)

    def joined(self, other: _Group, pose: np.ndarray) -> _Group:
        """Both, where `pose` leads from this reference to the other's; the clearer of the two is kept."""
        first = other.first if self.first.cut and not other.first.cut else self.first
        reference, back = self.reference, np.eye(3)
        if other.reference.clearness > reference.clearness:
            reference, back = other.reference, np.linalg.inv(pose)
        poses = self.poses | {t: own @ pose for t, own in other.poses.items()}
        return _Group(first, reference, {t: normalized(own @ back) for t, own in poses.items()})


def exposure_sheet(frames: np.ndarray, alphas: np.ndarray, *, report: Report, front: Sequence[np.ndarray] | None = None,
                   behind: Callable[[int], np.ndarray] | None = None) -> ExposureSheet:
    """The sheet of one sprite from frames, uint8 (T, h, w, 3) RGB, and its alphas (T, h, w), uint8 0..255 or float 0..1.

    At about 360 lines. `front`, like the alphas: what lies before the sprite; nothing is concluded from there. `behind`
    gives frame t as it would be without the sprite, uint8 (h, w, 3): with it, alphas that hold pieces of the background do
    little harm. `report` is only asked whether to stop; its steps are the caller's.
    """
    scale = np.float32(1 / 255 if alphas.dtype == np.uint8 else 1)
    ground = ground_of(frames, alphas, scale)

    def look(t: int) -> View | None:
        return view_of(t, frames[t], alphas[t] * scale, ground, front=None if front is None else front[t] * scale,
                       behind=None if behind is None else behind(t))

    keeper = Keeper()
    seen = _polled(map_ordered(look, range(len(frames))), report)
    views = [None if view is None else view.kept(keeper) for view in seen]
    links = list(_polled(map_ordered(lambda t: _linked(views[t], views[t + 1], ground), range(len(frames) - 1)), report))
    runs, steps = _runs(views, links), [link.likeness for link in links]
    holds = [hold for found in _polled(map_ordered(lambda run: _holds(views, run, steps), runs), report) for hold in found]
    drawings = list(_polled(map_ordered(lambda drawing: _settled(drawing, views), _cycles(holds, ground, report)), report))
    return _sheet(sorted(drawings, key=lambda drawing: min(drawing.poses)), links)


def _polled(results: Iterable[Item], report: Report) -> Iterator[Item]:
    """The results; between them the artist may stop the work."""
    for result in results:
        report.step(0)
        yield result


def _linked(a: View | None, b: View | None, ground: float) -> _Link:
    registration = None if a is None or b is None else registered(a, b, _guesses(a, b, ground))
    if registration is None:
        return _Link()
    likeness = registration.likeness(HOLD)
    if likeness is not None:
        return _Link(likeness, likeness.homography, likeness.inliers)
    return _Link(None, registration.homography, registration.inliers) if registration.inliers > _FIRM else _Link()


def _guesses(a: View, b: View, ground: float) -> list[np.ndarray]:
    """Where a sprite may have gone: centers on centers, unless the border cuts them; nowhere; where it correlates best; turned."""
    guesses = [np.eye(3), translation(*correlate(a, b, ground))]
    if not (a.cut or b.cut):
        guesses = [translation(*(b.center - a.center)), *guesses, turned(a, b, ground)]
    return guesses


def _runs(views: list[View | None], links: list[_Link]) -> list[list[int]]:
    """Frames in which each is like the one before."""
    runs: list[list[int]] = []
    for t, view in enumerate(views):
        if view is None:
            continue
        if t > 0 and links[t - 1].likeness is not None:
            runs[-1].append(t)
        else:
            runs.append([t])
    return runs


def _holds(views: list[View], run: list[int], links: list[Likeness | None]) -> list[_Group]:
    """The run as it is, if all of it is like its clearest frame; a slow change, invisible from frame to frame, splits it."""
    middle = max(run, key=lambda t: views[t].clearness)
    ways = range(middle + 1, run[-1] + 1), range(middle - 1, run[0] - 1, -1)
    poses = {middle: np.eye(3)}
    for followed in map_ordered(lambda times: _follow(views, links, middle, times), ways):
        poses |= followed
    before, after = [t for t in run if t < min(poses)], [t for t in run if t > max(poses)]
    return [*(_holds(views, before, links) if before else ()), _Group(views[middle], views[middle], poses),
            *(_holds(views, after, links) if after else ())]


def _follow(views: list[View], links: list[Likeness | None], start: int, times: range) -> dict[int, np.ndarray]:
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
        tries = map_ordered(lambda pair: compare(*pair, _guesses(*pair, ground), REPEAT), pairs)
        found = [(k, likeness) for k, likeness in zip(near, _polled(tries, report), strict=True) if likeness is not None
                 and drawings[k].fits(hold, likeness.homography)]
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
    """The drawing with its motion measured through all of its exposures, so many at once and each time from its reference."""
    times, poses = sorted(drawing.poses), dict(drawing.poses)
    for first in range(0, len(times), _TOGETHER):
        some = sorted({*times[first:first + _TOGETHER], drawing.reference.frame})
        if len(some) > 1:
            poses |= _measured(drawing, [views[t] for t in some])
    return replace(drawing, poses=poses)


def _measured(drawing: _Group, seen: list[View]) -> dict[int, np.ndarray]:
    """Poses of some exposures, the reference among them, measured inside the drawing, or, if that is flat, at its outline; none where
    neither says anything, or where parts of it go different ways."""
    times = [view.frame for view in seen]
    poses, reference = np.stack([drawing.poses[t] for t in times]), times.index(drawing.reference.frame)
    moved = rigid_motion([view.picture for view in seen], [view.whole(view.core & view.solid) for view in seen], poses, reference)
    if moved is not None and any(_parted(drawing.reference, *one) for one in zip(seen, moved, poses, strict=True)):
        return {}
    if moved is None:
        moved = rigid_motion([view.silhouette for view in seen], [view.whole(view.rim) for view in seen], poses, reference)
        # An outline says less than drawing inside it: it only makes finer what is known.
        far = moved is not None and max(_apart(*pair, drawing.reference) for pair in zip(moved, poses, strict=True)) > _FINER
        moved = None if far else moved
    return {} if moved is None else dict(zip(times, moved, strict=True))


def _parted(reference: View, view: View, moved: np.ndarray, pose: np.ndarray) -> bool:
    """Whether a view lies apart from its drawing when it is `moved` (3, 3), and not by its `pose`: a part of it went another way."""
    return _apart(moved, pose, reference) > _FINER and strays(reference, view, moved, HOLD) and not strays(reference, view, pose, HOLD)


def _apart(moved: np.ndarray, pose: np.ndarray, reference: View) -> float:
    """How far apart, in px, two motions (3, 3) carry the corners of a drawing's reference view at most."""
    outline = corners(*reference.mask.shape[::-1]) + reference.origin
    return float(np.abs(project(moved, outline) - project(pose, outline)).max())


def _sheet(drawings: list[_Group], links: list[_Link]) -> ExposureSheet:
    exposure = np.zeros(len(links) + 1, np.int32)
    poses = np.tile(np.eye(3), (len(exposure), 1, 1))
    for number, drawing in enumerate(drawings, 1):
        for t, pose in drawing.poses.items():
            exposure[t], poses[t] = number, pose
    references = np.array([drawing.reference.frame for drawing in drawings], np.int32)
    centers = np.array([drawing.reference.center for drawing in drawings]).reshape(-1, 2)
    return ExposureSheet(exposure, poses, references, _pegs(exposure, poses, links, centers))


def _pegs(exposure: np.ndarray, poses: np.ndarray, links: list[_Link], centers: np.ndarray) -> np.ndarray:
    """The pegs (D, 3) of drawings whose reference frames have their `centers` (D, 2): each takes over those of the drawing before, or
    after it, that it goes on from most surely."""
    joints: dict[tuple[int, int], int] = {}     # drawings, from 0, and the frame in which the first changes into the other
    for t in np.argsort([-link.inliers for link in links], kind="stable").tolist():
        if links[t].motion is not None and exposure[t] and exposure[t + 1] and exposure[t] != exposure[t + 1]:
            joints.setdefault((int(exposure[t]) - 1, int(exposure[t + 1]) - 1), t)
    first, second = np.array(list(joints), int).reshape(-1, 2).T
    unlike = np.array([1 + 1e-6 - links[t].inliers for t in joints.values()])
    tree = minimum_spanning_tree(coo_matrix((unlike, (first, second)), (len(centers),) * 2))
    count, groups = connected_components(tree, directed=False)
    pegs = np.column_stack([groups, centers])
    for group in range(count):
        order, parents = breadth_first_order(tree, int(np.flatnonzero(groups == group)[0]), directed=False)
        for drawing in order[1:].tolist():
            parent = int(parents[drawing])
            forth = (parent, drawing) in joints
            t = joints[(parent, drawing) if forth else (drawing, parent)]
            step = np.linalg.inv(poses[t + 1]) @ links[t].motion @ poses[t]
            pegs[drawing, 1:] = project(step if forth else np.linalg.inv(step), pegs[parent, 1:][None])[0]
    return pegs
