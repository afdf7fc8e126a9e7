# SPDX-License-Identifier: GPL-3.0-or-later
"""The background as a result shows it: plates as sharp as the frames, completed where nothing was ever seen, with soft edges.
It takes the backdrop as it was stitched, which mattes are solved against; it stitches nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np

from .geometry import corners, project, translation
from .layers.plate import Canvas, PerFrame, Plate, build_plate
from .layers.planes_backdrop import Backdrop, plane_weights
from .layers.planes_blend import blended
from .layers.sharpen import sharpened
from .matting.completion import complete
from .matting.triangulation import Matte
from .paged import Keeper
from .result import SpriteRecord

__all__ = ["write_background"]


def write_background(folder: Path, backdrop: Backdrop, read: PerFrame, weight: PerFrame, *, size: tuple[int, int],
                     sharpens: bool, rim: PerFrame | None = None) -> tuple[list[SpriteRecord], Backdrop]:
    """Write the background's planes below `folder`, far to near; the near one is the sprite, the others are parts of it.

    `read(t)` uint8 (H, W, 3) and `weight(t)` uint8 (H, W), 255 where surely background, are frames of `size` (W, H).
    So is `rim(t)`, which is above 0 close to sprites, too: what was never seen surely is shown as it is there, but nothing is solved
    against it.  With their records returns the backdrop whose plates show, where nothing was ever seen, what was made up there.
    """
    pictures = list(_pictures(backdrop, read, weight, size) if sharpens else (plate.picture for plate in backdrop.plates))
    near, solid = backdrop.plates[-1], 255 - _always(backdrop.openings[-1]) if backdrop.openings else np.uint8(255)
    # Far planes are seen through openings only: what they hide behind the nearer ones stays smooth.
    pictures[-1] = complete(pictures[-1], near.seen > 0.5, (solid > 0) & _shown(near.canvas, size))
    plates = tuple(replace(plate, picture=np.where(plate.seen[..., None] > 0.5, plate.picture, picture))
                   for plate, picture in zip(backdrop.plates, pictures, strict=True))
    if rim is not None and not backdrop.openings:   # of several planes, who says which one a rim shows?
        pictures[-1] = _with_rim(pictures[-1], near, read, rim)
    shown = replace(backdrop, plates=tuple(replace(plate, picture=picture)
                                           for plate, picture in zip(backdrop.plates, pictures, strict=True)))
    return _written(folder, blended(shown, read, weight, size=size)), replace(backdrop, plates=plates)


def _with_rim(picture: np.ndarray, plate: Plate, read: PerFrame, rim: PerFrame) -> np.ndarray:
    """The plate's `picture` uint8 (H, W, 3) with what only the `rim` shows."""
    unseen = plate.seen <= 0.5
    x, y, width, height = cv2.boundingRect(unseen.astype(np.uint8))
    if not width:
        return picture
    place, canvas = np.s_[y:y + height, x:x + width], Canvas(width, height, plate.canvas.homographies @ translation(x, y))
    close, result = build_plate(read, rim, canvas), picture.copy()
    shown = unseen[place] & (close.seen > 0.5)
    result[place][shown] = close.picture[shown]
    return result


def _always(opening: np.ndarray) -> np.ndarray:
    """Where an opening is open in every frame, uint8 (H, W)."""
    return opening if opening.ndim == 2 else reduce(np.minimum, opening)


def _pictures(backdrop: Backdrop, read: PerFrame, weight: PerFrame, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """The plates' pictures, sharper; mattes were and are solved against the plates as they are."""
    nearer = [one.canvas for one in backdrop.plates[1:]]
    for i, plate in enumerate(backdrop.plates):
        yield sharpened(plate, read, plane_weights(weight, nearer, backdrop.openings, i, *size))


def _shown(canvas: Canvas, size: tuple[int, int]) -> np.ndarray:
    """Where any frame shows the canvas, bool (H, W)."""
    shown = np.zeros((canvas.height, canvas.width), np.uint8)
    for homography in canvas.homographies:
        outline = project(np.linalg.inv(homography), corners(*size))
        cv2.fillConvexPoly(shown, np.rint(outline).astype(np.int32), 1)
    return shown > 0


def _written(folder: Path, backdrop: Backdrop) -> list[SpriteRecord]:
    records, keeper = [], Keeper()
    for i, plate in enumerate(backdrop.plates):
        opening = backdrop.openings[i - 1] if i else np.zeros(plate.picture.shape[:2], np.uint8)
        openings, exposure = _apart(opening, len(plate.canvas.homographies))
        confidence = np.rint(plate.seen * 255).astype(np.uint8)
        mattes = [Matte(keeper.keep(np.dstack([plate.picture, 255 - one])), confidence) for one in openings]
        names = (("sprite_0", "Background", "") if i == len(backdrop.plates) - 1
                 else (f"sprite_0_plane_{i + 1}", f"Background Plane {i + 1}", "sprite_0"))
        records.append(SpriteRecord.write(folder, *names[:2], "background", plate.canvas, exposure, mattes, part_of=names[2]))
    return records


def _apart(opening: np.ndarray, frames: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The different pictures of an opening, uint8 (H, W) each, in order of their first frame, and which, from 1 on, each frame shows."""
    if opening.ndim == 2:
        return [opening], np.ones(frames, np.int32)
    number: dict[str, int] = {}
    exposure = np.array([number.setdefault(sha256(one).hexdigest(), len(number) + 1) for one in opening], np.int32)
    return [opening[int(np.argmax(exposure == one))] for one in number.values()], exposure
