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
from pathlib import Path

import cv2
import numpy as np

from ...protocol import SettingsError, ToonError, inside
from ..flow import Flow
from ..paged import new, paged, stacked
from ..pictures import read_picture

__all__ = ["UNKNOWN", "read_hints", "spread"]

UNKNOWN = 255
FARTHEST = 8               # frames that a seed travels to both sides; beyond, flow has drifted
RING = 7, 15               # px across: what is closer to a region than the first is unknown, up to the second it is background
CUT_ROUNDS = 3             # of the graph cut that finds the sprite in a box


def read_hints(path: Path, frames: np.ndarray, *, clip_size: tuple[int, int], sprites: int | None) -> np.ndarray:
    """Seeds uint8 (T, h, w) for frames uint8 (T, h, w, 3) at analysis size: a sprite's number, or `UNKNOWN`.

    `clip_size` (width, height) is what the file's pixels refer to.  Raises `SettingsError` settings.hints.
    """
    seeds = new(frames.shape[:3], np.uint8)
    seeds[...] = UNKNOWN
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["hints"]
        for entry in entries:
            _enter(seeds, frames, entry, path.parent, clip_size, sprites)
    except SettingsError:
        raise
    except (OSError, ValueError, KeyError, TypeError, IndexError, ToonError, cv2.error) as cause:
        raise _wrong(f"{path.name} cannot be used: {cause}.") from cause
    return seeds


def _wrong(message: str) -> SettingsError:
    return SettingsError("settings.hints", message, "Draw the hints again, or decompose without them.")


def _enter(seeds: np.ndarray, frames: np.ndarray, entry: dict, folder: Path, clip_size: tuple[int, int], sprites: int | None) -> None:
    t, number = int(entry["frame"]) - 1, int(entry["sprite"])
    if not 0 <= t < len(seeds):
        raise _wrong(f"A hint is on frame {t + 1}; the clip has {len(seeds)}.")
    if number < 0 or number >= (sprites or UNKNOWN):
        raise _wrong(f"A hint is for sprite {number}; {sprites} sprites were asked for, the background included.")
    height, width = seeds.shape[1:]
    x, y = width / clip_size[0], height / clip_size[1]
    if "mask" in entry:
        mask = read_picture(inside(folder, entry["mask"]))[..., :3].max(2)
        _fill(seeds[t], cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) > 127, number, alone=sprites == 2)
    elif "scribble" in entry:
        points = np.array(entry["scribble"], np.float64).reshape(-1, 2) * (x, y)
        line = np.zeros((height, width), np.uint8)
        cv2.polylines(line, [np.rint(points).astype(np.int32)], False, 1, max(1, round(float(entry.get("width", 4)) * x)))
        seeds[t][line > 0] = number
    else:
        left, top, right, bottom = (np.array(entry["box"], np.float64) * (x, y, x, y)).round().astype(int)
        _cut_out(seeds[t], frames[t], (left, top, right - left, bottom - top), number, alone=sprites == 2)


def _cut_out(seeds: np.ndarray, frame: np.ndarray, box: tuple[int, int, int, int], number: int, *, alone: bool) -> None:
    """The sprite in a box by OpenCV's graph cut; what is close to its outline stays unknown."""
    if box[2] < 4 or box[3] < 4:
        raise _wrong("A box is smaller than four pixels.")
    kinds = np.full(frame.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.grabCut(np.ascontiguousarray(frame[..., ::-1]), kinds, box, np.zeros((1, 65)), np.zeros((1, 65)), CUT_ROUNDS, cv2.GC_INIT_WITH_RECT)
    found = np.isin(kinds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _fill(seeds, cv2.erode(found, np.ones((3, 3), np.uint8)) > 0, number, alone=alone)


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
