# SPDX-License-Identifier: GPL-3.0-or-later
"""Single pictures on disk: every format an animator hands over comes in as 8-bit display RGB(A), PNG goes out whole or not at all.
Knows files and pixels; nothing of clips, sprites or results."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import OpenEXR

from ..protocol import ClipError, EngineError

__all__ = ["SUFFIXES", "read_picture", "write_picture", "write_array", "write_bytes", "disk_error", "to_display", "over",
           "composite", "straight"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".exr")

# Low, because line art packs well anyway and writing must not be what one waits for; fixed, so that bytes repeat.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 2]
_FULL_DISK = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


def read_picture(path: os.PathLike | str) -> np.ndarray:
    """A picture as (H, W, 3) RGB or (H, W, 4) straight-alpha RGBA, uint8, display sRGB.

    Gray becomes RGB, 16 bit is rounded to 8, floating point (EXR, float TIFF) is taken as scene linear.
    Raises `ClipError`: clip.missing, clip.unreadable (no such format), clip.damaged (cut short or corrupt).
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ClipError("clip.unreadable", f"{path.name} is not a kind of picture that can be read.",
                        f"Convert it to one of {', '.join(s[1:].upper() for s in SUFFIXES)}.")
    try:
        if path.suffix.lower() == ".exr":
            return to_display(_read_exr(path))
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise ClipError("clip.missing", f"{path.name} does not exist.", f"Look for it in {path.parent}.") from None
    except OSError as cause:
        raise ClipError("clip.unreadable", f"{path.name} cannot be opened: {cause.strerror or cause}.",
                        "Check that you may read the file.") from cause
    return to_display(_decode(path, data))


def _decode(path: Path, data: np.ndarray) -> np.ndarray:
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except cv2.error:
        picture = None
    if picture is None:
        raise _damaged(path)
    if picture.ndim == 2:
        return picture
    return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _damaged(path: Path) -> ClipError:
    return ClipError("clip.damaged", f"{path.name} is cut short or damaged.", "Render or copy this picture again.")


def _read_exr(path: Path) -> np.ndarray:
    """The color layer of an EXR file, linear, alpha made straight, (H, W, 3 or 4) float32 of the display window's size."""
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name: np.asarray(channel.pixels, np.float32) for name, channel in file.channels().items()
                        if getattr(channel, "pixels", None) is not None}
            (left, top), (right, bottom) = file.header()["displayWindow"]
            data_left, data_top = file.header()["dataWindow"][0]
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError) as cause:
        raise _damaged(path) from cause
    picture = _color_layer(path, channels)
    canvas = np.zeros((bottom - top + 1, right - left + 1, picture.shape[2]), np.float32)
    x, y = data_left - left, data_top - top
    inside = picture[max(-y, 0):, max(-x, 0):][:canvas.shape[0] - max(y, 0), :canvas.shape[1] - max(x, 0)]
    canvas[max(y, 0):, max(x, 0):][:inside.shape[0], :inside.shape[1]] = inside
    if canvas.shape[2] == 4:
        canvas[..., :3] /= np.maximum(canvas[..., 3:], 1e-6)  # EXR color is multiplied by its alpha
    return canvas


def _color_layer(path: Path, channels: dict[str, np.ndarray]) -> np.ndarray:
    """R, G, B(, A) of the plain layer, else of a renderer's "Combined" one, else of any; else luminance."""
    layers = sorted({name[:-1] for name in channels if name.endswith("R")},
                    key=lambda prefix: (prefix != "", "Combined" not in prefix, prefix))
    for prefix in layers:
        names = [prefix + letter for letter in "RGB"] + ([prefix + "A"] if prefix + "A" in channels else [])
        planes = [channels[name] for name in names if name in channels]
        if len(planes) == len(names) and len({plane.shape for plane in planes}) == 1 and planes[0].ndim == 2:
            return np.stack(planes, 2)
    if "Y" in channels and channels["Y"].ndim == 2:
        return np.repeat(channels["Y"][..., None], 3, 2)
    raise _damaged(path)


def to_display(picture: np.ndarray) -> np.ndarray:
    """Gray or color of any depth to uint8 RGB(A): integers are rounded, floating point goes from linear light to sRGB."""
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, 2)
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype == np.uint16:
        return ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)
    linear = np.clip(np.nan_to_num(picture.astype(np.float32)), 0, 1)
    color = linear[..., :3]
    linear[..., :3] = np.where(color <= 0.0031308, color * 12.92, 1.055 * color ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    return np.round(linear * 255).astype(np.uint8)


def over(picture: np.ndarray, backdrop: np.ndarray | int) -> np.ndarray:
    """Straight-alpha RGBA uint8 over an opaque backdrop (a gray level or (H, W, 3)): RGB uint8, rounded."""
    alpha = picture[..., 3:].astype(np.int32)
    return ((picture[..., :3] * alpha + backdrop * (255 - alpha) + 127) // 255).astype(np.uint8)


def composite(layers: Iterable[np.ndarray]) -> np.ndarray:
    """Straight-alpha RGBA uint8 pictures laid over each other, back to front, over black: RGB uint8, rounded once."""
    total: np.ndarray | None = None
    for layer in layers:
        alpha = layer[..., 3:].astype(np.float32) / 255
        color = layer[..., :3].astype(np.float32) * alpha
        total = color if total is None else total * (1 - alpha) + color
    if total is None:
        raise ValueError("no layers to lay over each other")
    return np.clip(np.round(total), 0, 255).astype(np.uint8)


def straight(premultiplied: np.ndarray) -> np.ndarray:
    """Premultiplied RGBA float 0..1 (H, W, 4) to straight alpha, uint8; no color where nothing is seen."""
    out = premultiplied * np.float32(255)
    out[..., :3] /= np.maximum(premultiplied[..., 3:], 1e-6)
    out = np.rint(np.clip(out, 0, 255, out=out), out=out).astype(np.uint8)
    out[out[..., 3] == 0] = 0
    return out


def write_picture(path: os.PathLike | str, picture: np.ndarray) -> None:
    """Write uint8 gray (H, W), RGB or straight-alpha RGBA as PNG, whole or not at all; the same pixels give the same bytes.

    Raises `EngineError`: engine.disk_full, engine.write.
    """
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    write_bytes(path, cv2.imencode(".png", picture, _PNG)[1].tobytes())


def write_array(path: os.PathLike | str, array: np.ndarray) -> None:
    """Write an .npy file, whole or not at all.  Raises `EngineError` like `write_picture`."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    write_bytes(path, stream.getvalue())


def write_bytes(path: os.PathLike | str, data: bytes) -> None:
    """Write a file, whole or not at all.  Raises `EngineError` like `write_picture`."""
    path = Path(path)
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as cause:
        temporary.unlink(missing_ok=True)
        raise disk_error(path, cause) from cause


def disk_error(path: Path, cause: OSError) -> EngineError:
    """What to tell the artist when writing `path` failed."""
    if cause.errno in _FULL_DISK:
        return EngineError("engine.disk_full", f"The disk is full: {path} could not be written.",
                           "Free some space and start again; finished stages are kept.")
    return EngineError("engine.write", f"{path} cannot be written: {cause.strerror or cause}.", "Choose a folder that you may write to.")
