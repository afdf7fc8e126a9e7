# SPDX-License-Identifier: GPL-3.0-or-later
"""A sprite's drawings: dressing a new sprite in them, which file is which drawing, finding those that got lost.
It must not know motion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from ..protocol import SceneError
from . import palette, timing
from .loading import Source, load_result
from .materials import blend_path, color_group_of, drive_drawings, image_of, new_material
from .sheet_nodes import copy_sheet, sequence_nodes, sheet_of
from .sprites import SPRITE_ID

__all__ = ["FileSequence", "dress", "dress_copy", "drawing_shown", "held_drawings", "drawing_path", "sequences_of", "is_packed",
           "free_number", "file_of", "renumber", "lost_files", "relink", "set_path", "reload"]

_NUMBERS, _MAP_NUMBERS, _OPACITY = "toondecompose_numbers", "toondecompose_map_numbers", "toondecompose_opacity"


@dataclass(frozen=True)
class FileSequence:
    """An image sequence of a sprite: the node tree that shows it, its image, and the numbers of its files, one a drawing."""
    title: str
    tree: object
    image: object
    numbers: tuple[int, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Where the files should be."""
        return tuple(_numbered(self.image, number) for number in self.numbers)


def dress(sprite_object, source: Source) -> None:
    """Give a new sprite's object its material, driven by its exposure sheet."""
    sprite = source.sprite
    material = new_material(sprite_object.name, source.drawings)
    sprite_object.data.materials.append(material)
    sprite_object[_NUMBERS] = list(source.drawings.numbers)
    sprite_object[_OPACITY] = [float(share) for share in sprite.opacity] or [1.0] * len(sprite.exposure)
    if source.index_maps is not None and sprite.palette:
        sprite_object[_MAP_NUMBERS] = list(source.index_maps.numbers)
        palette.add_palette(material, sprite_object, sprite.palette, source.index_maps, (sprite.width, sprite.height))
    _drive(sprite_object)


def dress_copy(sprite_object, original) -> None:
    """Give a copied object a material of its own that follows the copy instead of `original`."""
    material = original.data.materials[0].copy()
    sprite_object.data.materials[0] = material
    color = color_group_of(material)
    color.node_tree = color.node_tree.copy()
    timing.retarget(material.node_tree, sprite_object)
    palette.retarget_palette(material, sprite_object)
    tree = palette.palette_tree(material)
    for owner in (material.node_tree, tree):
        if owner is not None:
            _copy_images(owner)
            timing.retarget(owner, sprite_object)
            copy_sheet(owner, sprite_object)


def drawing_shown(sprite_object, clip_frame: int) -> int:
    """The 1-based drawing of a clip frame, 0 where the sprite is hidden."""
    return int(sprite_object["toondecompose_exposure"][clip_frame - 1])


def held_drawings(sprite_object) -> list[int]:
    """The 1-based drawing of each clip frame; a hidden frame keeps the one before it: nothing to load."""
    shown, held = 1, []
    for drawing in sprite_object["toondecompose_exposure"]:
        shown = drawing or shown
        held.append(shown)
    return held


def drawing_path(sprite_object, drawing: int) -> Path:
    """The file of a 1-based drawing."""
    return _numbered(image_of(sprite_object.data.materials[0]), int(sprite_object[_NUMBERS][drawing - 1]))


def sequences_of(sprite_object) -> list[FileSequence]:
    """The sprite's drawings, and its index maps if it has a palette."""
    material = sprite_object.data.materials[0]
    found = [("Drawings", material.node_tree, sprite_object[_NUMBERS])]
    if palette.palette_tree(material) is not None:
        found.append(("Index", palette.palette_tree(material), sprite_object[_MAP_NUMBERS]))
    images = [sequence_nodes(tree)[0].image for _, tree, _ in found]
    return [FileSequence(title, tree, image, tuple(int(number) for number in numbers))
            for (title, tree, numbers), image in zip(found, images, strict=True)]


def is_packed(sprite_object) -> bool:
    """Whether the sprite shows a packed sheet instead of its files."""
    return sheet_of(sprite_object.data.materials[0].node_tree) is not None


