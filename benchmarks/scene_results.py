# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the results that the scene's figures are measured on: as many sprites, drawings and frames as asked for.
It must not know Blender."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from toondecompose_blender.engine.palette import find_palette, index_map
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.protocol import Clip, Decomposition, Sprite, write_manifest

__all__ = ["tilting", "crowd"]

WIDTH, HEIGHT = 1280, 720
PLATE, CEL = (1600, 900), (480, 560)


def tilting(folder: Path, frames: int) -> Path:
    """A painted background in strong perspective, another view of it in each of `frames`, and a cel before it."""
    return _write(folder, [_sprite(folder, "plate", PLATE, [_painting(*PLATE, 1)], frames, share=1.35, tilt=0.35),
                           _sprite(folder, "cel", CEL, _cels(4), frames, share=0.6, tilt=0.6)], frames)


def crowd(folder: Path, *, sprites: int, frames: int) -> Path:
    """A panned background and characters with a drawing every second frame, palettes and index maps."""
    layers = [_sprite(folder, "plate", PLATE, [_painting(*PLATE, 1)], frames, share=1.2, tilt=0.02)]
    for number in range(1, sprites):
        layers.append(_sprite(folder, f"cel_{number}", CEL, _cels(frames // 2, seed=number), frames, share=0.5, tilt=0.1))
    return _write(folder, layers, frames)


def _write(folder: Path, sprites: list[Sprite], frames: int) -> Path:
    write_manifest(folder, Decomposition(Clip(folder.name, WIDTH, HEIGHT, frames), tuple(sprites)))
    return folder


def _sprite(folder: Path, name: str, size: tuple[int, int], drawings: list[np.ndarray], frames: int, **motion: float) -> Sprite:
    (folder / name / "index").mkdir(parents=True)
    palette = find_palette(drawings[:2], [1] * len(drawings[:2])) if len(drawings) > 1 else ()
    files = [f"{name}/{name}_{number:04d}.png" for number in range(1, len(drawings) + 1)]
    maps = [f"{name}/index/{name}_index_{number:04d}.png" for number in range(1, len(drawings) + 1)] if palette else []
    for drawing, file in zip(drawings, files):
        write_picture(folder / file, drawing)
    for drawing, file in zip(drawings, maps):
        write_picture(folder / file, index_map(drawing, palette))
    np.save(folder / name / "homographies.npy", _motion(frames, size, **motion))
    exposure = tuple(1 + t * len(drawings) // frames for t in range(frames))
    return Sprite(name, name, "character", *size, tuple(files), exposure, f"{name}/homographies.npy", palette=palette,
                  index_maps=tuple(maps))


def _motion(frames: int, size: tuple[int, int], *, share: float, tilt: float) -> np.ndarray:
    """Homographies (T, 3, 3) of a canvas that wanders, turns and tilts around the middle of the frame."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    source = ((corners + 0.5) * (np.array(size) - 1)).astype(np.float32)
    result = np.empty((frames, 3, 3))
    for t, phase in enumerate(np.linspace(0, 2 * np.pi, frames)):
        angle = 0.1 * np.sin(phase)
        turned = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        seen = turned / (1 + corners @ (tilt * np.array([np.sin(phase), np.cos(phase)])))[:, None]
        middle = (WIDTH / 2 + 60 * np.sin(phase), HEIGHT / 2 + 30 * np.cos(2 * phase))
        target = seen * (HEIGHT * share * size[0] / size[1], HEIGHT * share) + middle
        result[t] = cv2.getPerspectiveTransform(source, target.astype(np.float32))
    return result


def _painting(width: int, height: int, seed: int) -> np.ndarray:
    """Opaque RGBA: gradients with hard shapes on them."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    picture = np.full((height, width, 4), 255, np.uint8)
    for channel in range(3):
        a, b = random.uniform(0.003, 0.02, 2)
        picture[..., channel] = 128 + 70 * np.sin(a * x + b * y)
    for _ in range(60):
        center = tuple(int(v) for v in random.uniform(0, (width, height)))
        cv2.circle(picture, center, int(random.uniform(10, 90)), (*random.uniform(0, 255, 3), 255), -1, cv2.LINE_AA)
    return picture


def _cels(count: int, *, seed: int = 0) -> list[np.ndarray]:
    """Straight RGBA: flat paints within an outline, whose arm is elsewhere in each."""
    width, height = CEL
    random = np.random.default_rng(seed)
    paints = random.uniform(40, 230, (3, 3))
    cels = []
    for number in range(count):
        picture, alpha = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
        angle = 2 * np.pi * number / count
        hand = (int(width / 2 + 170 * np.cos(angle)), int(height / 2 + 170 * np.sin(angle)))
        picture[:] = paints[0]
        cv2.circle(picture, (width // 2, height // 4), 90, paints[1], -1, cv2.LINE_AA)
        cv2.line(picture, (width // 2, height // 2), hand, paints[2], 50, cv2.LINE_AA)
        cv2.ellipse(alpha, (width // 2, height // 2), (150, 250), 0, 0, 360, 255, -1, cv2.LINE_AA)
        cv2.line(alpha, (width // 2, height // 2), hand, 255, 60, cv2.LINE_AA)
        cels.append(np.dstack([picture, alpha]))
    return cels
