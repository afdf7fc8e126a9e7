# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job, stage by stage: a clip goes in, a result folder comes out, and what is finished is never done again.
Each stage reads the stages before it from disk; what a stage computes stands in its own module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..protocol import Decomposition, SettingsError, sha256
from .background import write_background
from .clip import ClipReader, open_clip
from .device import resolve_device
from .digest import engine_digest
from .drawings import ExposureSheet, exposure_sheet
from .drawings_canvas import canvas_of
from .dusk import find_dusk
from .first_look import show_first_look
from .flow import Flow, compute_flow
from .layers.evidence import rim_weight
from .layers.find import find_layers, plate_weight
from .layers.hints import Hints, read_hints, spread
from .layers.plate import Canvas, canvas_of_plane
from .layers.planes_backdrop import build_backdrop
from .layers.shade import under
from .matting.sprites import Behind, Sighting, solve_drawings
from .matting.triangulation import Matte
from .motion import background_motion
from .opacity import Presence, find_presence
from .paged import Keeper, Recalled, spilling
from .parallel import map_ordered
from .records import (SHEET_FIELDS, load_backdrop, load_motion, load_planes, load_sheet, save_backdrop, save_motion, save_planes,
                      save_sheet)
from .report import Portion, Report, ticked
from .result import DRAWING_FILE, INDEX_FILE, SpriteRecord, finished_result, publish, write_result
from .settings import Settings
from .stages import Stage, StageStore, fingerprint
from .veil import LiftedFrames, find_veils, lift

if TYPE_CHECKING:
    from .accelerator import Accelerator

__all__ = ["decompose", "keep_apart", "STAGES_FOLDER"]

STAGES_FOLDER = "stages"
PARTS = 100                # units of a stage whose own length is not known before


def decompose(clip: Path, out: Path, *, settings: Settings, report: Report, accelerator: Accelerator | None = None) -> Decomposition:
    """Decompose `clip` (a folder of pictures or a movie) into the result folder `out`.

    `accelerator`: computes the heavy loops; by default made where the device is a graphics card, and none elsewhere.
    Raises `ToonError` (clip.*, settings.*, engine.*) and `Stopped`; finished stages stay in out/stages and are used again.
    """
    cv2.setNumThreads(1)
    cv2.setRNGSeed(settings.seed)
    device = resolve_device(settings.device)
    reader = open_clip(clip, frames=settings.frames)
    keep_apart(clip, reader, out)
    if device == "cuda" and accelerator is None:
        from .accelerator import Accelerator  # imports torch, which takes seconds to start
        accelerator = Accelerator(device, report=report)
    job = _Job(reader, out, settings, device, report, accelerator)
    finished = finished_result(out, job.key)
    return finished if finished else job.run()


