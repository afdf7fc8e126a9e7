# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip of any length: one shot becomes one result; several become one each, below shots/, with one manifest for all.
It finds the shots and keeps the books; the shots themselves are worked on elsewhere, each by an engine of its own."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..protocol import MANIFEST_NAME, Decomposition, EngineError, ResultError, ToonError, inside, read_result
from ..protocol_shots import DONE, FAILED, SHOTS_NAME, ShotRecord, Shots, read_shots, shot_folder, write_shots
from .claim import claimed
from .clip import ClipReader, open_clip
from .decompose import STAGES_FOLDER, decompose, keep_apart
from .device import resolve_device
from .memory import side_by_side
from .report import Report
from .settings import Settings
from .shot_engines import ShotEngines, ShotTask
from .shots import find_cuts, shots_between
from .stages import StageStore, fingerprint, told

__all__ = ["decompose_whole", "plan_shots", "write_plan"]


def decompose_whole(clip: Path, out: Path, *, settings: Settings, by_shots: bool, wait: bool, report: Report) -> Decomposition | Shots:
    """Decompose `clip` into `out`: a single result, or with `by_shots`, if the clip cuts, one a shot and a manifest of the shots.

    `wait` for another engine that works on `out`, instead of refusing.  A shot that fails does not stop the others.
    Raises `ToonError` (clip.*, settings.*, engine.*; engine.shots if some shots failed in the end) and `Stopped`.
    """
    device = resolve_device(settings.device)    # a wish that cannot be met is told before the work
    reader = open_clip(clip, frames=settings.frames)
    keep_apart(clip, reader, out)
    with claimed(Path(out), wait=wait, report=report) as held:
        if by_shots and settings.hints is None:
            shots = plan_shots(reader, out, report=held)
            if len(shots.shots) > 1:
                return _each(clip, out, shots, reader=reader, settings=settings, device=device, report=held)
        _forget_shots(out)
        return decompose(clip, out, settings=settings, report=held)


def write_plan(clip: Path, out: Path, *, frames: slice | None, by_shots: bool, report: Report) -> Shots:
    """Write shots.json alone: what a farm is to do.  Without `by_shots` the clip is one shot.  Raises as `decompose_whole`."""
    reader = open_clip(clip, frames=frames)
    keep_apart(clip, reader, out)
    with claimed(Path(out), wait=False, report=report) as held:
        shots = plan_shots(reader, out, report=held) if by_shots else _shots(reader, [])
        _forget_single(out)
        _forget_shots(out, keep={shot.folder for shot in shots.shots})
        return _Books(out, shots).shots


def plan_shots(reader: ClipReader, out: Path, *, report: Report) -> Shots:
    """The shots of a clip, all waiting; cuts that were found once are kept in out/stages."""
    store = StageStore(out / STAGES_FOLDER, report)
    cuts = store.run("cuts", fingerprint(reader.key), lambda stage: stage.save(cuts=np.array(find_cuts(reader, report=report), np.int64)))
    return _shots(reader, cuts.load("cuts").tolist())


def _shots(reader: ClipReader, cuts: list[int]) -> Shots:
    shots = shots_between(cuts, reader.count)
    return Shots(reader.record, tuple(ShotRecord(shot_folder(number), shot.first, shot.last) for number, shot in enumerate(shots, 1)))


def _each(clip: Path, out: Path, shots: Shots, *, reader: ClipReader, settings: Settings, device: str, report: Report) -> Shots:
    """All shots, as many at once as fit; the manifest says at every moment how far each is."""
    _forget_single(out)
    _forget_shots(out, keep={shot.folder for shot in shots.shots})
    books = _Books(out, shots)
    longest = max(shot.last - shot.first + 1 for shot in shots.shots)
    native = reader.width, reader.height
    together = side_by_side(len(shots.shots), frames=longest, analyzed=settings.analysis_size(*native), native=native,
                            device=device)
    report.plan({"Cuts": 1, **{f"Shot {number} of {len(shots.shots)}": 20 for number in range(1, len(shots.shots) + 1)}})
    offset = settings.frames.start if settings.frames else 0
    tasks = [ShotTask(number, Path(clip), out / shot.folder, offset + shot.first, offset + shot.last)
             for number, shot in enumerate(shots.shots, 1)]
    with ShotEngines(tasks, settings=replace(settings, device=device), together=together, report=report) as engines:
        for number, error in engines.ended():
            books.close(number, error)
            if error is None:
                _show(out, shots.shots[number - 1], report)
    return books.audited()


class _Books:
    """The manifest of the shots on disk, written anew whenever one ends."""

    def __init__(self, out: Path, shots: Shots):
        self.out, self.shots = out, shots
        self._write()

    def close(self, number: int, error: ToonError | None) -> None:
        """Shot `number` is done, or failed for `error`."""
        reason = {"code": error.code, "message": error.message, "remedy": error.remedy} if error else {}
        changed = replace(self.shots.shots[number - 1], state=FAILED if error else DONE, **reason)
        self.shots = replace(self.shots, shots=(*self.shots.shots[:number - 1], changed, *self.shots.shots[number:]))
        self._write()

    def audited(self) -> Shots:
        """The shots if all are done; else raises `EngineError` engine.shots, which names the first that failed."""
        failed = [(number, shot) for number, shot in enumerate(self.shots.shots, 1) if shot.state != DONE]
        if failed:
            number, shot = failed[0]
            raise EngineError("engine.shots", f"{len(failed)} of {len(self.shots.shots)} shots failed; shot {number}, frames {shot.first} "
                              f"to {shot.last}: {shot.message}", f"{shot.remedy} Starting again tries only these; the others are finished.")
        return self.shots

    def _write(self) -> None:
        try:
            write_shots(self.out, self.shots)
        except OSError as cause:
            raise told(cause, self.out) from cause


def _show(out: Path, shot: ShotRecord, report: Report) -> None:
    """Let the artist look at what is finished."""
    with contextlib.suppress(ResultError):
        result = read_result(out / shot.folder)
        report.artifact("contact_sheet", f"{shot.folder}/{result.contact_sheet}")


def _forget_shots(out: Path, keep: set[str] = frozenset()) -> None:
    """Shots of an earlier run that are no shots any more leave nothing behind."""
    try:
        old = read_shots(out)
    except ResultError:
        return
    for shot in old.shots:
        if shot.folder not in keep:
            shutil.rmtree(inside(out, shot.folder), ignore_errors=True)
    if not keep:
        (out / SHOTS_NAME).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (out / Path(shot_folder(1)).parent).rmdir()


def _forget_single(out: Path) -> None:
    """A result of the whole clip, made before it was taken by shots, leaves nothing behind."""
    try:
        files = read_result(out).files
    except ResultError:
        return
    for name in files:
        inside(out, name).unlink(missing_ok=True)
    (out / MANIFEST_NAME).unlink(missing_ok=True)
