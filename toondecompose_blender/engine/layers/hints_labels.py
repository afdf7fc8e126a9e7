# SPDX-License-Identifier: GPL-3.0-or-later
"""An artist's hints against the labels that motion found: the artist is right, and what is right of a piece is right of all of it.
It sees labels, pieces and seeds; pictures and flow have done their part."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from ..paged import paged, stacked
from .hints import UNKNOWN

__all__ = ["corrected"]

FEWEST = 5              # px of seeds that speak for a whole piece ...
SHARE = 0.01            # ... and the share of it where there are any: a scribble is thin, but a mask drawn roughly only grazes
AGREEING = 0.8          # share of a piece's seeds that must say the same


def corrected(labels: np.ndarray, pieces: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """`labels` uint8 (T, h, w), renumbered so that they agree with the artist's numbers as far as they can, and overruled by `seeds`
    uint8 (T, h, w), a sprite's number or `UNKNOWN`: everywhere in those of the `pieces` int32 (T, h, w) that they mark."""
    count = int(max(labels.max(), max(seed[seed != UNKNOWN].max(initial=0) for seed in paged(seeds))))
    renumbered = _renumbered(labels, seeds, count)
    meant = _meant(pieces, seeds, count)
    told = (np.where(meant[piece] != UNKNOWN, meant[piece], renumbered[label]) for label, piece in paged(zip(labels, pieces, strict=True)))
    overruled = (np.where(seed != UNKNOWN, seed, label) for seed, label in zip(paged(seeds), told, strict=True))
    result = stacked(overruled, len(seeds), np.uint8)
    for t, k in np.argwhere([[(frame == number).any() for number in range(1, count + 1)] for frame in paged(seeds)]):
        _keep_what_was_meant(result[t], seeds[t], int(k) + 1)
    return result


def _renumbered(labels: np.ndarray, seeds: np.ndarray, count: int) -> np.ndarray:
    """The artist's number of each label, uint8 (count + 1,)."""
    agree = np.zeros((count + 1, count + 1))
    for label, seed in paged(zip(labels, seeds, strict=True)):
        told = seed != UNKNOWN
        np.add.at(agree, (label[told].astype(int), seed[told].astype(int)), 1)
    ours, theirs = linear_sum_assignment(-agree[1:, 1:])
    result = np.zeros(count + 1, np.uint8)
    result[ours + 1] = theirs + 1
    return result


def _meant(pieces: np.ndarray, seeds: np.ndarray, count: int) -> np.ndarray:
    """The number of each piece that the seeds mark, uint8 (n,), or `UNKNOWN`."""
    total = 1 + max(int(piece.max()) for piece in paged(pieces))
    votes, size = np.zeros((count + 1, total)), np.zeros(total)
    for piece, seed in paged(zip(pieces, seeds, strict=True)):
        told = seed != UNKNOWN
        if told.any():
            marked = np.bincount(piece[told], minlength=total) > 0
            size += np.bincount(piece.ravel(), minlength=total) * marked
            votes += [np.bincount(piece[seed == number], minlength=total) for number in range(count + 1)]
    most, sure = votes.max(0), votes.sum(0)
    speaks = (most >= FEWEST) & (most >= SHARE * size) & (most >= AGREEING * sure)
    return np.where(speaks, votes.argmax(0), UNKNOWN).astype(np.uint8)


def _keep_what_was_meant(labels: np.ndarray, seeds: np.ndarray, number: int) -> None:
    """In a frame where the artist pointed at a sprite, parts of its label that touch none of the seeds are background (in place)."""
    count, parts = cv2.connectedComponents((labels == number).astype(np.uint8))
    meant = np.bincount(parts[seeds == number], minlength=count) > 0
    labels[(labels == number) & ~meant[parts]] = 0
