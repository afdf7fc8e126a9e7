# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums that grow frame by frame while a prediction is compared with the truth; each becomes a few figures at the end.
Sees one frame at a time; knows nothing of files."""

from __future__ import annotations

import cv2
import numpy as np

from .pictures import composite

__all__ = ["View", "Reconstruction", "Overlap", "SpriteError", "MotionError", "exposure_scores"]

_SHOWN = 0.5  # visible alpha from which a pixel counts as the sprite's
_COVERED, _HELD = 0.05, 0.5  # hidden: under 5 % is seen of what the truth holds by more than half
_ENOUGH_HIDDEN = 200  # px over the clip below which a hidden error says nothing
_ENOUGH_OVERLAP = 50  # px over the clip from which two sprites have an order
_TOUCHED = 0.1
_BOX, _BOX_PIXELS = 0.25, 20  # visible alpha and number of pixels of a box worth measuring motion in


class View:
    """Sprites at one frame (K, H, W, 4) uint8 back to front, with what is seen of each."""

    def __init__(self, sprites: np.ndarray):
        self.sprites = sprites
        self.alpha = sprites[..., 3].astype(np.float32) / 255
        self.transmittance = np.ones_like(self.alpha)
        for k in range(len(sprites) - 2, -1, -1):
            self.transmittance[k] = self.transmittance[k + 1] * (1 - self.alpha[k + 1])
        self.visible = self.alpha * self.transmittance
        self.shown = self.visible > _SHOWN
        self.solid = sprites[..., 3] > 127


class Reconstruction:
    """How near the composite comes to the clip."""

    def __init__(self) -> None:
        self._squares: list[float] = []
        self._absolutes: list[float] = []
        self._changes: list[float] = []
        self._before: np.ndarray | None = None

    def add(self, picture: np.ndarray, predicted: np.ndarray) -> None:
        error = composite(predicted).astype(np.float32) - picture
        self._squares.append(float((error**2).mean()))
        self._absolutes.append(float(np.abs(error).mean()))
        gray = _gray(error)
        if self._before is not None:
            self._changes.append(float(np.abs(gray - self._before).mean()))
        self._before = gray

    def figures(self) -> dict[str, float]:
        return {"psnr": _decibel(float(np.mean(self._squares))), "psnr_worst_frame": _decibel(max(self._squares)),
                "recon_flicker": float(np.mean(self._changes)) if self._changes else 0.0,
                "fsd_frame_rgb_l1": float(np.mean(self._absolutes)) / 255}


def _gray(picture: np.ndarray) -> np.ndarray:
    """The mean of the color channels (H, W), some ten times faster than NumPy's over a short axis."""
    return cv2.transform(picture, np.full((1, 3), 1 / 3, np.float32))


def _decibel(error: float) -> float:
    return float(10 * np.log10(255**2 / max(error, 1e-3)))


class Overlap:
    """What every true sprite (rows) shares with every predicted one (columns), pooled over the clip."""

    def __init__(self, true: int, predicted: int) -> None:
        self._visible, self._full = np.zeros((2, true, predicted)), np.zeros((2, true, predicted))
        self._difference = np.zeros((max(true, predicted),) * 2)
        self._together = np.zeros((true, true))
        self._frames = 0

    def add(self, truth: View, guess: View) -> None:
        self._frames += 1
        for i in range(len(truth.sprites)):
            for j in range(len(guess.sprites)):
                for sums, a, b in ((self._visible, truth.shown[i], guess.shown[j]), (self._full, truth.solid[i], guess.solid[j])):
                    sums[:, i, j] += np.count_nonzero(a & b), np.count_nonzero(a | b)
            for j in range(i):
                self._together[i, j] += np.count_nonzero(truth.solid[i] & truth.solid[j])
        for i in range(len(self._difference)):
            for j in range(len(self._difference)):
                self._difference[i, j] += _alpha_difference(truth, i, guess, j)

    def visible(self) -> np.ndarray:
        """Intersection over union of what is seen."""
        return self._visible[0] / np.maximum(self._visible[1], 1)

    def full(self) -> np.ndarray:
        """Intersection over union of the whole sprites, hidden parts included."""
        return self._full[0] / np.maximum(self._full[1], 1)

    def alpha_difference(self) -> np.ndarray:
        """Mean |alpha| between sprites, 0..1; where one side has fewer sprites, it is filled up with empty ones."""
        return self._difference / self._frames

    def order(self, match: list[int], iou: list[float]) -> float | None:
        """Share of the overlapping true pairs whose matches come in the same order; None without any."""
        pairs = [(j, i) for i in range(len(match)) for j in range(i) if self._together[i, j] > _ENOUGH_OVERLAP]
        right = [0 <= match[back] < match[front] and min(iou[back], iou[front]) > _TOUCHED for back, front in pairs]
        return float(np.mean(right)) if pairs else None


