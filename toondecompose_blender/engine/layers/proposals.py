# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposes motions over the whole clip, about fifty, among which the layers' motions are hoped to be.
It must not know labels: it looks at edgels, pieces and flow, and at what its earlier proposals leave unexplained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .edgels import Edgels, lasting_cost, motion_cost
from .proposals_chains import correlated_motions, dominant_motions, drifting_motion
from .proposals_fit import fit_motion
from .supervoxels import Supervoxels

__all__ = ["Proposals", "propose_motions"]

MOST = 40               # proposals made before the chains and the correlations
LEAST_MASS = 20.0       # unexplained edgel weight of a piece worth a fit ...
LEAST_SHARE = 1e-4      # ... and its share of the clip's weight
LEAST_GAIN = 15.0       # weight that a proposal must newly explain ...
LEAST_GAIN_SHARE = 5e-5
CHAINS = 2
CORRELATIONS = 4
DRIFTS = 3


@dataclass
class Proposals:
    """Motions (T-1, 3, 3) frame t -> t+1, NaN unknown, and their costs per edgel; 0 is the camera's, 1 standing still."""
    edgels: Edgels
    voxels: Supervoxels
    motions: list[np.ndarray] = field(default_factory=list)
    costs: list[np.ndarray] = field(default_factory=list)

    def add(self, motion: np.ndarray) -> None:
        self.motions.append(motion)
        self.costs.append(motion_cost(self.edgels, self.voxels, motion))

    def unexplained(self) -> np.ndarray:
        """The lowest cost of any proposal for each edgel."""
        return np.minimum.reduce([cost[:, 0] for cost in self.costs])

    def gain(self, motion: np.ndarray, lowest: np.ndarray) -> float:
        """The weight of edgels that `motion` explains beyond the `lowest` cost so far."""
        cost = motion_cost(self.edgels, self.voxels, motion, only=lowest > 0)    # where that is 0, nothing can be gained
        return (self.edgels.weight * np.maximum(0, lowest - cost[:, 0])).sum()


def propose_motions(edgels: Edgels, voxels: Supervoxels, frames: np.ndarray, flow, camera: np.ndarray, *,
                    static: bool, planes: Sequence[np.ndarray] = ()) -> Proposals:
    """Proposals for `frames`; `camera` (T-1, 3, 3) is the background's motion from frame to frame, `static` if it stands still; those of
    `planes` known to be apart, of the same kind, are among them."""
    result = Proposals(edgels, voxels)
    result.add(camera)
    result.add(np.repeat(np.eye(3)[None], len(camera), 0))
    result.add(fit_motion(edgels, edgels.weight))
    _propose_pieces(result)
    for motion in (*planes, *dominant_motions(frames, flow, CHAINS)):
        result.add(motion)
    for _ in range(CORRELATIONS):
        if not _propose_correlated(result):
            break
    if static:
        _propose_drifting(result)
    return result


def _propose_pieces(result: Proposals) -> None:
    """Again and again the motion of the piece around which the most is unexplained."""
    edgels, total = result.edgels, result.edgels.weight.sum()
    lowest, tried = result.unexplained(), np.zeros(result.voxels.count, bool)
    while len(result.motions) < MOST:
        left = edgels.weight * lowest
        mass = sum(np.bincount(edgels.pieces[:, side], left, result.voxels.count) for side in range(2))
        mass[tried] = 0
        piece = int(mass.argmax())
        if mass[piece] < max(LEAST_MASS, LEAST_SHARE * total):
            break
        tried[piece] = True
        motion = fit_motion(edgels, np.where((edgels.pieces == piece).any(1), left + 0.02, 0))
        if not np.isfinite(motion).any():
            continue
        if result.gain(motion, lowest) >= max(LEAST_GAIN, LEAST_GAIN_SHARE * total):
            result.add(motion)
            lowest = np.minimum(lowest, result.costs[-1][:, 0])


def _propose_correlated(result: Proposals) -> bool:
    """The motions by which the unexplained edgels correlate best with those of the next frame; whether any was worth it."""
    edgels, added = result.edgels, False
    for motion in correlated_motions(edgels, result.unexplained(), result.voxels.labels.shape):
        lowest = result.unexplained()
        best = None
        for shift in (-1, 0, 1):    # the correlation is made at half size
            moved = motion.copy()
            moved[:, 0, 2] += shift
            gain = result.gain(moved, lowest)
            if best is None or gain > best[0]:
                best = gain, moved
        if best[0] > max(LEAST_GAIN, 2e-4 * edgels.weight.sum()):
            result.add(best[1])
            added = True
    return added


def _propose_drifting(result: Proposals) -> None:
    """Steady drifts, too slow to be told from standing still but over many frames."""
    edgels, frames = result.edgels, len(result.voxels.labels)
    lasting = lasting_cost(edgels, result.voxels, result.costs[0])[:, 0]
    for _ in range(DRIFTS):
        drift = drifting_motion(edgels, lasting, result.voxels.labels.shape)
        motion = np.repeat(drift[None], frames - 1, 0)
        if result.gain(motion, lasting) <= max(LEAST_GAIN, 2e-4 * edgels.weight.sum()):
            break
        result.add(motion)
        lasting = np.minimum(lasting, result.costs[-1][:, 0])
