# SPDX-License-Identifier: GPL-3.0-or-later
"""Ultra-dense poses on disk: for every pixel the place on the resting character (x, y, z in 0..1) and whether it is there.
Knows npz and EXR files; how poses are rendered or what is drawn from them is decided elsewhere."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import OpenEXR
from natsort import natsorted, ns

from ...protocol import CharacterError

__all__ = ["KEY", "POSE_SUFFIXES", "pose_files", "read_pose", "read_poses", "write_pose"]

KEY = "i"  # the array's name in published pose files
POSE_SUFFIXES = (".npz", ".exr")
INTEGER_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
SLACK = 2 / 1024  # a half float near 1 is off by this much, so values may leave 0..1 by it
REMEDY = "Render the poses again, or choose a folder with .npz files (key i) or 32-bit .exr files."


def pose_files(folder: Path) -> list[Path]:
    """The pose files of a folder in natural order (2 before 10).

    Raises `CharacterError`: character.poses_missing, character.pose_integer (pictures of 8 or 16 bits instead of poses).
    """
    folder = Path(folder)
    entries = natsorted(folder.iterdir(), alg=ns.PATH) if folder.is_dir() else []
    files = [path for path in entries if path.suffix.lower() in POSE_SUFFIXES]
    if not files and any(path.suffix.lower() in INTEGER_SUFFIXES for path in entries):
        raise CharacterError("character.pose_integer", f"{folder} holds pictures; poses need more than 8 or 16 bits.", REMEDY)
    if not files:
        raise CharacterError("character.poses_missing", f"There are no poses in {folder}.", REMEDY)
    return files


def read_pose(path: Path) -> np.ndarray:
    """One pose, float32 (H, W, 4): x, y, z and occupancy, each 0..1; zero outside of the character.

    Raises `CharacterError`: character.pose_unreadable, .pose_key, .pose_shape, .pose_integer, .pose_values.
    """
    path = Path(path)
    if path.suffix.lower() in INTEGER_SUFFIXES:
        raise CharacterError("character.pose_integer", f"{path.name} is a picture; poses need more than 8 or 16 bits.", REMEDY)
    raw = _read_exr(path) if path.suffix.lower() == ".exr" else _read_npz(path)
    if raw.ndim != 3 or raw.shape[2] != 4 or 0 in raw.shape:
        raise CharacterError("character.pose_shape", f"{path.name} has the shape {raw.shape} instead of (H, W, 4).", REMEDY)
    if not np.issubdtype(raw.dtype, np.floating):
        raise CharacterError("character.pose_integer", f"{path.name} holds {raw.dtype}; poses are floating-point numbers.", REMEDY)
    pose = raw.astype(np.float32)
    if not np.isfinite(pose).all():
        raise CharacterError("character.pose_values", f"{path.name} holds values that are no numbers.", REMEDY)
    pose[..., :3] *= pose[..., 3:] > 0
    if pose.min() < -SLACK or pose.max() > 1 + SLACK:
        raise CharacterError("character.pose_values", f"{path.name} holds values from {pose.min():.3g} to {pose.max():.3g} "
                             "instead of 0 to 1.", REMEDY)
    return pose.clip(0, 1)


def read_poses(files: list[Path]) -> Iterator[np.ndarray]:
    """The poses one after another, all of the first one's size.  Raises `CharacterError`: character.pose_size, and as `read_pose`."""
    first = None
    for path in files:
        pose = read_pose(path)
        first = first or pose.shape
        if pose.shape != first:
            raise CharacterError("character.pose_size", f"{path.name} has {pose.shape[1]} x {pose.shape[0]} px, the poses before it "
                                 f"{first[1]} x {first[0]}.", "Render all poses at one size.")
        yield pose


def write_pose(path: Path, pose: np.ndarray) -> None:
    """Write float32 (H, W, 4) as an .npz that the published code reads too."""
    np.savez_compressed(path, **{KEY: np.ascontiguousarray(pose, np.float32)})


def _read_npz(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if KEY not in arrays.files:
                found = ", ".join(arrays.files) or "nothing"
                raise CharacterError("character.pose_key", f"{path.name} has no array {KEY!r}, but {found}.", REMEDY)
            return arrays[KEY]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as cause:
        raise CharacterError("character.pose_unreadable", f"{path.name} cannot be read: {cause}.", REMEDY) from cause


def _read_exr(path: Path) -> np.ndarray:
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = file.channels()
            planes = [channels[name].pixels for name in "RGBA" if name in channels]
    except Exception as cause:  # the package raises plain RuntimeError, OSError and ValueError alike
        raise CharacterError("character.pose_unreadable", f"{path.name} cannot be read: {cause}.", REMEDY) from cause
    if len(planes) != 4:
        raise CharacterError("character.pose_shape", f"{path.name} has {len(planes)} of the channels R, G, B, A.", REMEDY)
    return np.stack(planes, -1)
