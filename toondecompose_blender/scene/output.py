# SPDX-License-Identifier: GPL-3.0-or-later
"""What a render writes: pictures, a movie, or one EXR layer a sprite.  Sets a scene up for it; rendering is Blender's business.
It must not know who renders."""

from __future__ import annotations

import bpy

from ..protocol import SettingsError
from . import versions
from .sprites import sprites_of

__all__ = ["MOVIES", "OUTPUTS", "set_output", "use_sprite_layers"]

MOVIES = {"movie": ".mp4", "ffv1": ".mkv"}
OUTPUTS = ("png", *MOVIES, "exr")
"""PNG pictures with alpha; H.264 (small); FFV1 (every bit kept); EXR pictures with one layer a sprite."""

_LAYERS = "Sprite Layers"


def set_output(scene, kind: str, *, depth: int = 8, alpha: bool = True, sound: bool = False) -> None:
    """Make the scene write `kind`, one of `OUTPUTS`.  Raises `SettingsError` (settings.output)."""
    if kind not in OUTPUTS:
        raise SettingsError("settings.output", f"There is no output {kind!r}.", f"Choose one of: {', '.join(OUTPUTS)}.")
    images = scene.render.image_settings
    if kind == "png":
        versions.set_image_output(images, file_format="PNG", color_mode="RGBA" if alpha else "RGB", color_depth=str(depth))
    elif kind == "exr":
        versions.set_image_output(images, file_format="OPEN_EXR_MULTILAYER", color_mode="RGBA", color_depth="16")
        images.exr_codec = "ZIP"
    else:
        versions.set_movie_output(images)
        _set_movie(scene.render.ffmpeg, kind, sound)
    use_sprite_layers(scene, kind == "exr")


def use_sprite_layers(scene, on: bool) -> None:
    """Render one view layer a sprite, named like it, besides the whole picture; or the whole picture alone."""
    for layer in [layer for layer in scene.view_layers if layer.get(_LAYERS)]:
        scene.view_layers.remove(layer)
    parent = bpy.data.collections.get(scene.get(_LAYERS, ""))
    if parent is not None:
        for child in list(parent.children):
            bpy.data.collections.remove(child)
        bpy.data.collections.remove(parent)
        del scene[_LAYERS]
    if on:
        _add_sprite_layers(scene)


def _add_sprite_layers(scene) -> None:
    """View layers choose among collections, so every sprite is linked to one more, of its own."""
    originals = list(scene.view_layers)
    sprites = sprites_of(scene)
    parent = bpy.data.collections.new(_LAYERS)
    scene[_LAYERS] = parent.name
    scene.collection.children.link(parent)
    for sprite_object in sprites:
        child = bpy.data.collections.new(f"{sprite_object.name} Layer")
        child.objects.link(sprite_object)
        parent.children.link(child)
    for layer in originals:
        layer.layer_collection.children[parent.name].exclude = True
    for sprite_object, child in zip(sprites, parent.children, strict=True):
        layer = scene.view_layers.new(sprite_object.name)
        layer[_LAYERS] = True
        for top in layer.layer_collection.children:
            top.exclude = top.name != parent.name
        for own in layer.layer_collection.children[parent.name].children:
            own.exclude = own.name != child.name


def _set_movie(ffmpeg, kind: str, sound: bool) -> None:
    if kind == "movie":
        ffmpeg.format, ffmpeg.codec, ffmpeg.constant_rate_factor = "MPEG4", "H264", "PERC_LOSSLESS"
    else:
        ffmpeg.format, ffmpeg.codec = "MKV", "FFV1"
    ffmpeg.audio_codec = ("AAC" if kind == "movie" else "FLAC") if sound else "NONE"
