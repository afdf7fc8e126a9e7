# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing a character: a folder with its sheet and a folder of poses become a result like any other; drawings become poses.
Checks everything before the long work; frames that are drawn survive a stop.  The arithmetic lives in `methods`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ...protocol import CharacterError, Decomposition, SettingsError, sha256
from ..device import resolve_device
from ..digest import engine_digest
from ..parallel import map_ordered
from ..pictures import read_picture, write_picture
from ..report import Report, Silent
from ..stages import StageStore, fingerprint
from .checkpoints import check_folder
from .cropping import shot_crop
from .detection import detect_poses
from .methods import NetworkMethod, Options, TransferMethod, detected_views, occupancy
from .networks import NETWORKS, STRIDE
from .sheet import View, picture_files, read_sheet
from .smoothing import smoothed
from .transfer import PROPORTIONS, Painted, Painter
from .udp import pose_files, read_pose, read_poses

__all__ = ["draw_character", "detect_poses", "Options", "METHODS"]

METHODS = ("transfer", "conr")
DEFAULTS = Options()
LARGEST_SIZE = 2048
NOTE = "poses.json"  # written beside rendered poses: the proportions of their channels
STAGES_FOLDER = "stages"


def draw_character(sheet: Path, poses: Path, out: Path, *, method: str = "transfer", weights: Path | None = None, size: int = 512,
                   background: Path | None = None, device: str = "cpu", report: Report | None = None,
                   fps: float = 24.0, options: Options = DEFAULTS) -> Decomposition:
    """Draw the character of `sheet` in every pose of `poses`; the result in `out` has the poses' size and one frame a pose.

    `method` is "transfer" (no weights needed where the views have poses) or "conr"; `size` is what the networks work at, a
    multiple of 128 px.  `background`, a picture or a movie, becomes a sprite behind.  Frames already drawn are not drawn again.
    Raises `SettingsError` (settings.method, settings.size) and `CharacterError` before the work starts.
    """
    report = report or Silent()
    device = resolve_device(device)
    _check(method, weights, size, needs_weights=method == "conr")
    files = pose_files(poses)
    job = _Drawing(Path(out), files, read_sheet(sheet, report=report), method, weights, size, device, options, report)
    job.examine(poses, sheet)
    if background is not None:
        from ..clip import open_clip
        open_clip(background)  # so that an unreadable one is told now
    drawn = job.draw(fingerprint(_key(sheet, weights, method, size, options, device), job.extent, job.crop and asdict(job.crop)))
    return job.publish(drawn, background, fps)


