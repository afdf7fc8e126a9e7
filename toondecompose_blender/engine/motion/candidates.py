# SPDX-License-Identifier: GPL-3.0-or-later
"""Which plane motions of a frame pair are worth believing: those of the flow, those of phase correlation and rest, each
verified in the pictures at several blur levels.  It sees one pair at a time and does not choose among its answers."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..geometry import normalized, project, translation
from .alignment import Gradients, align
from .ladder import description_lengths
from .models import grid_points, restricted
from .pictures import DEEP, Pictures
from .search import phase_shifts, voted_shifts

__all__ = ["Candidate", "candidates", "continued", "matches", "shared", "verified"]

_STIFFER = ("similarity", "translation")  # than a homography: where little is to be seen, that follows noise and actors
_PEAKS, _DEEP_PEAKS = 3, 3  # shifts searched for: the truth and its neighbors one texture period away
_LENT = 2  # of each neighbor's candidates
_STEEP = 0.7  # tangent: no camera rolls by 35 degrees from a frame to the next
_KNOWN = 0.5  # px at 360 lines: sharpened, such a motion becomes the other (measured: of six clips no byte changes)
_SAME = 1.0  # px at 360 lines: closer motions are one
_TOLERANCE = 0.7  # px: how far a matching edge may sit from where the motion puts it
_LEVELS = 4.0  # gray levels: matches by noise alone
_DEEP_LEVELS = 1.5  # gray levels: the same, where the deep blur has averaged the noise away
_DEEP_MARGIN = 16.0  # px at 360 lines: twice the deep blur
_LEAST_WITNESSES = 60
_LEAST_SHARE = 0.02


@dataclass(frozen=True)
class Candidate:
    """`homography` (3, 3), frame -> next frame; `matched` bool (N,): which of the frame's coarse points it explains; `sure` bool
    (N,): those of them whose surroundings, wider than a repeated window, look the same too; `inside` bool (N,): which are
    in both frames, well away from the border."""

    homography: np.ndarray
    inside: np.ndarray
    matched: np.ndarray
    sure: np.ndarray


def candidates(pictures: Pictures, t: int, proposals: list[np.ndarray]) -> list[Candidate]:
    """Verified motions frame t -> t+1; `proposals` (3, 3) come from its flow.

    Rest is always among them.  Order: rest, proposals, correlation.
    """
    refined = _sharpened_new(pictures, t, [], proposals)
    refined += [_settled(pictures, t, shift) for shift in _searched_shifts(pictures, t)]
    return _with_new(pictures, t, [verified(pictures, t, np.eye(3))], refined)


def shared(pictures: Pictures, pairs: list[list[Candidate]], t: int) -> list[Candidate]:
    """The candidates of pair t, and the best of its neighbors' tried here too: motion seldom changes at once.

    `pairs`: the candidates of all pairs, each as `candidates` gave them.
    """
    lent = []
    for neighbor in (t - 1, t + 1):
        if 0 <= neighbor < len(pairs):
            best = sorted(pairs[neighbor][1:], key=lambda candidate: -int(candidate.sure.sum()))[:_LENT]
            lent += [candidate.homography for candidate in best]
    return _with_new(pictures, t, pairs[t], _sharpened_new(pictures, t, pairs[t][1:], lent))


def continued(pictures: Pictures, known: list[Candidate], steps: np.ndarray, t: int) -> list[Candidate]:
    """The candidates of pair t, `known`, and what it would be if the motion `steps` (T-1, 3, 3) of the others went on, from either side
    and between them, evenly or as it changes."""
    guesses = []
    for near, far in ((t - 1, t - 2), (t + 1, t + 2)):
        if 0 <= near < len(steps):
            guesses.append(steps[near])
            if 0 <= far < len(steps):
                guesses.append(normalized(steps[near] @ np.linalg.inv(steps[far]) @ steps[near]))
    if 0 < t < len(steps) - 1:
        guesses.append((steps[t - 1] + steps[t + 1]) / 2)
    return _with_new(pictures, t, known, _sharpened_new(pictures, t, known[1:], guesses))


def _with_new(pictures: Pictures, t: int, known: list[Candidate], homographies: list[np.ndarray | None]) -> list[Candidate]:
    """`known` and those of the homographies that are new, possible and found in the pictures."""
    grid = grid_points(pictures.width, pictures.height)
    found = list(known)
    for homography in homographies:
        if homography is None or not _plausible(homography, grid, pictures.width, pictures.height):
            continue
        if any(np.linalg.norm(project(homography, grid) - project(other.homography, grid), axis=1).max() < _SAME * pictures.scale
               for other in found[1:]):
            continue
        candidate = verified(pictures, t, homography)
        if candidate.matched.sum() > _LEAST_SHARE * len(candidate.matched):
            found.append(candidate)
    return found


def verified(pictures: Pictures, t: int, homography: np.ndarray) -> Candidate:
    """A motion frame t -> t+1 (3, 3) with what the pictures say to it."""
    points = pictures.few[t]
    matched = matches(pictures, t, t + 1, points, homography)
    image = project(homography, points.astype(np.float64))
    center = (DEEP - 1) / 2
    here, there = (points - center) / DEEP, (image - center) / DEEP
    colors = zip(pictures.deep[t], pictures.deep[t + 1], strict=True)
    deep = np.logical_and.reduce([_same(early, late, here, there, _TOLERANCE / DEEP, _DEEP_LEVELS) for early, late in colors])
    inside = _well_inside(points, pictures) & _well_inside(image, pictures)
    return Candidate(homography, inside, matched & inside, matched & deep & inside)


def matches(pictures: Pictures, source: int, target: int, points: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Which `points` (N, 2) of frame `source` look the same, fine and coarse, where `homography` puts them in `target`: bool (N,)."""
    image = project(homography, points.astype(np.float64))
    inside = (image > 2).all(1) & (image[:, 0] < pictures.width - 3) & (image[:, 1] < pictures.height - 3)
    fine = _same(pictures.fine[source], pictures.fine[target], points, image, _TOLERANCE, _LEVELS)
    return inside & fine & _same(pictures.coarse[source], pictures.coarse[target], points, image, _TOLERANCE, _LEVELS)


