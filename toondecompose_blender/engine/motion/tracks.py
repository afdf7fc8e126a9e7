# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions that last: the best path through the candidates of all frame pairs, first of the background, then of what it leaves.
It works on candidates and points; the pictures themselves it never sees."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from ..geometry import normalized, project
from .candidates import Candidate
from .pictures import Pictures

__all__ = ["chained", "find_tracks"]

_CELLS = (16, 9)
_BORDER = 0.12  # of the frame: left, right and top (the bottom often holds the actors)
_BORDER_WEIGHT = 30.0  # against 144 cells: the border is background in most shots; by trial on toon clips
_JUMP_COST, _FAR_JUMP = 0.25, 30.0  # share of a pair's best score, paid in full from so many px (at 360 lines) of changed velocity
_SURE_WEIGHT = 0.8  # what repeats matches under many motions, surroundings under one
_LEAVING_COST = 5.0  # cells: a track that explains nothing any more of what it explained (from 5 to 40 planes come out the same)
_SWAP_COST = 3.0  # cells: tracks that swap; those of one motion, hardly told apart, else do at every step
_UNSEEN = 0.25  # of what a track explains in most pairs (judgement)
_LEAST_SHARED = 0.4  # of the points: a motion that keeps fewer inside the frame is believed less
_LEAST_CELLS = 2.0  # on average: below it a track is noise


def find_tracks(pairs: list[list[Candidate]], pictures: Pictures, *, count: int, by_flow: bool = False) -> list[np.ndarray]:
    """Up to `count` tracks (T-1, 3, 3), frame -> next frame, through `pairs` (T-1 lists of candidates of the `pictures`' coarse points).

    The first is that of most of the picture over the whole clip; each further one explains points that none before did.
    `by_flow`: the flow says which points match, so those on an edge, which pictures would let slide, count as much as any, and a
    track stays with the part of the picture that it explained.
    """
    width, height = pictures.width, pictures.height
    points = pictures.few[:len(pairs)]
    free = [np.ones(len(p), bool) for p in points]
    cells = [_Cells(p, np.ones_like(firm) if by_flow else firm, width, height) for p, firm in zip(points, pictures.few_firm)]
    paths: list[list[int]] = []
    for _ in range(count):
        scores = [np.array([cells[t].score(candidate, free[t]) for candidate in pair]) for t, pair in enumerate(pairs)]
        left = [_left(cells, pairs, free, t) for t in range(1, len(pairs))] if by_flow else [0.0] * (len(pairs) - 1)
        chosen = _best_path(pairs, scores, left, width, height)
        if paths and np.mean([scores[t][k] for t, k in enumerate(chosen)]) < _LEAST_CELLS:
            break
        paths.append(chosen)
        for t, k in enumerate(chosen):
            free[t] = free[t] & ~pairs[t][k].matched
    tracks = [[pairs[t][k] for t, k in enumerate(path)] for path in paths]
    if not by_flow:
        return [np.stack([candidate.homography for candidate in track]) for track in tracks]
    return [_bridged(cells, track) for track in _untangled(cells, tracks, width, height)]


def chained(steps: np.ndarray, reference: int) -> np.ndarray:
    """Plane -> frame (T, 3, 3) from frame -> next frame (T-1, 3, 3); the plane is the pixel grid of frame `reference`."""
    homographies = [np.eye(3)]
    for step in steps:
        homographies.append(normalized(step @ homographies[-1]))
    return normalized(np.stack(homographies) @ np.linalg.inv(homographies[reference]))


class _Cells:
    """Which of 16 x 9 cells each point of a frame lies in, and how much of the picture a set of points speaks for."""

    def __init__(self, points: np.ndarray, firm: np.ndarray, width: int, height: int):
        columns, rows = _CELLS
        self._size = width, height
        self._cell = self._at(points)
        self._points = np.bincount(self._cell, minlength=columns * rows)
        self._places = points
        x, y = points[:, 0], points[:, 1]
        self._weight = firm
        self._border = (x < _BORDER * width) | (x > (1 - _BORDER) * width) | (y < _BORDER * height)

    def score(self, candidate: Candidate, free: np.ndarray) -> float:
        """Cells in which the `free` points (bool (N,)) match, mostly those that match for sure, and the border's share again."""
        inside = np.bincount(self._cell[candidate.inside], minlength=len(self._points))
        shared = inside.sum() / max(1, self._points.sum())
        # what leaves the frame speaks neither for nor against a motion, unless nearly everything leaves
        trust = min(1.0, shared / _LEAST_SHARED)
        blown_up = (self._points > 0).sum() / max(1, (inside > 0).sum())
        cells = border = 0.0
        for agree, weight in ((candidate.matched & free, 1 - _SURE_WEIGHT), (candidate.sure & free, _SURE_WEIGHT)):
            share = np.bincount(self._cell[agree], self._weight[agree], minlength=len(self._points)) / np.maximum(inside, 1)
            cells += weight * share.sum()
            border += weight * self._weight[agree & self._border].sum() / max(1, candidate.inside[self._border].sum())
        return float(trust * (blown_up * cells + _BORDER_WEIGHT * border))

    def explained(self, which: np.ndarray) -> np.ndarray:
        """Share of each cell's points that are among `which`, bool (N,)."""
        return np.bincount(self._cell[which], minlength=len(self._points)) / np.maximum(1, self._points)

    def arrived(self, candidate: Candidate, which: np.ndarray, following: _Cells) -> np.ndarray:
        """Where the candidate takes `which` points, as a share of those of the `following` frame's cells."""
        places = project(candidate.homography, self._places[which].astype(np.float64))
        inside = (places >= 0).all(1) & (places < self._size).all(1)
        return np.bincount(self._at(places[inside]), minlength=len(self._points)) / np.maximum(1, following._points)

    def _at(self, points: np.ndarray) -> np.ndarray:
        column, row = (points * _CELLS / self._size).astype(int).T
        return row * _CELLS[0] + column


