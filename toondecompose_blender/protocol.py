# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension and the engine say to each other: errors, messages, and the manifest of a result folder.
Standard library only: with the list of packages all that both sides import; it must not know bpy, numpy or torch.

Errors, one tree (every error has a code, a message for the artist and a remedy):

    ToonError
    +-- ClipError        clip.*      the frames that go in
    +-- SettingsError    settings.*  a value that cannot work
    +-- ResultError      result.*    a result folder that is damaged, unsafe or too new
    +-- EngineError      engine.*    the engine's process, its machine or its installation
    +-- CharacterError   character.* sheets, poses and checkpoints of the character engine
    +-- SceneError       scene.*     Blender data that does not allow the operation
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath

__all__ = [
    "PROTOCOL_VERSION", "SCHEMA_VERSION", "ENGINE_VERSION", "MANIFEST_NAME",
    "ToonError", "ClipError", "SettingsError", "ResultError", "EngineError", "CharacterError", "SceneError",
    "Hello", "Progress", "Warned", "Artifact", "Done", "Failed", "Cancelled", "Message", "encode", "decode",
    "Clip", "Swatch", "Sprite", "Decomposition", "read_result", "write_manifest", "inside", "sha256",
]

PROTOCOL_VERSION = 1
SCHEMA_VERSION = 1
ENGINE_VERSION = "0.1.0"
MANIFEST_NAME = "decomposition.json"


class ToonError(Exception):
    """An error that an artist may see: `code` for programs, `message` and `remedy` for people."""

    def __init__(self, code: str, message: str, remedy: str = ""):
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ClipError(ToonError):
    pass


class SettingsError(ToonError):
    pass


class ResultError(ToonError):
    pass


class EngineError(ToonError):
    pass


class CharacterError(ToonError):
    pass


class SceneError(ToonError):
    pass


# Messages: one JSON object a line on the engine's standard output.

@dataclass(frozen=True)
class Hello:
    """First word of an engine: what it is and what it runs on."""
    protocol: int
    engine: str
    torch: str
    device: str


@dataclass(frozen=True)
class Progress:
    """`stage` is `stage_number` of `stage_count`; within it `done` of `total` units; `seconds_left` of the whole job, or None."""
    stage: str
    stage_number: int
    stage_count: int
    done: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True)
class Warned:
    """Something the artist should know; the work goes on."""
    code: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Artifact:
    """A file that can be looked at already; `path` is relative to the job folder."""
    kind: str
    path: str


@dataclass(frozen=True)
class Done:
    """Last word: the result is complete; `result` is the absolute folder."""
    result: str


@dataclass(frozen=True)
class Failed:
    """Last word: it did not work; finished stages are kept."""
    code: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Cancelled:
    """Last word: stopped because it was asked to; finished stages are kept."""


Message = Hello | Progress | Warned | Artifact | Done | Failed | Cancelled