def _well_inside(points: np.ndarray, pictures: Pictures) -> np.ndarray:
    """Which points (N, 2) are so far from the border that the deep blur does not reach over it: bool (N,)."""
    margin = _DEEP_MARGIN * pictures.scale
    return (points >= margin).all(1) & (points[:, 0] < pictures.width - margin) & (points[:, 1] < pictures.height - margin)


def _same(early: Gradients, late: Gradients, points: np.ndarray, image: np.ndarray, tolerance: float, noise: float) -> np.ndarray:
    """Where two pictures agree at corresponding places, up to `noise` gray levels or a displacement of `tolerance` px."""
    if not len(points):
        return np.zeros(0, bool)
    here, there = (np.ascontiguousarray(places.T, np.float32)[:, None] for places in (points, image))
    before, along, down = (cv2.remap(p, *here, cv2.INTER_LINEAR)[0] for p in (early.value, early.x, early.y))
    after = cv2.remap(late.value, *there, cv2.INTER_LINEAR)[0]
    return np.abs(after - before) < np.maximum(noise, tolerance * np.hypot(along, down))


def _plausible(homography: np.ndarray, grid: np.ndarray, width: int, height: int) -> bool:
    """Whether the motion neither folds nor turns far nor more than halves or doubles the picture."""
    if not np.isfinite(homography).all() or (grid @ homography[2, :2] + homography[2, 2] <= 0.1).any():
        return False
    image = project(homography, grid).reshape(3, 4, 2)
    across = np.linalg.norm(np.diff(image, axis=1), axis=2) / (0.28 * width)
    down = np.linalg.norm(np.diff(image, axis=0), axis=2) / (0.4 * height)
    middle = (image[:, 3] - image[:, 0]).mean(0)
    level = abs(middle[1]) < _STEEP * middle[0]
    return bool(level and min(across.min(), down.min()) > 0.5 and max(across.max(), down.max()) < 2)


def _sharpened_new(pictures: Pictures, t: int, known: list[Candidate], guesses: list[np.ndarray]) -> list[np.ndarray]:
    """The guesses sharpened, but for those that all but are the motion of a `known` one, or one before them: they would become it."""
    grid = grid_points(pictures.width, pictures.height)
    places, found = [project(candidate.homography, grid) for candidate in known], []
    for guess in guesses:
        place = project(guess, grid)
        if not any(np.linalg.norm(place - other, axis=1).max() < _KNOWN * pictures.scale for other in places):
            found.append(_sharpened(pictures, t, guess))
            places.append(project(found[-1], grid))
    return found


def _sharpened(pictures: Pictures, t: int, proposal: np.ndarray) -> np.ndarray:
    """A motion after photometric refinement, if that explains more: no freer than the pictures ask for."""
    points = pictures.few[t]
    source, target = pictures.fine[t], pictures.fine[t + 1]
    found = align(source, target, points, proposal, model="homography", iterations=4, minimum=_LEAST_WITNESSES)
    if found is None:
        return proposal
    refined, given = (matches(pictures, t, t + 1, points, motion).sum() for motion in (found.homography, proposal))
    best = found.homography if refined > given else proposal
    motions = [("homography", best)]
    grid = grid_points(pictures.width, pictures.height)
    for family in _STIFFER:
        start = restricted(best, family, grid)
        found = align(source, target, points, start, model=family, iterations=4, minimum=_LEAST_WITNESSES)
        if found is not None:
            motions.append((family, found.homography))
    lengths = description_lengths(source.value, target.value, points, pictures.few_firm[t], motions)
    return best if lengths is None else motions[int(np.argmin(lengths))][1]


def _settled(pictures: Pictures, t: int, shift: np.ndarray) -> np.ndarray | None:
    """A whole-pixel shift, refined from the coarse blur to the fine one."""
    points = pictures.few[t]
    coarse = align(pictures.coarse[t], pictures.coarse[t + 1], points, shift, model="similarity", iterations=6, minimum=_LEAST_WITNESSES)
    if coarse is None:
        return None
    fine = align(pictures.fine[t], pictures.fine[t + 1], points, coarse.homography, model="homography", minimum=_LEAST_WITNESSES)
    return fine.homography if fine else coarse.homography


def _searched_shifts(pictures: Pictures, t: int) -> list[np.ndarray]:
    """Shifts (3, 3) by phase correlation of all detail, and by vote in the deep pictures, where what repeats is blurred away."""
    half = (pictures.width // 2, pictures.height // 2)
    small = [cv2.resize(picture.value, half, interpolation=cv2.INTER_AREA) for picture in (pictures.fine[t], pictures.fine[t + 1])]
    shifts = [shift * 2 for shift in phase_shifts(*small, _PEAKS)]
    shifts += [shift * DEEP for shift in voted_shifts(pictures.deep[t], pictures.deep[t + 1], _DEEP_PEAKS)]
    return [translation(*shift) for shift in shifts]
