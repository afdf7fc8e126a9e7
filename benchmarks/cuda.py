# SPDX-License-Identifier: GPL-3.0-or-later
"""The graphics card beside the processor on the published test clip: seconds, and how far the two results are apart.
It runs the engine's own commands; without a card it says so and measures nothing."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from toondecompose_blender.engine.geometry import corners, project, relative
from toondecompose_blender.engine.recompose import SpriteRenderer, whole_sprites
from toondecompose_blender.protocol import read_result

from .cases import Case, drawn_case, violet_case
from .machine import keep
from .tables import table
from .watch import Run, watch

__all__ = ["Apart", "apart", "measure"]

# What is asked of a data-center card
ALLOWED_PX, ALLOWED_MATTE = 0.02, 2.0
ALLOWED_SECONDS = {720: 20.0, 360: 5.0}


@dataclass(frozen=True)
class Apart:
    """How far two results of one clip are apart: whether they have the same sprites in the same order with the same exposure sheet,
    the largest `px` by which a motion differs, and the mean difference of `mattes` in 1/255, of the worst sprite."""
    same_sheet: bool
    px: float
    mattes: float

    @property
    def allowed(self) -> bool:
        return self.same_sheet and self.px <= ALLOWED_PX and self.mattes <= ALLOWED_MATTE


def measure(clips: Path) -> None:
    """Print a line a clip; keep them as benchmarks/results/cuda.json.  Raises `SystemExit` where there is no card."""
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("No CUDA device was found: nothing was measured. Run this topic where there are an NVIDIA GPU and a CUDA "
                         "build of torch.")
    cases = [(height, violet_case(clips, height=height)) for height in (720, 360)]
    if cases[0][1] is None:
        raise SystemExit(f"The published test clip is not in {clips}: nothing was measured.")
    with tempfile.TemporaryDirectory() as folder:
        warm = drawn_case("warm-up", size=(128, 96), frames=12).write(Path(folder))
        for device in ("cpu", "cuda"):
            watch(warm, name="warm-up", sprites="2", device=device)
    figures = {str(height): _compared(case, ALLOWED_SECONDS[height]) for height, case in cases}
    head = ["violet", "GPU s", "CPU s", "asked for", "px", "mattes /255", "same sheet", "same bytes again"]
    print(table(f"The card ({torch.cuda.get_device_name(0)}) beside the processor", head, [
        [f"{height} lines", f"{one['cuda']['seconds']:.1f}", f"{one['cpu']['seconds']:.1f}", f"{one['asked_seconds']:.0f}",
         f"{one['apart']['px']:.4f}", f"{one['apart']['mattes']:.3f}", str(one["apart"]["same_sheet"]), str(one["same_bytes"])]
        for height, one in figures.items()]))
    keep("cuda", figures)


def _compared(case: Case, asked: float) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        clip = case.write(root)
        devices = {"cuda": "cuda", "again": "cuda", "cpu": "cpu"}
        runs = {name: watch(clip, name=case.name, sprites=str(case.sprites), lines=case.lines, device=device, keep=root / name)
                for name, device in devices.items()}
        difference = apart(root / "cuda", root / "cpu")
        same = read_result(root / "cuda").files == read_result(root / "again").files
    return {"apart": asdict(difference), "allowed": difference.allowed, "same_bytes": same, "asked_seconds": asked,
            **{name: _record(run) for name, run in runs.items()}}


def _record(run: Run) -> dict:
    return {"seconds": round(run.seconds, 2), "peak_gb": round(run.peak_gb, 2),
            "stage_seconds": {stage.name: stage.seconds for stage in run.stages}}


def apart(one: Path, other: Path) -> Apart:
    """How far the results in two folders are apart, where they have the same sprites and drawings; else infinitely."""
    results = [(folder, read_result(folder)) for folder in (one, other)]
    sheets = [[(sprite.id, sprite.exposure) for sprite in result.sprites] for _, result in results]
    if sheets[0] != sheets[1]:
        return Apart(False, float("inf"), float("inf"))
    px, mattes = 0.0, 0.0
    for sprites in zip(*(whole_sprites(result) for _, result in results), strict=True):
        shown = [SpriteRenderer(folder, result, sprite) for (folder, result), sprite in zip(results, sprites, strict=True)]
        px = max(px, _px(*shown))
        mattes = max(mattes, _mattes(*shown))
    return Apart(True, px, mattes)


def _px(one: SpriteRenderer, other: SpriteRenderer) -> float:
    """The largest difference of two motions of a sprite, at the corners of its drawings; from the first frame of each drawing, because
    the place of a canvas is free."""
    exposure = np.array(one.sprite.exposure)
    largest = 0.0
    for t in np.flatnonzero(exposure).tolist():
        first = int(np.flatnonzero(exposure == exposure[t])[0])
        outline = project(one.homographies[first], corners(one.sprite.width, one.sprite.height))
        ends = [project(relative(sprite.homographies[first], sprite.homographies[t]), outline) for sprite in (one, other)]
        largest = max(largest, float(np.linalg.norm(ends[0] - ends[1], axis=1).max()))
    return largest


def _mattes(one: SpriteRenderer, other: SpriteRenderer) -> float:
    """Mean absolute difference of alpha over all frames, in 1/255."""
    frames = range(len(one.sprite.exposure))
    return float(np.mean([np.abs(one.frame(t)[..., 3] - other.frame(t)[..., 3]).mean() for t in frames])) * 255
