# SPDX-License-Identifier: GPL-3.0-or-later
"""The character sheet: a folder of views, each a picture with alpha and, where it is known, its pose (`front.png` beside `front.npz`).
Knows pictures and their backgrounds, not networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from natsort import natsorted, ns

from ...protocol import CharacterError, ClipError
from ..pictures import read_picture
from ..report import Report
from .alignment import aligned, overlap
from .udp import POSE_SUFFIXES, read_pose

__all__ = ["View", "read_sheet", "read_view", "cut_out", "picture_files"]

PICTURE_SUFFIXES = (".png", ".webp", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
OPAQUE = 0.95  # a view with more mean alpha is no cut-out; the published code refuses it at the same value
FLAT_SPREAD = 14  # largest channel difference, 0..255, that scans and JPEG leave in one flat color
FLAT_SHARE = 0.9  # of the border's pixels that must have the background's color
LEAST_AREA = 0.001  # of the picture, as for crops
LEAST_VIEWS = 2
LEAST_OVERLAP = 0.7  # of drawing and pose; below, colors land on the wrong limb


@dataclass(frozen=True)
class View:
    """One view: `rgba` uint8 (H, W, 4) straight alpha; `pose` float32 (H, W, 4) or None."""
    name: str
    rgba: np.ndarray
    pose: np.ndarray | None = None


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order."""
    folder = Path(folder)
    entries = natsorted(folder.iterdir(), alg=ns.PATH) if folder.is_dir() else []
    return [path for path in entries if path.suffix.lower() in PICTURE_SUFFIXES]


def read_sheet(folder: Path, *, report: Report) -> tuple[View, ...]:
    """The usable views of a folder in natural order; views that cannot be cut out are reported and left out.

    Raises `CharacterError`: character.sheet_missing, .sheet_views (fewer than two), .sheet_sizes, .view_empty, .view_unreadable,
    .view_pose (its pose has another size), and those of `read_pose`.
    """
    files = picture_files(folder)
    if not files:
        raise CharacterError("character.sheet_missing", f"There are no pictures in {folder}.",
                             "Choose the folder with the character's views.")
    views = []
    for path in files:
        rgba = read_view(path)
        if rgba[..., 3].mean() >= OPAQUE * 255:
            try:
                rgba = cut_out(rgba[..., :3], name=path.name)
            except CharacterError as refusal:
                report.warn(refusal.code, f"{refusal.message} The view is left out.", refusal.remedy)
                continue
        if (rgba[..., 3] > 0).mean() < LEAST_AREA:
            raise CharacterError("character.view_empty", f"{path.name} does not show the character.", "Take the view out of the sheet.")
        views.append(_laid_on(View(path.stem, rgba, _pose_beside(path, rgba.shape[:2])), report))
    _check(folder, views)
    return tuple(views)


def read_view(path: Path) -> np.ndarray:
    """A picture as uint8 (H, W, 4), RGB order, straight alpha, 255 where the file has none.

    Raises `CharacterError`: character.view_unreadable.
    """
    try:
        picture = read_picture(path)
    except ClipError as cause:
        raise CharacterError("character.view_unreadable", cause.message, f"{cause.remedy} PNG is best.") from cause
    return picture if picture.shape[2] == 4 else cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA)


def cut_out(rgb: np.ndarray, *, name: str = "The view") -> np.ndarray:
    """A drawing on a flat background, uint8 (H, W, 3), as uint8 (H, W, 4) with straight alpha and no rim of background color.

    Raises `CharacterError`: character.view_background (the border is not of one color, or the character fills it).
    """
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]]).astype(np.int16)
    paper = np.median(border, 0)
    if (np.abs(border - paper).max(1) <= FLAT_SPREAD).mean() < FLAT_SHARE:
        raise CharacterError("character.view_background", f"{name} has neither alpha nor a flat background.",
                             "Cut the character out, or put it on one flat color.")
    distance = np.abs(rgb.astype(np.int16) - paper).max(-1)
    _, labels = cv2.connectedComponents((distance <= FLAT_SPREAD).astype(np.uint8), connectivity=4)
    outside = np.isin(labels, np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))) & (labels > 0)
    return _unmixed(rgb, paper, ~outside)


def _unmixed(rgb: np.ndarray, paper: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Alpha of the mixed pixels at the outline, from where each lies between the paper and the nearest color within."""
    kernel = np.ones((3, 3), np.uint8)
    core = cv2.erode(inside.astype(np.uint8), kernel, iterations=2, borderValue=1)
    if not core.any():
        core = inside.astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(1 - core, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    color_of = np.zeros((nearest.max() + 1, 3), np.float32)
    color_of[nearest[core > 0]] = rgb[core > 0]
    within = color_of[nearest]
    rim = inside & (core == 0)
    span = within - paper
    alpha = ((rgb - paper) * span).sum(-1) / np.maximum((span * span).sum(-1), 1)
    # Ink of its own at the outline (a contour line) is farther from the paper than the fill: it stays opaque.
    own = np.abs(rgb - paper).max(-1) >= np.abs(span).max(-1)
    alpha = np.where(rim & ~own, alpha.clip(0, 1), inside.astype(np.float32))
    mixed = (rim & ~own)[..., None]
    color = np.where(mixed, within, rgb)
    return np.dstack([color, np.rint(alpha * 255)]).astype(np.uint8)


def _laid_on(view: View, report: Report) -> View:
    """The view with its pose laid onto the drawing; the artist hears of drawings that stand quite differently."""
    if view.pose is None:
        return view
    view = aligned(view)
    if overlap(view) < LEAST_OVERLAP:
        report.warn("character.view_mismatch", f"The drawing {view.name} and its pose cover only {overlap(view):.0%} of each other.",
                    "Pose the rig like the drawing and render the view's pose again; colors may slip otherwise.")
    return view


def _pose_beside(path: Path, size: tuple[int, int]) -> np.ndarray | None:
    for suffix in POSE_SUFFIXES:
        file = path.with_suffix(suffix)
        if file.is_file():
            pose = read_pose(file)
            if pose.shape[:2] != size:
                raise CharacterError("character.view_pose", f"{file.name} and {path.name} differ in size.",
                                     "Render the view's pose at the view's size.")
            return pose
    return None


def _check(folder: Path, views: list[View]) -> None:
    if len(views) < LEAST_VIEWS:
        raise CharacterError("character.sheet_views", f"{folder} holds {len(views)} usable view{'s' * (len(views) != 1)}; "
                             f"at least {LEAST_VIEWS} are needed.", "Add a view, for example front and back.")
    sizes = sorted({view.rgba.shape[:2] for view in views})
    if len(sizes) > 1:
        raise CharacterError("character.sheet_sizes", "The views differ in size: " + ", ".join(f"{w} x {h}" for h, w in sizes) + " px.",
                             "Save all views at one size.")