def _alpha_difference(truth: View, i: int, guess: View, j: int) -> float:
    a = truth.alpha[i] if i < len(truth.alpha) else 0.0
    b = guess.alpha[j] if j < len(guess.alpha) else 0.0
    return float(np.mean(np.abs(a - b)))


class SpriteError:
    """Color, alpha, hidden parts and flicker of one true sprite against its match (None: nothing matched)."""

    def __init__(self) -> None:
        self._alpha: list[float] = []
        self._seen_alpha: list[float] = []
        self._changes: list[float] = []
        self._color, self._full_color, self._hidden = np.zeros(2), np.zeros(2), np.zeros(3)
        self._before: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, truth: View, i: int, guess: View, j: int | None) -> None:
        color, alpha = truth.sprites[i, ..., :3].astype(np.float32), truth.alpha[i]
        other = guess.sprites[j, ..., :3].astype(np.float32) if j is not None else np.zeros_like(color)
        other_alpha = guess.alpha[j] if j is not None else np.zeros_like(alpha)
        seen = guess.visible[j] if j is not None else np.zeros_like(alpha)
        self._alpha.append(float(np.abs(alpha - other_alpha).mean()))
        self._seen_alpha.append(float(np.abs(truth.visible[i] - seen).mean()))
        difference = _gray(np.abs(color - other))
        self._color += _weighted(difference, truth.visible[i])
        self._add_hidden(truth.transmittance[i], color, alpha, other, other_alpha)
        self._add_change(color * alpha[..., None], alpha, other * other_alpha[..., None], other_alpha)

    def add_full_color(self, truth: View, i: int, guess: View, j: int | None) -> None:
        """For the match by alpha, which may be another one: color where the truth is, hidden or not."""
        color = truth.sprites[i, ..., :3].astype(np.float32)
        other = guess.sprites[j, ..., :3] if j is not None else np.float32(0)
        self._full_color += _weighted(_gray(np.abs(color - other)), truth.alpha[i])

    def _add_hidden(self, transmittance: np.ndarray, color: np.ndarray, alpha: np.ndarray, other: np.ndarray,
                    other_alpha: np.ndarray) -> None:
        hidden = (transmittance < _COVERED) & (alpha > _HELD)
        if hidden.any():
            over_gray = (color[hidden] - 127.5) * alpha[hidden][:, None] - (other[hidden] - 127.5) * other_alpha[hidden][:, None]
            count = np.count_nonzero(hidden)
            self._hidden += np.abs(over_gray).mean(1).sum(dtype=np.float64), np.count_nonzero(other_alpha[hidden] > _HELD), count

    def _add_change(self, color: np.ndarray, alpha: np.ndarray, other: np.ndarray, other_alpha: np.ndarray) -> None:
        error = np.stack([_gray(other - color), 255 * (other_alpha - alpha)])
        region = (alpha > _TOUCHED) | (other_alpha > _TOUCHED)
        if self._before is not None:
            both = region | self._before[1]
            if both.any():
                self._changes.append(float(np.abs(error - self._before[0])[:, both].mean()))
        self._before = error, region

    def figures(self) -> dict[str, float | None]:
        enough = self._hidden[2] > _ENOUGH_HIDDEN
        return {"alpha_mae": float(np.mean(self._alpha)), "vis_alpha_mae": float(np.mean(self._seen_alpha)),
                "rgb_err_visible": _share(self._color), "hidden_err": float(self._hidden[0] / self._hidden[2]) if enough else None,
                "hidden_coverage": float(self._hidden[1] / self._hidden[2]) if enough else None,
                "flicker": float(np.mean(self._changes)) if self._changes else None,
                "full_color": None if self._full_color[1] == 0 else float(self._full_color[0] / self._full_color[1] / 255)}


