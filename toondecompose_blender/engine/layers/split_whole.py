# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes bodies whole: one whose parts change their layers from frame to frame, as by chance, was cut by motions that it does not have.
It must not cut anything: what moves by itself within a body keeps its layer for long, and is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg

from ..geometry import project
from ..parallel import map_ordered
from .edgels import Edgels, chained
from .ownership import Graph, components_of
from .split_bodies import Bodies, find_bodies
from .split_merge import merged_while_cheap
from .split_search import Layers, refitted
from .supervoxels import Supervoxels, tones_of

__all__ = ["acting", "each_its_own", "followed", "made_whole", "merged_but_bodies", "relabeled"]

PLANE = 0.15            # share of the frame's border from which a layer is no body but a plane (measured: up to .07 of bodies, from .23)
RESTLESS = 0.225        # share of the changes of layer by chance from which a body is cut by chance (measured: up to .21, .24 to .60) ...
CROWDED = 0.275         # ... and while there are more layers than sprites (measured: up to .27, from .28)
MIXED = 0.05            # chance that two of its px are of two layers, below which a body is as good as whole
LASTING, WHOLLY = 0.9, 0.95     # share of the frames that show a body that lasts, and of the foreground that such bodies are
OFTEN, UNMIXED = 0.6, 0.1   # the first of bodies that meet at times; RESTLESS of one that is nearly one sprite (measured: .22)
COMPARABLE, LIMB = 0.25, 0.2    # share of the largest body that one is no detail of it, and of a body that is a limb (judgement)
TOGETHER = 0.25         # share of the frames that show several bodies at once
LIKE = 20.0             # color difference at which pieces are tied .37 times as well as without ...
LOOSE = 1e-3            # ... and at least so well
SCRAP = 0.01            # energy a voxel below which a body that gave its layer to another is background (drawn clips: .005)
MISFIT = 0.07           # energy a voxel from which a body has the motion that it would lose (measured: up to .05, .10 of a pillar)
BEGINS = 0.1            # of its ties: how strongly a piece is tied to bodies that have its color (measured: .1 and .2 are as good)
TONES = 16              # gray levels a channel that are one color
RARE = 1e-5             # share of every color in every body: what none has tells nothing
SELDOM, ONLY = 0.2, 0.9     # share of a piece seen in a body by itself, if hardly in others, and its color is hardly theirs (measured)
NOWHERE = 1e-9          # tie of each piece to no body at all: what nothing else ties is of none
UNLIKELY = 1e-6         # chance below which a walk comes from no body
WALKED = 16             # bodies that a walk may come from, the largest ones: a long clip has many scraps
STEADY, STEPS = 1e-4, 500   # relative residual at which the walk's equations are solved, and the most steps
LEFT = 0.2              # of a layer: with less it would lose what it is (measured: .06 of puffs that a cyclist took)
ELSEWHERE = 1.0         # energy of a voxel of a whole body in another layer: no motion is worth that


def made_whole(layers: Layers, edgels: Edgels, faint: np.ndarray) -> Layers:
    """`layers`, as many as there are sprites, after each body that was cut by chance is of one; of one of its own, if there are enough.
    Of bodies are no pieces that are `faint`, bool (n,): a pale plane would join all that pass before it."""
    bodies = find_bodies(acting(layers) & ~faint, layers.energy.graph.voxels)
    restless = _cut_by_chance(bodies, layers, RESTLESS)
    return _whole(layers, bodies, restless, edgels, spared=True) if restless.any() else layers


