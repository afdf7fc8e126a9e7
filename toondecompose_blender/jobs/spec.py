# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job is asked to do: a frozen record that is written to job.json and turned into the engine's arguments.
Values only; it must not know where jobs lie or how an engine is started."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ..protocol import SettingsError

__all__ = ["JobSpec", "Origin", "engine_arguments", "write_record", "read_spec", "JOB_FILE", "MOST_SPRITES", "PRESETS", "DEVICES", "FLOWS",
           "SHOTS", "FARMS"]

JOB_FILE = "job.json"
JOB_SCHEMA = 1
MOST_SPRITES = 8                                # the engine's own limit
PRESETS = ("draft", "standard", "best")
DEVICES = ("auto", "cpu", "cuda")
METHODS = ("transfer", "conr")
SHOTS = ("auto", "off")
FARMS = ("", "openjd", "flamenco", "dask")      # "" is this machine
FLOWS = ("", "dis", "raft")                     # "" leaves the choice to the preset


@dataclass(frozen=True)
class Origin:
    """Where in which .blend the clip was shown, so that the result finds back: `frame_start` is a scene frame; all optional."""
    blend: str = ""
    scene: str = ""
    strip: str = ""
    frame_start: int = 1


@dataclass(frozen=True)
class JobSpec:
    """One decomposition, or one drawing of a character.

    `clip` is an absolute path of a folder of images or a movie; `sprites` 1..8 or None for auto; `frames` the first and the
    last frame, counted from 1 (None: to the clip's end), or None for all; `size` the lines of the analysis or None for the
    preset's; `hints` an absolute path or "".  `motion` and `blending` are for the import.  With a `sheet`, a folder of views,
    `clip` is a folder of poses and `size` the drawing's; `method`, `weights`, `background` and the words in `switches` are
    the engine's.  `shots` is auto or off; with a `farm` the job is to hand the clip to that one, Dask's at the address `scheduler`.
    Raises `SettingsError` for a value that cannot work.
    """
    clip: str
    name: str
    sprites: int | None = None
    preset: str = "standard"
    frames: tuple[int, int | None] | None = None
    size: int | None = None
    device: str = "auto"
    seed: int = 0
    flow: str = ""
    hints: str = ""
    motion: str = "shape-keys"
    blending: str = "display"
    sheet: str = ""
    method: str = "transfer"
    weights: str = ""
    background: str = ""
    switches: tuple[str, ...] = ()
    shots: str = "auto"
    farm: str = ""
    scheduler: str = ""
    origin: Origin = field(default_factory=Origin)
    schema: int = JOB_SCHEMA

    @property
    def is_handed_over(self) -> bool:
        """Whether the job ends when the farm has what it needs, long before there are sprites."""
        return self.farm in ("openjd", "flamenco")

    def __post_init__(self):
        if not self.clip or not os.path.isabs(self.clip):
            raise SettingsError("settings.clip", f"The clip {self.clip!r} is no absolute path.", "Choose the clip again.")
        if self.sprites is not None and self.sprites not in range(1, MOST_SPRITES + 1):
            raise SettingsError("settings.sprites", f"{self.sprites} sprites are not possible.", f"Choose 1 to {MOST_SPRITES}, or Auto.")
        first, last = self.frames or (1, None)
        if not 1 <= first <= (first if last is None else last):
            raise SettingsError("settings.frames", f"The frames {first} to {last} hold nothing.", "Choose another range.")
        for name, allowed in (("preset", PRESETS), ("device", DEVICES), ("flow", FLOWS), ("method", METHODS),
                              ("shots", SHOTS), ("farm", FARMS)):
            value = getattr(self, name)
            if value not in allowed:
                raise SettingsError(f"settings.{name}", f"There is no {name} {value!r}.", f"Choose one of: {', '.join(allowed)}.")


def engine_arguments(spec: JobSpec, folder: os.PathLike | str) -> list[str]:
    """The words after `python -m toondecompose_blender.engine` for this job; everything goes into `folder`."""
    if spec.sheet:
        return _draw_arguments(spec, folder)
    sprites = "auto" if spec.sprites is None else str(spec.sprites)
    words = ["submit" if spec.farm else "decompose", spec.clip, "--sprites", sprites, "--out", os.fspath(folder),
             "--preset", spec.preset, "--device", spec.device, "--seed", str(spec.seed)]
    if spec.frames is not None:
        words += ["--frames", f"{spec.frames[0]}:{spec.frames[1] or ''}"]
    shots = "" if spec.shots == "auto" else spec.shots
    for option, value in (("--size", spec.size), ("--flow", spec.flow), ("--hints", spec.hints), ("--shots", shots), ("--to", spec.farm),
                          ("--scheduler", spec.scheduler)):
        if value:
            words += [option, str(value)]
    return [*words, "--json"]


def _draw_arguments(spec: JobSpec, folder: os.PathLike | str) -> list[str]:
    words = ["draw", "--sheet", spec.sheet, "--poses", spec.clip, "--out", os.fspath(folder), "--method", spec.method,
             "--device", spec.device]
    for option, value in (("--size", spec.size), ("--weights", spec.weights), ("--background", spec.background)):
        if value:
            words += [option, str(value)]
    return [*words, *spec.switches, "--json"]


def write_record(path: Path, record: object, *, sync: bool = True) -> None:
    """Write a dataclass as JSON in one step: whole, or not at all; with `sync` also if the power fails.  Raises OSError."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            json.dump(asdict(record), file, indent=1, ensure_ascii=False, sort_keys=True)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_spec(folder: os.PathLike | str) -> JobSpec:
    """The request in a job folder.  Raises `SettingsError` (settings.job) if it is missing, damaged or from a newer version."""
    path = Path(folder, JOB_FILE)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema"] > JOB_SCHEMA:
            raise SettingsError("settings.job", f"The job {path} was made by a newer version.", "Update Toon Decompose.")
        values = {f.name: record[f.name] for f in fields(JobSpec) if f.name in record}
        values["frames"] = tuple(values["frames"]) if values.get("frames") else None
        values["switches"] = tuple(values.get("switches", ()))
        values["origin"] = Origin(**values.get("origin", {}))
        return JobSpec(**values)
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise SettingsError("settings.job", f"The job {path} cannot be read: {cause}.", "Decompose the clip again.") from cause
