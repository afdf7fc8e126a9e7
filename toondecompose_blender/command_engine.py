# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that run the engine: decompose and doctor, with the engine's own progress on the terminal and its exit code.
It must not know what the engine computes; without a clip, the open file's active strip is decomposed."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy

from .jobs.environment import EngineHome, child_environment
from .jobs.hints import HINTS_FOLDER
from .jobs.spec import DEVICES, FLOWS, PRESETS, JobSpec, engine_arguments
from .jobs.store import folder_error
from .operators.clips import Clip, fill_folder, shown_strip, strip_clip
from .operators.decompose import refuse_without_engine
from .operators.hints import are_drawn, drawn_hints
from .preferences import engine_home
from .protocol import ClipError
from .scene.hints import Shown
from .scene.prerender import StripRender
from .scene.versions import sequencer_scene
from .terminal import Bar, interruptible, quiet

__all__ = ["add_engine_commands"]


def add_engine_commands(commands: argparse._SubParsersAction) -> None:
    """Add decompose and doctor to the command line."""
    decompose = commands.add_parser("decompose", help="split a clip, or the open file's active strip, into sprites")
    decompose.add_argument("clip", nargs="?", type=Path, metavar="CLIP", help="folder of images or a movie (default: the active strip)")
    decompose.add_argument("--out", type=Path, required=True, metavar="RESULT", help="folder for the result; the same again resumes")
    decompose.add_argument("--sprites", default="auto", metavar="N", help="how many, the background included, or auto (default)")
    decompose.add_argument("--preset", choices=PRESETS, default="standard")
    decompose.add_argument("--device", choices=DEVICES, default="auto")
    decompose.add_argument("--flow", choices=FLOWS[1:], default="")
    decompose.add_argument("--size", type=int, metavar="LINES", help="lines of the analysis (default: the preset's)")
    decompose.add_argument("--seed", type=int, default=0)
    decompose.add_argument("--hints", type=Path, metavar="FILE", help="boxes, scribbles and masks (default: those of the open file)")
    decompose.add_argument("--no-hints", action="store_true", help="leave out the hints of the open file")
    decompose.set_defaults(run=_decompose)
    doctor = commands.add_parser("doctor", help="say what the engine has, what it runs on, and what is wrong")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=lambda options: _run(engine_home(), ["doctor", *(["--json"] if options.json else [])]))


def _decompose(options: argparse.Namespace) -> int:
    home, out = engine_home(), options.out.absolute()
    refuse_without_engine()
    sprites = None if options.sprites == "auto" else int(options.sprites) if options.sprites.isdecimal() else 0
    wanted = JobSpec(clip=str(out), name="", sprites=sprites, preset=options.preset, device=options.device, flow=options.flow,
                     size=options.size, seed=options.seed, hints=str(options.hints.absolute()) if options.hints else "")
    try:
        named = options.clip and replace(wanted, clip=str(options.clip.absolute()), name=options.clip.name)
        spec = named or _active_strip(options, wanted, out)
    except OSError as cause:
        raise folder_error(out, cause) from cause
    return _run(home, [word for word in engine_arguments(spec, out) if word != "--json"])


def _active_strip(options: argparse.Namespace, spec: JobSpec, out: Path) -> JobSpec:
    """The job for what the sequencer's active strip shows; links and rendered pictures go below `out`."""
    scene = sequencer_scene(bpy.context)
    strip = scene.sequence_editor.active_strip if scene.sequence_editor else None
    if strip is None:
        raise ClipError("clip.none", "There is no clip and no active strip.", "Name a clip, or open a file with an active strip.")
    clip = strip_clip(scene, strip)
    hints = _hints(options, spec, out, lambda: shown_strip(scene, strip, clip))
    out.mkdir(parents=True, exist_ok=True)
    made = fill_folder(clip, out)
    if clip.rendered:
        _render(StripRender(scene.name, strip.name, Path(made)), clip)
    return replace(spec, clip=made, name=clip.name, frames=clip.frames, hints=hints)


def _hints(options: argparse.Namespace, spec: JobSpec, out: Path, shown: Callable[[], Shown]) -> str:
    """The file of hints: the one that was named, else what the open file holds, if hints are switched on there."""
    scene = sequencer_scene(bpy.context)
    if options.hints or options.no_hints or not are_drawn(scene.toondecompose):
        return spec.hints
    shutil.rmtree(out / HINTS_FOLDER, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    return drawn_hints(scene.toondecompose, shown(), out, current=scene.frame_current, sprites=spec.sprites)


def _render(render: StripRender, clip: Clip) -> None:
    """Render a strip first, and say so.  Raises KeyboardInterrupt on Ctrl-C, between two frames."""
    with quiet() as terminal, interruptible() as interrupted:
        terminal.write(f"{clip.name} is rendered first.\n")
        bar = Bar(terminal, 1, render.total)
        while not interrupted:
            finished = render.step(0)
            bar.show(render.done)
            if finished:
                return
    raise KeyboardInterrupt


def _run(home: EngineHome, arguments: list[str]) -> int:
    """The engine in the foreground: it has the terminal, hears Ctrl-C itself, and its exit code is ours."""
    with subprocess.Popen(home.command(arguments), env={**child_environment(home.root), "PYTHONUTF8": "1"}, cwd=os.getcwd()) as engine:
        while True:
            try:
                return engine.wait()
            except KeyboardInterrupt:
                continue        # the engine got it too, and is about to stop