def each_its_own(layers: Layers, edgels: Edgels, faint: np.ndarray) -> Layers:
    """`layers`, as many as there are sprites, after each of just as many bodies is one of them: of bodies that last and never meet, with
    what they share a motion with and a limb that had a layer of its own; of those that meet at times, if each is one of its own already
    but for parts that change it by chance.  Of bodies are no pieces that are `faint`, bool (n,)."""
    count, frames = len(layers.motions), len(layers.energy.graph.voxels.labels)
    bodies = find_bodies(acting(layers) & ~faint, layers.energy.graph.voxels)
    known = bodies.body >= 0
    held, shown = np.zeros((bodies.count, count)), np.zeros((bodies.count, frames), bool)
    np.add.at(held, (bodies.body[known], layers.labels[bodies.piece[known]]), bodies.area[known])
    shown[bodies.body[known], bodies.frame[known]] = True
    lasting, often = shown.mean(1) > LASTING, shown.mean(1) > OFTEN
    own = held.argmax(1)
    if _as_sprites(held[lasting], count, bodies.area.sum()) and len(np.unique(own[lasting])) < count - 1:
        return _whole(layers, bodies, lasting, edgels, spared=True)
    if (count > 2 and _as_sprites(held[often], count, held.sum()) and len(np.unique(own[often])) == count - 1
            and _cut_by_chance(bodies, layers, UNMIXED)[often].any()):
        return _whole(layers, bodies, often, edgels, spared=True)
    return layers


def acting(layers: Layers) -> np.ndarray:
    """The pieces, bool (n,), of sprites that are no planes: branches before it all would join all that pass behind them to one body.
    What a plane holds apart from the rest of it, and away from the frame's border, may be a limb."""
    voxels, count = layers.energy.graph.voxels, len(layers.motions)
    border = np.bincount(layers.labels, voxels.border, count)
    result = layers.labels > 0
    for label in range(1, count):
        if border[label] >= PLANE * max(1, border.sum()):
            parts = components_of(layers.energy.graph, layers.labels == label)
            result &= (parts < 0) | (np.bincount(parts + 1, voxels.border)[parts + 1] == 0)
    return result


def _as_sprites(held: np.ndarray, count: int, total: float) -> bool:
    """Whether bodies are just as many as there are sprites among `count` layers, none a detail, nearly all of the `total` px, and each
    nearly all of one layer; `held` (bodies, layers): px of each that a layer holds."""
    area, largest = held.sum(1), held.max(1, initial=0)
    return (len(area) == count - 1 and area.min(initial=np.inf) >= COMPARABLE * area.max(initial=0)
            and area.sum() >= WHOLLY * total and bool((largest >= (1 - LIMB) * area).all()))


def merged_but_bodies(layers: Layers, most: int, edgels: Edgels, faint: np.ndarray) -> Layers:
    """`layers` merged while that is cheap, to 2..`most`; where at least two bodies cut by chance are seen at once, each is a sprite.
    Of bodies are no pieces that are `faint`, bool (n,)."""
    bodies = find_bodies(acting(layers) & ~faint, layers.energy.graph.voxels)
    restless = _cut_by_chance(bodies, layers, CROWDED)
    if not _at_once(bodies, restless):
        return merged_while_cheap(layers, most, edgels)
    merged = merged_while_cheap(_whole(layers, bodies, restless, edgels, spared=False), most, edgels)
    unary = np.column_stack([layers.energy.unary[:, 0], merged.energy.unary[:, 1:]])    # where a body ends is still to be said
    return replace(merged, energy=replace(merged.energy, unary=unary))


def _cut_by_chance(bodies: Bodies, layers: Layers, share: float) -> np.ndarray:
    """Which bodies, bool (bodies,), have parts that are of another layer one frame on, where their own takes them, at least at this
    `share` of how often they would be by chance."""
    voxels, count = layers.energy.graph.voxels, len(layers.motions)
    steps = [chained(motion, (1,)) for motion in layers.motions]
    begin = np.searchsorted(bodies.frame, np.arange(len(voxels.labels) + 1))

    def shown(t: int) -> tuple[np.ndarray, np.ndarray]:
        body = np.full(voxels.count, -1)
        body[bodies.piece[begin[t]:begin[t + 1]]] = bodies.body[begin[t]:begin[t + 1]]
        return body[voxels.labels[t]], layers.labels[voxels.labels[t]]

    def counted(t: int) -> np.ndarray:
        (body, label), (next_body, next_label) = shown(t), shown(t + 1)
        result = np.zeros((bodies.count, count + 2))    # px of each label, px that stay in their body, px of those that change their label
        for k in range(1, count):
            ys, xs = np.nonzero((label == k) & (body >= 0))
            result[:, k] = np.bincount(body[ys, xs], minlength=bodies.count)
            source, x, y = _moved(steps[k], t, xs, ys, label.shape)
            of = body[ys[source], xs[source]]
            staying = next_body[y, x] == of
            changing = staying & (next_label[y, x] != k)
            for column, which in ((count, staying), (count + 1, changing)):
                result[:, column] += np.bincount(of[which], minlength=bodies.count)
        return result

    total = sum(map_ordered(counted, range(len(voxels.labels) - 1)), np.zeros((bodies.count, count + 2)))
    areas, stayed, changed = total[:, :count], total[:, count], total[:, count + 1]
    chance = 1 - ((areas / np.maximum(1, areas.sum(1, keepdims=True))) ** 2).sum(1)
    return (chance > MIXED) & (changed > share * chance * stayed)


