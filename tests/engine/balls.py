# SPDX-License-Identifier: GPL-3.0-or-later
"""A ball that stands for a character, because its poses and colors are known exactly: sheets, poses and what a drawing must show.
Must not know how characters are drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import OpenEXR

from toondecompose_blender.engine.character.sheet import View
from toondecompose_blender.engine.character.udp import write_pose
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.engine.report import Silent

SIZE = 96
INK = np.array([20, 15, 25])


class Listener(Silent):
    """Remembers what the artist was told."""

    def __init__(self):
        self.warnings: list[str] = []

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        self.warnings.append(f"{code}: {message}")


def ball(angle: float, *, size: int = SIZE, shift: float = 0.0) -> np.ndarray:
    """The pose of a ball seen from `angle` degrees around it: 0 is the front, which looks to -y."""
    ys, xs = np.mgrid[0:size, 0:size]
    x, z = (xs - (size - 1) / 2) / (0.4 * size) - shift, -(ys - (size - 1) / 2) / (0.4 * size)
    shown = x ** 2 + z ** 2 < 1
    y = -np.sqrt(np.where(shown, 1 - x ** 2 - z ** 2, 0))
    turn = np.deg2rad(angle)
    places = np.stack([np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y, z], -1) / 2 + 0.5
    return np.concatenate([np.where(shown[..., None], places, 0), shown[..., None]], -1).astype(np.float32)


def paint_of(pose: np.ndarray, *, symmetric: bool = False) -> np.ndarray:
    """Colors fixed on the ball: red to the left of the character, blue in front, green above; stripes."""
    places = pose[..., :3].astype(np.float64)
    across = np.abs(places[..., 0] - 0.5) * 2 if symmetric else places[..., 0]
    color = np.stack([60 + 160 * across, 60 + 160 * places[..., 2], 220 - 160 * places[..., 1]], -1)
    color[np.floor(places[..., 2] * 8) % 2 == 0] *= 0.7
    return color


def lined(color: np.ndarray, pose: np.ndarray, width: int = 2) -> np.ndarray:
    """The same with an ink contour just inside the silhouette."""
    depth = cv2.distanceTransform(pose[..., 3].astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where(((pose[..., 3] > 0) & (depth <= width))[..., None], INK, color)


def view(angle: float, *, lines: bool = True, known: bool = True, **paint) -> View:
    pose = ball(angle)
    color = paint_of(pose, **paint)
    rgba = np.dstack([lined(color, pose) if lines else color, 255 * pose[..., 3]])
    return View(f"v{angle:.0f}", np.rint(rgba).astype(np.uint8), pose if known else None)


def write_view(folder, name: str, shown: View) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_picture(folder / f"{name}.png", shown.rgba)
    if shown.pose is not None:
        write_pose(folder / f"{name}.npz", shown.pose)


def decibel(drawn: np.ndarray, truth: np.ndarray, area: np.ndarray) -> float:
    return 10 * np.log10(255 ** 2 / np.mean((drawn[area].astype(float) - truth[area]) ** 2))


def write_folders(folder: Path) -> Path:
    """A sheet of four views and three poses, one of them twice, one empty."""
    for angle in (0, 90, 180, 270):
        write_view(folder / "sheet", f"v{angle}", view(angle))
    (folder / "poses").mkdir()
    (folder / "poses" / "poses.json").write_text('{"extent": [1, 1, 1]}')
    for number, pose in ((2, ball(30)), (9, ball(30)), (10, ball(50)), (11, ball(0) * 0)):
        write_pose(folder / "poses" / f"{number}.npz", pose)
    return folder


def write_exr(path: Path, pose: np.ndarray) -> None:
    """Write a pose as renderers do: a 32-bit RGBA .exr."""
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"RGBA": np.ascontiguousarray(pose, np.float32)}) as file:
        file.write(str(path))
