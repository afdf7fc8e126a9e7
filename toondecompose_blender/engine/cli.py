# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's command line: reads arguments, starts one job, reports in words or in JSON lines, and exits with a code.
It decides nothing about pictures; heavy modules are imported by the command that needs them."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from ..protocol import PROTOCOL_VERSION, ENGINE_VERSION, Cancelled, Decomposition, Done, EngineError, Failed, Hello, ToonError
from .character.arguments import add_draw_arguments, draw_options
from .clip_arguments import add_decompose_arguments, add_shots_arguments, settings_of
from .console import BarReport, JsonReport
from .report import Report, Stopped

__all__ = ["main"]

OK, FAILED, CANCELLED = 0, 1, 130
LOG_NAME = "job.log"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong arguments, 130 cancelled."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["submit"]:
        return _submit(words[1:])
    options = _parser().parse_args(words)
    if getattr(options, "json", False) and hasattr(options, "out"):
        return _as_job(options)
    report = BarReport()
    try:
        options.run(options, report)
        report.close()
        return OK
    except ToonError as error:
        report.abandon()
        _say(f"Error ({error.code}): {error}", sys.stderr)
        return FAILED
    except (KeyboardInterrupt, Stopped):
        report.abandon()
        _say("Stopped. Finished stages are kept; the same command goes on from there.", sys.stderr)
        return CANCELLED
    except MemoryError:
        report.abandon()
        _say("Error (engine.memory): The machine's memory is full. Close other programs or choose fewer frames.", sys.stderr)
        return FAILED
    except Exception:
        report.abandon()
        _say(f"Error (engine.bug): The engine met an error of its own. Please report it with {_written_down(options)}.", sys.stderr)
        return FAILED


def _written_down(options: argparse.Namespace) -> Path:
    """Where the traceback of the current exception was put: the job's log, else a file of its own."""
    out = Path(getattr(options, "out", ""))
    folder = out if hasattr(options, "out") and out.is_dir() else Path(tempfile.mkdtemp(prefix="toondecompose-"))
    with open(folder / LOG_NAME, "a", encoding="utf-8") as log:
        traceback.print_exc(file=log)
    return folder / LOG_NAME


