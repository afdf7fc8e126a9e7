# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges, opacity and what production does to a picture: drawn clips with strands of hair, each hard in one way, decomposed and scored.
The clips and the measures are the tests' own; here they are larger, and nothing is required of them."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, fields
from pathlib import Path

import cv2

from tests.engine.edge_clips import CASES, EdgeScores, picture_of, run, score
from toondecompose_blender.protocol import read_result

from .machine import keep

__all__ = ["measure"]

WIDTH, HEIGHT, FRAMES = 480, 270, 24


def measure(*, only: list[str], pictures: Path | None) -> None:
    """Print a row a clip; keep them as benchmarks/results/edges.json, and enlarged pictures of each in `pictures`."""
    names = [field.name for field in fields(EdgeScores)]
    print(f"{'clip':<26}" + "".join(f"{name:>9}" for name in names) + "  seconds")
    figures = {}
    for case, draw in CASES.items():
        if only and case not in only:
            continue
        clip = draw(width=WIDTH, height=HEIGHT, frames=FRAMES)
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            result = run(clip, Path(folder))
            seconds = time.perf_counter() - started
            decomposition = read_result(result)
            scores = score(clip, result, decomposition)
            if pictures is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                seen = picture_of(clip, result, decomposition, 2 * FRAMES // 3)
                cv2.imwrite(str(pictures / f"{case.replace(' ', '_')}.png"), cv2.resize(seen, None, fx=2, fy=2)[..., ::-1])
        figures[case] = asdict(scores)
        print(f"{case:<26}" + "".join(f"{getattr(scores, name):>9.3f}" for name in names) + f"{seconds:>9.1f}", flush=True)
    if not only:
        keep("edges", figures)
