# SPDX-License-Identifier: GPL-3.0-or-later
"""Sprites to be scored, frame by frame: a result folder, the "frames" layout, or a clip's truth.
Reads one frame of all sprites at a time; knows nothing of scores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..protocol import MANIFEST_NAME, ResultError, read_result
from .pictures import read_picture, straight
from .recompose import SpriteRenderer, whole_sprites

__all__ = ["Layers", "FolderLayers", "ResultLayers", "Truth", "open_layers", "open_truth"]


class Layers:
    """Sprites back to front.  `ids` are their numbers in the source, `homographies` (K, T, 3, 3) or None,
    `exposure` the 1-based drawing of each frame of each sprite, or None."""

    ids: list[int]
    homographies: np.ndarray | None = None
    exposure: list[list[int]] | None = None

    def frame(self, t: int) -> np.ndarray:
        """All sprites at frame t: straight-alpha RGBA uint8 (K, H, W, 4)."""
        raise NotImplementedError


class FolderLayers(Layers):
    """sprite_k/%04d.png (a missing picture is an empty one), homographies.npy and order.json where they exist."""

    def __init__(self, folder: Path, width: int, height: int):
        self.folder, self.shape = folder, (height, width, 4)
        names = [path.name.removeprefix("sprite_") for path in folder.glob("sprite_*") if path.is_dir()]
        numbers = sorted(int(name) for name in names if name.isdigit())
        if not numbers:
            raise ResultError("result.missing", f"There are no sprites in {folder}.",
                              f"Choose a result, or a folder that holds sprite_0, sprite_1 and so on; a result holds {MANIFEST_NAME}.")
        order = _read_order(folder / "order.json") if (folder / "order.json").exists() else numbers
        if sorted(order) != numbers:
            raise ResultError("result.damaged", f"{folder / 'order.json'} names sprites {order}, the folder holds {numbers}.",
                              "Export the result again.")
        self.ids = list(order)
        path = folder / "homographies.npy"
        if path.exists():
            self.homographies = _read_homographies(path, len(numbers))[[numbers.index(k) for k in order]]

    def frame(self, t: int) -> np.ndarray:
        out = np.zeros((len(self.ids), *self.shape), np.uint8)
        for sprite, k in zip(out, self.ids, strict=True):
            path = self.folder / f"sprite_{k}" / f"{t:04d}.png"
            if not path.exists():
                continue
            picture = read_picture(path)
            if picture.shape[:2] != self.shape[:2]:
                raise ResultError("result.size", f"{path} is {picture.shape[1]}x{picture.shape[0]} pixels, the clip "
                                  f"{self.shape[1]}x{self.shape[0]}.", "Score a result of the same clip.")
            sprite[..., :3], sprite[..., 3] = picture[..., :3], picture[..., 3] if picture.shape[2] == 4 else 255
        return out


class ResultLayers(Layers):
    """The sprites of a result, rendered into the frame."""

    def __init__(self, folder: Path, width: int, height: int, frames: int):
        decomposition = read_result(folder)
        clip = decomposition.clip
        if (clip.width, clip.height, clip.frames) != (width, height, frames):
            raise ResultError("result.size", f"The result has {clip.frames} frames of {clip.width}x{clip.height} pixels, "
                              f"the truth {frames} of {width}x{height}.", "Score a result of the same clip.")
        self.ids = list(range(len(whole_sprites(decomposition))))
        self._renderers = [SpriteRenderer(folder, decomposition, sprite) for sprite in whole_sprites(decomposition)]
        self.homographies = np.stack([renderer.homographies for renderer in self._renderers])
        self.exposure = [list(sprite.exposure) for sprite in whole_sprites(decomposition)]

    def frame(self, t: int) -> np.ndarray:
        return np.stack([straight(renderer.frame(t)) for renderer in self._renderers])


@dataclass(frozen=True)
class Truth:
    """A clip whose layers are known."""
    folder: Path
    name: str
    family: str
    width: int
    height: int
    frames: int
    layers: FolderLayers

    def picture(self, t: int) -> np.ndarray:
        """Frame t of the clip: RGB uint8."""
        return read_picture(self.folder / "frames" / f"{t:04d}.png")[..., :3]


def open_truth(folder: Path) -> Truth:
    """A folder with frames/, gt/ and meta.json.  Raises `ResultError` truth.missing, truth.damaged."""
    try:
        meta = _read_json(folder / "meta.json")
        (width, height), frames = meta["size"], int(meta["frames"])
        layers = FolderLayers(folder / "gt", int(width), int(height))
        exposure = _read_json(folder / "gt" / "exposure.json") if (folder / "gt" / "exposure.json").exists() else None
        if exposure is not None:
            layers.exposure = [list(exposure[f"sprite_{k}"]) for k in layers.ids]
        return Truth(folder, str(meta.get("name", folder.name)), str(meta.get("family", "")), int(width), int(height), frames, layers)
    except (FileNotFoundError, NotADirectoryError):
        raise ResultError("truth.missing", f"There is no meta.json in {folder}.",
                          "Choose a clip with known layers (frames, gt, meta.json).") from None
    except (OSError, KeyError, TypeError, ValueError) as cause:
        raise ResultError("truth.damaged", f"{folder} lacks or misspells {cause}.", "Copy the clip with its truth again.") from cause


def open_layers(folder: Path, truth: Truth) -> Layers:
    """The prediction in `folder`: a result if it holds a manifest, else the "frames" layout."""
    if (folder / MANIFEST_NAME).exists():
        return ResultLayers(folder, truth.width, truth.height, truth.frames)
    return FolderLayers(folder, truth.width, truth.height)


def _read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def _read_order(path: Path) -> list[int]:
    try:
        return [int(number) for number in _read_json(path)]
    except (OSError, TypeError, ValueError) as cause:
        raise ResultError("result.damaged", f"{path} cannot be read: {cause}.", "Export the result again.") from cause


def _read_homographies(path: Path, sprites: int) -> np.ndarray:
    try:
        homographies = np.load(path, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError, EOFError) as cause:
        raise ResultError("result.homographies", f"{path} cannot be read: {cause}.", "Export the result again.") from cause
    if homographies.ndim != 4 or homographies.shape[0] != sprites or homographies.shape[2:] != (3, 3):
        raise ResultError("result.homographies", f"{path} has the shape {homographies.shape}, not that of {sprites} sprites' motion.",
                          "Export the result again.")
    return homographies
