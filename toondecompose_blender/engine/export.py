# SPDX-License-Identifier: GPL-3.0-or-later
"""A result written in another layout: sprites in frame space, the files that the published ToonDecompose writes, or plain frames.
Reads a finished result; the folder appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..protocol import Decomposition, SettingsError, read_result
from .export_toondecompose import write_toondecompose
from .parallel import map_ordered
from .pictures import disk_error, straight, write_array, write_bytes, write_picture
from .recompose import Recomposer, SpriteRenderer, whole_sprites
from .report import Report, Silent, ticked
from .residual import add_residual

__all__ = ["export", "recompose", "LAYOUTS"]


def export(result_folder: Path | str, *, layout: str, out: Path | str, report: Report | None = None) -> None:
    """Write the result in `result_folder` to the new or empty folder `out`.

    "frames": sprite_k/%04d.png (from 0, straight-alpha RGBA in frame space, k = 0 back-most), homographies.npy (K, T, 3, 3)
    float64 canvas -> frame, order.json.  "toondecompose": see `export_toondecompose`.
    Raises `SettingsError` settings.layout, settings.out; `ResultError`; `EngineError` engine.disk_full, engine.write.
    """
    if layout not in LAYOUTS:
        raise SettingsError("settings.layout", f"There is no layout {layout!r}.", f"Choose one of: {', '.join(sorted(LAYOUTS))}.")
    decomposition = read_result(result_folder)
    with _new_folder(Path(os.path.abspath(out))) as unfinished:
        LAYOUTS[layout](Path(result_folder), decomposition, unfinished, report or Silent())


def recompose(result_folder: Path | str, *, out: Path | str, residual: bool = False, report: Report | None = None) -> None:
    """Write the frames that a result stands for as %04d.png (from 1) to the new or empty folder `out`: of its sprites alone, or
    with the `residual`, which makes them the clip's own frames in 8 bit.

    Raises `SettingsError` settings.out; `ResultError`, also result.residual; `EngineError` engine.disk_full, engine.write.
    """
    folder, decomposition, report = Path(result_folder), read_result(result_folder), report or Silent()
    recomposer = Recomposer(folder, decomposition)
    report.stage("recompose", decomposition.clip.frames)

    def write(t: int) -> None:
        frame = recomposer.frame(t)
        write_picture(unfinished / f"{t + 1:04d}.png", add_residual(folder, decomposition, t, frame) if residual else frame)

    with _new_folder(Path(os.path.abspath(out))) as unfinished:
        for _ in ticked(map_ordered(write, range(decomposition.clip.frames)), report):
            pass


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` that becomes `out` when the block ends well, and goes away otherwise."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError("settings.out", f"{out} is not empty.", "Choose a new folder; nothing is overwritten.")
    unfinished = out.with_name(out.name + ".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        if out.exists():
            out.rmdir()
        os.replace(unfinished, out)
    except OSError as cause:
        raise disk_error(out, cause) from cause
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_frames(folder: Path, decomposition: Decomposition, out: Path, report: Report) -> None:
    renderers = [SpriteRenderer(folder, decomposition, sprite) for sprite in whole_sprites(decomposition)]
    for k in range(len(renderers)):
        (out / f"sprite_{k}").mkdir()
    report.stage("export", decomposition.clip.frames)

    def write(t: int) -> None:
        for k, renderer in enumerate(renderers):
            write_picture(out / f"sprite_{k}" / f"{t:04d}.png", straight(renderer.frame(t)))

    for _ in ticked(map_ordered(write, range(decomposition.clip.frames)), report):
        pass
    write_array(out / "homographies.npy", np.stack([renderer.homographies for renderer in renderers]))
    write_bytes(out / "order.json", (json.dumps(list(range(len(renderers)))) + "\n").encode())


#: Name of a layout -> what writes it: (result folder, manifest, empty folder, report)
LAYOUTS: dict[str, Callable[[Path, Decomposition, Path, Report], None]] = {"frames": _write_frames, "toondecompose": write_toondecompose}