class _Job:
    """One decomposition: what it reads, where it stores, and the eight stages in order."""

    def __init__(self, reader: ClipReader, out: Path, settings: Settings, device: str, report: Report,
                 accelerator: Accelerator | None):
        self.reader, self.out, self.settings, self.device, self.report = reader, out, settings, device, report
        self.accelerator = accelerator
        self.size = settings.analysis_size(reader.width, reader.height)
        self.store = StageStore(out / STAGES_FOLDER, report)
        self.clip_key = reader.key
        self.hints_key = _hints_key(settings.hints)
        self.key = fingerprint(engine_digest(), self.clip_key, self.size, settings.sprites, settings.flow, device, settings.seed,
                               self.hints_key, settings.residual, settings.sharpens)

    def run(self) -> Decomposition:
        with spilling(self.store.passing()):
            return self._run()

    def _run(self) -> Decomposition:
        self.frames = self.store.run("frames", fingerprint(self.clip_key, self.size), self._frames)
        small = self.frames.load("small")
        self.veils = find_veils(small) or find_dusk(small)  # a flash is a layer of its own: everything below sees the frames without it
        self.small = lift(small, self.veils)
        self.full = LiftedFrames(self.frames.load("full"), self.veils)
        self.hints = self._hints()  # now: wrong hints are to be told before minutes of work, not after
        flow = self.store.run("flow", fingerprint(self.frames.key, self.settings.flow, self.device), self._flow)
        self.flow = Flow(flow.load("forward"), flow.load("backward"))
        motion = self.store.run("motion", fingerprint(flow.key, self.settings.seed), self._motion)
        self.camera = load_motion(motion)
        layers = self.store.run("layers", fingerprint(motion.key, self.settings.sprites, self.hints_key), self._layers)
        self.camera, self.alphas, self.shade = load_motion(layers), layers.load("alphas"), layers.load("shade")
        self.planes, self.small_backdrop = load_planes(layers), load_backdrop(layers)
        show_first_look(self.out, STAGES_FOLDER, self.small, self.alphas, self.report)
        exposure = self.store.run("exposure", fingerprint(layers.key, SHEET_FIELDS), self._exposure)
        self.sheets = [load_sheet(exposure, k) for k in range(len(self.alphas))]
        plate = self.store.run("plate", fingerprint(layers.key), self._plate)
        self.backdrop = load_backdrop(plate)
        inputs = fingerprint(exposure.key, plate.key, DRAWING_FILE, INDEX_FILE, self.settings.sharpens)
        drawings = self.store.run("drawings", inputs, self._drawings)
        result = self.store.run("result", fingerprint(drawings.key, self.key), lambda stage: self._result(stage, drawings))
        return publish(result.folder, self.out, self.report)

    def _frames(self, stage: Stage) -> None:
        count, width, height = self.reader.count, self.reader.width, self.reader.height
        self.report.stage("Frames", count)
        full = stage.empty("full", (count, height, width, 3), np.uint8)
        small = stage.empty("small", (count, self.size[1], self.size[0], 3), np.uint8)
        for t, frame in enumerate(map_ordered(self.reader.read, range(count))):
            full[t] = frame
            small[t] = frame if frame.shape[1::-1] == self.size else cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA)
            self.report.step()
        for warning in self.reader.warnings:
            self.report.warn(warning.code, warning.message, warning.remedy)

    def _whole(self, name: str) -> Portion:
        """A stage that one call does: it reports for all of it."""
        self.report.stage(name, PARTS)
        return Portion(self.report, PARTS)

    def _flow(self, stage: Stage) -> None:
        part = self._whole("Flow")
        flow = compute_flow(self.small, method=self.settings.flow, device=self.device, report=part)
        part.close()
        stage.save(forward=flow.forward, backward=flow.backward)

    def _motion(self, stage: Stage) -> None:
        part = self._whole("Motion")
        save_motion(stage, background_motion(self.small, self.flow, report=part, accelerator=self.accelerator))
        part.close()

    def _layers(self, stage: Stage) -> None:
        part = self._whole("Layers")
        hints = self.hints and replace(self.hints, seeds=spread(self.hints.seeds, self.flow))
        layers = find_layers(self.small, self.flow, self.camera, sprites=self.settings.sprites, hints=hints, report=part,
                             accelerator=self.accelerator)
        part.close()
        save_motion(stage, layers.camera)
        save_planes(stage, layers.planes)
        save_backdrop(stage, layers.backdrop)
        stage.save(alphas=layers.alphas, shade=layers.shade)

    def _hints(self) -> Hints | None:
        if self.settings.hints is None:
            return None
        return read_hints(self.settings.hints, self.small, clip_size=(self.reader.width, self.reader.height), sprites=self.settings.sprites)

    def _exposure(self, stage: Stage) -> None:
        self.report.stage("Exposure", PARTS * len(self.alphas))
        look = under(partial(self.small_backdrop.view, width=self.size[0], height=self.size[1]), self.shade)
        for k, alphas in enumerate(self.alphas):
            part = Portion(self.report, PARTS)
            save_sheet(stage, k, exposure_sheet(self.small, alphas, report=part, front=self._front(k), behind=lambda t: look(t)[0]))
            part.close()

    def _plate(self, stage: Stage) -> None:
        self.report.stage("Plate", 1)
        save_backdrop(stage, build_backdrop(self.full.__getitem__, self._plate_weight(), self.camera.homographies, self.planes,
                                            size=self.full.shape[2:0:-1], found_at=self.size, accelerator=self.accelerator))

    def _plate_weight(self) -> Callable[[int], np.ndarray]:
        """Frame number -> where it surely shows the background, uint8 (H, W)."""
        return self._per_frame(partial(plate_weight, static=self.camera.static))

    def _per_frame(self, weigh: Callable[[np.ndarray], np.ndarray]) -> Callable[[int], np.ndarray]:
        """Frame number -> what `weigh` says of the union of its masks, at full size, uint8 (H, W)."""
        every, size = self._front(-1), self.full.shape[2:0:-1]
        weights = Recalled(lambda t: weigh(every[t].astype(np.float32) / 255), len(self.small), size=self.size[0] * self.size[1])
        return lambda t: _enlarged(weights[t], size)

    def _drawings(self, stage: Stage) -> None:
        self.report.stage("Drawings", 1 + sum(len(sheet.references) for sheet in self.sheets))
        height, width = self.full.shape[1:3]
        # A camera that holds still shows every pixel as it is.
        records, backdrop = write_background(stage.folder, self.backdrop, self.full.__getitem__, self._plate_weight(), size=(width, height),
                                             sharpens=self.settings.sharpens and not self.camera.static,
                                             rim=self._per_frame(rim_weight) if self.camera.static else None)
        self.report.step()
        shown = partial(backdrop.view, width=width, height=height, like=self.full.__getitem__)
        look = under(shown, cv2.resize(self.shade, (width, height)))
        behind: tuple[Behind, ...] = ()
        keeper, seeds = Keeper(), self.hints and spread(self.hints.seeds, self.flow)
        for k, sheet in enumerate(self.sheets):
            if not len(sheet.references):
                continue  # a sprite that was asked for and is not there
            presence = self._presence(k, sheet)
            sheet = presence.sheet
            canvas = self._sprite_canvas(k, sheet)
            sighting = Sighting(self.full.__getitem__, self.alphas[k].__getitem__, self._front(k).__getitem__, look, behind,
                                parted=len(self.alphas) > 1, told=_told(seeds, k + 1))
            solid = np.where(presence.solid, sheet.exposure, 0)
            solved = ticked(solve_drawings(sighting, canvas, solid, accelerator=self.accelerator), self.report)
            mattes = [Matte(keeper.keep(matte.rgba), keeper.keep(matte.confidence)) for matte in solved]
            behind += (Behind(canvas, sheet.exposure, [matte.rgba for matte in mattes]),)
            number = len(behind)
            names = f"sprite_{number}", f"Sprite {number}", "sprite"
            records.append(SpriteRecord.write(stage.folder, *names, canvas, sheet.exposure, mattes, opacity=presence.opacity))
        records += self._veil_records(stage)
        stage.save_record("drawings", {"sprites": [asdict(record) for record in records]})

    def _veil_records(self, stage: Stage) -> list[SpriteRecord]:
        """Flashes, fades and tints of the whole shot: a plane of one color in front of everything, with an opacity a frame."""
        canvas = canvas_of_plane(np.tile(np.eye(3), (len(self.small), 1, 1)), self.reader.width, self.reader.height)
        records = []
        for number, veil in enumerate(self.veils, 1):
            flat = np.full((canvas.height, canvas.width, 4), (*veil.color, 255), np.uint8)
            name = "Flash" if min(veil.color) == 255 else "Tint" if any(veil.color) else "Fade"
            records.append(SpriteRecord.write(stage.folder, f"veil_{number}", name, "veil", canvas, (veil.amount > 0).astype(np.int32),
                                              [Matte(flat, flat[..., 3])], opacity=veil.amount))
        return records

    def _presence(self, k: int, sheet: ExposureSheet) -> Presence:
        look = under(partial(self.small_backdrop.view, width=self.size[0], height=self.size[1]), self.shade)
        return find_presence(self.small, self.alphas[k], self._front(k), sheet, look=look, camera=self.camera.homographies,
                             report=self.report)

    def _sprite_canvas(self, k: int, sheet: ExposureSheet) -> Canvas:
        height, width = self.full.shape[1:3]
        return canvas_of(sheet, self.alphas[k], width=width, height=height, camera=self.camera.homographies)

    def _front(self, k: int) -> Recalled[np.ndarray]:
        """The union of the masks before sprite k (-1: before the background), T times uint8 (h, w)."""
        return Recalled(lambda t: self.alphas[k + 1:, t].max(0, initial=0), len(self.small), size=self.size[0] * self.size[1])

    def _result(self, stage: Stage, drawings: Stage) -> None:
        self.report.stage("Result", 2 * self.reader.count)
        records = [SpriteRecord(**record) for record in drawings.record("drawings")["sprites"]]
        write_result(stage.folder, drawings.folder, records, self.reader, self.full.frames, settings=self.settings, device=self.device,
                     key=self.key, camera=self.camera, report=self.report, accelerator=self.accelerator)


def keep_apart(clip: Path, reader: ClipReader, out: Path) -> None:
    """Refuse to write a result among the clip's own pictures: its contact sheet would be a frame of the next run."""
    clip = Path(clip)
    if clip.is_dir() and Path(out).resolve() in (clip.resolve(), reader.files[0].parent.resolve()):
        raise SettingsError("settings.out", f"{out} is the clip's own folder.", "Choose another output folder.")


def _hints_key(path: Path | None) -> str:
    """Changes when the hints' file does, or a picture beside it.  Raises `SettingsError` settings.hints if it is not there."""
    if path is None:
        return ""
    if not path.is_file():
        raise SettingsError("settings.hints", f"There are no hints at {path}.", "Choose the file of hints, or decompose without them.")
    return fingerprint([(beside.name, sha256(beside)) for beside in sorted(path.parent.glob("*.png")) + [path]])


def _told(seeds: np.ndarray | None, number: int) -> Callable[[int], np.ndarray] | None:
    """Frame number -> where an artist's seeds, uint8 (T, h, w), say that it is the sprite of this number, bool (h, w)."""
    return None if seeds is None else lambda t: seeds[t] == number


def _enlarged(weight: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return weight if weight.shape[::-1] == size else cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR)
