# SPDX-License-Identifier: GPL-3.0-or-later
"""The result folder: drawings, motion, contact sheet, preview and, last of all, the manifest.
It lays out what the stages found; it computes nothing but the figures that the manifest states."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..protocol import (MANIFEST_NAME, Clip, Decomposition, EngineError, Sprite, ResultError, inside, read_result, sha256, write_manifest)
from .clip import ClipReader
from .layers.plate import Canvas
from .motion import Motion
from .recompose import Recomposer
from .report import Report
from .settings import Settings
from .sheet import ResultPictures

__all__ = ["SpriteRecord", "write_result", "publish", "finished_result"]

CONTACT_SHEET, PREVIEW = "contact_sheet.png", "preview.mp4"


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
    confidence: str

    @classmethod
    def of(cls, folder: Path, id: str, name: str, role: str, canvas: Canvas, exposure: np.ndarray, count: int) -> SpriteRecord:
        """Write the motion file of a sprite whose drawings are written, and describe it."""
        np.save(folder / id / "homographies.npy", np.asarray(canvas.homographies, np.float64))
        confidence = f"{id}/confidence.png" if (folder / id / "confidence.png").exists() else ""
        return cls(id, name, role, canvas.width, canvas.height, [int(e) for e in exposure], count, confidence)

    def sprite(self) -> Sprite:
        return Sprite(self.id, self.name, self.role, self.width, self.height,
                      tuple(f"{self.id}/{number + 1:04d}.png" for number in range(self.count)), tuple(self.exposure),
                      f"{self.id}/homographies.npy", confidence=self.confidence)


def write_result(folder: Path, drawings: Path, records: list[SpriteRecord], reader: ClipReader, frames: np.ndarray, *,
                 settings: Settings, device: str, key: str, camera: Motion, report: Report) -> None:
    """Lay out a whole result in `folder` from the finished `drawings` folder.  `frames` uint8 (T, H, W, 3) are the clip's."""
    for record in records:
        shutil.copytree(drawings / record.id, folder / record.id)
    sprites = tuple(record.sprite() for record in records if record.count)
    clip = Clip(reader.name, reader.width, reader.height, reader.count, float(reader.fps), reader.first_frame, str(reader.source))
    decomposition = Decomposition(
        clip=clip, sprites=sprites, device=device, seed=settings.seed, contact_sheet=CONTACT_SHEET, preview=PREVIEW,
        settings={"sprites": settings.sprites, "lines": settings.lines, "preset": settings.preset, "flow": settings.flow, "key": key})
    figures = _pictures_and_figures(folder, decomposition, frames, report)
    figures |= {"camera": camera.model, "camera_static": bool(camera.static), "camera_residual_px": round(float(camera.confidence), 4)}
    files = {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    write_manifest(folder, Decomposition(**{**vars(decomposition), "metrics": figures, "files": files}))


def _pictures_and_figures(folder: Path, decomposition: Decomposition, frames: np.ndarray, report: Report) -> dict:
    """Contact sheet and preview; how near the sprites come to the clip, in dB, mean squared error pooled over frames."""
    errors = []
    with ResultPictures(folder / CONTACT_SHEET, folder / PREVIEW, folder, decomposition) as pictures:
        for t, recomposed in enumerate(Recomposer(folder, decomposition).frames()):
            original = np.asarray(frames[t])
            errors.append(float(np.mean((original.astype(np.float32) - recomposed) ** 2)))
            pictures.add(t, original, recomposed)
            report.step(2)
    worst = int(np.argmax(errors))
    return {"recomposition_psnr": _decibel(float(np.mean(errors))), "recomposition_psnr_worst": _decibel(errors[worst]),
            "worst_frame": worst + decomposition.clip.first_frame}


def _decibel(error: float) -> float:
    return round(float(10 * np.log10(255**2 / max(error, 1e-6))), 2)


def publish(finished: Path, out: Path, report: Report) -> Decomposition:
    """Bring a finished result stage into the result folder `out`; the manifest goes last, so a half copy is no result."""
    decomposition = read_result(finished)
    try:
        (out / MANIFEST_NAME).unlink(missing_ok=True)
        for relative in decomposition.files:
            source, target = inside(finished, relative), inside(out, relative)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        write_manifest(out, decomposition)
    except OSError as cause:
        raise EngineError("engine.folder", f"The result cannot be written to {out}: {cause.strerror or cause}.",
                          "Free some space or choose another output folder, then start the job again: it resumes.") from cause
    report.artifact("contact_sheet", decomposition.contact_sheet)
    report.artifact("preview", decomposition.preview)
    return decomposition


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
