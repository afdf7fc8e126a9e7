# SPDX-License-Identifier: GPL-3.0-or-later
"""A sprite's drawings: dressing a new sprite in them, replacing one, finding those that got lost.
It must not know motion."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy

from ..protocol import SceneError
from . import palette, timing
from .loading import Source, load_result
from .materials import blend_path, color_group_of, drive_drawings, image_of, new_material
from .sprites import SPRITE_ID

__all__ = ["dress", "dress_copy", "drawing_shown", "drawing_path", "replace_drawing", "lost_files", "relink", "reload"]

_NUMBERS, _MAP_NUMBERS, _OPACITY = "toondecompose_numbers", "toondecompose_map_numbers", "toondecompose_opacity"


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


def drawing_shown(sprite_object, clip_frame: int) -> int:
    """The 1-based drawing of a clip frame, 0 where the sprite is hidden."""
    return int(sprite_object["toondecompose_exposure"][clip_frame - 1])


def drawing_path(sprite_object, drawing: int) -> Path:
    """The file of a 1-based drawing."""
    return _numbered(image_of(sprite_object.data.materials[0]), int(sprite_object[_NUMBERS][drawing - 1]))


def replace_drawing(sprite_object, drawing: int, picture: Path) -> Path:
    """Show `picture` wherever `drawing` (1-based) is exposed; it is copied beside the others, which stay.  Returns the copy.

    Raises `SceneError`: scene.picture (unreadable or of another size), scene.folder.
    """
    canvas = tuple(sprite_object["toondecompose_canvas"])
    image = image_of(sprite_object.data.materials[0])
    folder = _numbered(image, 1).parent
    taken = [int(number) for number in sprite_object[_NUMBERS]]
    number = max(taken) + 1
    while _numbered(image, number).exists():
        number += 1
    target = _numbered(image, number)
    try:
        _check_picture(picture, canvas, target.suffix)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, target)
    except OSError as cause:
        raise SceneError("scene.folder", f"{target} cannot be written: {cause.strerror}.",
                         "Make the folder of the drawings writable.") from cause
    taken[drawing - 1] = number
    sprite_object[_NUMBERS] = taken
    _drive(sprite_object)
    return target


def lost_files(sprite_object) -> list[Path]:
    """Pictures of the sprite that are not where the file says; packed ones cannot get lost."""
    material = sprite_object.data.materials[0]
    sequences = [(image_of(material), sprite_object[_NUMBERS])]
    tree = palette.palette_tree(material)
    if tree is not None:
        sequences.append((next(node.image for node in tree.nodes if node.type == "TEX_IMAGE"), sprite_object[_MAP_NUMBERS]))
    paths = [_numbered(image, int(number)) for image, numbers in sequences if image.packed_file is None for number in numbers]
    return [path for path in paths if not path.is_file()]


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
    material = sprite_object.data.materials[0]
    _set_path(image_of(material), source.drawings.first)
    tree = palette.palette_tree(material)
    if tree is not None and source.index_maps is not None:
        for node in tree.nodes:
            if node.type == "TEX_IMAGE":
                _set_path(node.image, source.index_maps.first)


def _drive(sprite_object) -> None:
    """Write exposure sheet and opacity into the drivers.  A hidden frame keeps the drawing before it: nothing to load."""
    exposure, opacity = list(sprite_object["toondecompose_exposure"]), sprite_object[_OPACITY]
    shown, held = 1, []
    for drawing in exposure:
        shown = drawing or shown
        held.append(shown)
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


def _set_path(image, path: Path) -> None:
    image.filepath = blend_path(path)


def _check_picture(picture: Path, canvas: tuple[int, int], suffix: str) -> None:
    if picture.suffix.lower() != suffix.lower():
        raise SceneError("scene.picture", f"{picture.name} is no {suffix} file like the other drawings.",
                         f"Save it as {suffix} with alpha.")
    try:
        image = bpy.data.images.load(str(picture))
    except RuntimeError as cause:
        raise SceneError("scene.picture", f"{picture} cannot be read.", "Choose a picture that Blender can open.") from cause
    size = tuple(image.size)
    bpy.data.images.remove(image)
    if size != canvas:
        raise SceneError("scene.picture", f"{picture.name} is {size[0]} x {size[1]} px, the drawing {canvas[0]} x {canvas[1]}.",
                         "Repaint on the canvas of the drawing; do not crop it.")
