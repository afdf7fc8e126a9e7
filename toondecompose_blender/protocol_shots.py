# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a clip that cuts: which shots it has, where the result of each lies, and what went wrong with one.
A part of the protocol: standard library only; it must not know bpy, numpy or torch."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from .protocol import ENGINE_VERSION, MANIFEST_NAME, Clip, ResultError, ToonError, inside, read_result

__all__ = ["SHOTS_NAME", "WAITING", "DONE", "FAILED", "ShotRecord", "Shots", "shot_folder", "has_shots", "read_shots", "write_shots",
           "write_failure"]

SHOTS_NAME, FAILURE_NAME = "shots.json", "failure.json"
SHOTS_SCHEMA = 1
WAITING, DONE, FAILED = "waiting", "done", "failed"


@dataclass(frozen=True)
class ShotRecord:
    """One shot: its result lies in `folder` (relative, forward slashes) and shows the whole's frames `first` to `last`, from 1.

    `state` is waiting, done or failed; of a failed one `code`, `message` and `remedy` tell why.
    """
    folder: str
    first: int
    last: int
    state: str = WAITING
    code: str = ""
    message: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Shots:
    """A whole clip as its shots, in order and without gaps; `clip` is the whole one."""
    clip: Clip
    shots: tuple[ShotRecord, ...]
    engine: str = ENGINE_VERSION
    schema: int = SHOTS_SCHEMA


def shot_folder(number: int) -> str:
    """Where the result of shot `number` (from 1) lies, relative to the whole."""
    return f"shots/{number:03d}"


def has_shots(folder: os.PathLike | str) -> bool:
    """Whether `folder` holds a clip in shots, and not a single result."""
    return Path(folder, SHOTS_NAME).is_file() and not Path(folder, MANIFEST_NAME).is_file()


def read_shots(folder: os.PathLike | str) -> Shots:
    """The shots of a whole, checked, as far as their folders are now: on a farm several machines work on them.

    Raises `ResultError`: result.missing, result.damaged, result.newer, result.path.
    """
    path = Path(folder, SHOTS_NAME)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema"] > SHOTS_SCHEMA:
            raise ResultError("result.newer", f"This result has schema {record['schema']}; this version reads up to {SHOTS_SCHEMA}.",
                              "Update Toon Decompose.")
        shots = Shots(_known(Clip, record["clip"]), tuple(_known(ShotRecord, shot) for shot in record["shots"]), record["engine"])
        _check(folder, shots)
        return replace(shots, shots=tuple(_as_it_is(folder, shot) for shot in shots.shots))
    except (FileNotFoundError, NotADirectoryError):
        raise ResultError("result.missing", f"There are no shots in {Path(folder)}.",
                          f"Choose a folder that holds a {SHOTS_NAME}.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise ResultError("result.damaged", f"{path} cannot be read: {cause}.", "Decompose the clip again.") from cause


def write_shots(folder: os.PathLike | str, shots: Shots) -> Path:
    """Write shots.json in one step: whole, or not at all.  Raises OSError."""
    path = Path(folder, SHOTS_NAME)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(asdict(shots), indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return path


def write_failure(folder: os.PathLike | str, error: ToonError | None) -> None:
    """Note beside a shot's result why there is none; None takes the note away.  Raises OSError."""
    path = Path(folder, FAILURE_NAME)
    if error is None:
        path.unlink(missing_ok=True)
        return
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    record = {"code": error.code, "message": error.message, "remedy": error.remedy}
    temporary.write_text(json.dumps(record, ensure_ascii=False, sort_keys=True), encoding="utf-8")
    os.replace(temporary, path)


def _as_it_is(folder: os.PathLike | str, shot: ShotRecord) -> ShotRecord:
    """The record of a shot by what lies in its folder: a result of its frames, or why there is none."""
    place = inside(folder, shot.folder)
    try:
        if read_result(place).clip.frames == shot.last - shot.first + 1:
            return replace(shot, state=DONE, code="", message="", remedy="")
    except ResultError:
        pass
    try:
        failure = json.loads((place / FAILURE_NAME).read_text(encoding="utf-8"))
        return replace(shot, state=FAILED, **{name: str(failure[name]) for name in ("code", "message", "remedy")})
    except (OSError, ValueError, KeyError, TypeError):
        return shot if shot.state == FAILED else replace(shot, state=WAITING)


def _known(kind: type, record: dict):
    return kind(**{f.name: record[f.name] for f in fields(kind) if f.name in record})


def _check(folder: os.PathLike | str, shots: Shots) -> None:
    following = 1
    for shot in shots.shots:
        inside(folder, shot.folder)
        if shot.first != following or shot.last < shot.first or shot.state not in (WAITING, DONE, FAILED):
            raise ValueError(f"shot {shot.folder} has frames {shot.first} to {shot.last}, {shot.state}")
        following = shot.last + 1
    if following != shots.clip.frames + 1:
        raise ValueError(f"the shots end at frame {following - 1} of {shots.clip.frames}")