class _Drawing:
    """One job: its poses, its sheet and what is known of them."""

    def __init__(self, out: Path, files: list[Path], views: tuple[View, ...], method: str, weights: Path | None, size: int,
                 device: str, options: Options, report: Report):
        self.out, self.files, self.views, self.method, self.weights, self.size = out, files, views, method, weights, size
        self.device, self.options, self.report = device, options, report
        self.extent, self.crop, self.shape = PROPORTIONS, None, (0, 0)

    def examine(self, poses: Path, sheet: Path) -> None:
        """Read every pose once: all are valid and of one size, numbered like the sheet's, and the square of the shot is known."""
        note, of_sheet = _note(Path(poses)), _note(Path(sheet))
        if note and of_sheet and note != of_sheet:
            raise CharacterError("character.poses_differ", "The poses of the sheet and of the motion number the character differently.",
                                 "Render both with the same meshes visible, the same A-pose and the same axes.")
        self.extent = tuple((note or of_sheet or {"extent": PROPORTIONS})["extent"])
        self._tell_of_views_without_pose()
        self.report.stage("Poses", len(self.files))
        self.crop = shot_crop(self._alphas())
        if self.crop is None:
            raise CharacterError("character.poses_empty", "No pose shows the character.",
                                 "Point the camera at the character and render the poses again.")

    def _tell_of_views_without_pose(self) -> None:
        unknown = [view.name for view in self.views if view.pose is None]
        if self.method == "transfer" and self.weights is None and 0 < len(unknown) < len(self.views):
            self.report.warn("character.view_without_pose", f"These views have no pose and are left out: {', '.join(unknown)}.",
                             "Render their poses from the rig, or give the weights folder.")

    def _alphas(self) -> Iterator[np.ndarray]:
        for pose in read_poses(self.files):
            self.shape = pose.shape[:2]
            self.report.step()
            yield occupancy(pose)

    def draw(self, key: str) -> list[tuple[Path, Path]]:
        """A picture and a map of what was seen, for every pose; from the store where a rerun finds them."""
        store = self.out / STAGES_FOLDER / "frames"
        store.mkdir(parents=True, exist_ok=True)
        names, before = [], ""
        for path in self.files:
            name = fingerprint(key, sha256(path), before)[:32]
            names.append((store / f"{name}.png", store / f"{name}.seen.png"))
            before = name if self.options.previous else ""
        self.report.stage("Drawing", len(names))
        missing = {pair: path for pair, path in zip(names, self.files, strict=True) if not (pair[0].is_file() and pair[1].is_file())}
        for _ in range(len(names) - len(missing)):
            self.report.step()
        if missing:
            self._draw_missing(missing if not self.options.previous else dict(zip(names, self.files, strict=True)))
        return names

    def _draw_missing(self, missing: dict[tuple[Path, Path], Path]) -> None:
        artist = self._artist()

        def drawn(item: tuple[tuple[Path, Path], Path]) -> tuple[tuple[Path, Path], Painted]:
            return item[0], artist.draw(read_pose(item[1]))

        work = map(drawn, missing.items()) if artist.sequential else map_ordered(drawn, missing.items(), ahead=1)
        for (picture, seen), painted in work:
            write_picture(seen, painted.seen)
            if painted.ink is not None:
                write_picture(_ink_beside(picture), painted.ink)
            write_picture(picture, painted.rgba)
            self.report.step()

    def _artist(self) -> TransferMethod | NetworkMethod:
        if self.method == "transfer" and (self.weights is None or all(view.pose is not None for view in self.views)):
            return TransferMethod(self.views, extent=self.extent, options=self.options)
        from .renderer import load_renderer
        renderer = load_renderer(self.weights, device=self.device)
        if self.method == "transfer":
            return TransferMethod(detected_views(renderer, self.views, self.size), extent=self.extent, options=self.options)
        painter = Painter(detected_views(renderer, self.views, self.size), extent=self.extent) if self.options.guide else None
        crop = self.crop if self.options.steady_crop and not self.options.published else None
        return NetworkMethod(renderer, self.views, size=self.size, crop=crop, options=self.options, painter=painter)

    def frames(self, drawn: list[tuple[Path, Path]]) -> Iterator[Painted]:
        """The finished drawings in order, smoothed over time where that is asked for."""
        before = None
        for (picture, seen), path in zip(drawn, self.files, strict=True):
            rgba = read_picture(picture)
            if self.options.smoothing > 0:
                pose = read_pose(path)
                if before is not None:
                    rgba = smoothed(rgba, pose, *before, strength=self.options.smoothing)
                before = rgba, pose
            yield Painted(rgba, read_picture(seen)[..., 0])

    def ink(self, drawn: list[tuple[Path, Path]]) -> Iterator[Painted]:
        """The contour lines of every frame, where they are kept apart."""
        if self.method == "transfer" and self.options.ink:
            for picture, _ in drawn:
                rgba = read_picture(_ink_beside(picture))
                yield Painted(rgba, rgba[..., 3])

    def publish(self, drawn: list[tuple[Path, Path]], background: Path | None, fps: float) -> Decomposition:
        from ..result import publish
        from .result import write_character
        key = fingerprint([pair[0].name for pair in drawn], asdict(self.options), str(background), fps)
        settings = {"method": self.method, "size": self.size, "key": key}
        stage = StageStore(self.out / STAGES_FOLDER).run("character", key, lambda stage: write_character(
            stage.folder, self.frames(drawn), self.ink(drawn), self.files, self.shape, background=background, fps=fps, device=self.device,
            settings=settings, report=self.report))
        return publish(stage.folder, self.out, self.report)


def _check(method: str, weights: Path | None, size: int, *, needs_weights: bool) -> None:
    if method not in METHODS:
        raise SettingsError("settings.method", f"There is no method {method!r}.", f"Choose one of: {', '.join(METHODS)}.")
    if size % STRIDE or not STRIDE <= size <= LARGEST_SIZE:
        raise SettingsError("settings.size", f"The networks cannot work at {size} px.",
                            f"Choose a multiple of {STRIDE} up to {LARGEST_SIZE}.")
    if weights is not None:
        check_folder(Path(weights))
    elif needs_weights:
        raise CharacterError("character.weights_missing", "CoNR needs its weights.", "Choose the weights folder, or the method Transfer.")


def _ink_beside(picture: Path) -> Path:
    return picture.with_suffix(".ink.png")


def _note(folder: Path) -> dict | None:
    """How the poses of a folder were normalized, if that was noted."""
    path = folder / NOTE
    try:
        note = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        return note and {**note, "extent": [float(value) for value in note["extent"]]}
    except (ValueError, KeyError, TypeError) as cause:
        raise CharacterError("character.poses_note", f"{path} is damaged.", "Render the poses again.") from cause


def _key(sheet: Path, weights: Path | None, method: str, size: int, options: Options, device: str) -> str:
    """What a drawn frame depends on, besides its pose."""
    views = [(path.name, sha256(path)) for file in picture_files(sheet) for path in sorted(Path(sheet).glob(f"{file.stem}.*"))]
    nets = [sha256(Path(weights) / f"{name}.pth") for name in NETWORKS] if weights is not None else []
    return fingerprint(engine_digest(), views, nets, method, size, {**asdict(options), "smoothing": 0}, device)
