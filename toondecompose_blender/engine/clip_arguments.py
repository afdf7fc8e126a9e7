# SPDX-License-Identifier: GPL-3.0-or-later
"""The switches of the commands that read a clip, and the settings that they mean.
Values only: nothing here opens a clip."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..protocol import ToonError
from .settings import PRESET_LINES, Settings

__all__ = ["add_decompose_arguments", "add_shots_arguments", "settings_of"]


def add_decompose_arguments(command: argparse.ArgumentParser) -> None:
    """Everything that `decompose` knows besides its output folder and its device."""
    command.add_argument("clip", type=Path, metavar="CLIP", help="folder of pictures, or a movie")
    command.add_argument("--sprites", type=_sprites, default=2, metavar="N", help="how many, the background included; or auto (default 2)")
    command.add_argument("--frames", type=_frames, metavar="A:B", help="first and last frame, counted from 1")
    command.add_argument("--size", type=int, metavar="HEIGHT", help="short side of the analysis picture in px (default: from the preset)")
    command.add_argument("--preset", choices=sorted(PRESET_LINES), default="standard")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--flow", choices=["dis", "raft"], default="dis")
    command.add_argument("--hints", type=Path, metavar="FILE", help="boxes, scribbles or masks that help to tell the sprites apart")
    command.add_argument("--shots", choices=["auto", "off"], default="auto",
                         help="auto: a clip that cuts becomes one result a shot, below RESULT/shots (not with hints)")
    command.add_argument("--wait", action="store_true", help="wait for another engine that works on RESULT, instead of refusing")
    command.add_argument("--residual", action="store_true", help="also keep what the sprites lack of every frame (recompose --residual)")


def add_shots_arguments(command: argparse.ArgumentParser) -> None:
    """Everything that `shots` knows besides its output folder."""
    command.add_argument("clip", type=Path, metavar="CLIP", help="folder of pictures, or a movie")
    command.add_argument("--frames", type=_frames, metavar="A:B", help="first and last frame, counted from 1")
    command.add_argument("--shots", choices=["auto", "off"], default="auto", help="off: all of the clip is one shot")


def settings_of(options: argparse.Namespace) -> Settings:
    """What `decompose` was asked for.  Raises `SettingsError`."""
    return Settings(sprites=options.sprites, frames=options.frames, lines=options.size, preset=options.preset, device=options.device,
                    seed=options.seed, flow=options.flow, hints=options.hints, residual=options.residual)


def _sprites(text: str) -> int | None:
    if text.lower() == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of sprites; ask for 1 to 8, or auto") from None


def _frames(text: str) -> slice:
    from .clip import parse_range
    try:
        return parse_range(text)
    except ToonError as cause:
        raise argparse.ArgumentTypeError(str(cause)) from cause
