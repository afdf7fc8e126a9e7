# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist's hints are worth: for the sprite of a clip that automation finds worst, each kind of hint made from the truth of
three frames, and a wrong one.  It runs the engine's own commands; the measures are the engine's evaluate."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from toondecompose_blender.engine.evaluate import Scores, evaluate
from toondecompose_blender.engine.evaluate_sources import Truth, open_truth

from .machine import keep as keep_figures

__all__ = ["measure", "KINDS"]

KINDS = "none", "scribble", "box", "mask", "wrong"
FAILED = 0.8            # visible IoU below which a sprite is worth a hint
FRAMES = 3              # evenly in time, among those that show the sprite
SEEN = 40               # px of it from which a frame shows it
MADE_ONCE = "cuts", "frames", "flow", "motion"      # stages that no hint changes


def measure(clips: Path, *, only: list[str], keep: Path | None) -> None:
    """Print, a row a clip, the worst sprite's visible IoU without a hint and with each kind, and the mean of the other sprites'."""
    chosen = [path.parent for path in sorted(clips.glob("*/meta.json")) if not only or path.parent.name in only]
    figures: dict[str, dict] = {}
    print(f"{'clip':<26}sprite" + "".join(f"{kind:>18}" for kind in KINDS) + "   (the sprite, the others)")
    with tempfile.TemporaryDirectory() as temporary:
        for clip in chosen:
            row = _row(clip, (keep or Path(temporary)) / clip.name)
            if row is not None:
                figures[clip.name] = row
                cells = "".join(f"{row[kind]['sprite']:>11.3f} {row[kind]['others']:.3f} " for kind in KINDS)
                print(f"{clip.name:<26}{row['sprite']:>6}{cells}", flush=True)
    if not only:
        keep_figures("hints", figures)


def _row(clip: Path, root: Path) -> dict | None:
    """The figures of a clip, None if no sprite of it fails."""
    none = _scored(clip, root / "none", hints=None)
    worst = min(range(1, none.sprites), key=lambda k: none.vis_iou[k] or 0)
    if (none.vis_iou[worst] or 0) >= FAILED:
        return None
    row = {"sprite": worst}
    truth = open_truth(clip)
    for kind in KINDS:
        scores = none if kind == "none" else _scored(clip, root / kind, hints=_hints(truth, worst, kind, root))
        others = [value or 0 for k, value in enumerate(scores.vis_iou) if k != worst]
        row[kind] = {"sprite": scores.vis_iou[worst] or 0.0, "others": float(np.mean(others))}
    return row


def _scored(clip: Path, out: Path, *, hints: Path | None) -> Scores:
    first = out.parent / "none/stages"
    if hints is not None and first.is_dir():
        (out / "stages").mkdir(parents=True, exist_ok=True)
        for path in (path for name in MADE_ONCE for path in first.glob(f"{name}*")):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, out / "stages" / path.name)
    count = json.loads((clip / "meta.json").read_text(encoding="utf-8"))["K"]
    command = [sys.executable, "-m", "toondecompose_blender.engine", "decompose", str(clip), "--sprites", str(count), "--out", str(out)]
    command += ["--hints", str(hints)] if hints else []
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return evaluate(out, clip)


def _hints(truth: Truth, sprite: int, kind: str, folder: Path) -> Path:
    """A file of hints for one sprite, drawn after the truth as an artist would; "wrong": boxes where the sprite is not."""
    shown = [(t, alpha) for t in range(truth.frames) for alpha in [_visible(truth, sprite, t)] if np.count_nonzero(alpha) > SEEN]
    entries = []
    for n in np.unique(np.linspace(0, len(shown) - 1, FRAMES + 2).round().astype(int)[1:-1]):
        t, alpha = shown[n]
        entries.append({"frame": t + 1, "sprite": sprite, **_drawn(alpha, kind, folder, t)})
    path = folder / f"{kind}.json"
    path.write_text(json.dumps({"hints": entries}), encoding="utf-8")
    return path


def _drawn(alpha: np.ndarray, kind: str, folder: Path, t: int) -> dict:
    """One hint for the pixels `alpha` uint8 (H, W), 0 or 255."""
    height, width = alpha.shape
    x, y, wide, high = cv2.boundingRect(alpha)
    if kind == "mask":
        cv2.imwrite(str(folder / f"mask_{t:04d}.png"), alpha)
        return {"mask": f"mask_{t:04d}.png"}
    if kind == "box":
        return {"box": [max(0, x - 2), max(0, y - 2), min(width, x + wide + 2), min(height, y + high + 2)]}
    if kind == "scribble":
        return {"scribble": _middle(alpha), "width": 3}
    left = 0 if x + wide / 2 > width / 2 else width - width // 5        # a fifth of the picture, on the other side
    return {"box": [left, height // 3, left + width // 5, height // 3 + height // 5]}


def _middle(alpha: np.ndarray) -> list[list[int]]:
    """Points along the middle of the largest part, from top to bottom or from left to right."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(alpha)
    part = (parts == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    depth = cv2.distanceTransform(part, cv2.DIST_L2, 5)
    x, y, wide, high = cv2.boundingRect(part)
    if high >= wide:
        return [[int(depth[row].argmax()), int(row)] for row in np.linspace(y + 1, y + high - 2, 7).round().astype(int)]
    return [[int(column), int(depth[:, column].argmax())] for column in np.linspace(x + 1, x + wide - 2, 7).round().astype(int)]


def _visible(truth: Truth, sprite: int, t: int) -> np.ndarray:
    """Where a true sprite is what is seen in frame t, uint8 (H, W), 0 or 255."""
    alphas = truth.layers.frame(t)[..., 3] / 255
    through = np.prod(1 - alphas[sprite + 1:], 0)
    return np.where(alphas[sprite] * through > 0.5, 255, 0).astype(np.uint8)
