# SPDX-License-Identifier: GPL-3.0-or-later
"""A crowd of running figures: what no motion of its own tells apart, its being apart does; and where figures meet, who is who."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from benchmarks.drawn_clips import crowd
from toondecompose_blender.engine.flow import compute_flow
from toondecompose_blender.engine.layers.edgels import find_edgels
from toondecompose_blender.engine.layers.ownership import Conflicts, Energy, build_graph
from toondecompose_blender.engine.layers.proposals import propose_motions
from toondecompose_blender.engine.layers.split import split_sprites
from toondecompose_blender.engine.layers.split_agreement import measure_agreement
from toondecompose_blender.engine.layers.split_bodies import Bodies, find_bodies
from toondecompose_blender.engine.layers.split_merge import smoothed
from toondecompose_blender.engine.layers.split_search import find_layers, open_space, refitted, sprite_tables
from toondecompose_blender.engine.layers.split_whole import acting, each_its_own, followed, made_whole, relabeled
from toondecompose_blender.engine.layers.supervoxels import build_supervoxels
from toondecompose_blender.engine.pictures import composite
from toondecompose_blender.engine.report import Silent

WIDTH, HEIGHT, FRAMES = 320, 180, 24


@pytest.fixture(scope="module")
def running():
    """Frames, true labels, flow and camera of three figures that run on the spot before a pan."""
    scene = crowd(width=WIDTH, height=HEIGHT, frames=FRAMES, sprites=4)
    shown = [scene.sprites(t) for t in range(FRAMES)]
    truth = np.stack([np.max([(sprite[..., 3] > 127) * k for k, sprite in enumerate(sprites)], 0) for sprites in shown])
    frames = np.stack([composite(sprites)[..., :3] for sprites in shown])
    return frames, truth, compute_flow(frames, method="dis", device="cpu", report=Silent()), scene.layers[0].homographies


def overlaps(labels: np.ndarray, truth: np.ndarray) -> list[float]:
    """Intersection over union of each true sprite with the label that is its own: in whatever order."""
    labels, truth = labels.ravel().astype(int), truth.ravel().astype(int)
    count = 1 + max(labels.max(), truth.max())
    common = np.bincount(truth * count + labels, minlength=count * count).reshape(count, count)
    iou = common / np.maximum(1, common.sum(0) + common.sum(1, keepdims=True) - common)
    rows, columns = linear_sum_assignment(-iou)
    return iou[rows, columns].tolist()


@pytest.mark.parametrize("sprites", [4, None])
def test_figures_that_run_apart_are_a_sprite_each(running, sprites):
    frames, truth, flow, camera = running
    split = split_sprites(frames, flow, sprites=sprites, camera=camera, static=False)
    assert split.count == 4
    assert min(overlaps(split.labels, truth)) > 0.75    # each of them was cut in three before


def pieces_of(*columns: tuple[tuple[int, ...], ...]) -> SimpleNamespace:
    """Pieces of a drawn strip: for each frame, the first and last column of each figure; a figure is a piece of its own color."""
    labels = np.zeros((len(columns), 40, 120), np.int32)
    for t, spans in enumerate(columns):
        for number, (first, last) in enumerate(spans, 1):
            labels[t, 10:30, first:last] = number
    colors = np.array([(200, 220, 240), (220, 40, 40), (40, 40, 220), (60, 200, 60)], np.uint8)
    size = np.bincount(labels.ravel()).astype(float)
    return SimpleNamespace(labels=labels, sharp=colors[labels], count=len(size), size=size, color=colors[:len(size)].astype(float))


def bodies_in(voxels: SimpleNamespace) -> dict[int, set[int]]:
    """The bodies in which each figure was seen."""
    found = find_bodies(np.arange(voxels.count) > 0, voxels)
    return {number: set(found.body[found.piece == number].tolist()) for number in range(1, voxels.count)}


def test_figures_are_known_again_by_their_colors_after_they_met():
    paths = [((10 + 4 * t, 30 + 4 * t), (90 - 4 * t, 110 - 4 * t)) for t in range(20)]      # they touch from frame 8 to 12
    seen = bodies_in(pieces_of(*paths))
    assert seen[1] & seen[2] == {-1}            # where they touch, nobody says whose it is
    assert len(seen[1]) == len(seen[2]) == 2    # and one body before and after


def test_two_figures_that_touch_are_neither_of_them():
    paths = [((10 + 3 * t, 40 + 3 * t), (75, 105)) if t < 9 else ((40, 70), (70, 100)) for t in range(24)]     # they stay together
    seen = bodies_in(pieces_of(*paths))
    assert seen[1] - {-1} and seen[2] - {-1} and not (seen[1] & seen[2]) - {-1}


@pytest.mark.parametrize("left", [False, True])
def test_two_figures_of_one_color_that_touch_are_told_by_their_area(left):
    apart, met, after = ((0, 36), (46, 66), (80, 110)), ((14, 50), (50, 70), (70, 100)), ((0, 36), (36, 56), (80, 110))
    alone = ((0, 42), (120, 120), (80, 110))    # the second has left, the first has grown by a sixth
    voxels = pieces_of(*[apart] * 8, *[met] * 6, *[alone if left else after] * 8)
    voxels.color[2] = voxels.color[1]
    found = find_bodies(np.arange(4) > 0, voxels)
    late = found.body[(found.frame >= 14) & (found.piece < 3)]
    assert len(late) and ((late >= 0).all() if left else (late < 0).all())


def test_a_figure_that_goes_from_one_to_another_is_no_part_of_either():
    apart, later, moment, at_last = (((10, 34), (44, 74), (80, 110)), ((10, 34), (50, 80), (80, 110)), ((10, 34), (40, 70), (76, 106)),
                                     ((10, 34), (34, 64), (80, 110)))
    seen = bodies_in(pieces_of(*[apart] * 8, *[later] * 8, *[moment] * 3, *[at_last] * 8))
    assert sorted(len(bodies - {-1}) for bodies in seen.values()) == [1, 1, 1] and len(set().union(*seen.values()) - {-1}) == 3


def test_what_leaves_a_figure_for_a_moment_is_a_part_of_it():
    paths = [((10, 40), (40, 60) if t not in (9, 10) else (44, 64)) for t in range(20)]
    seen = bodies_in(pieces_of(*paths))
    assert seen[1] == {0} and seen[2] - {-1} == {0}


def test_figures_part_also_where_a_shadow_soon_leaves_one_of_them():
    apart, met, touching = ((0, 40), (60, 84), (90, 94)), ((20, 60), (60, 84), (90, 94)), ((0, 40), (60, 84), (84, 88))
    found = find_bodies(np.arange(4) > 0, pieces_of(*[apart] * 8, *[met] * 6, *[touching] * 2, *[apart] * 8))
    before, after = (found.body[(found.piece == 1) & np.isin(found.frame, frames)] for frames in (range(8), range(14, 24)))
    assert len(before) == 8 and len(after) == 10 and len({*before.tolist(), *after.tolist()} - {-1}) == 1 and (after >= 0).all()


def test_figures_that_never_part_are_one_body():
    seen = bodies_in(pieces_of(*[((10 + t, 40 + t), (40 + t, 60 + t)) for t in range(20)]))
    assert seen[1] == seen[2] == {0}


@pytest.fixture(scope="module")
def fighting():
    """Layers, edgels and true labels of two figures, one red and one blue, redrawn on twos, that touch for a fifth of the clip; the layers
    are true but for parts of them, picked at random, that are the other figure's."""
    random, frames, truth = np.random.default_rng(2), [], []
    for t in range(FRAMES):
        if t % 2 == 0:
            marks = random.integers(0, 90, (2, 16, 3))
        picture, labels = np.full((HEIGHT, WIDTH, 3), (150, 200, 160), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
        near = max(0, 5 - abs(t - 12)) * 10
        for number, (x, channel) in enumerate(((100 + near, 0), (220 - near, 2)), 1):
            for column in range(4):
                for row in range(4):
                    color = marks[number - 1, 4 * row + column].tolist()
                    color[channel] += 150
                    corner = x - 32 + 16 * column, 58 + 16 * row
                    for target, paint in ((picture, color), (labels, number)):
                        cv2.rectangle(target, corner, (corner[0] + 15, corner[1] + 15), paint, -1)
        frames.append(picture)
        truth.append(labels)
    frames, truth, still = np.stack(frames), np.stack(truth), np.repeat(np.eye(3)[None], FRAMES, 0)
    flow = compute_flow(frames, method="dis", device="cpu", report=Silent())
    voxels = build_supervoxels(frames, flow)
    edgels = find_edgels(voxels, flow)
    proposals, graph = propose_motions(edgels, voxels, frames, flow, still[1:], static=True), build_graph(voxels, edgels, flow)
    space = open_space(proposals, graph, sprite_tables(proposals, graph), measure_agreement(voxels, still), background=0, static=True,
                       known=True)
    own = np.stack([np.bincount(voxels.labels.ravel(), truth.ravel() == k, voxels.count) for k in range(3)]).argmax(0)
    mixed = np.where((own > 0) & (random.random(voxels.count) < 0.07), 3 - own, own)
    return refitted(replace(find_layers(space, 3, forced=True), labels=mixed), edgels), edgels, truth


def test_to_part_what_follows_costs_as_much_as_a_border(fighting):
    layers, graph = fighting[0], fighting[0].energy.graph
    energy = replace(layers.energy, ownership=np.zeros_like(layers.energy.ownership), unary=np.zeros_like(layers.energy.unary))
    piece = graph.first[np.argmax(np.where(graph.length > 0, 0, graph.tie))]
    labels = np.where(np.arange(graph.voxels.count) == piece, 2, 1)
    parted = (graph.first == piece) != (graph.second == piece)
    assert graph.tie[parted].sum() > graph.length[parted].sum()
    assert energy.of(labels) == pytest.approx(energy.potts * graph.tie[parted].sum())


def test_two_figures_that_meet_at_times_are_wholly_one_sprite_each(fighting):
    layers, edgels, truth = fighting
    voxels = layers.energy.graph.voxels
    assert min(overlaps(layers.labels[voxels.labels], truth)) < 0.96
    assert min(overlaps(each_its_own(layers, edgels, np.zeros(voxels.count, bool)).labels[voxels.labels], truth)) > 0.98


def test_what_was_made_whole_stays_whole_when_its_borders_are_smoothed(fighting):
    layers, edgels, truth = fighting
    voxels = layers.energy.graph.voxels
    whole = smoothed(each_its_own(layers, edgels, np.zeros(voxels.count, bool)), layers)
    assert min(overlaps(whole.labels[voxels.labels], truth)) > 0.98     # the background took a tenth of one of them before


def test_what_a_sprite_has_by_faint_differences_alone_joins_no_bodies(fighting):
    layers, edgels, truth = fighting
    graph = layers.energy.graph
    ground = (layers.labels == 0) & (graph.voxels.border > 0)   # a plane around both figures, as if it did not reach the frame's border
    inner = replace(layers.energy, graph=replace(graph, voxels=replace(graph.voxels, border=np.zeros(graph.voxels.count))))
    plane = replace(layers, labels=np.where(ground, 1, layers.labels), energy=inner)

    def right(faint):
        found = each_its_own(plane, edgels, faint).labels[graph.voxels.labels][truth > 0]
        return max((found == own).mean() for own in (truth[truth > 0], 3 - truth[truth > 0]))

    assert right(np.zeros(graph.voxels.count, bool)) < 0.98
    assert right(ground) > 0.98


@pytest.mark.parametrize("framing", [True, False])
def test_a_plane_that_frames_the_picture_joins_no_bodies(fighting, framing):
    layers, edgels, truth = fighting
    energy, graph, four = layers.energy, layers.energy.graph, [0, 1, 2, 2]
    ground = (layers.labels == 0) & (graph.voxels.border > 0)   # a sprite of its own around both figures
    if not framing:
        graph = replace(graph, voxels=replace(graph.voxels, border=np.zeros(graph.voxels.count)))
    energy = replace(energy, graph=graph, unary=energy.unary[:, four], ownership=energy.ownership[:, four])
    plane = replace(layers, labels=np.where(ground, 3, layers.labels), energy=energy, motions=tuple(layers.motions[k] for k in four),
                    costs=tuple(layers.costs[k] for k in four))
    whole = made_whole(plane, edgels, np.zeros(graph.voxels.count, bool)).labels[graph.voxels.labels]
    figures = overlaps(np.where(truth > 0, whole, 0), truth)[1:]
    assert (min(figures) > 0.98) == framing


def test_what_a_plane_holds_apart_from_the_rest_of_it_may_be_a_limb():
    # Ground; branches, all of one piece but for a foot that they hold, too, amid the picture; the figure whose foot it is.
    voxels = SimpleNamespace(border=np.array([700.0, 200, 100, 0, 0]))
    graph = SimpleNamespace(voxels=voxels, first=np.array([1, 2, 3]), second=np.array([2, 4, 4]), length=np.array([9.0, 5.0, 5.0]))
    layers = SimpleNamespace(labels=np.array([0, 1, 1, 1, 2]), motions=(None,) * 3, energy=SimpleNamespace(graph=graph))
    assert acting(layers).tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("own", [0, 1])
def test_where_figures_meet_a_piece_is_of_the_one_that_has_its_color(own):
    colors = np.array([(200, 220, 240), (220, 40, 40), (40, 200, 40), (220, 220, 40), (40, 40, 220)], float)
    # Ground, a red and green figure, a yellow and blue one, a piece between them, and two scraps that touch each other alone.
    color = np.vstack([colors, colors[[1, 4][own]], colors[[1, 1]]])
    voxels = SimpleNamespace(size=np.array([9000.0, 500, 500, 500, 500, 60, 20, 20]), color=color, count=8)
    lengths = np.array([9.0, 10.0, 5.0] if own == 0 else [10.0, 9.0, 5.0])  # the piece has more of its outline in common with the other
    graph = SimpleNamespace(voxels=voxels, first=np.array([2, 3, 6]), second=np.array([5, 5, 7]), length=lengths)
    none = np.zeros(0, int)
    bodies = Bodies(np.zeros(4, int), np.arange(1, 5), np.full(4, 500), np.array([0, 0, 1, 1]), none.reshape(0, 2), none, 2)
    assert followed(bodies, np.arange(8) > 0, graph).tolist() == [-1, 0, 0, 1, 1, own, -1, -1]


@pytest.mark.parametrize("theirs, body", [((40, 40, 220), 0), ((220, 40, 40), 1)])
def test_a_piece_seen_seldom_in_a_figure_by_itself_is_its_own_if_the_other_lacks_the_color(theirs, body):
    # Ground, two figures of two colors each, and a piece between them that hangs on the second, by a color like its own.
    color = np.array([(200, 220, 240), (220, 40, 40), (40, 200, 40), (200, 60, 60), theirs, (220, 40, 40)], float)
    voxels = SimpleNamespace(size=np.array([9000.0, 500, 500, 500, 500, 100]), color=color, count=6)
    graph = SimpleNamespace(voxels=voxels, first=np.array([1, 3]), second=np.array([5, 5]), length=np.array([2.0, 30.0]))
    none = np.zeros(0, int)
    bodies = Bodies(np.zeros(5, int), np.arange(1, 6), np.array([500, 500, 500, 500, 30]), np.array([0, 0, 1, 1, 0]),
                    none.reshape(0, 2), none, 2)
    assert followed(bodies, np.arange(6) > 0, graph).tolist() == [-1, 0, 0, 1, 1, body]


def test_a_layer_whose_own_body_is_a_scrap_keeps_what_it_has_of_another():
    size, none = np.array([9000.0, 1000, 90, 8]), np.zeros(0, np.int32)     # background, a rider, puffs that touch it, one that does not
    graph = SimpleNamespace(voxels=SimpleNamespace(size=size), first=none, second=none, length=none.astype(float), tie=none.astype(float))
    energy = Energy(graph, Conflicts(np.zeros(5, int), none, none.astype(float)), np.zeros((0, 3, 3)), np.zeros((4, 3)), 0.0)
    layers = SimpleNamespace(labels=np.array([0, 2, 1, 1]), motions=(None,) * 3, energy=energy)
    labels, moving = relabeled(layers, np.array([-1, 0, 0, 1]), np.array([True, False]), True)
    assert labels.tolist() == [0, 2, 1, 1] and moving.tolist() == [False, True, False, False]


@pytest.mark.parametrize("misfit, stays", [(0.1, True), (0.01, False)])
def test_a_body_that_has_the_motion_of_its_layer_stays_there(misfit, stays):
    size, none = np.array([9000.0, 5000, 4900, 100, 300]), np.zeros(0, np.int32)    # background, two pillars, a scrap of one, a runner
    pillar = np.array([2], np.int32)
    graph = SimpleNamespace(voxels=SimpleNamespace(size=size), first=pillar, second=pillar, length=np.zeros(1), tie=np.zeros(1))
    ownership = np.zeros((1, 3, 3))
    ownership[0, 2] = misfit * 5000
    energy = Energy(graph, Conflicts(np.zeros(6, int), none, none.astype(float)), ownership, np.zeros((5, 3)), 0.0)
    layers = SimpleNamespace(labels=np.array([0, 1, 1, 2, 2]), motions=(None,) * 3, energy=energy)
    labels, _ = relabeled(layers, np.array([-1, 0, 1, 1, 2]), np.array([False, True, False]), False)
    assert labels[1] == 1 and labels[2] == (1 if stays else 2)


def test_a_clip_without_foreground_has_no_bodies():
    voxels = pieces_of(*[((10, 40),) for _ in range(3)])
    assert find_bodies(np.zeros(voxels.count, bool), voxels).count == 0
