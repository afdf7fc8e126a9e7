# SPDX-License-Identifier: GPL-3.0-or-later
"""What other frames show at a place says whose it is: faintly, where there are no edges, and of what a plane never shows again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.flow import compute_flow
from toondecompose_blender.engine.layers.edgels import find_edgels, motion_cost
from toondecompose_blender.engine.layers.ownership import Energy, build_conflicts, build_graph
from toondecompose_blender.engine.layers.proposals import propose_motions
from toondecompose_blender.engine.layers.split_agreement import measure_agreement
from toondecompose_blender.engine.layers.split_faint import misfits, told_apart
from toondecompose_blender.engine.layers.split_search import POTTS, Layers, find_layers, open_space, sprite_table, sprite_tables
from toondecompose_blender.engine.layers.supervoxels import build_supervoxels
from toondecompose_blender.engine.report import Silent

WIDTH, HEIGHT, FRAMES = 240, 160, 18
FAR, NEAR = 1.0, 4.0        # px a frame to the left
SNOW, FAR_SNOW = (225, 238, 240), (214, 229, 236)   # so alike that there is no edge between them
TOP = 80                    # the near plane is snow from this row on


def pan(speed):
    """The homographies (T, 3, 3) plane -> frame of a plane that slides to the left."""
    poses = np.repeat(np.eye(3)[None], FRAMES, 0)
    poses[:, 0, 2] = -speed * np.arange(FRAMES)
    return poses


def steps(speed):
    return np.repeat(np.array([[1.0, 0, -speed], [0, 1, 0], [0, 0, 1]])[None], FRAMES - 1, 0)


def drift(rng, levels):
    """A wide picture of soft mounds, float32, up to so many gray levels high: steps between neighbors are far too small to be edgels."""
    noise = cv2.GaussianBlur(rng.normal(size=(HEIGHT, WIDTH + 100)).astype(np.float32), (0, 0), 3)
    return np.repeat((levels * noise / np.abs(noise).max())[..., None], 3, 2)


@pytest.fixture(scope="module")
def snow():
    """Dark fir trees on far snow, and near snow before it, both with faint drifts; one post stands on the near one."""
    rng = np.random.default_rng(5)
    far, near = drift(rng, 6) + FAR_SNOW, drift(rng, 6) + SNOW
    for x in range(15, WIDTH + 100, 40):
        cv2.fillPoly(far, [np.array([(x, 20), (x + 12, 70), (x - 12, 70)])], (40, 80, 70))
    cv2.rectangle(near, (150, 90), (158, 130), (120, 70, 40), -1)
    frames = []
    for t in range(FRAMES):
        frame = far[:, round(FAR * t):][:, :WIDTH].copy()
        frame[TOP:] = near[TOP:, round(NEAR * t):][:, :WIDTH]
        frames.append(np.rint(np.clip(frame, 0, 255)).astype(np.uint8))
    return np.stack(frames)


@pytest.fixture(scope="module")
def layers(snow):
    return layers_of(snow)


def layers_of(frames):
    """Two layers as the edges tell them, the far plane behind."""
    flow = compute_flow(frames, method="dis", device="cpu", report=Silent())
    voxels = build_supervoxels(frames, flow)
    edgels = find_edgels(voxels, flow)
    proposals = propose_motions(edgels, voxels, frames, flow, steps(FAR), static=False, planes=[steps(NEAR)])
    graph = build_graph(voxels, edgels, flow)
    space = open_space(proposals, graph, sprite_tables(proposals, graph), measure_agreement(voxels, pan(FAR)), background=0, static=False,
                       known=False)
    return find_layers(space, 2, forced=True)


def share_in_front(layers, rows):
    voxels = layers.energy.graph.voxels
    return (layers.labels[np.stack([voxels.labels[t][rows] for t in range(FRAMES)])] > 0).mean()


def test_a_near_plane_that_is_too_pale_for_edges_is_found_whole(snow, layers):
    told, faint = told_apart(snow, layers)
    assert share_in_front(layers, np.s_[TOP:]) < 0.5    # the post, and what is beside it
    assert share_in_front(told, np.s_[TOP + 8:]) > 0.95
    assert share_in_front(told, np.s_[:TOP - 8]) < 0.05
    size = told.energy.graph.voxels.size
    assert not faint[layers.labels > 0].any() and not faint[told.labels == 0].any()     # neither the post nor the trees
    assert size[faint].sum() > 0.9 * (size[told.labels > 0].sum() - size[layers.labels > 0].sum())


def test_what_a_plane_never_shows_again_is_not_of_it(snow):
    flickering, rng = snow.copy(), np.random.default_rng(7)
    for frame in flickering:
        cv2.circle(frame, (60, 120), 13, tuple(int(c) for c in rng.integers(0, 120, 3)), -1)    # no motion explains it
    flow = compute_flow(flickering, method="dis", device="cpu", report=Silent())
    voxels = build_supervoxels(flickering, flow)
    edgels = find_edgels(voxels, flow)
    graph, motions = build_graph(voxels, edgels, flow), (steps(FAR), steps(NEAR), np.full((FRAMES - 1, 3, 3), np.nan))
    costs = tuple(motion_cost(edgels, voxels, motion) for motion in motions)
    tables = np.stack([sprite_table(graph, edgels, cost, k) for k, cost in enumerate(costs)], 1)
    energy = Energy(graph, build_conflicts(voxels, motions[0]), tables, np.zeros((voxels.count, 3)), POTTS)
    ball = np.bincount(voxels.labels[:, 114:126, 54:66].ravel(), minlength=voxels.count) > 0
    near = np.bincount(voxels.labels[:, TOP:].ravel(), minlength=voxels.count) > voxels.size / 2
    told, _ = told_apart(flickering, Layers((near | ball).astype(np.int64), motions, costs, energy, ()))
    # Of the first two frames nothing is told by what came before, of the last two by what comes next.
    assert voxels.size[ball & (told.labels == 1)].sum() < 0.25 * voxels.size[ball].sum()
    assert voxels.size[near & ~ball & (told.labels == 1)].sum() > 0.9 * voxels.size[near & ~ball].sum()


def of_picture(voxels, misfit, t, rows):
    """The misfit a pixel of these rows of frame t, (motions,)."""
    return (misfit / voxels.size[:, None])[voxels.labels[t][rows]].mean((0, 1))


def test_a_motion_misfits_where_another_leaves_clearly_less(snow, layers):
    voxels = layers.energy.graph.voxels
    misfit = misfits(snow, voxels, [steps(FAR), steps(NEAR)])
    assert of_picture(voxels, misfit, 9, np.s_[TOP + 8:])[0] > 0.3
    assert of_picture(voxels, misfit, 9, np.s_[TOP + 8:])[1] < 0.01
    assert of_picture(voxels, misfit, 9, np.s_[:TOP - 8])[0] < 0.01


def test_of_an_unknown_motion_nothing_is_said(snow, layers):
    voxels = layers.energy.graph.voxels
    unknown = np.full((FRAMES - 1, 3, 3), np.nan)
    known, both = (misfits(snow, voxels, motions) for motions in ([steps(FAR), steps(NEAR)], [steps(FAR), steps(NEAR), unknown]))
    assert np.array_equal(both[:, :2], known)
    assert (both[:, 2] >= known.min(1)).all()           # it is no way out
    assert both[:, 2].sum() == pytest.approx(known.mean(1).sum(), rel=0.1)


def test_what_something_covers_later_does_not_misfit_its_motion(layers):
    shown = [np.full((HEIGHT, WIDTH, 3), SNOW, np.uint8) for _ in range(FRAMES)]
    for t, frame in enumerate(shown):
        frame[:, :WIDTH // 2] -= 8 * np.uint8(t > FRAMES // 2)      # a pale veil falls over the left half, and stays
    voxels = layers.energy.graph.voxels
    assert not misfits(np.stack(shown), voxels, [steps(0), steps(-NEAR)])[:, 0].any()   # though from the right half comes what fits