def _weighted(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    return float((values * weights).sum(dtype=np.float64)), float(weights.sum(dtype=np.float64))


def _share(sums: np.ndarray) -> float | None:
    return float(sums[0] / sums[1]) if sums[1] > 0 else None


class MotionError:
    """Corner error in px of a sprite's motion between frames, on the box of what the truth shows; free of the canvas's gauge."""

    def __init__(self) -> None:
        self._boxes: list[tuple[np.ndarray, int] | None] = []

    def add(self, truth: View, i: int) -> None:
        rows, columns = np.nonzero(truth.visible[i] > _BOX)
        if len(rows) <= _BOX_PIXELS:
            self._boxes.append(None)
            return
        left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
        corners = np.array([[left, top, 1], [right, top, 1], [right, bottom, 1], [left, bottom, 1]], np.float64)
        self._boxes.append((corners, len(rows)))

    def figures(self, true: np.ndarray, guessed: np.ndarray | None) -> dict[str, float | None]:
        """`true` and `guessed` (T, 3, 3): mean error of a step, mean and largest error against the frame that shows most."""
        nothing = {"homog_step_px": None, "homog_ref_px": None, "homog_ref_max_px": None}
        if guessed is None or not np.isfinite(true).all() or not np.isfinite(guessed).any():
            return nothing
        good = [t for t, box in enumerate(self._boxes) if box and np.isfinite(guessed[t]).all()
                and abs(np.linalg.det(true[t])) > 1e-9 and abs(np.linalg.det(guessed[t])) > 1e-12]
        if len(good) < 2:
            return nothing
        first = max(good, key=lambda t: self._boxes[t][1])

        def error(source: int, target: int) -> float:
            there = [motion[target] @ np.linalg.inv(motion[source]) for motion in (true, guessed)]
            return _corner_error(*there, self._boxes[source][0])

        reference = _finite([error(first, t) for t in good if t != first])
        steps = _finite([error(t, t + 1) for t in good if t + 1 in good])
        return {"homog_step_px": float(np.mean(steps)) if steps else None, "homog_ref_px": float(np.mean(reference)) if reference else None,
                "homog_ref_max_px": max(reference) if reference else None}


def _corner_error(one: np.ndarray, other: np.ndarray, corners: np.ndarray) -> float:
    a, b = corners @ one.T, corners @ other.T
    if min(np.abs(a[:, 2]).min(), np.abs(b[:, 2]).min()) < 1e-9:
        return float("nan")
    return float(np.linalg.norm(a[:, :2] / a[:, 2:] - b[:, :2] / b[:, 2:], axis=1).mean())


def _finite(values: list[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]


def exposure_scores(true: list[int], guessed: list[int]) -> dict[str, float]:
    """How well an exposure sheet (1-based drawing per frame) repeats the true one.

    `holds`: share of neighboring frames rightly told to be the same or different drawings; `false_merges`: predicted drawings
    that stand for several true ones; `cycles`: share of the true repeats of a drawing after another one that were found.
    """
    a, b = np.array(true), np.array(guessed)
    holds = (np.diff(a) == 0) == (np.diff(b) == 0)
    merges = sum(len(set(a[b == drawing])) > 1 for drawing in set(guessed) - {0})
    starts = [t for t in range(len(a)) if t == 0 or a[t] != a[t - 1]]
    repeats = [(s, t) for n, t in enumerate(starts) for s in starts[:n] if a[s] == a[t] != 0]
    found = [b[s] == b[t] != 0 for s, t in repeats]
    return {"holds": float(holds.mean()) if len(holds) else 1.0, "false_merges": float(merges),
            "cycles": float(np.mean(found)) if found else 1.0}
