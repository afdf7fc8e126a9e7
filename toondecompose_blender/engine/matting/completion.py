# SPDX-License-Identifier: GPL-3.0-or-later
"""What no frame ever showed of a picture, made of what they did show: the picture itself, moved by the few shifts under which
it continues over a hole's border, joined along the least visible seams. It knows one picture; its caller marks it as made up."""

from __future__ import annotations

import cv2
import maxflow
import numpy as np
from scipy import fft

from ..layers.plate import fill_unseen
from ..parallel import map_ordered

__all__ = ["complete"]

# The method is He and Sun's ("Statistics of patch offsets for image completion", ECCV 2012): few shifts, one graph cut. Their
# shifts come from matching patches everywhere; here they are those that continue the hole's own surroundings.
COARSE = 160                # px: short side at which shifts and seams are sought
RING = 0.12                 # of that: width of the surroundings that a shift must continue; half of it knows too little of them
SHIFTS, APART = 10, 3       # shifts kept for a whole border and for each quarter of it, and how far they differ at least, px
LEAST_OVERLAP = 0.3         # share of the surroundings that a shift must land on something seen
LEAST_HOLE = 3              # px at that size: narrower holes need no picture
LEAST_RING = 12             # px of surroundings that can be compared
LEAST_COVER = 0.2           # share of the hole that a shift must fill
TOLD = 8.0                  # squared gray levels that it is worth if all of the surroundings are seen where a shift takes them
FILLS = 4.0                 # squared gray levels that filling all of it is worth: paint goes on under any shift
ALIEN = 0.6                 # cost a pixel of each gray level by which a shift misses the surroundings
UNTOLD = 255.0              # gray levels that a shift counts as missing which none of the surroundings tell of
INVALID = 1e4               # cost of copying from where nothing was seen
CYCLES = 2                  # of expansion moves over all shifts
SEAM = 0.4                  # px of the coarse picture: sigma by which copies are blended where they meet
MARGIN = 4                  # px around a hole that painting it looks at
SAMPLES = 1000              # px of a border by which a shift is refined
FINEST = 1                  # px of the coarse picture: how far a shift is refined at full size
LARGEST_CHANGE = 48.0       # gray levels by which the copy is shaded to meet its surroundings


