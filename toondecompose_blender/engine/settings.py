# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of a decomposition, checked once.
Values only: nothing here reads a clip or starts work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..protocol import SettingsError

__all__ = ["Settings", "PRESET_LINES", "MOST_SPRITES"]

PRESET_LINES = {"draft": 216, "standard": 360, "best": 480}
MOST_SPRITES = 8


@dataclass(frozen=True)
class Settings:
    """`sprites` 1..8 with the background, None = find out; `frames` a slice of the clip's frames, None = all;
    `lines` short side of the analysis picture in px, None = from the preset; `device` auto, cpu or cuda; `flow` dis or raft;
    `residual`: keep beside the result what its sprites lack of every frame."""
    sprites: int | None = 2
    frames: slice | None = None
    lines: int | None = None
    preset: str = "standard"
    device: str = "auto"
    seed: int = 0
    flow: str = "dis"
    hints: Path | None = None
    residual: bool = False

    def __post_init__(self) -> None:
        if self.sprites is not None and not 1 <= self.sprites <= MOST_SPRITES:
            raise SettingsError("settings.sprites", f"{self.sprites} sprites were asked for.", f"Ask for 1 to {MOST_SPRITES}, or auto.")
        if self.preset not in PRESET_LINES:
            raise SettingsError("settings.preset", f"There is no preset {self.preset!r}.", f"Choose {', '.join(PRESET_LINES)}.")
        if self.lines is not None and not 64 <= self.lines <= 2160:
            raise SettingsError("settings.size", f"An analysis size of {self.lines} lines was asked for.", "Ask for 64 to 2160.")

    @property
    def sharpens(self) -> bool:
        """Whether plates are made as sharp as the frames: it takes a while, and a draft does not show it."""
        return self.preset == "best"

    def analysis_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in px at which a clip of the given size is analyzed; never larger than the clip."""
        factor = min(1.0, (self.lines or PRESET_LINES[self.preset]) / min(width, height))
        return max(16, round(width * factor)), max(16, round(height * factor))
