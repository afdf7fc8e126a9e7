# SPDX-License-Identifier: GPL-3.0-or-later
"""The shots of a clip that cuts: each has a scene of its own, and one more scene plays them all at their frames.
It must not know sprites, nor where shots come from."""

from __future__ import annotations

import bpy

from ..protocol import Clip
from . import stage, strips
from .sprites import FIRST_FRAME, SOURCE

__all__ = ["new_edit"]

_CHANNEL = 2        # the clip's sound, if it is wanted, lies in the first


def new_edit(clip: Clip, scenes: list[tuple], title: str):
    """A scene of the clip's size, rate and length whose sequencer shows each of `scenes` (scene, first frame from 1)."""
    edit = bpy.data.scenes.new(title)
    edit.frame_start, edit.frame_end = 1, clip.frames
    stage.set_format(edit, clip)
    edit.view_settings.view_transform = "Standard"
    edit[SOURCE], edit[FIRST_FRAME] = clip.source, clip.first_frame
    edit.sequence_editor_create()
    for scene, first in scenes:
        scene[strips.WHOLE], scene[strips.FIRST] = edit, first
        strips.lay_scene(edit, scene, channel=_CHANNEL, start=first)
    return edit
