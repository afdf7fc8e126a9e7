# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawings inside the .blend: Blender packs single pictures only, so a packed sprite shows a sheet of all its drawings.
It must not know nodes nor pixels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import bpy

from ..protocol import SceneError
from .drawings import FileSequence, held_drawings, is_packed, lost_files, sequences_of, set_path
from .sheet_nodes import hide_sheet, sheet_of, show_sheet
from .sheets import Grid, grid_of, new_sheet, write_pictures
from .sprites import JOB_ID, collection_of

__all__ = ["pack", "unpack"]


def pack(sprites: list, *, packed: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Put all drawings of the sprites, and their index maps, into the .blend: of all of them, or of none.

    `packed` is told how many sprites of how many are done.
    Raises `SceneError`: scene.lost, scene.picture, scene.pack_size.
    """
    loose = [sprite_object for sprite_object in sprites if not is_packed(sprite_object)]
    sheets: list = []
    try:
        for sprite_object in loose:
            _check_files(sprite_object)
        for done, sprite_object in enumerate(loose):
            packed(done, len(loose))
            for sequence in sequences_of(sprite_object):
                sheet = new_sheet(f"{sprite_object.name} {sequence.title}", sequence.files, _grid(sprite_object, sequence))
                sheets.append((sprite_object, sequence, sheet))
    except SceneError:
        bpy.data.batch_remove([sheet for _, _, sheet in sheets])
        raise
    for sprite_object, sequence, sheet in sheets:
        show_sheet(sequence.tree, sheet, _grid(sprite_object, sequence), sprite_object, held_drawings(sprite_object))


def unpack(sprites: list) -> list[Path]:
    """Show the sprites' files again.  Where some are lost, all of the sprite's are written beside the .blend; returns these folders.

    Raises `SceneError`: scene.unsaved, scene.folder; all stay packed then.
    """
    packed = [(sprite_object, sequences_of(sprite_object)) for sprite_object in sprites if is_packed(sprite_object)]
    lost = [(sprite_object, sequences) for sprite_object, sequences in packed
            if any(not file.is_file() for sequence in sequences for file in sequence.files)]
    written: list[Path] = []
    try:
        for sprite_object, sequences in lost:
            written.append(_new_folder(sprite_object))
            _write(sprite_object, sequences, written[-1])
    except SceneError:
        for folder in written:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    for (_, sequences), folder in zip(lost, written, strict=True):
        for sequence in sequences:
            set_path(sequence, _places(sequence, folder)[0])
    for _, sequences in packed:
        for sequence in sequences:
            hide_sheet(sequence.tree)
    return written


def _check_files(sprite_object) -> None:
    lost = lost_files(sprite_object)
    if lost:
        raise SceneError("scene.lost", f"{sprite_object.name} misses {len(lost)} files, first {lost[0]}.", "Relink the result first.")


def _grid(sprite_object, sequence: FileSequence) -> Grid:
    return grid_of(len(sequence.files), *sprite_object["toondecompose_canvas"])


def _new_folder(sprite_object) -> Path:
    """A folder that was not there, named like job and sprite."""
    if not bpy.data.filepath:
        raise SceneError("scene.unsaved", "The drawings are lost and there is no place for new files.", "Save the file first.")
    collection = collection_of(sprite_object)
    job = collection[JOB_ID] if collection is not None else "Sprites"
    folder = Path(bpy.path.abspath("//"), bpy.path.clean_name(job), bpy.path.clean_name(sprite_object.name))
    try:
        folder.mkdir(parents=True)
    except OSError as cause:
        raise SceneError("scene.folder", f"{folder} cannot be made: {cause.strerror}.", "Move what stands in the way.") from cause
    return folder


def _places(sequence: FileSequence, folder: Path) -> list[Path]:
    """Where a sequence's files come, with the names that they had."""
    return [folder / sequence.title.lower() / file.name for file in sequence.files]


def _write(sprite_object, sequences: list[FileSequence], folder: Path) -> None:
    try:
        for sequence in sequences:
            places = _places(sequence, folder)
            places[0].parent.mkdir()
            write_pictures(sheet_of(sequence.tree), _grid(sprite_object, sequence), places)
    except OSError as cause:
        raise SceneError("scene.folder", f"{folder} cannot be written: {cause.strerror or cause}.", "Make room there.") from cause
