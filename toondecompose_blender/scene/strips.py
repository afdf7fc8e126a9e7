# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back into the edit: the sprites' scene as a strip over the clip it came from, at the same frames.
It must not know how strips become jobs."""

from __future__ import annotations

import bpy

from ..protocol import SceneError
from . import versions
from .blending import blending_of
from .sprites import FIRST_FRAME, JOB_ID, SOURCE, sprites_of

__all__ = ["WHOLE", "FIRST", "remember_cut", "add_scene_strip", "lay_scene", "scene_of_job", "keep_clip_sound", "set_clip_sound"]

WHOLE, FIRST = "toondecompose_whole", "toondecompose_first"
"""Custom properties of a shot's scene: the scene that plays all shots, and the frame of the whole with which it begins."""

_CUT = "toondecompose_cut"
_SOUND, _DISPLAY = "Clip Sound", "Display Values"
_PIECES = 64


def scene_of_job(job: str):
    """The scene of the newest import of a job that still has its sprites, the first shot's of several, or None."""
    scenes = [scene for scene in bpy.data.scenes
              if sprites_of(scene) and any(job and child.get(JOB_ID) == job for child in scene.collection.children_recursive)]
    return _shots_with(scenes[-1])[0] if scenes else None


def remember_cut(strip) -> None:
    """Keep on a strip how much of its beginning was hidden when its frames became a clip: it may be trimmed otherwise later."""
    strip[_CUT] = _hidden(strip)


def add_scene_strip(edit_scene, source_strip, sprite_scene):
    """Lay the sprites' scene over the visible part of `source_strip`, in the next channel free there; returns the strip.

    Where the source was trimmed or extended since it became a clip, the sprites stay over the frames that they were made of.
    A scene that is one shot of a whole brings the other shots with it; the first strip is returned.
    Raises `SceneError` (scene.strip) if the scene would contain itself.
    """
    if sprite_scene == edit_scene:
        raise SceneError("scene.strip", "A scene cannot be a strip of its own.", "Switch to the scene of the edit.")
    editor = edit_scene.sequence_editor
    start, end = versions.strip_range(source_strip)
    channel = _free_channel(editor, source_strip.channel + 1, start, end)
    begin = start - (_hidden(source_strip) - source_strip[_CUT] if _CUT in source_strip else 0)
    shots = [(scene, begin + scene.get(FIRST, 1) - 1) for scene in _shots_with(sprite_scene)]
    seen = [(scene, first) for scene, first in shots if first < end and first + scene.frame_end - scene.frame_start + 1 > start]
    if not seen:
        raise SceneError("scene.strip", "The strip shows none of the frames that were imported.", "Make the strip longer.")
    laid = [lay_scene(edit_scene, scene, channel=channel, start=first) for scene, first in seen]
    for strip in laid:
        first, last = versions.strip_range(strip)
        versions.set_strip_start(strip, max(first, start))
        versions.set_strip_end(strip, min(last, end))
    return laid[0]


def lay_scene(edit_scene, sprite_scene, *, channel: int, start: int):
    """A strip of the whole of a sprites' scene, which shows its colors as they are."""
    strip = versions.new_scene_strip(edit_scene.sequence_editor, name=sprite_scene.name, scene=sprite_scene, channel=channel,
                                     frame_start=start)
    strip.blend_type = "REPLACE"
    if blending_of(sprite_scene) == "display":
        _keep_display_values(edit_scene, strip)
    return strip


def _hidden(strip) -> int:
    """Frames of its content before the first that a strip shows."""
    before, _, trimmed = versions.strip_offsets(strip)
    return before + trimmed


def _shots_with(sprite_scene) -> list:
    """The scenes of all shots of the whole that a scene belongs to, in order; of no whole, itself."""
    whole = sprite_scene.get(WHOLE)
    if whole is None:
        return [sprite_scene]
    return sorted((scene for scene in bpy.data.scenes if scene.get(WHOLE) == whole), key=lambda scene: scene[FIRST])


def keep_clip_sound(scene, on: bool) -> bool:
    """`set_clip_sound` with the clip that the scene's sprites were made of."""
    return set_clip_sound(scene, bpy.path.abspath(scene.get(SOURCE, "")), scene.get(FIRST_FRAME, 1), on)


def set_clip_sound(scene, path: str, first_frame: int, on: bool) -> bool:
    """Let the scene sound like the clip it came from, or not; False if the clip has no sound.

    The clip's frame `first_frame` (from 1) is heard at scene frame 1.
    """
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = versions.strips_of(editor)
    for strip in [strip for strip in strips if strip.name == _SOUND]:
        strips.remove(strip)
    if not on or not path or not _has_sound(path):
        return False
    strips.new_sound(name=_SOUND, filepath=path, channel=1, frame_start=2 - first_frame)
    return True


def _keep_display_values(edit_scene, strip) -> None:
    """Undo the sRGB curve that the sequencer puts on every scene: this one holds display values already.

    The curve is a table of straight pieces: 64 of them stay within 1e-4 of IEC 61966-2-1, 83 dB.
    """
    with versions.sequencer_edits(bpy.context, edit_scene):
        mapping = strip.modifiers.new(_DISPLAY, "CURVES").curve_mapping
    points = mapping.curves[3].points
    for index in range(1, _PIECES):
        encoded = index / _PIECES
        points.new(encoded, encoded / 12.92 if encoded <= 0.04045 else ((encoded + 0.055) / 1.055) ** 2.4)
    for point in points:
        point.handle_type = "VECTOR"
    mapping.update()


def _free_channel(editor, lowest: int, start: int, end: int) -> int:
    ranges = [(strip.channel, *versions.strip_range(strip)) for strip in versions.strips_of(editor)]
    taken = {channel for channel, first, last in ranges if first < end and last > start}
    return next(channel for channel in range(lowest, lowest + len(taken) + 1) if channel not in taken)


def _has_sound(path: str) -> bool:
    try:
        sound = bpy.data.sounds.load(path)
    except RuntimeError:
        return False
    heard = sound.channels != "INVALID"
    bpy.data.sounds.remove(sound)
    return heard