def _as_job(options: argparse.Namespace) -> int:
    """Speak the process protocol on the real standard output; everything else goes to the job's log."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="\n")
    report = JsonReport(stream, sys.stdin)
    signal.signal(signal.SIGTERM, lambda *_: report.stopping.set())
    try:
        _redirect_to_log(Path(options.out))
        report.send(Hello(PROTOCOL_VERSION, ENGINE_VERSION, _torch_version(), getattr(options, "device", "cpu")))
        options.run(options, report)
        report.send(Done(str(Path(options.out).resolve())))
        return OK
    except ToonError as error:
        report.send(Failed(error.code, error.message, error.remedy))
        return FAILED
    except (Stopped, KeyboardInterrupt):
        report.send(Cancelled())
        return CANCELLED
    except MemoryError:
        report.send(Failed("engine.memory", "The machine's memory is full.", "Close other programs or choose fewer frames."))
        return FAILED
    except Exception:
        traceback.print_exc()
        report.send(Failed("engine.bug", "The engine met an error of its own; the log says where.", "Send the report from Copy Report."))
        return FAILED


def _redirect_to_log(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log = open(folder / LOG_NAME, "a", encoding="utf-8")
    except OSError as cause:
        raise EngineError("engine.folder", f"{folder} cannot be written to: {cause.strerror}.", "Choose another output folder.") from cause
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)


def _torch_version() -> str:
    from importlib.metadata import PackageNotFoundError, version
    try:
        return version("torch")
    except PackageNotFoundError:
        raise EngineError("engine.torch_missing", "The engine's installation lacks PyTorch.",
                          "Repair the engine in the preferences.") from None


def _say(text: str, stream: TextIO | None = None) -> None:
    stream = stream or sys.stdout
    stream.write(text + "\n")
    stream.flush()


# One function a command.

def _decompose(options: argparse.Namespace, report: Report) -> None:
    from .recompose import whole_sprites
    from .whole import decompose_whole
    result = decompose_whole(options.clip, options.out, settings=settings_of(options), by_shots=options.shots == "auto", wait=options.wait,
                             report=report)
    if options.json:
        return
    report.close()
    if isinstance(result, Decomposition):
        _say(f"Sprites in {options.out}: {len(whole_sprites(result))}. Recomposed without copying any frame: "
             f"{result.metrics['recomposition_psnr']:.1f} dB. Look at {options.out / result.contact_sheet}.")
    else:
        _say(f"{len(result.shots)} shots in {options.out / 'shots'}, each a result of its own.")


def _shots(options: argparse.Namespace, report: Report) -> None:
    from .whole import write_plan
    shots = write_plan(options.clip, options.out, frames=options.frames, by_shots=options.shots == "auto", report=report).shots
    report.close()
    if not options.json:
        _say("\n".join(f"{shot.folder}: frames {shot.first} to {shot.last}" for shot in shots))


def _submit(words: list[str]) -> int:
    """A farm's job is written outside of the engine, which only finds the shots; the terminal and the pipes are the other's."""
    from .launch import module_words
    try:
        return subprocess.call(module_words("jobs.submit", words))
    except KeyboardInterrupt:
        return CANCELLED


def _export(options: argparse.Namespace, report: Report) -> None:
    from .export import export
    export(options.result, layout=options.layout, out=options.out, report=report)
    report.close()
    _say(f"Exported to {options.out}.")


def _recompose(options: argparse.Namespace, report: Report) -> None:
    from .export import recompose
    recompose(options.result, out=options.out, residual=options.residual, report=report)
    report.close()
    _say(f"Recomposed to {options.out}.")


def _evaluate(options: argparse.Namespace, report: Report) -> None:
    from .evaluate import evaluate, table
    _say(table([evaluate(options.result, options.truth)]))


def _compare(options: argparse.Namespace, report: Report) -> None:
    from .compare import compare
    _say(compare(options.result, options.render, truth=options.truth))


def _doctor(options: argparse.Namespace, report: Report) -> None:
    from .doctor import examine
    examination = examine()
    _say(examination.as_json() if options.json else examination.as_text())
    if not examination.healthy:
        raise EngineError("engine.unhealthy", "The engine is not complete.", "Repair the engine in the preferences.")


def _demo_clip(options: argparse.Namespace, report: Report) -> None:
    from .demo import draw_demo
    draw_demo(options.out)
    _say(f"Drew the demo clip into {options.out}.")


def _draw(options: argparse.Namespace, report: Report) -> None:
    from .character.drawing import draw_character
    draw_character(options.sheet, options.poses, options.out, method=options.method, weights=options.weights, size=options.size,
                   background=options.background, device=options.device, report=report, fps=options.fps, options=draw_options(options))


def _detect(options: argparse.Namespace, report: Report) -> None:
    from .character.drawing import detect_poses
    detect_poses(options.pictures, options.out, weights=options.weights, size=options.size, device=options.device, report=report)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="toondecompose engine", description="Take an animated clip apart into sprites.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = _adder(commands)

    command = add("decompose", _decompose, "split a clip into sprites", job=True)
    add_decompose_arguments(command)

    command = add("shots", _shots, "find where a clip cuts, and write it down", job=True)
    add_shots_arguments(command)

    commands.add_parser("submit", help="hand a clip to a farm, one task a shot (submit --help)", add_help=False)

    _add_result_commands(add)

    command = add("doctor", _doctor, "say what this engine has and what it lacks")
    command.add_argument("--json", action="store_true")

    command = add("demo-clip", _demo_clip, "draw the demo cartoon with its true layers")
    command.add_argument("out", type=_folder, metavar="DIR")

    command = add("draw", _draw, "draw a character from its sheet in given poses", job=True)
    add_draw_arguments(command)

    command = add("detect", _detect, "find the ultra-dense poses of drawings", job=True)
    command.add_argument("pictures", type=Path, metavar="PICTURES")
    command.add_argument("--weights", type=Path, required=True, metavar="DIR")
    command.add_argument("--size", type=int, default=256, metavar="N")
    return parser


def _add_result_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    """What reads a finished result."""
    command = add("export", _export, "write a result in another layout")
    command.add_argument("result", type=Path, metavar="RESULT")
    command.add_argument("--layout", choices=["frames", "toondecompose"], required=True)
    command.add_argument("--out", type=_folder, required=True, metavar="DIR")

    command = add("recompose", _recompose, "write the frames that a result stands for")
    command.add_argument("result", type=Path, metavar="RESULT")
    command.add_argument("--out", type=_folder, required=True, metavar="DIR")
    command.add_argument("--residual", action="store_true", help="add the residual: the clip's own frames, bit for bit")

    command = add("evaluate", _evaluate, "score a result against known layers")
    command.add_argument("result", type=Path, metavar="RESULT")
    command.add_argument("truth", type=Path, metavar="TRUTH")

    command = add("compare", _compare, "compare rendered frames with the engine's own recomposition")
    command.add_argument("result", type=Path, metavar="RESULT")
    command.add_argument("render", type=Path, metavar="RENDER")
    command.add_argument("--truth", type=Path, metavar="TRUTH")


def _adder(commands: argparse._SubParsersAction) -> Callable[..., argparse.ArgumentParser]:
    def add(name: str, run: Callable, text: str, *, job: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if job:
            command.add_argument("--out", type=_folder, required=True, metavar="RESULT")
            command.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
            command.add_argument("--json", action="store_true", help="speak the process protocol on standard output")
        return command
    return add


def _folder(text: str) -> Path:
    """An output folder; an empty one (a shell's unset variable) would be the current folder, which nobody meant."""
    if not text:
        raise argparse.ArgumentTypeError("a folder's name is empty; name the folder to write")
    return Path(text)