def free_number(sequence: FileSequence) -> int:
    """The number of a file that the sequence does not have yet."""
    number = max(sequence.numbers) + 1
    while file_of(sequence, number).exists():
        number += 1
    return number


def file_of(sequence: FileSequence, number: int) -> Path:
    """The file with that number, whether it exists or not."""
    return _numbered(sequence.image, number)


def renumber(sprite_object, drawing: int, numbers: list[int]) -> None:
    """Let each sequence, in the order of `sequences_of`, show another file wherever `drawing` (1-based) is exposed."""
    for key, sequence, number in zip((_NUMBERS, _MAP_NUMBERS), sequences_of(sprite_object), numbers, strict=False):
        changed = list(sequence.numbers)
        changed[drawing - 1] = number
        sprite_object[key] = changed
    _drive(sprite_object)


def lost_files(sprite_object) -> list[Path]:
    """Pictures of the sprite that are not where the file says; packed ones cannot get lost."""
    if is_packed(sprite_object):
        return []
    return [file for sequence in sequences_of(sprite_object) for file in sequence.files if not file.is_file()]


def relink(sprites: list, folder: Path) -> None:
    """Let sprites show the drawings of their result in the folder where it is now; all of them, or none.

    Raises what `load_result` raises, and `SceneError` (scene.relink) if it is another result.
    """
    sources = {source.sprite.id: source for source in load_result(folder).sources}
    for sprite_object in sprites:
        source = sources.get(sprite_object[SPRITE_ID])
        if source is None or not _is_same(sprite_object, source):
            raise SceneError("scene.relink", f"The result in {folder} has no sprite with the canvas and frames of {sprite_object.name}.",
                             "Choose the result that this scene was imported from, or import the other one.")
    for sprite_object in sprites:
        _relink(sprite_object, sources[sprite_object[SPRITE_ID]])


def set_path(sequence: FileSequence, first: Path) -> None:
    """Let a sequence read the files that are numbered like `first`."""
    sequence.image.filepath = blend_path(first)


def reload(sprite_object) -> None:
    """Read the sprite's pictures from disk again."""
    material = sprite_object.data.materials[0]
    for tree in (material.node_tree, palette.palette_tree(material)):
        for node in tree.nodes if tree is not None else ():
            if node.type == "TEX_IMAGE":
                node.image.reload()


def _is_same(sprite_object, source: Source) -> bool:
    return ((source.sprite.width, source.sprite.height) == tuple(sprite_object["toondecompose_canvas"])
            and list(source.sprite.exposure) == list(sprite_object["toondecompose_exposure"]))


def _relink(sprite_object, source: Source) -> None:
    for sequence, found in zip(sequences_of(sprite_object), (source.drawings, source.index_maps), strict=False):
        if found is not None:
            set_path(sequence, found.first)


def _drive(sprite_object) -> None:
    """Write exposure sheet and opacity into the drivers."""
    exposure, opacity = list(sprite_object["toondecompose_exposure"]), sprite_object[_OPACITY]
    held = held_drawings(sprite_object)
    material = sprite_object.data.materials[0]
    visible = [share if drawing else 0.0 for drawing, share in zip(exposure, opacity, strict=True)]
    drive_drawings(material, sprite_object, [int(sprite_object[_NUMBERS][drawing - 1]) for drawing in held], visible)
    if _MAP_NUMBERS in sprite_object:
        palette.drive_palette(material, sprite_object, [int(sprite_object[_MAP_NUMBERS][drawing - 1]) for drawing in held])


def _copy_images(tree) -> None:
    """Images of its own for a copied tree: reloading and relinking one sprite must not touch the other."""
    copies: dict = {}
    for node in tree.nodes:
        if node.type == "TEX_IMAGE":
            if node.image not in copies:
                copies[node.image] = node.image.copy()
            node.image = copies[node.image]


def _numbered(image, number: int) -> Path:
    """The file of an image sequence with that number."""
    first = Path(bpy.path.abspath(image.filepath_raw))
    stem = first.stem.rstrip("0123456789")
    digits = len(first.stem) - len(stem)
    return first.with_name(f"{stem}{number:0{digits}d}{first.suffix}")
