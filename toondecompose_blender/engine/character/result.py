# SPDX-License-Identifier: GPL-3.0-or-later
"""The result folder of a drawn character: its sprite, a background if there is one, a contact sheet and a preview.
Knows finished drawings; how they came about is decided elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from ...protocol import Clip, Decomposition, sha256, write_manifest
from ..clip import open_clip
from ..layers.plate import Canvas
from ..matting.triangulation import Matte
from ..movie import MovieWriter
from ..pictures import write_picture
from ..recompose import SpriteRenderer
from ..report import Report
from ..result import CONTACT_SHEET, PREVIEW, SpriteRecord
from ..sheet import checkerboard, contact_sheet
from .transfer import Painted

__all__ = ["write_character"]

SHEET_CELLS, CELL_WIDTH = 8, 240
PREVIEW_SIDE = 720


def write_character(folder: Path, frames: Iterable[Painted], ink: Iterable[Painted], poses: list[Path], shape: tuple[int, int], *,
                    background: Path | None, fps: float, device: str, settings: dict, report: Report) -> None:
    """Lay out the result in `folder`: drawings one a distinct frame, none for an empty one, standing still on the frame.

    `ink`, the contour lines of every frame, becomes a sprite in front; if it is empty, there is none.
    """
    height, width = shape
    still = Canvas(width, height, np.tile(np.eye(3), (len(poses), 1, 1)))
    report.stage("Result", 2 * len(poses))
    mattes, exposure = _distinct(_stepped(frames, report))
    records = [SpriteRecord.write(folder, "character", "Character", "character", still, exposure, mattes)]
    pictures, shown = _distinct(ink)
    if pictures:
        # Seen wherever there is a line, so that the sprite's confidence speaks of lines alone.
        whole = [Matte(picture.rgba, np.full(shape, 255, np.uint8)) for picture in pictures]
        records.append(SpriteRecord.write(folder, "ink", "Character Ink", "character", still, shown, whole))
    if background is not None:
        pictures, shown = _background(background, shape, len(poses))
        records.insert(0, SpriteRecord.write(folder, "background", "Background", "background", still, shown, pictures))
    number = re.search(r"(\d{1,9})$", poses[0].stem)
    clip = Clip("character", width, height, len(poses), float(fps), int(number[1]) if number else 1, str(poses[0].parent.resolve()))
    decomposition = Decomposition(clip=clip, sprites=tuple(record.sprite() for record in records), device=device,
                                  settings=settings, contact_sheet=CONTACT_SHEET, preview=PREVIEW)
    _pictures(folder, decomposition, report)
    seen = float(np.mean([(matte.confidence[matte.rgba[..., 3] > 0] == 255).mean() for matte in mattes]))
    files = {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    write_manifest(folder, Decomposition(**{**vars(decomposition), "files": files, "metrics": {"seen_share": round(seen, 4)}}))


def _stepped(frames: Iterable[Painted], report: Report) -> Iterator[Painted]:
    for frame in frames:
        yield frame
        report.step()


def _distinct(frames: Iterable[Painted]) -> tuple[list[Matte], np.ndarray]:
    """Every picture once, and which one each frame shows, from 1; 0 for frames without the character."""
    mattes: list[Matte] = []
    known: dict[bytes, int] = {}
    exposure = []
    for frame in frames:
        if not frame.rgba[..., 3].any():
            exposure.append(0)
            continue
        number = known.setdefault(frame.rgba.tobytes(), len(known) + 1)
        if number > len(mattes):
            mattes.append(Matte(frame.rgba, np.where(frame.rgba[..., 3] > 0, frame.seen, 255).astype(np.uint8)))
        exposure.append(number)
    return mattes, np.array(exposure)


def _background(path: Path, shape: tuple[int, int], count: int) -> tuple[list[Matte], np.ndarray]:
    """The background's frames, covering the picture; a movie that is too short holds its last frame."""
    reader = open_clip(path)
    opaque = np.full(shape, 255, np.uint8)
    pictures = (np.dstack([_covering(reader.read(t), shape), opaque]) for t in range(min(reader.count, count)))
    mattes, exposure = _distinct(Painted(picture, opaque) for picture in pictures)
    return mattes, np.concatenate([exposure, np.full(count - len(exposure), exposure[-1])])


def _covering(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    height, width = shape
    factor = max(height / picture.shape[0], width / picture.shape[1])
    size = max(width, round(picture.shape[1] * factor)), max(height, round(picture.shape[0] * factor))
    large = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return large[top:top + height, left:left + width]


def _pictures(folder: Path, decomposition: Decomposition, report: Report) -> None:
    """A contact sheet and a movie of the whole, over the background or a checkerboard."""
    clip = decomposition.clip
    board = checkerboard(clip.width, clip.height, cell=max(4, clip.height // 24))
    sprites = [SpriteRenderer(folder, decomposition, sprite) for sprite in decomposition.sprites]
    chosen = sorted({int((k + 0.5) * clip.frames / SHEET_CELLS) for k in range(SHEET_CELLS)})
    scale = min(1.0, PREVIEW_SIDE / max(clip.width, clip.height))
    size = (max(2, int(clip.width * scale) // 2 * 2), max(2, int(clip.height * scale) // 2 * 2))
    cells = []
    with MovieWriter(folder / PREVIEW, *size, fps=clip.fps) as movie:
        for t in range(clip.frames):
            picture = _frame(sprites, t, board)
            movie.write(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
            if t in chosen:
                cells.append(picture)
            report.step()
    headings = [f"frame {clip.first_frame + t}" for t in chosen] if len(chosen) <= SHEET_CELLS // 2 else []
    sheet = contact_sheet(cells, columns=min(len(cells), SHEET_CELLS // 2), cell_width=min(CELL_WIDTH, clip.width), headings=headings)
    write_picture(folder / CONTACT_SHEET, sheet)


def _frame(sprites: list[SpriteRenderer], t: int, board: np.ndarray) -> np.ndarray:
    picture = board.astype(np.float32) / 255
    for sprite in sprites:
        rgba = sprite.frame(t)
        picture = rgba[..., :3] + (1 - rgba[..., 3:]) * picture
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)
