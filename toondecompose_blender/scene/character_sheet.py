# SPDX-License-Identifier: GPL-3.0-or-later
"""The views of a character sheet as Blender sees them: listed for the sidebar, and checked before anything long starts.
What the engine makes of them it decides itself; nothing here knows rigs or poses."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..protocol import SceneError
from .pixels import read_pixels

__all__ = ["SheetView", "sheet_views", "check_sheet", "check_weights"]

SUFFIXES = {".png", ".webp", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"}
POSE_SUFFIXES = (".npz", ".exr")
WEIGHTS = ("udpparsernet.pth", "target_pose_encoder.pth", "shader.pth", "rgbadecodernet.pth")
LEAST_VIEWS = 2
OPAQUE, FLAT_SPREAD, FLAT_SHARE = 0.95, 14 / 255, 0.9  # the engine's own limits for views without alpha


@dataclass(frozen=True)
class SheetView:
    """A picture of the sheet; `posed` if its pose lies beside it."""
    path: Path
    posed: bool


def sheet_views(folder: os.PathLike | str) -> tuple[SheetView, ...]:
    """The pictures of a folder, 2 before 10; none if it is no folder.  Cheap enough for a panel."""
    try:
        return _listed(str(folder), os.stat(folder).st_mtime_ns)
    except OSError:
        return ()


@lru_cache(maxsize=8)
def _listed(folder: str, _changed: int) -> tuple[SheetView, ...]:
    pictures = [path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES]
    ordered = sorted(pictures, key=lambda path: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.stem.lower())])
    return tuple(SheetView(path, any(path.with_suffix(suffix).is_file() for suffix in POSE_SUFFIXES)) for path in ordered)


def check_sheet(folder: os.PathLike | str) -> None:
    """There are two views or more of one size that show a cut-out character or one on a flat background.

    Raises `SceneError`: scene.sheet_missing, scene.sheet_views, scene.sheet_sizes, scene.sheet_empty, scene.picture.
    """
    views = sheet_views(folder)
    if not views:
        raise SceneError("scene.sheet_missing", f"There are no pictures in {folder}.", "Choose the folder with the character's views.")
    pictures = {view.path.name: read_pixels(view.path) for view in views}
    empty = [name for name, picture in pictures.items() if not picture[..., 3].any()]
    if empty:
        raise SceneError("scene.sheet_empty", f"{empty[0]} does not show the character.", "Take the view out of the sheet.")
    usable = {name: picture for name, picture in pictures.items() if picture[..., 3].mean() < OPAQUE or _flat(picture)}
    if len(usable) < LEAST_VIEWS:
        refused = "".join(f" {name} has neither alpha nor a flat background." for name in pictures if name not in usable)
        raise SceneError("scene.sheet_views", f"The sheet holds {len(usable)} usable view{'s' * (len(usable) != 1)}; at least "
                         f"{LEAST_VIEWS} are needed.{refused}", "Add a view, for example front and back, cut out or on one flat color.")
    sizes = sorted({picture.shape[:2] for picture in usable.values()})
    if len(sizes) > 1:
        raise SceneError("scene.sheet_sizes", "The views differ in size: " + ", ".join(f"{w} x {h}" for h, w in sizes) + " px.",
                         "Save all views at one size.")


def check_weights(folder: os.PathLike | str) -> None:
    """All four checkpoint files are there.  Raises `SceneError`: scene.weights_missing."""
    missing = [name for name in WEIGHTS if not Path(folder, name).is_file()]
    if missing:
        raise SceneError("scene.weights_missing", f"{folder} lacks {', '.join(missing)}.",
                         "Choose the folder with CoNR's four checkpoint files, or the method Transfer.")


def _flat(picture: np.ndarray) -> bool:
    """Whether the border is of one color."""
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])[:, :3]
    return bool((np.abs(border - np.median(border, 0)).max(1) <= FLAT_SPREAD).mean() >= FLAT_SHARE)
