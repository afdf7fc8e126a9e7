# SPDX-License-Identifier: GPL-3.0-or-later
"""What the speed topics decompose: a clip that is there, the demo, or a drawn crowd, each by name; measured once a process.
It knows how to get a clip and to have it watched; it prints no table."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from toondecompose_blender.engine.clip import open_clip
from toondecompose_blender.engine.demo import compose_scene

from .drawn_clips import crowd, write_frames
from .watch import Run, watch

__all__ = ["Case", "Measured", "demo_case", "drawn_case", "measured", "warm_up"]


@dataclass(frozen=True)
class Case:
    """A clip to decompose: the folder or movie `source`, or, without one, a drawn clip of `size` (width, height), `frames`, `sprites`."""
    name: str
    sprites: int = 2
    lines: int | None = None
    source: Path | None = None
    size: tuple[int, int] = (640, 360)
    frames: int = 60
    demo: bool = False

    def write(self, folder: Path) -> Path:
        """Where the clip's frames are: its source, or drawn now into `folder`."""
        if self.source is not None:
            return self.source
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
        sums = {"seconds": round(self.run.seconds, 2), "busy": round(self.run.busy, 2), "peak_gb": self.run.peak_gb}
        return run | sums | {"width": self.width, "height": self.height, "frames": self.frames}


def demo_case() -> Case:
    """The demo clip as `demo-clip` draws it."""
    return Case("demo", demo=True)


def drawn_case(name: str, *, size: tuple[int, int], frames: int, sprites: int = 2, lines: int | None = None) -> Case:
    """A crowd of `sprites` - 1 in front of the town."""
    return Case(name, sprites, lines, None, size, frames)


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