def _moved(steps: tuple[np.ndarray, np.ndarray], t: int, xs: np.ndarray, ys: np.ndarray,
           shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of some pixels of frame t are in the next one, and where (x, y), by the motion of their layer, `chained` over one frame."""
    if not len(xs) or not steps[1][0, t]:
        return (np.zeros(0, int),) * 3
    x, y = np.rint(project(steps[0][0, t], np.stack([xs, ys], 1).astype(np.float64))).astype(int).T
    inside = np.flatnonzero((x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0]))
    return inside, x[inside], y[inside]


def _at_once(bodies: Bodies, restless: np.ndarray) -> bool:
    """Whether a fair share of the frames shows two or more `restless` bodies."""
    shown = np.zeros((bodies.count, bodies.frame.max(initial=0) + 1), bool)
    shown[bodies.body[bodies.body >= 0], bodies.frame[bodies.body >= 0]] = True
    return bool((shown[restless].sum(0) > 1).mean() >= TOGETHER)


def _whole(layers: Layers, bodies: Bodies, restless: np.ndarray, edgels: Edgels, *, spared: bool) -> Layers:
    """`layers` with each `restless` body in one of them, held there; `spared`: no layer loses all but a scrap."""
    of = followed(bodies, acting(layers), layers.energy.graph)
    labels, moved = relabeled(layers, of, restless, spared)
    elsewhere = (np.arange(len(layers.motions)) != labels[:, None]) & moved[:, None]
    energy = replace(layers.energy, unary=layers.energy.unary + ELSEWHERE * layers.energy.graph.voxels.size[:, None] * elsewhere)
    return refitted(replace(layers, labels=labels, energy=energy), edgels)


def relabeled(layers: Layers, of: np.ndarray, restless: np.ndarray, spared: bool) -> tuple[np.ndarray, np.ndarray]:
    """The labels with each restless body (`of` int (n,): that of each piece, -1 for none) in one layer, its own, which others leave,
    and the pieces, bool (n,), of such bodies; none leaves a layer whose motion it has."""
    labels, size, count = layers.labels, layers.energy.graph.voxels.size, len(layers.motions)
    held = np.zeros((len(restless), count))
    np.add.at(held, (of[of >= 0], labels[of >= 0]), size[of >= 0])
    said = layers.energy.unary - layers.energy.unary[:, 1:].min(1, keepdims=True)   # by an artist's hints, or by what other frames show
    worth = held.copy()
    np.add.at(worth, of[of >= 0], -said[of >= 0] / ELSEWHERE)
    own = 1 + worth[:, 1:].argmax(1)
    first = held.sum(1) + size.sum() * restless     # a body that deforms is no scrap of background, a large one is seldom a part
    bodies, columns = linear_sum_assignment(-worth[:, 1:] - first[:, None])
    own[bodies] = 1 + columns
    leaving, now = restless | np.isin(held.argmax(1), own[restless]), layers.energy.of(labels)
    for body in np.flatnonzero(leaving).tolist():
        area = size[of == body].sum()
        if not restless[body] and body not in bodies and layers.energy.of(np.where(of == body, 0, labels)) - now < SCRAP * area:
            own[body] = 0
        leaving[body] = layers.energy.of(np.where(of == body, own[body], labels)) - now < MISFIT * area
    moving = leaving[of] & (of >= 0)
    for label in range(1, count) if spared else ():     # it stays in the body where it has the most
        lost = np.where(leaving & (own != label), held[:, label], 0)
        if size[np.where(moving, own[of], labels) == label].sum() < LEFT * size[labels == label].sum():
            moving = moving & ((of != lost.argmax()) | (labels != label))
    return np.where(moving, own[of], labels), moving


def followed(bodies: Bodies, foreground: np.ndarray, graph: Graph) -> np.ndarray:
    """The body of each piece of the `foreground`, bool (n,), -1 for none: where bodies meet, the one from which a random walk through
    space and time, shy of steps in color, is likeliest to come, if it may also begin in any that has the piece's color (Grady,
    Multilabel Random Walker Image Segmentation Using Prior Models, 2005)."""
    voxels, inside = graph.voxels, bodies.body >= 0
    areas = coo_matrix((bodies.area[inside], (bodies.body[inside], bodies.piece[inside])), (bodies.count, voxels.count)).tocsr()
    largest, own, walked = areas.max(0).toarray()[0], np.asarray(areas.argmax(0)).ravel(), min(bodies.count, WALKED)
    known = foreground & (largest > voxels.size / 2)
    seldom = foreground & ~known & (largest > SELDOM * voxels.size) & (largest > ONLY * np.asarray(areas.sum(0)).ravel()) & (own < walked)
    likely = _by_color(voxels, np.where(known, own, -1), walked, seldom)
    known[seldom] = likely[own[seldom], np.arange(seldom.sum())] > ONLY
    result = np.where(known, own, -1)
    ties = _ties(foreground, graph, bodies)
    _, group = connected_components(ties, directed=False)
    reached = np.isin(group, group[known])  # a scrap that nothing ties to a body is of none, whatever its color
    unknown, tied = np.flatnonzero(foreground & ~known & reached), np.asarray(ties.sum(1)).ravel()
    begins = BEGINS * tied[unknown] * _by_color(voxels, result, walked, unknown)
    degree = (1 + BEGINS) * tied[unknown] + NOWHERE
    laplacian, jacobi = diags(degree) - ties[unknown][:, unknown], diags(1 / degree)
    best = np.full(len(unknown), UNLIKELY)
    for body in range(walked if len(unknown) else 0):    # by steps: a long clip's factors would not fit into memory
        comes = ties[unknown] @ (known & (result == body)).astype(float) + begins[body]
        chance, _ = cg(laplacian, comes, rtol=STEADY, maxiter=STEPS, M=jacobi)
        result[unknown] = np.where(chance > best, body, result[unknown])
        best = np.maximum(best, chance)
    return result


def _by_color(voxels: Supervoxels, body: np.ndarray, count: int, pieces: np.ndarray) -> np.ndarray:
    """How likely each of the `pieces` (m,) is of each of the first `count` bodies by its color, (count, m), if those that are of a `body`
    (n,) show their colors."""
    colors, known = tones_of(voxels.color, TONES), (body >= 0) & (body < count)
    shares = np.zeros((count, (256 // TONES) ** 3))
    np.add.at(shares, (body[known], colors[known]), voxels.size[known])
    shares = shares / np.maximum(1, shares.sum(1, keepdims=True)) + RARE
    return (shares / shares.sum(0))[:, colors[pieces]]


def _ties(foreground: np.ndarray, graph: Graph, bodies: Bodies) -> csr_matrix:
    """How strongly pieces of the foreground are tied (n, n), symmetric: by common outlines, and by being at one place in turn."""
    color = graph.voxels.color
    beside = foreground[graph.first] & foreground[graph.second]
    first, second = (np.concatenate([ends[beside], bodies.piece[link]]) for ends, link in
                     ((graph.first, bodies.links[:, 0]), (graph.second, bodies.links[:, 1])))
    weight = np.concatenate([graph.length[beside], bodies.overlap])
    weight = weight * (LOOSE + np.exp(-np.abs(color[first] - color[second]).max(1) / LIKE)) * (first != second)
    ties = coo_matrix((weight, (first, second)), (len(foreground),) * 2).tocsr()
    return ties + ties.T
