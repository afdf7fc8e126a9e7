# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo clip put together: a camera that pans and zooms past the town, a girl running on twos, and the truth about both.
Draws; knows nothing of decompositions, scores or the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .. import geometry, parallel, pictures, resampling
from . import background, bird, character, run_cycle
from .ink import SUPERSAMPLING, Cel

__all__ = ["Layer", "Scene", "compose_scene", "draw_demo"]

LINES = 360.0  # units of height that a frame shows at zoom 1
FPS = 24.0
_SPEED = 16.4  # units a frame: a stride of 131 units on twos, so that the feet do not slide
_ZOOM = 0.13
_FEET = 303.0  # units from the frame's top: where the lane under her feet stays
_HIP = 88.0  # units from the lane up to the mean place of her hip
_PLATE_SUPERSAMPLING = 2
_MARGIN = 24.0  # units of painting beyond what the camera sees


@dataclass(frozen=True)
class Layer:
    """One sprite's truth: premultiplied RGBA uint8 drawings with `supersampling` pixels per canvas pixel.

    `exposure[t]` is the 1-based drawing of frame t; `homographies` (T, 3, 3) lead from canvas to frame pixels.
    """
    name: str
    drawings: tuple[np.ndarray, ...]
    supersampling: int
    exposure: tuple[int, ...]
    homographies: np.ndarray

    def frame(self, index: int, width: int, height: int) -> np.ndarray:
        """Straight-alpha RGBA uint8 (height, width, 4) in frame space."""
        drawing, dense = self.drawings[self.exposure[index] - 1], self.supersampling
        homography = geometry.resized(self.homographies[index], dense, dense)
        opaque = bool((drawing[..., 3] == 255).all())
        left, top, right, bottom = (0, 0, width, height) if opaque else self._box(index, width, height)
        out = np.zeros((height, width, 4), np.uint8)
        if right > left and bottom > top:
            place = geometry.translation(-left * dense, -top * dense) @ homography
            seen = resampling.warp_to(drawing, place, (right - left) * dense, (bottom - top) * dense,
                                    border=cv2.BORDER_REPLICATE if opaque else cv2.BORDER_CONSTANT)
            seen = cv2.resize(seen.astype(np.float32), (right - left, bottom - top), interpolation=cv2.INTER_AREA)
            seen[..., :3] *= 255 / np.maximum(seen[..., 3:], 1)
            out[top:bottom, left:right] = np.clip(np.round(seen), 0, 255)
        out[out[..., 3] == 0] = 0
        return out

    def _box(self, index: int, width: int, height: int) -> tuple[int, int, int, int]:
        rows, columns = self.drawings[0].shape[:2]
        points = geometry.corners(columns // self.supersampling, rows // self.supersampling)
        points = geometry.project(self.homographies[index], points)
        (left, top), (right, bottom) = np.floor(points.min(0)) - 1, np.ceil(points.max(0)) + 2
        return max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom))


@dataclass(frozen=True)
class Scene:
    """A drawn clip with its layers, back to front."""
    name: str
    width: int
    height: int
    frames: int
    layers: tuple[Layer, ...]

    def sprites(self, index: int) -> list[np.ndarray]:
        """Every layer at a frame, back to front: RGBA uint8 (height, width, 4)."""
        return [layer.frame(index, self.width, self.height) for layer in self.layers]

    def __iter__(self) -> Iterator[np.ndarray]:
        """The frames, RGB uint8: exactly what the 8-bit sprites give when they are laid over each other."""
        return (pictures.composite(self.sprites(index)) for index in range(self.frames))


def compose_scene(*, width: int = 640, height: int = 360, frames: int = 60, sprites: int = 2) -> Scene:
    """The demo with 2 sprites (town, girl) or 3 (and her bird in front), at any size and length; always the same pixels."""
    if sprites not in (2, 3) or min(width, height, frames) < 1:
        raise ValueError(f"no demo of {frames} frames of {width}x{height} pixels with {sprites} sprites")
    unit = height / LINES
    layers = [_town(unit, width / unit, frames), _girl(unit, width / unit, frames)]
    if sprites == 3:
        layers.append(_bird(unit, width / unit, frames))
    return Scene("demo", width, height, frames, tuple(layers))


def _zoom(t: np.ndarray, frames: int) -> np.ndarray:
    """The camera's zoom at each frame: a slow push in that starts and ends gently."""
    share = t / max(1, frames - 1)
    return 1 + _ZOOM * share * share * (3 - 2 * share)


