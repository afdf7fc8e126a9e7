# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws small result folders for the tests, with numpy and Blender's own picture writer.
It must not know how results are imported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from toondecompose_blender.protocol import Clip, Decomposition, Sprite, read_result, write_manifest

WIDTH, HEIGHT = 160, 90


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write (H, W, 4) uint8 straight alpha."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new(path.name, width, height, alpha=True)
    image.alpha_mode = "STRAIGHT"
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set((picture[::-1].astype(np.float32) / 255).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save()
    bpy.data.images.remove(image)


def read_png(path: Path) -> np.ndarray:
    """(H, W, 4) float64 display values 0..255, straight alpha, 8 or 16 bit."""
    image = bpy.data.images.load(str(path))
    image.alpha_mode = "STRAIGHT"
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1].astype(np.float64) * 255


def painted(width: int, height: int, seed: int) -> np.ndarray:
    """An opaque, smooth, colorful picture with hard shapes on it."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    picture = np.full((height, width, 4), 255.0)
    for channel in range(3):
        a, b, c = random.uniform(0.02, 0.12, 3)
        picture[..., channel] = 128 + 60 * np.sin(a * x + b * y) + 50 * np.cos(c * (x - y))
    for _ in range(6):
        left, top = random.uniform(0, width * 0.8), random.uniform(0, height * 0.8)
        inside = (x > left) & (x < left + width * 0.12) & (y > top) & (y < top + height * 0.12)
        picture[inside, :3] = random.uniform(0, 255, 3)
    return picture.clip(0, 255).round().astype(np.uint8)


def character(width: int, height: int, seed: int) -> np.ndarray:
    """A soft-edged disc with a dark outline and a flat stripe; colors beyond its edge differ strongly, alpha 0 there."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    middle = np.array([width, height]) * random.uniform(0.4, 0.6, 2)
    distance = np.hypot((x - middle[0]) / width, (y - middle[1]) / height) * 2
    picture = np.zeros((height, width, 4))
    picture[..., :3] = random.uniform(60, 220, 3)
    picture[np.abs(y - middle[1]) < height * 0.1, :3] = random.uniform(60, 220, 3)
    picture[distance > 0.7, :3] = 20
    picture[..., 3] = (255 * (0.85 - distance) / 0.1).clip(0, 255)
    return picture.round().astype(np.uint8)


def perspective(frames: int, canvas: tuple[int, int], *, size: float = 0.6, strength: float = 1.0, seed: int = 0) -> np.ndarray:
    """Homographies (T, 3, 3) of a canvas that wanders, turns and tilts strongly in a frame of WIDTH x HEIGHT."""
    t = np.linspace(0, 1, frames) * 2 * np.pi + seed
    width, height = canvas
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    result = np.empty((frames, 3, 3))
    for index, phase in enumerate(t):
        angle = 0.3 * np.sin(phase) * strength
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        tilt = np.array([0.5 * np.sin(phase), 0.5 * np.cos(phase)]) * strength
        shape = corners @ turn.T / (1 + corners @ tilt)[:, None]
        target = shape * (WIDTH * size, HEIGHT * size) + (WIDTH / 2 + 12 * np.sin(phase), HEIGHT / 2 + 6 * np.cos(2 * phase)) + 0.5
        result[index] = homography((corners + 0.5) * (width - 1, height - 1), target)
    return result


def homography(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The homography through four pairs of points."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.append(np.linalg.solve(np.array(rows), target.ravel()), 1).reshape(3, 3)


def translations(offsets: np.ndarray) -> np.ndarray:
    """Homographies (T, 3, 3) that move by `offsets` (T, 2) px."""
    result = np.tile(np.eye(3), (len(offsets), 1, 1))
    result[:, :2, 2] = offsets
    return result


def write_sprite(folder: Path, name: str, drawings: list[np.ndarray], exposure, homographies: np.ndarray, **more) -> Sprite:
    """Write a sprite's files and return its record."""
    height, width = drawings[0].shape[:2]
    for number, drawing in enumerate(drawings, start=1):
        write_png(folder / name / f"{name}_{number:04d}.png", drawing)
    np.save(folder / name / "homographies.npy", homographies)
    sprite = Sprite(id=name, name=name.title(), role="background" if name == "background" else "character",
                    width=width, height=height, drawings=tuple(f"{name}/{name}_{n:04d}.png" for n in range(1, len(drawings) + 1)),
                    exposure=tuple(exposure), homographies=f"{name}/homographies.npy")
    return replace(sprite, **more)


def write_result(folder: Path, sprites: list[Sprite], *, frames: int, fps: float = 24.0) -> Path:
    """Write the manifest over sprites that stand back to front."""
    clip = Clip(name="clip", width=WIDTH, height=HEIGHT, frames=frames, fps=fps)
    write_manifest(folder, Decomposition(clip=clip, sprites=tuple(sprites)))
    return folder


def read(folder: Path) -> Decomposition:
    """The manifest as it is."""
    return read_result(folder)
