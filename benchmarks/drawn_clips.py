# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips of any size, length and number of sprites out of the demo's drawings: the town's pan and every cycle run on in loops.
It draws and writes frames; it knows nothing of what is measured on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toondecompose_blender.engine.demo import Layer, Scene, compose_scene
from toondecompose_blender.engine.parallel import map_ordered
from toondecompose_blender.engine.pictures import composite, write_picture

__all__ = ["MOST_SPRITES", "crowd", "write_frames"]

MOST_SPRITES = 6            # with the background
PAN, LOOP = 60, 240         # frames of the demo's pan that are used; frames until the camera is back where it was
GIRL, BIRD = 1, 2           # layers of the demo


@dataclass(frozen=True)
class _Role:
    """A drawn cycle in the crowd: whose it is, its size beside the demo's, where (shares of the frame), how it is painted and timed."""
    layer: int
    scale: float
    x: float
    y: float
    channels: tuple[int, int, int]
    mirrored: bool
    held: int
    round: int              # frames until it has gone once around its place


_HEROINE = _Role(GIRL, 1.0, 0.50, 0.55, (0, 1, 2), False, 2, 79)
_OTHERS = (_Role(BIRD, 1.0, 0.80, 0.25, (0, 1, 2), False, 3, 67), _Role(GIRL, 0.6, 0.15, 0.68, (2, 0, 1), True, 3, 113),
           _Role(BIRD, 1.3, 0.22, 0.20, (1, 2, 0), True, 2, 59), _Role(GIRL, 0.55, 0.86, 0.72, (1, 2, 0), False, 4, 97))


def crowd(*, width: int, height: int, frames: int, sprites: int) -> Scene:
    """The town and up to five cycles in front of it (`sprites` 2..6), the smaller ones behind; always the same pixels.

    Raises `ValueError` for another number of sprites.
    """
    if not 2 <= sprites <= MOST_SPRITES:
        raise ValueError(f"no drawn clip with {sprites} sprites")
    demo = compose_scene(width=width, height=height, frames=PAN + 1, sprites=3).layers
    t = np.arange(frames)
    town = replace(demo[0], exposure=(1,) * frames, homographies=_eased(demo[0].homographies, t))
    roles = sorted((_HEROINE, *_OTHERS[:sprites - 2]), key=lambda role: role.scale)
    cast = tuple(_cast(demo[role.layer], role, width, height, t) for role in roles)
    return Scene(f"crowd of {sprites - 1}", width, height, frames, (town, *cast))


def _eased(homographies: np.ndarray, t: np.ndarray) -> np.ndarray:
    """To and fro over the pan: similarities without rotation may be mixed linearly."""
    at = PAN * (1 - np.cos(2 * np.pi * t / LOOP)) / 2
    low = np.minimum(at.astype(int), PAN - 1)
    share = (at - low)[:, None, None]
    return (1 - share) * homographies[low] + share * homographies[low + 1]


def _cast(layer: Layer, role: _Role, width: int, height: int, t: np.ndarray) -> Layer:
    drawings = tuple(np.ascontiguousarray(drawing[:, ::-1 if role.mirrored else 1][..., [*role.channels, 3]]) for drawing in layer.drawings)
    rows, columns = (side / layer.supersampling for side in drawings[0].shape[:2])
    angle = 2 * np.pi * t / role.round
    homographies = np.tile(np.diag([role.scale, role.scale, 1.0]), (len(t), 1, 1))
    homographies[:, 0, 2] = width * role.x + 0.06 * height * np.sin(angle) - role.scale * columns / 2
    homographies[:, 1, 2] = height * role.y + 0.03 * height * np.cos(angle) - role.scale * rows / 2
    exposure = tuple(int(frame // role.held % len(drawings)) + 1 for frame in t)
    return Layer(layer.name, drawings, layer.supersampling, exposure, homographies)


def write_frames(scene: Scene, folder: Path) -> Path:
    """Write the scene as folder/0001.png ..., and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for _ in map_ordered(lambda t: write_picture(folder / f"{t + 1:04d}.png", composite(scene.sprites(t))), range(scene.frames)):
        pass
    return folder
