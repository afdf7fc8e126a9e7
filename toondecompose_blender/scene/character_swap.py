# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawn character takes the place of a decomposed sprite: its order, motion, timing, placement and visibility.
It must not know how the character was drawn, nor operators."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from ..protocol import SceneError
from . import baking, drawings, placement
from .loading import Source, load_result
from .planes import new_plane
from .sprites import SPRITE_ID, sprites_of
from .stacking import stack
from .stage import view_of
from .timing import add_source_frame, source_curve, write_keys
from .versions import modifier_input

__all__ = ["replace_by_character"]

INK = "ink"  # the id of a sprite of contour lines, in front of its character
VISIBLE = 0.5  # alpha from which a pixel belongs to the figure


def replace_by_character(scene, sprite_object, folder: os.PathLike | str):
    """Put the character of a result folder where `sprite_object` is, and remove that; returns the new sprite's object.

    Contour lines that are a sprite of their own come along, right in front.

    The figure stands on the old one's feet, as high as it was, and moves as it moved; each clip frame shows the character's drawing
    of that frame, the last one held.  Raises `ResultError`, and `SceneError` (scene.character_empty) before anything changes.
    """
    sources = _character_of(load_result(folder))
    old = baking.motion_of(sprite_object)
    paths = [Path(folder, name) for name in sources[0].sprite.drawings]
    shown = [drawings.drawing_path(sprite_object, number) for number in sorted(set(old.exposure) - {0})]
    fit = _fit(_figure(paths), _figure(shown))
    new = [_plane_of(scene, source, old, fit) for source in sources]
    _take_over(scene, new, sprite_object)
    return new[0]


def _plane_of(scene, source: Source, old: baking.Motion, fit: np.ndarray):
    """A sprite of the character, moving as the old one did."""
    view, exposure = view_of(scene), _exposed(source.sprite.exposure, old.exposure)
    new = new_plane(source.sprite.name or "Character", source.sprite.width, source.sprite.height)
    new[SPRITE_ID] = source.sprite.id
    baking.remember(new, baking.Motion(source.sprite.width, source.sprite.height, old.homographies @ fit, exposure), view)
    add_source_frame(new, len(exposure))
    placement.add_placement(new, view)
    baking.bake(new, "shape-keys", view)
    drawings.dress(new, _lasting(source, exposure))
    return new


def _character_of(result) -> list[Source]:
    """The character, and its lines if they are a sprite of their own: the two front-most at most."""
    found = [source for source in result.sources if source.sprite.role != "background"]
    if not found:
        raise SceneError("scene.character_empty", f"{result.folder.name} holds no character.", "Choose the folder of a drawn character.")
    return found[-2:] if found[-1].sprite.id == INK else found[-1:]


def _exposed(exposure: tuple[int, ...], clip: tuple[int, ...]) -> tuple[int, ...]:
    """The character's drawing of every clip frame, hidden where the old sprite was."""
    return tuple(exposure[min(frame, len(exposure) - 1)] if drawing else 0 for frame, drawing in enumerate(clip))


def _lasting(source: Source, exposure: tuple[int, ...]) -> Source:
    """The source with an exposure sheet of the clip's length."""
    return replace(source, sprite=replace(source.sprite, exposure=exposure, opacity=()))


def _figure(paths: list[Path]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom edge, in px, of what any of the drawings shows."""
    shown = None
    for path in paths:
        image = bpy.data.images.load(str(path), check_existing=False)
        try:
            width, height = image.size
            pixels = np.empty(width * height * 4, np.float32)
            image.pixels.foreach_get(pixels)
        finally:
            bpy.data.images.remove(image)
        alpha = pixels.reshape(height, width, 4)[::-1, :, 3] > VISIBLE
        shown = alpha if shown is None else shown | alpha
    if shown is None or not shown.any():
        raise SceneError("scene.character_empty", "There is nothing to see in the drawings.", "Draw the character again.")
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1]), float(rows[-1])


def _fit(figure: tuple[float, ...], place: tuple[float, ...]) -> np.ndarray:
    """The homography that puts a figure's box on the feet of another, as high as that, on its middle."""
    scale = (place[3] - place[1] + 1) / (figure[3] - figure[1] + 1)
    x = (place[0] + place[2]) / 2 - scale * (figure[0] + figure[2]) / 2
    y = (place[3] + 0.5) - scale * (figure[3] + 0.5)
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1.0]])


def _take_over(scene, new: list, old) -> None:
    curve = source_curve(old)
    for sprite in new:
        if curve is not None:
            write_keys(sprite, [(point.co.x, point.co.y, point.interpolation) for point in curve.keyframe_points])
        for name, identifier in placement.placement_inputs(old).items():
            owner, key = modifier_input(old.modifiers[placement.MODIFIER], identifier)
            value = getattr(owner, key) if key == "value" else owner[identifier]
            placement.set_placement(sprite, **{name.lower().replace(" ", "_"): value})
        sprite.hide_viewport, sprite.hide_render = old.hide_viewport, old.hide_render
    order = [one for sprite in sprites_of(scene) for one in (new if sprite == old else [sprite])]
    for collection in old.users_collection:
        for sprite in new:
            collection.objects.link(sprite)
    mesh = old.data
    bpy.data.objects.remove(old)
    bpy.data.meshes.remove(mesh)
    stack(scene, order)
