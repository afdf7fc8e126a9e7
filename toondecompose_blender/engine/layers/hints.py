# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist points at: boxes, scribbles and masks on any frame become seeds, and seeds travel along the flow.
It reads the hints' file and fills arrays; what a seed is worth is decided by the masks.

The file is JSON: {"hints": [{"frame": 12, "sprite": 1, "box": [left, top, right, bottom]},
                             {"frame": 12, "sprite": 0, "scribble": [[x, y], [x, y]], "width": 6},
                             {"frame": 20, "sprite": 1, "mask": "mask.png"}]}
with frames counted from 1, sprite 0 for the background, px of the clip, and mask files (not black = the sprite) beside the file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...protocol import SettingsError, ToonError, inside
from ..flow import Flow
from ..paged import new, paged, stacked
from ..pictures import read_picture

__all__ = ["RING", "UNKNOWN", "Hint", "Hints", "read_hints", "spread"]

UNKNOWN = 255
FARTHEST = 8               # frames that a seed travels to both sides; beyond, flow has drifted
RING = 7, 15               # px across: what is closer to a region than the first is unknown, up to the second it is background
CUT_ROUNDS = 3             # of the graph cut that finds the sprite in a box


@dataclass(frozen=True)
class Hint:
    """One "box", "scribble" or "mask" (its `kind`) for a `sprite`, on a `frame` counted from 0: its `region`, bool (h, w), and of
    a box what the picture alone says that is `cut_out` of it."""
    kind: str
    sprite: int
    frame: int
    region: np.ndarray
    cut_out: np.ndarray | None = None


@dataclass(frozen=True)
class Hints:
    """`seeds` uint8 (T, h, w), a sprite's number, or `UNKNOWN`; `marks`, what was drawn, one by one.  Boxes and scribbles are seeds
    only where there is one sprite: among several, what is in a box, or under a line, may be another."""
    seeds: np.ndarray
    marks: tuple[Hint, ...]


def read_hints(path: Path, frames: np.ndarray, *, clip_size: tuple[int, int], sprites: int | None) -> Hints:
    """The hints in a file, for frames uint8 (T, h, w, 3) at analysis size.

    `clip_size` (width, height) is what the file's pixels refer to.  Raises `SettingsError` settings.hints.
    """
    seeds = new(frames.shape[:3], np.uint8)
    seeds[...] = UNKNOWN
    marks = []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["hints"]
        for entry in entries:
            marks.append(_enter(seeds, frames, entry, path.parent, clip_size, sprites))
    except SettingsError:
        raise
    except (OSError, ValueError, KeyError, TypeError, IndexError, ToonError, cv2.error) as cause:
        raise _wrong(f"{path.name} cannot be used: {cause}.") from cause
    return Hints(seeds, tuple(marks))


def _wrong(message: str) -> SettingsError:
    return SettingsError("settings.hints", message, "Draw the hints again, or decompose without them.")


def _enter(seeds: np.ndarray, frames: np.ndarray, entry: dict, folder: Path, clip_size: tuple[int, int], sprites: int | None) -> Hint:
    t, number = int(entry["frame"]) - 1, int(entry["sprite"])
    if not 0 <= t < len(seeds):
        raise _wrong(f"A hint is on frame {t + 1}; the clip has {len(seeds)}.")
    if number < 0 or number >= (sprites or UNKNOWN):
        raise _wrong(f"A hint is for sprite {number}; {sprites} sprites were asked for, the background included.")
    height, width = seeds.shape[1:]
    x, y = width / clip_size[0], height / clip_size[1]
    region = np.zeros((height, width), np.uint8)
    if "mask" in entry:
        mask = read_picture(inside(folder, entry["mask"]))[..., :3].max(2)
        region = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) > 127
        _fill(seeds[t], region, number, alone=sprites == 2)
        return Hint("mask", number, t, region)
    if "scribble" in entry:
        points = np.rint(np.array(entry["scribble"], np.float64).reshape(-1, 2) * (x, y)).astype(np.int32)
        if sprites == 2:
            pen = cv2.polylines(np.zeros_like(region), [points], False, 1, max(1, round(float(entry.get("width", 4)) * x)))
            seeds[t][pen > 0] = number
        cv2.polylines(region, [points], False, 1, 1)    # its middle: the width is the pen's, not the sprite's
        return Hint("scribble", number, t, region > 0)
    box = (np.array(entry["box"], np.float64) * (x, y, x, y)).round()
    left, top, right, bottom = np.clip(box, 0, (width, height, width, height)).astype(int)
    if right - left < 4 or bottom - top < 4:
        raise _wrong("A box is smaller than four pixels, or outside of the picture.")
    region[top:bottom, left:right] = 1
    found = None if region.all() else _cut_out(frames[t], (left, top, right - left, bottom - top))
    if sprites == 2:
        if found is None:
            raise _wrong("A box is as large as the picture: it leaves nothing that is not the sprite.")
        _fill(seeds[t], found, number, alone=True)
        return Hint("mask", number, t, found)
    return Hint("box", number, t, region > 0, found)


def _cut_out(frame: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """What is in a box by OpenCV's graph cut, bool (h, w), less its outline."""
    kinds = np.full(frame.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.grabCut(np.ascontiguousarray(frame[..., ::-1]), kinds, box, np.zeros((1, 65)), np.zeros((1, 65)), CUT_ROUNDS, cv2.GC_INIT_WITH_RECT)
    found = np.isin(kinds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return cv2.erode(found, np.ones((3, 3), np.uint8)) > 0


def _fill(seeds: np.ndarray, inside: np.ndarray, number: int, *, alone: bool) -> None:
    """Seeds in a region; if there is but one sprite, a ring around the region is background."""
    if alone:
        near, far = (cv2.dilate(inside.astype(np.uint8), np.ones((size, size), np.uint8)) > 0 for size in RING)
        seeds[far & ~near & (seeds == UNKNOWN)] = 0
    seeds[inside] = number


def spread(seeds: np.ndarray, flow: Flow) -> np.ndarray:
    """Seeds carried along consistent flow to at most `FARTHEST` frames on both sides; a frame's own hints are never overwritten."""
    result = stacked(paged(seeds), len(seeds))
    age = stacked((np.where(frame != UNKNOWN, 0, FARTHEST + 1) for frame in paged(seeds)), len(seeds), np.uint8)
    for order, step in ((range(len(seeds) - 1), 1), (range(len(seeds) - 1, 0, -1), -1)):
        for t in paged(order):
            _carry(result, age, flow, t, step)
    return result


def _carry(seeds: np.ndarray, age: np.ndarray, flow: Flow, t: int, step: int) -> None:
    height, width = seeds.shape[1:]
    field = flow.forward[t] if step > 0 else flow.backward[t - 1]
    believed = flow.consistent(t) if step > 0 else flow.consistent_back(t - 1)
    ys, xs = np.nonzero((age[t] < FARTHEST) & believed)
    moved = np.rint(np.stack([xs, ys], 1) + field[ys, xs].astype(np.float64)).astype(int)
    kept = (moved >= 0).all(1) & (moved[:, 0] < width) & (moved[:, 1] < height)
    ys, xs, (tx, ty) = ys[kept], xs[kept], moved[kept].T
    younger = age[t, ys, xs] + 1 < age[t + step, ty, tx]
    ys, xs, ty, tx = ys[younger], xs[younger], ty[younger], tx[younger]
    seeds[t + step, ty, tx] = seeds[t, ys, xs]
    age[t + step, ty, tx] = age[t, ys, xs] + 1
