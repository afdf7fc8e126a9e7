# SPDX-License-Identifier: GPL-3.0-or-later
"""How exact motion is: of cameras that shake, whip, zoom and roll over what repeats and what is flat, of rigid sprites, and of sheets.
It draws its clips, so that the truth is known to the last digit; the engine estimates."""

from __future__ import annotations

import time

import cv2
from tests.engine.motion_clips import CLIPS, draw, motion_error, step_error
from tests.engine.rigid_clips import RIGID, draw_rigid, sprite_error
from tests.engine.sheet_clips import SHEETS, draw_sheet, sheet_scores

from toondecompose_blender.engine.drawings import exposure_sheet
from toondecompose_blender.engine.flow import compute_flow
from toondecompose_blender.engine.motion import background_motion
from toondecompose_blender.engine.report import Silent

from .machine import keep

__all__ = ["measure"]

WIDTH, HEIGHT = 640, 360
MEAN, LARGEST, SPRITE_MEAN = 0.10, 0.30, 0.30  # px: what is asked for


def measure(*, only: list[str], frames: int) -> None:
    """Print a line a kind, and how many are within what is asked for; keep them as benchmarks/results/motion.json."""
    cv2.setNumThreads(1)
    print(f"{'camera':<24} {'a step':>15} {'to the reference':>18}   px, mean and largest")
    cameras = {kind: _camera(kind, frames) for kind in CLIPS if not only or kind in only}
    print(f"{'rigid sprite':<24} {'drawings':>15} {'to the reference':>18}")
    sprites = {kind: _sprite(kind, frames) for kind in RIGID if not only or kind in only}
    print(f"{'exposure sheet':<24} {'drawings':>15} {'holds, cycles, false merges':>30}")
    sheets = {kind: _sheet(kind) for kind in SHEETS if not only or kind in only}
    good = sum(figures["mean"] < MEAN and figures["largest"] < LARGEST for figures in cameras.values())
    held = sum(figures["drawings"] == 1 and figures["mean"] < SPRITE_MEAN for figures in sprites.values())
    exact = sum(figures["exact"] for figures in sheets.values())
    print(f"{good} of {len(cameras)} cameras within {MEAN} px mean and {LARGEST} px; {held} of {len(sprites)} rigid sprites one drawing "
          f"within {SPRITE_MEAN} px mean; {exact} of {len(sheets)} exposure sheets exact")
    if not only:
        keep("motion", {"frames": frames, "size": [WIDTH, HEIGHT], "cameras": cameras, "rigid_sprites": sprites, "exposure_sheets": sheets})


def _camera(kind: str, frames: int) -> dict:
    clip = draw(kind, count=frames, width=WIDTH, height=HEIGHT)
    started = time.perf_counter()
    motion = background_motion(clip.frames, compute_flow(clip.frames, report=Silent()), report=Silent())
    seconds = time.perf_counter() - started
    step = step_error(motion.homographies, clip.homographies, WIDTH, HEIGHT)
    whole = motion_error(motion.homographies, clip.homographies, WIDTH, HEIGHT)
    _row(kind, f"{step[0]:.3f} {step[1]:.3f}", f"{whole[0]:.3f} {whole[1]:.3f}", motion.model)
    return {"step_mean": step[0], "step_largest": step[1], "mean": whole[0], "largest": whole[1], "model": motion.model,
            "link_residual": motion.confidence, "seconds": round(seconds, 1)}


def _sprite(kind: str, frames: int) -> dict:
    clip = draw_rigid(kind, count=frames, width=WIDTH, height=HEIGHT)
    sheet = exposure_sheet(clip.frames, clip.alphas, report=Silent())
    error = sprite_error(sheet.poses, clip, int(sheet.references[0])) if len(sheet.references) == 1 else (None, None)
    _row(kind, str(len(sheet.references)), f"{error[0]:.3f} {error[1]:.3f}" if error[0] is not None else "-", "")
    return {"drawings": len(sheet.references), "mean": error[0] if error[0] is not None else float("inf"), "largest": error[1]}


def _sheet(kind: str) -> dict:
    shot, truth = draw_sheet(kind)
    found = [exposure_sheet(shot.frames, alphas, report=Silent(), front=front, behind=shot.behind.__getitem__).exposure
             for alphas, front in shot.sprites]
    figures = sheet_scores(found, truth)
    _row(kind, f"{figures['found']} of {figures['drawn']}", f"{figures['holds']:.3f} {figures['cycles']:.3f} {figures['false_merges']}", "")
    return figures


def _row(kind: str, first: str, second: str, third: str) -> None:
    print(f"{kind:<24} {first:>15} {second:>18}   {third}", flush=True)
