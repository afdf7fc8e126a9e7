# SPDX-License-Identifier: GPL-3.0-or-later
"""The result folder: drawings, motion, contact sheet, preview and, last of all, the manifest.
It lays out what the stages found; it computes nothing but the figures that the manifest states."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..protocol import (
    MANIFEST_NAME,
    Decomposition,
    ResultError,
    Sprite,
    Swatch,
    inside,
    read_result,
    sha256,
    write_manifest,
)
from .clip import ClipReader
from .layers.plate import Canvas
from .matting.triangulation import Matte
from .motion import Motion
from .palette import find_palette, index_map
from .parallel import map_ordered
from .pictures import write_picture
from .recompose import Recomposer, decibel
from .report import Report
from .residual import residual_name, write_residual
from .settings import Settings
from .sheet import ResultPictures
from .stages import told

if TYPE_CHECKING:
    from .accelerator import Accelerator

__all__ = ["DRAWING_FILE", "INDEX_FILE", "SpriteRecord", "write_result", "publish", "finished_result"]

CONTACT_SHEET, PREVIEW = "contact_sheet.png", "preview.mp4"
# No two files of a result share a name: Blender's Find Missing Files knows lost pictures by their names alone.
DRAWING_FILE, INDEX_FILE = "{id}/{id}_{number:04d}.png", "{id}/index/{id}_index_{number:04d}.png"


@dataclass(frozen=True)
class SpriteRecord:
    """What the manifest says of a sprite, as plain values; its files lie below the stage's folder."""
    id: str
    name: str
    role: str
    width: int
    height: int
    exposure: list[int]
    count: int
    palette: list[list]
    opacity: list[float]
    part_of: str = ""

    @classmethod
    def write(cls, folder: Path, id: str, name: str, role: str, canvas: Canvas, exposure: np.ndarray, mattes: list[Matte], *,
              opacity: np.ndarray | None = None, part_of: str = "") -> SpriteRecord:
        """Write all files of a sprite below `folder`: drawings, where they were seen, index maps, motion; and describe it.
        `opacity` (T,) 0..1, None: 1 everywhere."""
        shown = np.bincount(exposure, minlength=len(mattes) + 1)[1:]
        (folder / id / "index").mkdir(parents=True)
        palette = find_palette([matte.rgba for matte in mattes], shown.tolist())

        def write(number: int) -> np.ndarray:
            matte = mattes[number - 1]
            write_picture(folder / DRAWING_FILE.format(id=id, number=number), matte.rgba)
            write_picture(folder / INDEX_FILE.format(id=id, number=number), index_map(matte.rgba, palette))
            return matte.confidence

        confidence = reduce(np.minimum, map_ordered(write, range(1, len(mattes) + 1)))
        write_picture(folder / id / "confidence.png", confidence)
        np.save(folder / id / "homographies.npy", np.asarray(canvas.homographies, np.float64))
        return cls(id, name, role, canvas.width, canvas.height, exposure.tolist(), len(mattes),
                   [[swatch.color, swatch.share] for swatch in palette], [1.0] * len(exposure) if opacity is None else
                   [round(float(share), 4) for share in opacity], part_of)

    def sprite(self) -> Sprite:
        def files(pattern: str) -> tuple[str, ...]:
            return tuple(pattern.format(id=self.id, number=number) for number in range(1, self.count + 1))

        return Sprite(self.id, self.name, self.role, self.width, self.height, files(DRAWING_FILE), tuple(self.exposure),
                      f"{self.id}/homographies.npy", opacity=tuple(self.opacity),
                      palette=tuple(Swatch(tuple(color), share) for color, share in self.palette),
                      index_maps=files(INDEX_FILE), confidence=f"{self.id}/confidence.png", part_of=self.part_of)