_TYPES: dict[str, type] = {
    "hello": Hello, "progress": Progress, "warning": Warned, "artifact": Artifact,
    "done": Done, "failed": Failed, "cancelled": Cancelled,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def encode(message: Message, seq: int) -> str:
    """One line (without its newline) for `message`, the `seq`-th of its process."""
    return json.dumps({"v": PROTOCOL_VERSION, "seq": seq, "type": _NAMES[type(message)], **asdict(message)},
                      ensure_ascii=False, allow_nan=False)


def decode(line: str) -> Message:
    """The message of one line.  Raises `EngineError` (engine.protocol) for anything else."""
    try:
        record = json.loads(line)
        kind = _TYPES[record["type"]]
        if record["v"] != PROTOCOL_VERSION:
            raise EngineError("engine.version", f"The engine speaks protocol {record['v']}, this extension {PROTOCOL_VERSION}.",
                              "Repair the engine in the preferences.")
        return kind(**{f.name: record[f.name] for f in fields(kind)})
    except (ValueError, KeyError, TypeError) as cause:
        raise EngineError("engine.protocol", f"The engine sent a line that is no message: {line[:80]!r}",
                          "Repair the engine in the preferences.") from cause


# The manifest of a result folder.

@dataclass(frozen=True)
class Clip:
    """The frames that went in: size in pixels, `frames` of them, `fps` of the source, `first_frame` as the source numbers it."""
    name: str
    width: int
    height: int
    frames: int
    fps: float = 24.0
    first_frame: int = 1
    source: str = ""


@dataclass(frozen=True)
class Swatch:
    """One flat color of a sprite: display RGB 0..255 and the share of the sprite's area (0..1)."""
    color: tuple[int, int, int]
    share: float


@dataclass(frozen=True)
class Sprite:
    """One component.  Paths are relative to the result folder, with forward slashes.

    `drawings` are RGBA pictures (straight alpha, sRGB, 8 bit) of canvas size `width` x `height`; `exposure[t]` is the
    1-based drawing that frame t shows, 0 for none; `homographies` is an .npy file (T, 3, 3) float64, canvas -> frame
    in pixels, pixel centers at integers; `opacity[t]`, 0..1, multiplies the alpha (empty: 1 everywhere).
    `role` is "background", "sprite", or "veil": a flash, fade or tint of the whole shot, one color over all of it.
    `index_maps` (one a drawing, or none) are 8-bit pictures: the 1-based swatch of each pixel, 0 for none.
    `part_of` is the id of the sprite that this plane belongs to (a far plane of the background, say), "" for a whole sprite;
    parts stand right before it and are behind it.
    `confidence` is an 8-bit picture of the canvas, 255 where the drawing was seen, 0 where it was made up; "" if absent.
    """
    id: str
    name: str
    role: str
    width: int
    height: int
    drawings: tuple[str, ...]
    exposure: tuple[int, ...]
    homographies: str
    opacity: tuple[float, ...] = ()
    palette: tuple[Swatch, ...] = ()
    index_maps: tuple[str, ...] = ()
    confidence: str = ""
    part_of: str = ""


@dataclass(frozen=True)
class Decomposition:
    """A whole result; `sprites` stand in layer order, back to front.  `files` maps every file to its SHA-256.

    `residual` (one picture a frame, or none) is what the sprites lack of the clip, kept apart from them and counted in no
    figure: 16-bit RGB pictures of the clip's size, 0x8080 + clip - recomposition in 8-bit values, so that recomposition +
    picture - 0x8080 is the clip's frame, bit for bit.
    """
    clip: Clip
    sprites: tuple[Sprite, ...]
    engine: str = ENGINE_VERSION
    device: str = "cpu"
    seed: int = 0
    settings: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    contact_sheet: str = ""
    preview: str = ""
    residual: tuple[str, ...] = ()
    files: dict = field(default_factory=dict)
    schema: int = SCHEMA_VERSION


def sha256(path: os.PathLike | str) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inside(folder: os.PathLike | str, relative: str) -> Path:
    """`relative` as a path below `folder`.  Raises `ResultError` (result.path) if it is absolute or leaves the folder."""
    pure = PurePosixPath(relative)
    if not relative or pure.is_absolute() or ".." in pure.parts or "\\" in relative or ":" in relative:
        raise ResultError("result.path", f"The result names a file outside of its folder: {relative!r}.",
                          "Do not use this result; decompose the clip again.")
    return Path(folder, *pure.parts)


def write_manifest(folder: os.PathLike | str, decomposition: Decomposition) -> Path:
    """Write decomposition.json as the last file of a result, in one step: whole, or not at all."""
    path = Path(folder, MANIFEST_NAME)
    temporary = path.with_name(path.name + ".tmp")
    text = json.dumps(asdict(decomposition), indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)
    with open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return path


def read_result(folder: os.PathLike | str) -> Decomposition:
    """The manifest of a result folder, its schema and paths checked; that its files exist is the importer's business.

    Raises `ResultError`: result.missing, result.damaged, result.newer, result.path.
    """
    path = Path(folder, MANIFEST_NAME)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ResultError("result.missing", f"There is no result in {Path(folder)}.",
                          f"Choose a folder that holds a {MANIFEST_NAME}.") from None
    except (OSError, ValueError) as cause:
        raise ResultError("result.damaged", f"{path} cannot be read: {cause}.", "Decompose the clip again.") from cause
    try:
        if record["schema"] > SCHEMA_VERSION:
            raise ResultError("result.newer", f"This result has schema {record['schema']}; this version reads up to {SCHEMA_VERSION}.",
                              "Update Toon Decompose.")
        decomposition = _decomposition(record)
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise ResultError("result.damaged", f"{path} lacks or misspells {cause}.", "Decompose the clip again.") from cause
    _check(folder, decomposition)
    return decomposition


def _decomposition(record: dict) -> Decomposition:
    known = {f.name for f in fields(Decomposition)}
    values = {key: value for key, value in record.items() if key in known}
    values["clip"] = _known(Clip, record["clip"])
    values["sprites"] = tuple(_sprite(sprite) for sprite in record["sprites"])
    values["residual"] = tuple(record.get("residual", ()))
    return Decomposition(**values)


def _sprite(record: dict) -> Sprite:
    sprite = dict(record)
    sprite["palette"] = tuple(Swatch(tuple(s["color"]), float(s["share"])) for s in record.get("palette", ()))
    for name in ("drawings", "exposure", "opacity", "index_maps"):
        sprite[name] = tuple(record.get(name, ()))
    return _known(Sprite, sprite)


def _known(kind: type, record: dict):
    return kind(**{f.name: record[f.name] for f in fields(kind) if f.name in record})


def _check(folder: os.PathLike | str, decomposition: Decomposition) -> None:
    def damaged(what: str) -> ResultError:
        return ResultError("result.damaged", what, "Decompose the clip again.")

    if not decomposition.sprites:
        raise damaged("The result holds no sprites.")
    if len(decomposition.residual) not in (0, decomposition.clip.frames):
        raise damaged(f"The result has {len(decomposition.residual)} residuals for {decomposition.clip.frames} frames.")
    for path in decomposition.residual:
        inside(folder, path)
    whole = {sprite.id for sprite in decomposition.sprites if not sprite.part_of}
    for sprite in decomposition.sprites:
        if sprite.part_of and sprite.part_of not in whole:
            raise damaged(f"Sprite {sprite.id} is part of {sprite.part_of!r}, which is not there.")
        if not sprite.drawings:
            raise damaged(f"Sprite {sprite.id} has no drawings.")
        if len(sprite.exposure) != decomposition.clip.frames:
            raise damaged(f"Sprite {sprite.id} exposes {len(sprite.exposure)} frames, the clip has {decomposition.clip.frames}.")
        if not all(isinstance(d, int) and 0 <= d <= len(sprite.drawings) for d in sprite.exposure):
            raise damaged(f"Sprite {sprite.id} exposes a drawing that it does not have.")
        for path in (*sprite.drawings, *sprite.index_maps, sprite.homographies):
            inside(folder, path)
