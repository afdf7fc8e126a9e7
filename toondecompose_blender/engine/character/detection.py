# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses from drawings: the detector looks at cut-out pictures or at a movie on a flat background and writes what it sees as poses.
Its answers are rough, as its authors say; knows folders and one network, no rigs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ...protocol import CharacterError, SettingsError
from ..device import resolve_device
from ..parallel import map_ordered
from ..report import Report, Silent
from .checkpoints import check_folder
from .cropping import Crop, tight_crop
from .methods import cut_multiplied
from .networks import STRIDE
from .renderer import Renderer, load_renderer
from .sheet import OPAQUE, cut_out, picture_files, read_view
from .udp import write_pose

__all__ = ["detect_poses"]


def detect_poses(pictures: Path, out: Path, *, weights: Path, size: int = 256, device: str = "cpu",
                 report: Report | None = None) -> list[Path]:
    """Write the pose of every picture of a folder, or of every frame of a movie, as `<out>/<name>.npz`; returns the files.

    Pictures need alpha or a flat background.  `size` is what the network works at, a multiple of 128 px; poses have the
    pictures' size.  Empty pictures give empty poses.  Raises `CharacterError`, and `SettingsError` (settings.size).
    """
    report = report or Silent()
    if size % STRIDE or size < STRIDE:
        raise SettingsError("settings.size", f"The detector cannot work at {size} px.", f"Choose a multiple of {STRIDE}.")
    check_folder(Path(weights))
    names, frames = _frames(Path(pictures))
    renderer = load_renderer(weights, device=resolve_device(device))
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    report.stage("Poses", len(names))
    files = []
    for name, rgba in zip(names, frames, strict=True):
        file = out / f"{name}.npz"
        temporary = out / f"{name}.tmp.npz"
        write_pose(temporary, _detected(renderer, rgba, size))
        temporary.replace(file)
        files.append(file)
        report.step()
    return files


def _frames(pictures: Path) -> tuple[list[str], Iterator[np.ndarray]]:
    """Names and cut-out pictures, uint8 (H, W, 4), read when they are needed."""
    if pictures.is_dir():
        files = picture_files(pictures)
        if not files:
            raise CharacterError("character.pictures_missing", f"There are no pictures in {pictures}.",
                                 "Choose a folder of drawings, or a movie.")
        return [file.stem for file in files], map_ordered(_cut_out_file, files)
    from ..clip import open_clip
    reader = open_clip(pictures)
    names = [f"{number:04d}" for number in range(1, reader.count + 1)]
    return names, (cut_out(frame, name=f"{pictures.name}, frame {name}") for name, frame in zip(names, reader, strict=True))


def _cut_out_file(file: Path) -> np.ndarray:
    rgba = read_view(file)
    return cut_out(rgba[..., :3], name=file.name) if rgba[..., 3].mean() >= OPAQUE * 255 else rgba


def _detected(renderer: Renderer, rgba: np.ndarray, size: int) -> np.ndarray:
    crop = tight_crop(rgba[..., 3])
    pose = np.zeros((*rgba.shape[:2], 4), np.float32)
    if crop is None:
        return pose
    seen = renderer.detect(cut_multiplied(rgba, crop, size)[None], multiplied=True)[0].transpose(1, 2, 0).clip(0, 1)
    pose[crop.window] = _at_size(seen, crop)[crop.inset]
    pose[..., 3] *= rgba[..., 3] > 0
    pose[..., :3] *= pose[..., 3:] > 0
    return pose


def _at_size(seen: np.ndarray, crop: Crop) -> np.ndarray:
    """The detected square at the picture's scale; places are smooth guesses here, so they may be interpolated."""
    interpolation = cv2.INTER_AREA if crop.side < len(seen) else cv2.INTER_LINEAR
    return seen if crop.side == len(seen) else cv2.resize(seen, (crop.side, crop.side), interpolation=interpolation)
