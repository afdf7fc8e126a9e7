# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn clips with known exposure sheets: on ones, twos, threes and mixed, in cycles, one sprite or several, each with its own timing.
Returns truth beside the frames; it knows nothing of the engine but its measures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from toondecompose_blender.engine.evaluate_measures import exposure_scores

from .toons import HEIGHT, WIDTH, background, character, walk

__all__ = ["SHEETS", "Actor", "SheetClip", "draw_sheet", "sheet_scores"]

_TURN = 2 * np.pi / 8


@dataclass(frozen=True)
class Actor:
    """`exposure`: 1-based drawings, 0 where absent; `gait`: what changes from drawing to drawing; `start`, `step`: its path in px."""

    exposure: tuple[int, ...]
    gait: str = "walk"
    start: tuple[float, float] = (60, 60)
    step: tuple[float, float] = (4.3, 0.4)
    height: float = 200.0


@dataclass(frozen=True)
class SheetClip:
    """`frames` and `behind`, the same without sprites, uint8 (T, h, w, 3); `sprites`: for each what is seen of it and what lies before
    it, float32 (T, h, w)."""

    frames: np.ndarray
    behind: np.ndarray
    sprites: list[tuple[np.ndarray, np.ndarray]]


def held(counts: list[int]) -> tuple[int, ...]:
    """Drawing 1 for the first count of frames, 2 for the second, ..."""
    return tuple(number for number, count in enumerate(counts, 1) for _ in range(count))


def repeated(drawings: list[int], hold: int, count: int) -> tuple[int, ...]:
    """The drawings round and round, each for `hold` frames."""
    return tuple(drawings[t // hold % len(drawings)] for t in range(count))


#: kind -> (actors back to front, px of pan a frame, grain, JPEG quality or 0)
SHEETS: dict[str, tuple[tuple[Actor, ...], float, float, int]] = {
    "ones": ((Actor(held([1] * 8)),), 3, 1, 0),
    "twos": ((Actor(held([2] * 6)),), 3, 1, 0),
    "threes": ((Actor(held([3] * 5)),), 3, 1, 0),
    "mixed": ((Actor(held([2, 1, 3, 1, 4, 2, 1, 1])),), 3, 1, 0),
    "a long hold, then ones": ((Actor(held([10, 1, 1, 1, 1, 1])),), 3, 1, 0),
    "cycle on ones": ((Actor(repeated([1, 2, 3, 4, 5, 6, 7, 8], 1, 24), step=(9.3, -0.6)),), 5, 1, 0),
    "cycle on twos": ((Actor(repeated([1, 2, 3, 4, 5, 6, 7, 8], 2, 32), step=(9.3, -0.6)),), 7, 1, 0),
    "there and back": ((Actor(repeated([1, 2, 3, 4, 3, 2], 2, 24)),), 3, 1, 0),
    "mouths": ((Actor((1, 1, 2, 2, 3, 3, 2, 1, 3, 3, 1, 2), gait="mouth"),), 3, 1, 0),
    "mouths, static camera": ((Actor((1, 1, 2, 2, 3, 3, 2, 1, 3, 3, 1, 2), gait="mouth", step=(0, 0)),), 0, 1, 0),
    "two of different timing": ((Actor(repeated([1, 2, 3, 4], 2, 18), start=(30, 40)),
                                 Actor(held([3] * 6), start=(380, 110), step=(-9.0, 0.3))), 4, 1, 0),
    "three of different timing": ((Actor(held([1] * 6 + [3, 3]), start=(20, 20), step=(3, 0), height=130),
                                   Actor(repeated([1, 2, 3], 2, 12), start=(200, 60), step=(-2, 0.5), height=150),
                                   Actor((1,) * 6 + (2,) * 6, start=(420, 140), step=(-14.0, 0))), 4, 1, 0),
    "leaves and comes back": ((Actor((1, 1, 2, 2, 3, 3, 0, 0, 0, 1, 1, 3, 3, 2, 2)),), 3, 1, 0),
    "heavy grain": ((Actor(repeated([1, 2, 3, 4], 2, 16)),), 3, 4, 0),
    "compressed": ((Actor(repeated([1, 2, 3, 4], 2, 16)),), 3, 2, 60),
    "sixty pixels high": ((Actor(repeated([1, 2, 3, 4], 2, 16), height=60),), 3, 1, 0),
    "whipped past": ((Actor(repeated([1, 2, 3, 4], 2, 16)),), 31, 1, 0),
}


def draw_sheet(kind: str, *, seed: int = 0) -> tuple[SheetClip, list[tuple[int, ...]]]:
    """A clip of one of `SHEETS` and the true exposure of each of its sprites, the same bytes every time."""
    actors, pan, grain, jpeg = SHEETS[kind]
    rng = np.random.default_rng(seed)
    wall, count = background(), len(actors[0].exposure)
    drawings = [_drawings(actor) for actor in actors]
    paths = [walk(count, start=actor.start, step=actor.step) for actor in actors]
    frames, behind, seen = [], [], np.zeros((len(actors), count, HEIGHT, WIDTH), np.float32)
    for t in range(count):
        move = np.array([[1, 0, -20 - pan * t % 380], [0, 1, -40 - 5 * np.sin(t / 5) * (pan != 0)]])
        picture = cv2.warpAffine(wall, move, (WIDTH, HEIGHT)).astype(np.float32)
        behind.append(picture.astype(np.uint8))
        for k, actor in enumerate(actors):
            if actor.exposure[t]:
                laid = cv2.warpPerspective(drawings[k][actor.exposure[t] - 1], paths[k][t], (WIDTH, HEIGHT))
                alpha = laid[..., 3:] / 255
                picture = picture * (1 - alpha) + laid[..., :3]
                seen[:, t] *= 1 - alpha[..., 0]
                seen[k, t] = alpha[..., 0]
        picture = (picture + rng.normal(0, grain, picture.shape)).clip(0, 255).round().astype(np.uint8)
        if jpeg:
            picture = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, jpeg])[1], cv2.IMREAD_COLOR)
        frames.append(picture)
    sprites = [(seen[k], seen[k + 1:].max(0, initial=0)) for k in range(len(actors))]
    return SheetClip(np.stack(frames), np.stack(behind), sprites), [actor.exposure for actor in actors]


def _drawings(actor: Actor) -> list[np.ndarray]:
    """Premultiplied RGBA float32, 0..255."""
    drawn = []
    for number in range(max(actor.exposure)):
        if actor.gait == "mouth":
            rgba = character(mouth=1 + 3 * number, height=actor.height)
        else:
            rgba = character(arm=0.5 * np.sin(number * _TURN), leg=0.45 * np.sin(number * _TURN + 1), height=actor.height)
        rgba = rgba.astype(np.float32)
        rgba[..., :3] *= rgba[..., 3:] / 255
        drawn.append(rgba)
    return drawn


def sheet_scores(found: list[np.ndarray], truth: list[tuple[int, ...]]) -> dict:
    """Over all sprites: `exact`, `found` and `drawn` drawings, shares of `holds` and `cycles` found, number of `false_merges`."""
    scores = [exposure_scores(list(true), ours.tolist()) for ours, true in zip(found, truth, strict=True)]
    return {"exact": all(ours.tolist() == list(true) for ours, true in zip(found, truth, strict=True)),
            "found": int(sum(ours.max(initial=0) for ours in found)), "drawn": int(sum(max(true) for true in truth)),
            "holds": float(np.mean([score["holds"] for score in scores])), "cycles": float(np.mean([score["cycles"] for score in scores])),
            "false_merges": int(sum(score["false_merges"] for score in scores))}
