# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m toondecompose_blender.jobs.submit CLIP --to FARM --out FOLDER: find the shots, write the farm's job; Dask runs it at once.
Must not know bpy nor how shots are found: the engine finds them, in a process of its own."""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from ..protocol import Done, EngineError, Failed, ToonError, encode
from ..protocol_shots import read_shots
from .batch import farm_folder, write_batch
from .environment import child_environment, data_folder, module_command
from .spec import DEVICES, FARMS, FLOWS, PRESETS, SHOTS, JobSpec

__all__ = ["main"]

OK, FAILED = 0, 1


def main(arguments: list[str] | None = None) -> int:
    """Submit one clip; returns 0, 1 for a failure told in words (or, with --json, as a message), or the code of what was started."""
    options = _parser().parse_args(arguments)
    try:
        return _submit(options)
    except ToonError as error:
        if options.json:
            _say(encode(Failed(error.code, error.message, error.remedy), 0))
        else:
            sys.stderr.write(f"Error ({error.code}): {error}\n")
        return FAILED


def _submit(options: argparse.Namespace) -> int:
    folder = options.out.absolute()
    spec = _spec(options)
    if options.to == "dask" and importlib.util.find_spec("distributed") is None:
        raise EngineError("engine.dask_missing", "This Python has no Dask.", f"Install it: {sys.executable} -m pip install distributed")
    code = _find_shots(spec, folder, json_lines=options.json)
    if code:
        return code
    shots = read_shots(folder)
    given = write_batch(folder, spec, shots, farm=options.to, python=options.python)
    if options.to == "dask":
        return subprocess.call([sys.executable, str(farm_folder() / "dask_runner.py"), str(folder), "--python", options.python,
                                *(["--scheduler", options.scheduler] if options.scheduler else []),
                                *(["--resource", "GPU"] if spec.device == "cuda" else []), *(["--json"] if options.json else [])])
    if options.json:
        _say(encode(Done(str(folder)), 0))
    else:
        _say(f"{len(shots.shots)} shots are ready for the farm in {folder}.\n{_next_step(options.to, given)}")
    return OK


def _spec(options: argparse.Namespace) -> JobSpec:
    clip = options.clip.absolute()
    return JobSpec(clip=str(clip), name=options.name or clip.stem, sprites=_sprites(options.sprites), preset=options.preset,
                   frames=_frames(options.frames), size=options.size, device=options.device, seed=options.seed, flow=options.flow,
                   hints=str(options.hints.absolute()) if options.hints else "", shots=options.shots)


def _find_shots(spec: JobSpec, folder: Path, *, json_lines: bool) -> int:
    """Let the engine write shots.json; what it says is passed on, except that it is done: the submission is not.  Its exit code."""
    words = ["shots", spec.clip, "--out", str(folder), *(["--frames", f"{spec.frames[0]}:{spec.frames[1] or ''}"] if spec.frames else []),
             *(["--shots", "off"] if spec.shots == "off" or spec.hints else []), *(["--json"] if json_lines else [])]
    home = data_folder()
    with subprocess.Popen(module_command(sys.executable, "engine", words, home), env={**child_environment(home), "PYTHONUTF8": "1"},
                          stdout=subprocess.PIPE if json_lines else None, text=True, encoding="utf-8") as engine:
        for line in engine.stdout or ():
            if json.loads(line)["type"] != "done":
                _say(line.rstrip("\n"))
    return engine.returncode


def _next_step(farm: str, given: Path) -> str:
    if farm == "openjd":
        return (f"Submit the job bundle {given}, or try it here: openjd run {given / 'template.json'} "
                f"--job-param file://{given / 'parameters.json'}")
    return (f"Once, copy {given / 'toondecompose.js'} into the Manager's folder scripts and restart it; then\n"
            f"curl -H 'Content-Type: application/json' -d @{given / 'job.json'} http://MANAGER:8080/api/v3/jobs")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="toondecompose engine submit", description="Hand a clip to a farm, one task a shot.")
    parser.add_argument("clip", type=Path, metavar="CLIP", help="folder of pictures, or a movie, at the same place on all machines")
    parser.add_argument("--to", choices=FARMS[1:], required=True, help="the farm: files for openjd and flamenco; dask runs at once")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder that all machines share")
    parser.add_argument("--scheduler", default="", metavar="ADDRESS", help="Dask's scheduler, as tcp://host:8786 (default: this machine)")
    parser.add_argument("--python", default=sys.executable, metavar="FILE", help="the engine's interpreter on the farm's machines")
    parser.add_argument("--name", default="", help="what the farm shows (default: the clip's name)")
    parser.add_argument("--sprites", default="2", metavar="N")
    parser.add_argument("--frames", metavar="A:B")
    parser.add_argument("--size", type=int, metavar="HEIGHT")
    parser.add_argument("--preset", choices=PRESETS, default="standard")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flow", choices=FLOWS[1:], default="")
    parser.add_argument("--hints", type=Path, metavar="FILE")
    parser.add_argument("--shots", choices=SHOTS, default="auto")
    parser.add_argument("--json", action="store_true", help="speak the process protocol on standard output")
    return parser


def _sprites(text: str) -> int | None:
    return None if text == "auto" else int(text) if text.isdecimal() else 0      # 0 is refused with a sentence


def _frames(text: str | None) -> tuple[int, int | None] | None:
    if text is None:
        return None
    first, colon, last = text.partition(":")
    numbers = first + last
    return (int(first or 1), int(last) if last else None) if colon and (numbers.isdecimal() or not numbers) else (0, 0)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