def write_result(folder: Path, drawings: Path, records: list[SpriteRecord], reader: ClipReader, frames: np.ndarray, *,
                 settings: Settings, device: str, key: str, camera: Motion, report: Report, accelerator: Accelerator | None = None) -> None:
    """Lay out a whole result in `folder` from the finished `drawings` folder.  `frames` uint8 (T, H, W, 3) are the clip's."""
    for record in records:
        shutil.copytree(drawings / record.id, folder / record.id)
    sprites = tuple(record.sprite() for record in records)
    decomposition = Decomposition(
        clip=reader.record, sprites=sprites, device=device, seed=settings.seed, contact_sheet=CONTACT_SHEET, preview=PREVIEW,
        residual=tuple(residual_name(t) for t in range(reader.count)) if settings.residual else (),
        settings={"sprites": settings.sprites, "lines": settings.lines, "preset": settings.preset, "flow": settings.flow, "key": key})
    figures = _pictures_and_figures(folder, decomposition, frames, report, accelerator)
    residual = round(float(camera.confidence), 4) if np.isfinite(camera.confidence) else None
    figures |= {"camera": camera.model, "camera_static": bool(camera.static), "camera_residual_px": residual}
    files = {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    write_manifest(folder, Decomposition(**{**vars(decomposition), "metrics": figures, "files": files}))


def _pictures_and_figures(folder: Path, decomposition: Decomposition, frames: np.ndarray, report: Report,
                          accelerator: Accelerator | None) -> dict:
    """Contact sheet, preview and, if asked for, the residual; how near the sprites alone come to the clip, in dB, mean
    squared error pooled over frames."""
    errors = []
    for name in decomposition.residual[:1]:
        (folder / name).parent.mkdir()
    recomposer = Recomposer(folder, decomposition)
    with ResultPictures(folder / CONTACT_SHEET, folder / PREVIEW, decomposition, recomposer.sprites) as pictures:
        def looked_at(numbered: tuple[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
            t, recomposed = numbered
            error = float(np.mean((frames[t].astype(np.float32) - recomposed) ** 2))
            return frames[t], recomposed, error, pictures.panel(t, frames[t], recomposed)

        seen = map_ordered(looked_at, enumerate(recomposer.frames(accelerator=accelerator)))
        for t, (original, recomposed, error, panel) in enumerate(seen):
            errors.append(error)
            pictures.add(t, original, recomposed, panel)
            for name in decomposition.residual[t:t + 1]:
                write_residual(folder / name, original, recomposed)
            report.step(2)
    worst = int(np.argmax(errors))
    return {"recomposition_psnr": decibel(float(np.mean(errors))), "recomposition_psnr_worst": decibel(errors[worst]),
            "worst_frame": worst + decomposition.clip.first_frame}


def publish(finished: Path, out: Path, report: Report) -> Decomposition:
    """Bring a finished result stage into the result folder `out`; the manifest goes last, so a half copy is no result.

    Raises `EngineError` (engine.disk_full, engine.folder).
    """
    decomposition = read_result(finished)
    report.step(0)
    try:
        for left_over in _files_of(out) - set(decomposition.files):
            inside(out, left_over).unlink(missing_ok=True)
        (out / MANIFEST_NAME).unlink(missing_ok=True)
        for relative in decomposition.files:
            _copy(inside(finished, relative), inside(out, relative))
        write_manifest(out, decomposition)
    except OSError as cause:
        raise told(cause, out) from cause
    report.artifact("contact_sheet", decomposition.contact_sheet)
    report.artifact("preview", decomposition.preview)
    return decomposition


def _copy(source: Path, target: Path) -> None:
    """Copy a file whole or not at all: a full disk needs the room of half a one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".tmp")
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _files_of(out: Path) -> set[str]:
    """The files of the result that is there already, if there is one."""
    try:
        return set(read_result(out).files)
    except ResultError:
        return set()


def finished_result(out: Path, key: str) -> Decomposition | None:
    """The result in `out` if it is whole and was made from the same clip and settings."""
    try:
        decomposition = read_result(out)
        if decomposition.settings.get("key") != key:
            return None
        whole = all(sha256(inside(out, name)) == digest for name, digest in decomposition.files.items())
    except (OSError, ResultError):
        return None
    return decomposition if whole else None
