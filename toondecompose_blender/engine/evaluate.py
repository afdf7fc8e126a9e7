# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of a decomposition against a clip whose layers are known.  It streams: memory holds one frame of all sprites,
however long the clip; it must not know how sprites were found."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from .evaluate_measures import MotionError, Overlap, Reconstruction, SpriteError, View, exposure_scores
from .evaluate_sources import Layers, Truth, open_layers, open_truth
from .parallel import map_ordered

__all__ = ["Scores", "evaluate", "table"]

PerSprite = tuple[float | None, ...]


@dataclass(frozen=True)
class Scores:
    """Lower is better unless noted; lists have one entry a true sprite, back to front, None where it cannot be measured.

    psnr, psnr_worst_frame: dB (higher); vis_iou, full_iou: 0..1 (higher) of what is seen, and of whole sprites; order_acc:
    share of overlapping pairs in the right order (higher); alpha_mae: 0..1; rgb_err_visible, hidden_err: 0..255;
    hidden_coverage: 0..1 (higher); flicker: change of the error between frames; homog_step_px, homog_ref_px,
    homog_ref_max_px: px; fsd_*: the measures of sprite-decompose, 0..1; exposure_*: of the exposure sheet, holds and
    cycles 0..1 (higher), false_merges a number of drawings.
    """
    clip: str
    family: str
    sprites: int
    predicted: int
    frames: int
    match: tuple[int | None, ...]
    psnr: float
    psnr_worst_frame: float
    recon_flicker: float
    vis_iou: PerSprite
    full_iou: PerSprite
    order_acc: float | None
    alpha_mae: PerSprite
    vis_alpha_mae: PerSprite
    rgb_err_visible: PerSprite
    hidden_err: PerSprite
    hidden_coverage: PerSprite
    flicker: PerSprite
    homog_step_px: PerSprite
    homog_ref_px: PerSprite
    homog_ref_max_px: PerSprite
    fsd_frame_rgb_l1: float
    fsd_sprite_alpha_l1: float
    fsd_sprite_rgb_l1: float | None
    exposure_holds: PerSprite = ()
    exposure_false_merges: PerSprite = ()
    exposure_cycles: PerSprite = ()

    def mean(self, name: str) -> float | None:
        """The mean of a figure over the sprites for which it could be measured."""
        return _mean(getattr(self, name))


def evaluate(prediction: Path | str, truth: Path | str) -> Scores:
    """Score a result folder, or sprites in the "frames" layout, against a clip folder with frames/, gt/ and meta.json.

    Raises `ResultError`: result.missing, result.damaged, result.size, truth.missing, truth.damaged.
    """
    known = open_truth(Path(truth))
    layers = open_layers(Path(prediction), known)
    overlap, reconstruction, motions = _first_pass(known, layers)
    iou, full = overlap.visible(), overlap.full()
    match = _assigned(-(iou + 1e-3 * full))  # the whole sprite decides where nothing of it is ever seen
    by_alpha = _assigned(overlap.alpha_difference())
    errors = _second_pass(known, layers, match, by_alpha)
    count = len(known.layers.ids)
    return Scores(
        clip=known.name, family=known.family, sprites=count, predicted=len(layers.ids), frames=known.frames,
        match=tuple(None if j is None else layers.ids[j] for j in match[:count]), **reconstruction.figures(),
        vis_iou=tuple(0.0 if j is None else float(iou[i, j]) for i, j in enumerate(match)),
        full_iou=tuple(0.0 if j is None else float(full[i, j]) for i, j in enumerate(match)),
        order_acc=overlap.order([-1 if j is None else j for j in match], [0.0 if j is None else iou[i, j] for i, j in enumerate(match)]),
        fsd_sprite_alpha_l1=_least_alpha(overlap.alpha_difference()), **_sprite_figures(errors),
        **_motion_figures(known, layers, match, motions), **_exposure_figures(known, layers, match))


def _views(known: Truth, layers: Layers):
    """Both sides of every frame, in order, read ahead in threads."""
    return map_ordered(lambda t: (t, View(known.layers.frame(t)), View(layers.frame(t))), range(known.frames), ahead=1)


def _first_pass(known: Truth, layers: Layers) -> tuple[Overlap, Reconstruction, list[MotionError]]:
    overlap, reconstruction = Overlap(len(known.layers.ids), len(layers.ids)), Reconstruction()
    motions = [MotionError() for _ in known.layers.ids]
    for t, truth, guess in _views(known, layers):
        reconstruction.add(known.picture(t), guess.sprites)
        overlap.add(truth, guess)
        for i, motion in enumerate(motions):
            motion.add(truth, i)
    return overlap, reconstruction, motions


