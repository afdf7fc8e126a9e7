# SPDX-License-Identifier: GPL-3.0-or-later
"""How good the sprites are: decomposes every clip whose layers are known, and scores the results.
It runs the engine's own commands; the measures are the engine's evaluate."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from toondecompose_blender.engine.evaluate import Scores, evaluate, table

from .machine import keep as keep_figures

__all__ = ["measure"]


def measure(clips: Path, *, only: list[str], auto: bool, keep: Path | None, preset: str = "standard") -> None:
    """Print the score table, seconds a clip, and the means; keep them as benchmarks/results/quality.json, or quality_<preset>.json."""
    chosen = [path.parent for path in sorted(clips.glob("*/meta.json")) if not only or path.parent.name in only]
    with tempfile.TemporaryDirectory() as temporary:
        root = keep or Path(temporary)
        scored: list[Scores] = []
        seconds: dict[str, float] = {}
        for clip in chosen:
            seconds[clip.name] = _decompose(clip, root / clip.name, auto=auto, preset=preset)
            scored.append(evaluate(root / clip.name, clip))
            print(f"{clip.name}: {seconds[clip.name]:.1f} s, sprites {scored[-1].predicted}, visible IoU "
                  f"{[round(v or 0, 3) for v in scored[-1].vis_iou]}", flush=True)
    print(table(scored))
    foreground = [sum(v or 0 for v in s.vis_iou[1:]) / max(1, len(s.vis_iou) - 1) for s in scored]
    print(f"foreground visible IoU, mean over {len(scored)} clips: {sum(foreground) / max(1, len(foreground)):.4f}; "
          f"{sum(seconds.values()):.0f} s in all")
    if not only:
        name = "quality" + "_auto" * auto + f"_{preset}" * (preset != "standard")
        keep_figures(name, {"seconds": seconds, "scores": [asdict(s) for s in scored]})


def _decompose(clip: Path, out: Path, *, auto: bool, preset: str) -> float:
    count = "auto" if auto else str(json.loads((clip / "meta.json").read_text())["K"])
    started = time.perf_counter()
    words = ["decompose", str(clip), "--sprites", count, "--preset", preset, "--out", str(out)]
    subprocess.run([sys.executable, "-m", "toondecompose_blender.engine", *words], check=True, stderr=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
