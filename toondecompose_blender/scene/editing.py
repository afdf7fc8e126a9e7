# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist does with whole sprites: another order, a copy, alone in view, another bake.
It must not know operators."""

from __future__ import annotations

from . import baking
from .drawings import dress_copy
from .sprites import sprites_of
from .stacking import stack
from .stage import view_of
from .timing import retarget

__all__ = ["move", "duplicate", "solo", "set_hidden", "is_hidden", "change_bake"]


def move(scene, sprite_object, *, forward: bool) -> bool:
    """Move a sprite one place to the front or the back; False if it is there already."""
    order = sprites_of(scene)
    place = order.index(sprite_object)
    target = place + (1 if forward else -1)
    if not 0 <= target < len(order):
        return False
    order[place], order[target] = order[target], order[place]
    stack(scene, order)
    return True


def duplicate(scene, sprite_object):
    """A copy just in front of the sprite, independent of it in everything: timing, color, place, drawings."""
    copy = sprite_object.copy()
    copy.data = sprite_object.data.copy()
    _own_action(copy)
    retarget(copy, copy)
    if copy.data.shape_keys is not None:
        retarget(copy.data.shape_keys, copy)
    dress_copy(copy, sprite_object)
    for collection in sprite_object.users_collection:
        collection.objects.link(copy)
    order = [other for other in sprites_of(scene) if other != copy]
    order.insert(order.index(sprite_object) + 1, copy)
    stack(scene, order)
    return copy


def solo(scene, sprite_object) -> None:
    """Hide all other sprites; if they are hidden already, show all again."""
    others = [other for other in sprites_of(scene) if other != sprite_object]
    alone = not is_hidden(sprite_object) and all(is_hidden(other) for other in others)
    set_hidden(sprite_object, False)
    for other in others:
        set_hidden(other, not alone)


def set_hidden(sprite_object, hidden: bool) -> None:
    """Hide a sprite in view and render, or show it."""
    sprite_object.hide_viewport = sprite_object.hide_render = hidden


def is_hidden(sprite_object) -> bool:
    """Whether the sprite is not rendered."""
    return sprite_object.hide_render


def change_bake(scene, sprite_object, kind: str) -> float:
    """Bake anew, and make room for it in depth; returns the largest corner error in px.  Raises what `baking.bake` raises."""
    error = baking.bake(sprite_object, kind, view_of(scene))
    stack(scene, sprites_of(scene))
    return error


def _own_action(copy) -> None:
    """A copied object shares its action; with a copy of it, retiming one sprite leaves the other alone."""
    data = copy.animation_data
    if data is None or data.action is None:
        return
    slot = data.action_slot.identifier if getattr(data, "action_slot", None) is not None else None
    data.action = data.action.copy()
    if slot is not None:
        data.action_slot = data.action.slots[slot]