def _second_pass(known: Truth, layers: Layers, match: list[int | None], by_alpha: list[int | None]) -> list[SpriteError]:
    errors = [SpriteError() for _ in known.layers.ids]
    for _, truth, guess in _views(known, layers):
        for i, error in enumerate(errors):
            error.add(truth, i, guess, match[i])
            error.add_full_color(truth, i, guess, by_alpha[i] if by_alpha[i] is not None and by_alpha[i] < len(layers.ids) else None)
    return errors


def _assigned(cost: np.ndarray) -> list[int | None]:
    """The column of each row in the cheapest assignment; None where there are more rows than columns."""
    rows, columns = linear_sum_assignment(cost)
    found = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return [found.get(row) for row in range(len(cost))]


def _least_alpha(difference: np.ndarray) -> float:
    return float(difference[linear_sum_assignment(difference)].mean())


def _sprite_figures(errors: list[SpriteError]) -> dict:
    figures = [error.figures() for error in errors]
    names = ("alpha_mae", "vis_alpha_mae", "rgb_err_visible", "hidden_err", "hidden_coverage", "flicker")
    return {name: tuple(figure[name] for figure in figures) for name in names} | {
        "fsd_sprite_rgb_l1": _mean([figure["full_color"] for figure in figures])}


def _motion_figures(known: Truth, layers: Layers, match: list[int | None], motions: list[MotionError]) -> dict:
    true, guessed = known.layers.homographies, layers.homographies
    figures = [motion.figures(true[i] if true is not None else np.full((known.frames, 3, 3), np.nan),
                              None if guessed is None or match[i] is None else guessed[match[i]]) for i, motion in enumerate(motions)]
    return {name: tuple(figure[name] for figure in figures) for name in ("homog_step_px", "homog_ref_px", "homog_ref_max_px")}


def _exposure_figures(known: Truth, layers: Layers, match: list[int | None]) -> dict:
    if known.layers.exposure is None or layers.exposure is None:
        return {}
    nothing = {"holds": None, "false_merges": None, "cycles": None}
    figures = [nothing if j is None else exposure_scores(known.layers.exposure[i], layers.exposure[j]) for i, j in enumerate(match)]
    return {f"exposure_{name}": tuple(figure[name] for figure in figures) for name in nothing}


def _mean(values) -> float | None:
    values = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(values)) if values else None


_COLUMNS = (("PSNR", "psnr"), ("visIoU", "vis_iou"), ("fullIoU", "full_iou"), ("order", "order_acc"), ("aMAE", "alpha_mae"),
            ("rgbVis", "rgb_err_visible"), ("hidErr", "hidden_err"), ("hidCov", "hidden_coverage"), ("flick", "flicker"),
            ("Hstep", "homog_step_px"), ("Href", "homog_ref_px"), ("Hmax", "homog_ref_max_px"), ("fsdF", "fsd_frame_rgb_l1"),
            ("fsdA", "fsd_sprite_alpha_l1"), ("fsdC", "fsd_sprite_rgb_l1"), ("holds", "exposure_holds"),
            ("merged", "exposure_false_merges"), ("cycles", "exposure_cycles"))


def table(scores: list[Scores]) -> str:
    """Clips as rows, each followed by its sprites back to front; a last row of means when there are several clips."""
    lines = [f"{'clip':<24}" + "".join(f"{short:>8}" for short, _ in _COLUMNS)]
    for score in scores:
        lines.append(_row(score.clip, [_overall(score, name) for _, name in _COLUMNS]))
        for i in range(score.sprites):
            lines.append(_row(f"  sprite {i}", [_of_sprite(score, name, i) for _, name in _COLUMNS]))
    if len(scores) > 1:
        lines.append(_row("mean", [_mean([_overall(score, name) for score in scores]) for _, name in _COLUMNS]))
    return "\n".join(line.rstrip() for line in lines)


def _overall(score: Scores, name: str) -> float | None:
    return score.mean(name) if _is_list(name) else getattr(score, name)


def _of_sprite(score: Scores, name: str, i: int) -> float | None:
    values = getattr(score, name)
    return values[i] if _is_list(name) and values else None


def _is_list(name: str) -> bool:
    return next(field.type for field in fields(Scores) if field.name == name) == "PerSprite"


def _row(name: str, values: list[float | None]) -> str:
    cells = ["-" if value is None else f"{value:.2f}" if short == "PSNR" else f"{value:.4f}"
             for (short, _), value in zip(_COLUMNS, values, strict=True)]
    return f"{name[:24]:<24}" + "".join(f"{cell:>8}" for cell in cells)