def _left(cells: list[_Cells], pairs: list[list[Candidate]], free: list[np.ndarray], t: int) -> np.ndarray:
    """Share of what each candidate of pair t-1 explains that each one of pair t does not: (of t, of t-1)."""
    before = [cells[t - 1].arrived(c, c.matched & free[t - 1], cells[t]) for c in pairs[t - 1]]
    after = [cells[t].explained(c.matched & free[t]) for c in pairs[t]]
    return np.array([[1 - np.minimum(a, b).sum() / max(1e-9, min(a.sum(), b.sum())) for b in before] for a in after])


def _best_path(pairs: list[list[Candidate]], scores: list[np.ndarray], left: Sequence[np.ndarray | float], width: int,
               height: int) -> list[int]:
    """Viterbi: the candidates of largest score minus jumps of the center's velocity and what is `left` of the picture."""
    center = np.array([[width / 2, height / 2]])
    moves = [np.array([(project(c.homography, center) - center)[0] for c in pair]) * 360 / height for pair in pairs]
    total, back = scores[0], []
    for t in range(1, len(pairs)):
        jump = np.abs(moves[t][:, None] - moves[t - 1][None]).sum(-1)
        reached = total[None] - _JUMP_COST * scores[t].max() * np.minimum(1, jump / _FAR_JUMP) - _LEAVING_COST * left[t - 1]
        back.append(reached.argmax(1))
        total = scores[t] + reached.max(1)
    return _traced(back, int(total.argmax()))


def _untangled(cells: list[_Cells], tracks: list[list[Candidate]], width: int, height: int) -> list[list[Candidate]]:
    """The tracks after they swapped where each then stays better with what it explains and with its velocity; the largest first.

    The best path through the orders of the tracks' candidates of each pair; what a step costs counts in cells.
    """
    orders = list(permutations(range(len(tracks))))
    total, back = np.zeros(len(orders)), []
    for t in range(1, len(cells)):
        gaps = _gaps(cells, [track[t - 1] for track in tracks], [track[t] for track in tracks], t, width, height)
        reached = total + np.array([[gaps[list(before), list(now)].sum() for before in orders] for now in orders])
        reached += _SWAP_COST * (1 - np.eye(len(orders)))
        back.append(reached.argmin(1))
        total = reached.min(1)
    path = _traced(back, int(total.argmin()))
    kept = [[tracks[orders[k][n]][t] for t, k in enumerate(path)] for n in range(len(tracks))]
    return sorted(kept, key=lambda track: -sum(cells[t].explained(c.matched).sum() for t, c in enumerate(track)))


def _gaps(cells: list[_Cells], before: list[Candidate], after: list[Candidate], t: int, width: int, height: int) -> np.ndarray:
    """Cells that a track loses or gains if it goes on so, and those that it takes along to another velocity: (before, after)."""
    center = np.array([[width / 2, height / 2]])
    parts = [(cells[t - 1].arrived(c, c.matched, cells[t]), project(c.homography, center)) for c in before]
    following = [(cells[t].explained(c.matched), project(c.homography, center)) for c in after]
    result = np.zeros((len(parts), len(following)))
    for i, (old, place) in enumerate(parts):
        for j, (new, later) in enumerate(following):
            mean, jump = (old.sum() + new.sum()) / 2, np.abs(later - place).sum() * 360 / height
            result[i, j] = mean * (1 + min(1, jump / _FAR_JUMP)) - np.minimum(old, new).sum()
    return result


def _bridged(cells: list[_Cells], track: list[Candidate]) -> np.ndarray:
    """The motions (T-1, 3, 3) of a track; where it explains hardly anything it was not seen, and goes on as before and after."""
    explained = np.array([cells[t].explained(candidate.matched).sum() for t, candidate in enumerate(track)])
    steps = np.stack([candidate.homography for candidate in track])
    seen = np.flatnonzero(explained >= _UNSEEN * np.median(explained))
    entries = [np.interp(np.arange(len(steps)), seen, entry) for entry in steps[seen].reshape(len(seen), 9).T]
    return np.stack(entries, 1).reshape(-1, 3, 3)


def _traced(back: list[np.ndarray], last: int) -> list[int]:
    """The best path that ends in state `last`, from the best state before each state of each step."""
    path = [last]
    for previous in reversed(back):
        path.append(int(previous[path[-1]]))
    return path[::-1]
