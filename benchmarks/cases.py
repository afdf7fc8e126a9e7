# SPDX-License-Identifier: GPL-3.0-or-later
"""What the speed topics decompose: a clip that is there, the demo, or a drawn crowd, each by name; measured once a process.
It knows how to get a clip and to have it watched; it prints no table."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2

from toondecompose_blender.engine.clip import open_clip
from toondecompose_blender.engine.demo import compose_scene
from toondecompose_blender.engine.pictures import write_picture

from .drawn_clips import crowd, write_frames
from .watch import Run, watch

__all__ = ["Case", "Measured", "demo_case", "drawn_case", "measured", "violet_case", "warm_up"]


@dataclass(frozen=True)
class Case:
    """A clip to decompose: the folder or movie `source`, its frames made smaller to `height` lines if that is given, or, without a
    source, a drawn clip of `size` (width, height), `frames` and `sprites`; `lines` is the engine's --size."""
    name: str
    sprites: int = 2
    lines: int | None = None
    source: Path | None = None
    size: tuple[int, int] = (640, 360)
    frames: int = 60
    demo: bool = False
    height: int | None = None

    def write(self, folder: Path) -> Path:
        """Where the clip's frames are: its source, or drawn now into `folder`."""
        if self.source is not None:
            return self.source if self.height is None else _shrunk(self.source, self.height, folder / "frames")
        draw = compose_scene if self.demo else crowd
        return write_frames(draw(width=self.size[0], height=self.size[1], frames=self.frames, sprites=self.sprites), folder / "frames")


@dataclass(frozen=True)
class Measured:
    """A run and the clip that it was of."""
    case: Case
    width: int
    height: int
    frames: int
    run: Run

    def record(self) -> dict:
        """Plain values, as they are kept."""
        run = asdict(self.run) | {"stages": [asdict(stage) for stage in self.run.stages]}
        sums = {name: round(getattr(self.run, name), 2) for name in ("seconds", "alone", "busy", "peak_gb", "own_gb")}
        return run | sums | {"width": self.width, "height": self.height, "frames": self.frames}


def violet_case(clips: Path, *, height: int = 720, lines: int | None = None) -> Case | None:
    """The published test clip, 1280x720 or smaller, analyzed at the standard preset's lines or at others; None if it is not there."""
    source = clips / "violet"
    fine = f", analyzed at {lines}" if lines else ""
    return Case(f"violet {height}{fine}", 2, lines, source, height=None if height == 720 else height) if source.exists() else None


def demo_case() -> Case:
    """The demo clip as `demo-clip` draws it."""
    return Case("demo", demo=True)


def drawn_case(name: str, *, size: tuple[int, int], frames: int, sprites: int = 2, lines: int | None = None) -> Case:
    """A crowd of `sprites` - 1 in front of the town."""
    return Case(name, sprites, lines, None, size, frames)


def _shrunk(source: Path, height: int, folder: Path) -> Path:
    reader = open_clip(source)
    folder.mkdir()
    size = round(reader.width * height / reader.height), height
    for t, frame in enumerate(reader, 1):
        write_picture(folder / f"{t:04d}.png", cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
    return folder


@functools.cache
def measured(case: Case) -> Measured:
    """Draw the clip if need be, decompose it, and say what that took.  Raises `SystemExit` if the engine fails."""
    with tempfile.TemporaryDirectory() as folder:
        clip = case.write(Path(folder))
        reader = open_clip(clip)
        run = watch(clip, name=case.name, sprites=str(case.sprites), lines=case.lines)
        return Measured(case, reader.width, reader.height, reader.count, run)


@functools.cache
def warm_up() -> None:
    """Decompose a tiny clip, so that the compiled kernels are in their cache: an artist's first clip pays for them, no other."""
    measured(drawn_case("warm-up", size=(128, 96), frames=12, sprites=3))
