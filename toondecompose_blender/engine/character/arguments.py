# SPDX-License-Identifier: GPL-3.0-or-later
"""The switches of `draw` on the command line.
It only names them; what they mean is said where `Options` is, and nothing here draws."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_draw_arguments", "draw_options"]


def add_draw_arguments(command: argparse.ArgumentParser) -> None:
    """Everything that `draw` knows besides its output folder and its device."""
    command.add_argument("--sheet", type=Path, required=True, metavar="DIR", help="the character's views, each with alpha or on a flat "
                         "background, and its pose beside it (front.png, front.npz)")
    command.add_argument("--poses", type=Path, required=True, metavar="DIR", help="one .npz or .exr a frame")
    command.add_argument("--method", choices=["transfer", "conr"], default="transfer")
    command.add_argument("--background", type=Path, metavar="FILE", help="a picture or a movie behind the character")
    command.add_argument("--weights", type=Path, metavar="DIR", help="the folder with CoNR's four checkpoint files")
    command.add_argument("--size", type=int, default=512, metavar="N", help="px that the networks work at, a multiple of 128")
    command.add_argument("--fps", type=float, default=24.0, help="of the result (default: %(default)s)")
    both = command.add_argument_group("either method")
    both.add_argument("--smoothing", type=float, default=0.0, metavar="0..1", help="mix equal places of neighboring frames")
    both.add_argument("--no-despeckle", dest="despeckle", action="store_false", help="keep specks and pinholes of the matte")
    both.add_argument("--threshold", type=int, metavar="0..255", help="a hard matte where alpha is larger")
    both.add_argument("--erosion", type=int, default=0, metavar="PX", help="draw the hard matte in by so much (needs --threshold)")
    transfer = command.add_argument_group("transfer")
    transfer.add_argument("--no-lines", dest="lines", action="store_false", help="no contour lines: every place keeps one color")
    transfer.add_argument("--ink", action="store_true", help="contour lines as a sprite of their own, over one that keeps its colors")
    transfer.add_argument("--no-symmetry", dest="symmetry", action="store_false", help="do not fill unseen places from the other side")
    conr = command.add_argument_group("conr")
    conr.add_argument("--published", action="store_true", help="the published arithmetic to the last bit, with none of the improvements")
    conr.add_argument("--tight-crop", dest="steady_crop", action="store_false", help="a crop for each frame instead of one for the shot")
    conr.add_argument("--previous", type=int, default=0, metavar="N", help="feed the last N drawings back as views")
    conr.add_argument("--guide", action="store_true", help="add each frame's color transfer as a view")


def draw_options(given: argparse.Namespace):
    """The `Options` that were given.  Raises `SettingsError`."""
    from .methods import Options
    return Options(lines=given.lines, ink=given.ink, symmetry=given.symmetry, published=given.published, steady_crop=given.steady_crop,
                   previous=given.previous, guide=given.guide, smoothing=given.smoothing, despeckle=given.despeckle,
                   threshold=given.threshold, erosion=given.erosion)