def _placed(scale: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Similarities (T, 3, 3) without rotation."""
    out = np.tile(np.eye(3), (len(scale), 1, 1))
    out[:, 0, 0], out[:, 1, 1], out[:, 0, 2], out[:, 1, 2] = scale, scale, x, y
    return out


def _town(unit: float, view: float, frames: int) -> Layer:
    t = np.arange(frames)
    zoom, sway = _zoom(t, frames), 2.2 * np.sin(2 * np.pi * t / 31)
    travel = _SPEED * (t + 5.0 * np.sin(2 * np.pi * t / 60) / 2)
    center = view / 2 + _MARGIN + travel - travel.min()
    width = np.ceil(center.max() + view / 2 + _MARGIN)
    plate = background.paint_town(width, 384.0, unit=unit * _PLATE_SUPERSAMPLING)
    drawing = np.dstack([plate, np.full(plate.shape[:2], 255, np.uint8)])
    x, y = view / 2 - zoom * center, _FEET + sway - zoom * background.GROUND
    return Layer("town", (drawing,), _PLATE_SUPERSAMPLING, (1,) * frames, _placed(zoom, x * unit, y * unit))


def _girl(unit: float, view: float, frames: int) -> Layer:
    t = np.arange(frames)
    zoom, sway = _zoom(t, frames), 2.2 * np.sin(2 * np.pi * t / 31)
    hip_x = 0.49 * view + 22 * np.sin(2 * np.pi * t / 53) + 4 * np.sin(2 * np.pi * t / 19)
    hip_y = _FEET + sway - zoom * _HIP + 1.5 * np.sin(2 * np.pi * t / 23)
    return _cels("girl", lambda drawing, dense: character.draw_runner(run_cycle.pose(drawing), unit=dense), run_cycle.DRAWINGS,
                 unit=unit, held=2, zoom=zoom, x=hip_x, y=hip_y)


def _bird(unit: float, view: float, frames: int) -> Layer:
    t = np.arange(frames)
    zoom = _zoom(t, frames)
    x = 0.60 * view + 74 * np.cos(2 * np.pi * t / 67)
    y = 176 + 36 * np.sin(2 * np.pi * t / 41)
    return _cels("bird", lambda drawing, dense: bird.draw_bird(drawing, unit=dense), bird.DRAWINGS, unit=unit, held=3, zoom=zoom, x=x, y=y)


def _cels(name: str, draw: Callable[[int, float], Cel], count: int, *, unit: float, held: int, zoom: np.ndarray,
          x: np.ndarray, y: np.ndarray) -> Layer:
    """A sprite of `count` drawings, each held for `held` frames, its origin at (x, y) units of the frame."""
    used = min(count, -(-len(zoom) // held))
    cels = list(parallel.map_ordered(lambda drawing: draw(drawing, unit * SUPERSAMPLING), range(used)))
    left, top, right, bottom = _trim(cels)
    drawings = tuple(np.dstack([cel.color * (cel.alpha > 0)[..., None], cel.alpha])[top:bottom, left:right] for cel in cels)
    origin = cels[0].origin * unit - np.array([left, top]) / SUPERSAMPLING
    exposure = tuple(int(t // held % count) + 1 for t in range(len(zoom)))
    return Layer(name, drawings, SUPERSAMPLING, exposure, _placed(zoom, x * unit - zoom * origin[0], y * unit - zoom * origin[1]))


def _trim(cels: list[Cel]) -> tuple[int, int, int, int]:
    """The box that holds every drawing and a canvas pixel of air, in whole canvas pixels."""
    rows, columns = np.nonzero(np.logical_or.reduce([cel.alpha > 0 for cel in cels]))
    dense = SUPERSAMPLING
    low = (np.array([columns.min(), rows.min()]) // dense - 1) * dense
    high = (np.array([columns.max(), rows.max()]) // dense + 2) * dense
    height, width = cels[0].alpha.shape
    return max(0, int(low[0])), max(0, int(low[1])), min(width, int(high[0])), min(height, int(high[1]))


def draw_demo(folder: Path | str, *, width: int = 640, height: int = 360, frames: int = 60, sprites: int = 2) -> Scene:
    """Draw the demo clip and its truth into `folder`: frames/%04d.png from 0, gt/sprite_k/%04d.png, gt/homographies.npy
    (K, T, 3, 3), gt/exposure.json ({sprite: [1-based drawing per frame]}) and meta.json.

    Raises `EngineError`: engine.disk_full, engine.write.
    """
    scene, folder = compose_scene(width=width, height=height, frames=frames, sprites=sprites), Path(folder)
    _make_folders(folder, len(scene.layers))

    def draw(index: int) -> None:
        sprites = scene.sprites(index)
        pictures.write_picture(folder / "frames" / f"{index:04d}.png", pictures.composite(sprites))
        for k, sprite in enumerate(sprites):
            pictures.write_picture(folder / "gt" / f"sprite_{k}" / f"{index:04d}.png", sprite)

    for _ in parallel.map_ordered(draw, range(frames)):
        pass
    pictures.write_array(folder / "gt" / "homographies.npy", np.stack([layer.homographies for layer in scene.layers]))
    _write_json(folder / "gt" / "exposure.json", {f"sprite_{k}": layer.exposure for k, layer in enumerate(scene.layers)})
    _write_json(folder / "meta.json", {"name": scene.name, "family": "demo", "K": len(scene.layers), "frames": frames,
                                       "size": [width, height], "fps": FPS, "sprites": [layer.name for layer in scene.layers]})
    return scene


def _make_folders(folder: Path, sprites: int) -> None:
    try:
        for name in ("frames", *(f"gt/sprite_{k}" for k in range(sprites))):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise pictures.disk_error(folder, cause) from cause


def _write_json(path: Path, record: dict) -> None:
    pictures.write_bytes(path, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
