# SPDX-License-Identifier: GPL-3.0-or-later
"""A sprite that was asked for but found nothing takes the part of another that moves by itself; one that holds something stays."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.flow import compute_flow
from toondecompose_blender.engine.layers.edgels import find_edgels
from toondecompose_blender.engine.layers.ownership import build_graph
from toondecompose_blender.engine.layers.proposals import propose_motions
from toondecompose_blender.engine.layers.split_agreement import measure_agreement
from toondecompose_blender.engine.layers.split_refill import refilled
from toondecompose_blender.engine.layers.split_search import find_layers, open_space, refitted, sprite_tables
from toondecompose_blender.engine.layers.supervoxels import build_supervoxels
from toondecompose_blender.engine.report import Silent

WIDTH, HEIGHT, FRAMES = 200, 160, 20
SKY, SUNNY, SHADY, CLOUD = (30, 150, 240), (90, 110, 140), (60, 75, 95), (205, 206, 206)


@pytest.fixture(scope="module")
def mountain():
    """A mountain, sunny on one side and shady on the other, that slides down before a sky, and a cloud that drifts along in front of it:
    both as one sprite, their edgels, and where the cloud is."""
    frames, clouds = [], []
    for t in range(FRAMES):
        frame, cloud = np.full((HEIGHT, WIDTH, 3), SKY, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
        top = 40 + t
        for color, foot in ((SUNNY, 30), (SHADY, 170)):
            cv2.fillPoly(frame, [np.array([(100, top), (100, 150), (foot, 150)])], color)
        cv2.circle(cloud, (round(16 * (70 + 1.5 * t)), 16 * 115), 16 * 8, 255, -1, cv2.LINE_AA, 4)
        weight = cloud[..., None] / 255
        frames.append(np.round(frame * (1 - weight) + np.array(CLOUD) * weight).astype(np.uint8))
        clouds.append(cloud > 127)
    frames, still = np.stack(frames), np.repeat(np.eye(3)[None], FRAMES, 0)
    flow = compute_flow(frames, method="dis", device="cpu", report=Silent())
    voxels = build_supervoxels(frames, flow)
    edgels = find_edgels(voxels, flow)
    proposals = propose_motions(edgels, voxels, frames, flow, still[1:], static=True)
    graph = build_graph(voxels, edgels, flow)
    space = open_space(proposals, graph, sprite_tables(proposals, graph), measure_agreement(voxels, still), background=0, static=True,
                       known=True)
    labels = np.abs(voxels.color - SKY).max(1) > 20
    together = replace(find_layers(space, 2, forced=True), labels=labels.astype(np.int64))
    return refitted(together, edgels), edgels, np.stack(clouds)


def with_empty(layers):
    """`layers` and one more in front that holds nothing."""
    return replace(layers.kept([0, 1, 1]), labels=np.minimum(layers.labels, 1))


def test_the_part_that_moves_by_itself_fills_an_empty_sprite(mountain):
    layers, edgels, cloud = mountain
    voxels = layers.energy.graph.voxels
    found = refilled(with_empty(layers), edgels).labels[np.stack([voxels.labels[t] for t in range(FRAMES)])] == 2
    assert (found & cloud).sum() > 0.9 * (found | cloud).sum()      # not a side of the mountain, though these are larger


def test_a_sprite_that_holds_something_is_left_alone(mountain):
    layers, edgels, _ = mountain
    labels = layers.labels.copy()
    side = np.argsort(np.where(labels == 1, layers.energy.graph.voxels.size, 0))[-2]
    labels[side] = 2        # though the cloud would be the better sprite
    asked = replace(with_empty(layers), labels=labels)
    assert refilled(asked, edgels) is asked


def test_where_nothing_moves_by_itself_nothing_is_taken(mountain):
    layers, edgels, _ = mountain
    best = refilled(with_empty(layers), edgels)
    once = refilled(replace(best.kept([0, 1, 2, 2]), labels=best.labels), edgels)
    assert (np.bincount(once.labels, minlength=4)[1:] > 0).sum() == 2
