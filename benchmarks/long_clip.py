# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip of any size and length out of the demo's drawings: a camera that pans to and fro past the town, two runners and a bird.
It draws and writes frames; it knows nothing of what is measured on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from toondecompose_blender.engine.demo import background, bird, character, run_cycle
from toondecompose_blender.engine.demo.ink import SUPERSAMPLING, Cel

__all__ = ["SPRITES", "draw_long_clip"]

SPRITES = 4                 # with the background
LINES = 360.0               # units of height that a frame shows, as in the demo
PAN, LOOP = 640.0, 240      # units to both sides of the middle; frames until the camera is back: 17 units a frame at most
RISE = 20.0                 # units up and down
PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]


@dataclass(frozen=True)
class _Actor:
    """Premultiplied RGBA uint8 `drawings`, each held `held` frames; `path` (T, 2): where their left upper corner is, frame px."""
    drawings: tuple[np.ndarray, ...]
    held: int
    path: np.ndarray


def draw_long_clip(folder: Path, *, width: int, height: int, frames: int) -> None:
    """Write frames/00001.png ... of `width` x `height` px into `folder`; the same arguments give the same pixels."""
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(_frames(width, height, frames), 1):
        cv2.imwrite(str(folder / "frames" / f"{number:05d}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), PNG)


def _frames(width: int, height: int, frames: int) -> Iterator[np.ndarray]:
    unit, t = height / LINES, np.arange(frames)
    town = background.paint_town(width / unit + 2 * PAN + 8, LINES + 2 * RISE + 8, unit=unit)
    camera = unit * np.stack([PAN * (1 - np.cos(2 * np.pi * t / LOOP)) + 4, RISE * (1 - np.sin(2 * np.pi * t / 97)) + 4], 1)
    actors = _cast(unit, width / unit, t)
    for now, corner in zip(t, camera, strict=True):
        frame = _at(town, -corner, width, height).astype(np.float32)
        for actor in actors:
            drawing = actor.drawings[now // actor.held % len(actor.drawings)]
            _lay(frame, drawing, actor.path[now])
        yield np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def _cast(unit: float, view: float, t: np.ndarray) -> list[_Actor]:
    """Back to front: a small runner to the left in other colors, the heroine, her bird."""
    def way(x: float, y: float, sway_x: float, sway_y: float, loop: int) -> np.ndarray:
        angle = 2 * np.pi * t / loop
        return unit * np.stack([x * view + sway_x * np.sin(angle), y + sway_y * np.cos(angle)], 1)

    runs = [run_cycle.pose(number) for number in range(run_cycle.DRAWINGS)]
    small = [_drawn(character.draw_runner(pose, unit=0.6 * unit * SUPERSAMPLING))[:, ::-1][..., [2, 0, 1, 3]] for pose in runs]
    large = [_drawn(character.draw_runner(pose, unit=unit * SUPERSAMPLING)) for pose in runs]
    birds = [_drawn(bird.draw_bird(number, unit=unit * SUPERSAMPLING)) for number in range(bird.DRAWINGS)]
    return [_Actor(tuple(small), 3, way(0.02, 150, 60, 6, 113)), _Actor(tuple(large), 2, way(0.36, 20, 40, 4, 79)),
            _Actor(tuple(birds), 3, way(0.74, 70, 50, 36, 67))]


def _drawn(cel: Cel) -> np.ndarray:
    """The cel at frame resolution."""
    paint = np.dstack([cel.color * (cel.alpha > 0)[..., None], cel.alpha])
    size = (paint.shape[1] // SUPERSAMPLING, paint.shape[0] // SUPERSAMPLING)
    return cv2.resize(paint, size, interpolation=cv2.INTER_AREA)


def _at(picture: np.ndarray, corner: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture moved so that its left upper corner comes to `corner`, cut to a frame."""
    move = np.array([[1, 0, corner[0]], [0, 1, corner[1]]], np.float64)
    return cv2.warpAffine(picture, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _lay(frame: np.ndarray, drawing: np.ndarray, corner: np.ndarray) -> None:
    """Lay a drawing over the frame float32 (in place)."""
    left, top = np.floor(corner).astype(int)
    placed = _at(drawing, corner - (left, top), drawing.shape[1] + 1, drawing.shape[0] + 1).astype(np.float32)
    rows, columns = slice(max(0, top), top + len(placed)), slice(max(0, left), left + placed.shape[1])
    under = frame[rows, columns]
    over = placed[max(0, -top):, max(0, -left):][:under.shape[0], :under.shape[1]]
    under *= 1 - over[..., 3:] / 255
    under += over[..., :3]