def complete(picture: np.ndarray, seen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """`picture` uint8 (H, W, 3) with its unseen parts made up where they are wanted; `seen` and `wanted` are bool (H, W)."""
    hole = wanted & ~seen
    factor = max(1.0, min(hole.shape) / COARSE)
    size = max(1, round(hole.shape[1] / factor)), max(1, round(hole.shape[0] / factor))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small_hole = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    known = cv2.resize((~seen).astype(np.float32), size, interpolation=cv2.INTER_AREA) == 0
    result = picture.copy()
    count, parts = cv2.connectedComponents(small_hole.astype(np.uint8))
    thick = cv2.erode(small_hole.astype(np.uint8), np.ones((LEAST_HOLE,) * 2))
    finder = _ShiftFinder(small, known)
    holes = (parts == part for part in range(1, count) if thick[parts == part].any())
    for labels, shifts in map_ordered(lambda one: _labeled(small, one, known, finder), holes, ahead=1):
        if len(shifts):
            _paint(result, picture, hole, seen, labels, shifts, (picture.shape[1] / size[0], picture.shape[0] / size[1]))
    return result


def _labeled(picture: np.ndarray, hole: np.ndarray, known: np.ndarray, finder: _ShiftFinder) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel of one hole the number of the shift (N, 2: x, y) that it is copied by, int32 (h, w), -1 elsewhere."""
    width = max(2, round(RING * COARSE))
    ring = (cv2.dilate(hole.astype(np.uint8), np.ones((2 * width + 1,) * 2)) > 0) & known
    shifts = finder.shifts(ring, hole)
    labels = np.full(hole.shape, -1, np.int32)
    if len(shifts):
        rows, columns = np.nonzero(cv2.dilate(hole.astype(np.uint8), np.ones((3, 3))))
        labels[rows, columns] = _cut(picture, known, hole, ring, rows, columns, shifts)
        sources = rows + shifts[labels[rows, columns], 1], columns + shifts[labels[rows, columns], 0]
        lost = ~_at(known, *sources) | ~hole[rows, columns]
        labels[rows[lost], columns[lost]] = -1
    return labels, shifts


class _ShiftFinder:
    """Finds the shifts under which a picture float32 (h, w, 3), where it is `known`, continues the surroundings of a hole."""

    def __init__(self, picture: np.ndarray, known: np.ndarray):
        self.shape = tuple(fft.next_fast_len(2 * side, real=True) for side in known.shape)
        self.parts = [np.ones(known.shape), (picture.astype(np.float64) ** 2).sum(2), *np.moveaxis(picture.astype(np.float64), 2, 0)]
        self.known = [self._spectrum(known * part) for part in self.parts]

    def _spectrum(self, values: np.ndarray) -> np.ndarray:
        return fft.rfft2(values, self.shape)

    def shifts(self, ring: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """Shifts (N, 2: x, y) that continue all of a hole's surroundings, or a quarter of them, and fill enough of the hole."""
        rows, columns = np.nonzero(hole)
        y, x = np.indices(ring.shape)
        below, right = y > np.median(rows), x > np.median(columns)
        found: dict[tuple[int, int], None] = {}
        for own in [ring] + [ring & (below == i) & (right == j) for i in (False, True) for j in (False, True)]:
            if own.sum() >= LEAST_RING:
                for x, y in self._best(own, hole):
                    found |= {(x, y): None, (2 * x, 2 * y): None}  # what repeats once repeats again
        return np.array(list(found), int).reshape(-1, 2)

    def _best(self, ring: np.ndarray, hole: np.ndarray) -> list[tuple[int, int]]:
        """The shifts with the least mean squared difference between a ring and what it is moved onto, all at once, by correlation; of
        those that are as good, the ones that are told by most of the ring and fill most of the hole."""
        here = [np.conj(self._spectrum(ring * part)) for part in self.parts]
        overlap = fft.irfft2(here[0] * self.known[0], self.shape)
        error = here[0] * self.known[1] + here[1] * self.known[0] - 2 * sum(a * b for a, b in zip(here[2:], self.known[2:], strict=True))
        told, fills = overlap / ring.sum(), self._filled(hole) / hole.sum()
        usable = (fills > LEAST_COVER) & (told > LEAST_OVERLAP)
        cost = np.where(usable, fft.irfft2(error, self.shape) / np.maximum(overlap, 1) - TOLD * told - FILLS * fills, np.inf)
        best: list[tuple[int, int]] = []
        while len(best) < SHIFTS and np.isfinite(cost).any():
            y, x = (int(i) for i in np.unravel_index(cost.argmin(), self.shape))
            reach = np.arange(-APART, APART + 1)
            cost[np.ix_((y + reach) % self.shape[0], (x + reach) % self.shape[1])] = np.inf
            best.append((x - self.shape[1] * (2 * x > self.shape[1]), y - self.shape[0] * (2 * y > self.shape[0])))
        return best

    def _filled(self, hole: np.ndarray) -> np.ndarray:
        """How many pixels of a hole each shift fills with something seen."""
        return fft.irfft2(np.conj(self._spectrum(hole.astype(np.float64))) * self.known[0], self.shape)


def _at(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """`picture` at places that may lie outside: there 0, or false."""
    inside = (rows >= 0) & (columns >= 0) & (rows < picture.shape[0]) & (columns < picture.shape[1])
    values = picture[np.where(inside, rows, 0), np.where(inside, columns, 0)]
    return np.where(inside.reshape(-1, *(1,) * (values.ndim - 1)), values, values.dtype.type(0))


def _misses(picture: np.ndarray, ring: np.ndarray, known: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """By how many gray levels a shift misses the surroundings, float32 (h, w): there, and inside the hole as around it."""
    rows, columns = np.nonzero(ring)
    valid = _at(known, rows + shift[1], columns + shift[0])
    rows, columns = rows[valid], columns[valid]
    missed, told = np.zeros((*ring.shape, 1), np.float32), np.zeros(ring.shape, np.float32)
    missed[rows, columns, 0] = np.abs(_at(picture, rows + shift[1], columns + shift[0]) - picture[rows, columns]).mean(1)
    told[rows, columns] = 1
    return fill_unseen(missed, told)[..., 0] if len(rows) else np.full(ring.shape, UNTOLD, np.float32)


def _cut(picture: np.ndarray, known: np.ndarray, hole: np.ndarray, ring: np.ndarray, rows: np.ndarray, columns: np.ndarray,
         shifts: np.ndarray) -> np.ndarray:
    """A shift for each pixel: copied from something seen, agreeing with the border, with seams where both sides look alike."""
    numbers = np.full(hole.shape, -1)
    numbers[rows, columns] = np.arange(len(rows))
    pairs = np.concatenate([np.stack([numbers[:, :-1].ravel(), numbers[:, 1:].ravel()], 1),
                            np.stack([numbers[:-1].ravel(), numbers[1:].ravel()], 1)])
    pairs = pairs[(pairs >= 0).all(1)]
    copies = np.stack([_at(picture, rows + y, columns + x) for x, y in shifts])          # (N, P, 3)
    valid = np.stack([_at(known, rows + y, columns + x) for x, y in shifts])
    border = ~hole[rows, columns] & known[rows, columns]
    alien = np.stack([_misses(picture, ring, known, shift)[rows, columns] for shift in shifts])
    unary = np.where(valid, ALIEN * alien, INVALID) + np.abs(copies - picture[rows, columns]).sum(2) * border
    labels = unary.argmin(0)
    for label in [*range(len(shifts))] * CYCLES:
        labels = _expanded(labels, label, unary, copies, pairs)
    return labels


def _expanded(labels: np.ndarray, label: int, unary: np.ndarray, copies: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """One expansion move: every pixel keeps its shift or takes `label`."""
    p, q = pairs.T
    places = np.arange(len(labels))

    def seam(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.abs(copies[a, p] - copies[b, p]).sum(1) + np.abs(copies[a, q] - copies[b, q]).sum(1)

    new = np.full(len(p), label)
    stay, left, right = seam(labels[p], labels[q]), seam(labels[p], new), seam(new, labels[q])
    graph = maxflow.Graph[float](len(labels), len(pairs))
    nodes = graph.add_nodes(len(labels))
    # E(0,0) = stay, E(0,1) = left, E(1,0) = right, E(1,1) = 0 as a sum of terms (Kolmogorov and Zabih 2004); 1 takes the label.
    take, keep = unary[label].copy(), unary[labels, places].copy()
    np.add.at(keep, p, np.maximum(stay - right, 0))
    np.add.at(take, p, np.maximum(right - stay, 0))
    np.add.at(keep, q, np.maximum(right, 0))
    graph.add_grid_tedges(nodes, take, keep)
    graph.add_edges(nodes[p], nodes[q], np.maximum(left + right - stay, 0), np.zeros(len(p)))
    graph.maxflow()
    return np.where(graph.get_grid_segments(nodes), label, labels)


def _paint(result: np.ndarray, picture: np.ndarray, hole: np.ndarray, seen: np.ndarray, labels: np.ndarray, shifts: np.ndarray,
           factors: tuple[float, float]) -> None:
    """Copy at full size by refined shifts, blended where they meet, and shaded to meet the surroundings."""
    own = cv2.resize(labels.astype(np.float32), hole.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(np.int32)
    x, y, width, height = cv2.boundingRect((own >= 0).astype(np.uint8))
    top, left, margin = max(0, y - MARGIN), max(0, x - MARGIN), 2 * MARGIN
    window = slice(top, top + height + margin), slice(left, left + width + margin)
    inside = (hole & (own >= 0))[window]
    around = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5))) > 0
    ring = np.nonzero(around & seen[window])
    nearest = _spread(own[window], around)
    copy, weight = np.zeros((*inside.shape, 3), np.float32), np.zeros(inside.shape, np.float32)
    for number in np.unique(nearest[nearest >= 0]):
        share = cv2.GaussianBlur((nearest == number).astype(np.float32), (0, 0), SEAM * max(factors))
        rows, columns = np.nonzero(around & (share > 0.01))
        x, y = _refined(picture, seen, ring[0] + top, ring[1] + left, shifts[number] * factors, factors)
        share = share[rows, columns] * _at(seen, rows + top + y, columns + left + x)
        copy[rows, columns] += share[:, None] * _at(picture, rows + top + y, columns + left + x)
        weight[rows, columns] += share
    copied = weight > 0.01
    copy /= np.maximum(weight, 0.01)[..., None]
    meeting = around & seen[window] & copied
    if meeting.any():
        difference = picture[window] - copy
        alike = meeting & (np.abs(difference).max(2) < LARGEST_CHANGE)      # where they are not, there is a line
        copy += fill_unseen((difference * alike[..., None]).astype(np.float32), alike.astype(np.float32))
        result[window][inside & copied] = np.rint(np.clip(copy[inside & copied], 0, 255))


def _spread(labels: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Labels continued by two pixels into their surroundings."""
    grown = labels
    for _ in range(2):
        grown = np.where(grown >= 0, grown, cv2.dilate(grown.astype(np.float32), np.ones((3, 3))).astype(np.int32))
    return np.where(around, grown, -1)


def _refined(picture: np.ndarray, seen: np.ndarray, rows: np.ndarray, columns: np.ndarray, shift: np.ndarray,
             factors: tuple[float, float]) -> tuple[int, int]:
    """The whole-pixel shift near `shift` that continues a hole's border, the seen pixels at `rows` and `columns`, best."""
    step = max(1, len(rows) // SAMPLES)
    rows, columns = rows[::step], columns[::step]
    here = picture[rows, columns].astype(np.int32)
    best, least = (int(round(shift[0])), int(round(shift[1]))), np.inf
    for dy in range(-int(FINEST * factors[1]), int(FINEST * factors[1]) + 1):
        for dx in range(-int(FINEST * factors[0]), int(FINEST * factors[0]) + 1):
            x, y = int(round(shift[0])) + dx, int(round(shift[1])) + dy
            valid = _at(seen, rows + y, columns + x)
            if valid.sum() < max(1, LEAST_OVERLAP * len(rows)):
                continue
            error = np.abs(_at(picture, rows + y, columns + x).astype(np.int32) - here)[valid].mean()
            if error < least:
                best, least = (x, y), error
    return best
