# SPDX-License-Identifier: GPL-3.0-or-later
"""The alignment of `motion.alignment` for many pairs of frames at once: the same steps in the same precision.
It sees pictures, points and first guesses; which pairs are worth it, and what becomes of them, is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from ..motion.alignment import DAMPING, INLIER, MARGIN, NOISE_FLOOR, SETTLED, TUKEY, UNKNOWNS, Alignment, Gradients, Model
from ..motion.place import Place, placed
from .card import Accelerator

__all__ = ["Pair", "align_pairs", "pair_bytes"]

ITERATIONS = 5
_TAPS = 24          # doubles a point at work at the peak, besides the Jacobian's eight
_PICTURE = 24       # bytes a pixel of two frames: brightness and two derivatives each


class Pair(Protocol):
    """Frames `source` -> `target`: `points` (N, 2) of the source, `weights` (N,) above 0 or None, the `predicted` motion (3, 3)."""

    source: int
    target: int
    points: np.ndarray
    weights: np.ndarray | None
    predicted: np.ndarray


def pair_bytes(pixels: int, points: int) -> int:
    """Bytes that one pair of frames of so many pixels needs."""
    return _PICTURE * pixels + 8 * (_TAPS + 2 * 8) * points


def align_pairs(accelerator: Accelerator, pictures: Sequence[Gradients], pairs: Sequence[Pair], *, model: Model,
                minimum: int) -> list[Alignment | None]:
    """For each pair what `align` would find, None where it would find nothing."""
    places = [placed(np.asarray(pair.points, np.float64), pair.predicted) for pair in pairs]
    kept = [i for i, place in enumerate(places) if place is not None and len(pairs[i].points) >= UNKNOWNS[model]]
    answers: list[Alignment | None] = [None] * len(pairs)
    if not kept:
        return answers
    problem = _problem(accelerator, pictures, [pairs[i] for i in kept], [places[i] for i in kept], minimum, UNKNOWNS[model])
    inner, failed = problem.refined(UNKNOWNS[model])
    seen = problem.observed(inner)
    spread, share = problem.statistics(seen)
    failed |= (seen.inside < problem.least) | ~inner.isfinite().all(2).all(1)
    columns = (part.cpu().numpy() for part in (inner, spread, share, seen.inside, failed))
    for i, motion, scale, close, inside, lost in zip(kept, *columns, strict=True):
        if not lost:
            answers[i] = Alignment(places[i].homography(motion), float(scale), float(close), int(inside))
    return answers


@dataclass(frozen=True)
class _Seen:
    """At each point (P, N): `residual`, infinite outside; `slope` (P, N, 2) over the depth; `landed` (P, N, 2); how many are `inside`."""
    residual: torch.Tensor
    slope: torch.Tensor
    landed: torch.Tensor
    inside: torch.Tensor


@dataclass(frozen=True)
class _Problem:
    """P pairs of frames with up to N points each, float64; pictures are float32 (frames, h, w)."""
    value: torch.Tensor
    slopes: torch.Tensor        # (2, frames, h, w)
    target: torch.Tensor        # (P, 1) frame numbers
    local: torch.Tensor         # (P, N, 2)
    weights: torch.Tensor       # (P, N), 0: no point
    brightness: torch.Tensor    # (P, N)
    size: torch.Tensor          # (P, 1)
    landing: torch.Tensor       # (P, 1, 2)
    inner: torch.Tensor         # (P, 3, 3)
    least: torch.Tensor         # (P,) points that must be inside

    def refined(self, unknowns: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The refined inner motions, and which of them failed, (P,)."""
        inner = self.inner.clone()
        failed, settled = (torch.zeros(len(inner), dtype=torch.bool, device=inner.device) for _ in range(2))
        for _ in range(ITERATIONS):
            seen = self.observed(inner)
            failed |= seen.inside < self.least
            step, solved = self._step(seen, self.statistics(seen)[0], unknowns)
            failed |= ~settled & ~solved
            going = ~(failed | settled)
            inner += torch.where(going[:, None, None], _entries(step), 0)
            settled |= step.abs().amax(1) * self.size[:, 0] < SETTLED
        return inner, failed

    def observed(self, inner: torch.Tensor) -> _Seen:
        image = torch.cat([self.local, torch.ones_like(self.local[..., :1])], 2) @ inner.mT
        depth = image[..., 2:]
        landed = image[..., :2] / depth
        places = landed * self.size[..., None] + self.landing
        height, width = self.value.shape[1:]
        last = torch.tensor([width, height], device=places.device) - 1 - MARGIN
        inside = (depth[..., 0] > 1e-6) & ((places > MARGIN) & (places < last)).all(2) & (self.weights > 0)
        places = torch.where(inside[..., None], places, MARGIN)
        residual = torch.where(inside, _cubic(self.value, self.target, places) - self.brightness, torch.inf)
        slope = torch.stack([_linear(picture, self.target, places) for picture in self.slopes], 2) * self.size[..., None] / depth
        return _Seen(residual, torch.where(inside[..., None], slope, 0), torch.where(inside[..., None], landed, 0), inside.sum(1))

    def statistics(self, seen: _Seen) -> tuple[torch.Tensor, torch.Tensor]:
        """Robust spread of the residuals and the share of inliers, (P,) each."""
        sizes = seen.residual.abs()
        ordered, count = sizes.sort(1).values, seen.inside.clamp_min(1)
        middle = sum(ordered.gather(1, index[:, None])[:, 0] for index in ((count - 1) // 2, count // 2)) / 2
        return (1.4826 * middle).clamp_min(NOISE_FLOOR), (sizes < INLIER).sum(1) / count

    def _step(self, seen: _Seen, spread: torch.Tensor, unknowns: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Damped solution (P, unknowns) of the weighted normal equations, and whether they determine it, (P,)."""
        reach = (TUKEY * spread)[:, None]
        used = seen.residual.abs() < reach
        residual = torch.where(used, seen.residual, 0)
        weight = self.weights * torch.where(used, (1 - (residual / reach) ** 2) ** 2, 0)
        rows = _rows(seen, self.local, unknowns)
        weighted = (rows * weight[..., None]).mT
        normal, right = weighted @ rows, -(weighted @ residual[..., None])
        diagonal = normal.diagonal(dim1=1, dim2=2)
        diagonal.copy_(diagonal * (1 + DAMPING) + 1e-9)
        factor, trouble = torch.linalg.cholesky_ex(normal.nan_to_num(0))
        return torch.cholesky_solve(right, factor)[..., 0].nan_to_num(0), trouble == 0


def _problem(accelerator: Accelerator, pictures: Sequence[Gradients], pairs: Sequence[Pair], places: Sequence[Place], minimum: int,
             unknowns: int) -> _Problem:
    frames = sorted({number for pair in pairs for number in (pair.source, pair.target)})
    shown = [pictures[number] for number in frames]
    value = accelerator.tensor(np.stack([one.value for one in shown]))
    slopes = torch.stack([accelerator.tensor(np.stack([getattr(one, axis) for one in shown])) for axis in ("x", "y")])
    source, target = (accelerator.tensor(np.array([[frames.index(getattr(pair, end))] for pair in pairs])) for end in ("source", "target"))

    def padded(parts: list[np.ndarray]) -> torch.Tensor:
        return pad_sequence([torch.from_numpy(np.asarray(part, np.float64)) for part in parts], batch_first=True).to(accelerator.device)

    weights = padded([np.ones(len(pair.points)) if pair.weights is None else pair.weights for pair in pairs])
    points = padded([pair.points for pair in pairs])
    least = np.array([max(min(minimum, len(pair.points)), unknowns) for pair in pairs])
    return _Problem(value, slopes, target, padded([place.local for place in places]), weights, _cubic(value, source, points),
                    accelerator.tensor(np.array([[place.size] for place in places])),
                    accelerator.tensor(np.stack([place.landing for place in places])[:, None]),
                    accelerator.tensor(np.stack([place.inner for place in places])), accelerator.tensor(least))


def _rows(seen: _Seen, local: torch.Tensor, unknowns: int) -> torch.Tensor:
    """The Jacobian (P, N, unknowns)."""
    (gx, gy), (x, y) = seen.slope.unbind(2), local.unbind(2)
    if unknowns == 2:
        return seen.slope
    if unknowns == 4:
        return torch.stack([gx * x + gy * y, gy * x - gx * y, gx, gy], 2)
    rows = [gx * x, gx * y, gx, gy * x, gy * y, gy]
    if unknowns == 8:
        along = -(gx * seen.landed[..., 0] + gy * seen.landed[..., 1])
        rows += [along * x, along * y]
    return torch.stack(rows, 2)


def _entries(step: torch.Tensor) -> torch.Tensor:
    """The change (P, 3, 3) of the inner motion that a step (P, unknowns) makes."""
    change = torch.zeros(len(step), 9, dtype=step.dtype, device=step.device)
    unknowns = step.shape[1]
    if unknowns == 2:
        change[:, [2, 5]] = step
    elif unknowns == 4:
        a, b, x, y = step.unbind(1)
        change[:, :6] = torch.stack([a, -b, x, b, a, y], 1)
    else:
        change[:, :unknowns] = step
    return change.reshape(-1, 3, 3)


def _cubic(pictures: torch.Tensor, frame: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Catmull-Rom samples (P, N) of pictures (F, h, w) at places (P, N, 2); `frame` (P, 1) says in which."""
    height, width = pictures.shape[1:]
    column = places[..., 0].floor().clamp(1, width - 3)
    row = places[..., 1].floor().clamp(1, height - 3)
    across, down = _taps(places[..., 0] - column), _taps(places[..., 1] - row)
    flat, corner = pictures.reshape(-1), ((frame * height + row - 1) * width + column - 1).to(torch.int64)
    total = torch.zeros_like(row)
    for k, part in enumerate(down):
        total += part * sum(share * flat[corner + (k * width + i)] for i, share in enumerate(across))
    return total


def _taps(f: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return ((-0.5 * f + 1.0) * f - 0.5) * f, (1.5 * f - 2.5) * f * f + 1.0, ((-1.5 * f + 2.0) * f + 0.5) * f, (0.5 * f - 0.5) * f * f


def _linear(pictures: torch.Tensor, frame: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    height, width = pictures.shape[1:]
    column, row = places.floor().unbind(2)
    f, g = places[..., 0] - column, places[..., 1] - row
    flat, corner = pictures.reshape(-1), ((frame * height + row) * width + column).to(torch.int64)
    above = flat[corner] * (1 - f) + flat[corner + 1] * f
    return above * (1 - g) + (flat[corner + width] * (1 - f) + flat[corner + width + 1] * f) * g
