# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of Blender's side: `python -m toondecompose_blender.command` and `blender --command toondecompose`.
It only reads arguments, calls the scene's functions and tells; it must not know how sprites are built or rendered."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

import bpy

from .command_engine import add_engine_commands
from .protocol import SceneError, SettingsError, ToonError
from .scene import rendering
from .scene.baking import BAKES
from .scene.blending import BLENDINGS
from .scene.importing import import_result
from .scene.output import MOVIES, OUTPUTS
from .scene.strips import keep_clip_sound
from .terminal import Bar, interruptible, quiet

__all__ = ["main", "register", "unregister"]

FAILED, INTERRUPTED = 1, 130
_handle = None


def main(arguments: list[str] | None = None) -> int:
    """Run one command: 0 it worked, 1 it failed with a typed error, 2 wrong usage, 130 interrupted by Ctrl-C."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    try:
        return options.run(options)
    except ToonError as error:
        print(f"Error ({error.code}): {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


def register() -> None:
    """Make `blender --command toondecompose` known (Blender 4.2 and later)."""
    global _handle
    _handle = bpy.utils.register_cli_command("toondecompose", main)


def unregister() -> None:
    """Forget the command."""
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
        _handle = None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="toondecompose", description="Split a clip into sprites, import and render them.")
    commands = parser.add_subparsers(required=True, metavar="decompose|import|render|doctor")
    add_engine_commands(commands)
    build = commands.add_parser("import", help="make a .blend of a result folder")
    build.add_argument("result", type=Path, metavar="RESULT", help="folder that holds a decomposition.json")
    build.add_argument("--blend", type=Path, required=True, metavar="FILE", help=".blend file to write; an older one is kept as .blend1")
    build.add_argument("--bake", choices=BAKES, default="shape-keys", help="how sprites move (default: %(default)s)")
    build.add_argument("--blending", choices=BLENDINGS, default="display", help="how layers mix (default: %(default)s, exact)")
    build.set_defaults(run=_import)
    render = commands.add_parser("render", help="render a .blend to pictures or a movie")
    render.add_argument("file", type=Path, metavar="FILE", help=".blend file")
    render.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for 0001.png ...")
    render.add_argument("--frames", metavar="A:B", help="first and last frame (default: the scene's)")
    render.add_argument("--engine", choices=rendering.ENGINES, help="default: the scene's")
    render.add_argument("--format", choices=OUTPUTS, default="png", help="PNG, H.264 or FFV1 with sound, or EXR with one layer a sprite")
    render.add_argument("--depth", type=int, choices=(8, 16), default=8, help="bits a channel (default: %(default)s)")
    render.add_argument("--alpha", action="store_true", help="keep what no sprite covers transparent, instead of black")
    render.add_argument("--scene", default="", metavar="NAME", help="default: the one that was open when the file was saved")
    render.set_defaults(run=_render)
    return parser


def _import(options: argparse.Namespace) -> int:
    blend = options.blend.absolute()
    if blend.suffix != ".blend":
        raise SettingsError("settings.blend", f"{blend.name} is not a .blend file.", "End the name in .blend.")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    empty = list(bpy.data.scenes)
    imported = import_result(options.result, bake=options.bake, blending=options.blending)
    bpy.context.window.scene = bpy.data.scenes[imported.scene]
    bpy.data.batch_remove(empty)
    _save(blend)
    for warning in imported.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    print(f"{len(imported.sprites)} sprites, back to front: {', '.join(imported.sprites)}")
    print(f"Scene {imported.scene!r} is in {blend}")
    return 0


def _save(blend: Path) -> None:
    """Save with picture paths relative to the file, so that both can move together."""
    try:
        blend.parent.mkdir(parents=True, exist_ok=True)
        for image in bpy.data.images:
            with contextlib.suppress(ValueError):  # Windows: no relative path leads to another drive.
                image.filepath_raw = bpy.path.relpath(image.filepath_raw, start=str(blend.parent))
        with quiet():
            bpy.ops.wm.save_as_mainfile(filepath=str(blend), relative_remap=False, compress=True)
    except (OSError, RuntimeError) as cause:
        raise SceneError("scene.save", f"{blend} cannot be written: {str(cause).strip()}",
                         "Choose another place, or make room on the disk.") from cause


def _render(options: argparse.Namespace) -> int:
    scene = _opened(options.file, options.scene)
    if options.engine:
        scene.render.engine = rendering.engine_of(options.engine)
    first, last = _range(options.frames, scene)
    if first < scene.frame_start or last > scene.frame_end:
        print(f"Warning: scene {scene.name!r} has the frames {scene.frame_start} to {scene.frame_end} only.", file=sys.stderr)
    sound = options.format in MOVIES and keep_clip_sound(scene, True)
    pictures = rendering.Pictures(options.out, first, last, options.format, options.depth, options.alpha, sound)
    with quiet() as terminal, interruptible() as interrupted:
        bar = Bar(terminal, first, last)
        files = rendering.render_pictures(scene, pictures, rendered=lambda frame: bar.show(frame) and not interrupted)
    if interrupted:
        kept = "no movie was written" if options.format in MOVIES else f"{len(files)} pictures are in {options.out.absolute()}"
        print(f"Stopped; {kept}", file=sys.stderr)
        return INTERRUPTED
    print(f"The movie is {files[0]}" if options.format in MOVIES else f"{len(files)} pictures are in {options.out.absolute()}")
    return 0


def _opened(file: Path, name: str):
    """The scene to render of a file.  Raises `SceneError` (scene.file)."""
    if not file.is_file():
        raise SceneError("scene.file", f"There is no file {file}.", "Choose a .blend file.")
    try:
        with quiet():
            bpy.ops.wm.open_mainfile(filepath=str(file.absolute()))
    except RuntimeError as cause:
        raise SceneError("scene.file", f"{file} cannot be opened: {str(cause).strip()}",
                         "Choose a .blend file saved by this or an older Blender.") from cause
    return rendering.scene_to_render(name)


def _range(text: str | None, scene) -> tuple[int, int]:
    """First and last frame of "A:B", both included.  Raises `SettingsError` (settings.frames)."""
    if text is None:
        return scene.frame_start, scene.frame_end
    first, colon, last = text.partition(":")
    try:
        frames = int(first), int(last if colon else first)
    except ValueError:
        frames = (1, 0)
    if not 0 <= frames[0] <= frames[1]:
        raise SettingsError("settings.frames", f"{text!r} is no range of frames.", "Give the first and the last frame, as 1:48.")
    return frames


if __name__ == "__main__":
    sys.exit(main())
