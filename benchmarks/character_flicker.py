# SPDX-License-Identifier: GPL-3.0-or-later
"""How much drawn colors change at equal places of a character from one frame to the next, matched below the pixel.
Knows two poses and two pictures; who drew them, and what a line is, is not its business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["Changes", "changes"]

APART = 6.0  # sides of a triangle that faces the viewer: a longer one joins two surfaces
OFF = 0.25  # of such a side: a place farther from the other frame's surface than this does not lie on it
SPLITS = ((0, 1, 2), (3, 2, 1))  # four pixels (top left, top right, bottom left, bottom right) are two triangles
FRONTAL = 10  # percentile of the triangles' sizes that is taken as seen from the front
NEAREST = 4
PROBES = ((1 / 3, 1 / 3), (1 / 6, 2 / 3), (2 / 3, 1 / 6), (1 / 6, 1 / 6))  # where each triangle is looked at


@dataclass(frozen=True)
class Changes:
    """Places that two frames show: `change` float64 (N,), mean over the channels, 0..255; `before` and `after` (N, 3) are the pixels,
    as flat indices, between which each lies in the frames; `found` is the share of the later frame's places that the earlier shows."""
    change: np.ndarray
    before: np.ndarray
    after: np.ndarray
    found: float


@dataclass(frozen=True)
class _Mesh:
    """The visible surface as triangles between neighboring pixels: `places` (P, 3) of the pixels `at` (P,), `corners` (T, 3) into them."""
    places: np.ndarray
    corners: np.ndarray
    at: np.ndarray
    side: float


def changes(poses: Sequence[np.ndarray], pictures: Sequence[np.ndarray], extent: Sequence[float]) -> Changes:
    """What changes between two frames: poses float32 (H, W, 4), pictures uint8 (H, W, 3 or more), `extent` (3,) their proportions.

    Places lie evenly over what the later frame shows, between its pixels too, and the earlier frame's surface is searched for each.
    Both pictures are read by linear interpolation, so that neither is smoother than the other.
    """
    before, after = (_mesh(pose, np.asarray(extent) / max(extent)) for pose in poses)
    first, second = (picture.reshape(-1, picture.shape[2])[mesh.at, :3].astype(np.float64)
                     for picture, mesh in zip(pictures, (before, after), strict=True))
    results, found = [], []
    for u, v in PROBES:
        shares = np.tile((1 - u - v, u, v), (len(after.corners), 1))
        triangle, shares_before, here = _located(before, _mixed(after.places, after.corners, shares))
        corners = before.corners[triangle]
        change = np.abs(_mixed(first, corners, shares_before) - _mixed(second, after.corners, shares)).mean(1)
        results.append((change[here], before.at[corners[here]], after.at[after.corners[here]]))
        found.append(here.mean())
    return Changes(*(np.concatenate(column) for column in zip(*results, strict=True)), float(np.mean(found)))


def _mesh(pose: np.ndarray, proportions: np.ndarray) -> _Mesh:
    mask = (pose[..., 3] > 0.5) & pose[..., :3].any(-1)
    number = np.where(mask, np.cumsum(mask).reshape(mask.shape) - 1, -1)
    places = pose[mask][:, :3].astype(np.float64) * proportions
    cells = np.stack([number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]], -1).reshape(-1, 4)
    corners = np.concatenate([cells[:, split] for split in SPLITS])
    corners = corners[(corners >= 0).all(1)]
    longest = np.linalg.norm(places[corners] - places[np.roll(corners, 1, 1)], axis=2).max(1)
    side = float(np.percentile(longest, FRONTAL))
    return _Mesh(places, corners[longest < APART * side], np.flatnonzero(mask), side)


def _mixed(values: np.ndarray, corners: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return np.einsum("tk,tkc->tc", shares, values[corners])


def _located(mesh: _Mesh, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each place its triangle (M,), the shares of the corners (M, 3), and whether it lies in one, (M,)."""
    near = cKDTree(mesh.places[mesh.corners].mean(1)).query(places, k=NEAREST)[1]
    least, triangle, shares = np.full(len(places), OFF * mesh.side), near[:, 0].copy(), np.zeros((len(places), 3))
    here = np.zeros(len(places), bool)
    for candidate in near.T:
        corner = mesh.places[mesh.corners[candidate]]
        along, down, to = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0], places - corner[:, 0]
        normal = np.cross(along, down)
        area = np.maximum((normal ** 2).sum(1), 1e-30)
        u, v = (np.cross(to, down) * normal).sum(1) / area, (np.cross(along, to) * normal).sum(1) / area
        share, off = np.stack([1 - u - v, u, v], 1), np.abs((to * normal).sum(1)) / np.sqrt(area)
        better = (share.min(1) > -1e-6) & (off < least)
        least[better], triangle[better], shares[better] = off[better], candidate[better], share[better]
        here |= better
    return triangle, shares, here
