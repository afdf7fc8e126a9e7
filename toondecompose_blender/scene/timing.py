# SPDX-License-Identifier: GPL-3.0-or-later
"""Time: the one curve of a sprite, `source_frame`, and the drivers through which drawing and place follow it.
It must not know what is driven, nor images or meshes."""

from __future__ import annotations

from collections.abc import Iterable

from . import versions

__all__ = ["SOURCE_FRAME", "HELD", "Key", "add_source_frame", "identity_keys", "steps", "source_curve", "write_keys", "drive",
           "drive_expression", "retarget"]

SOURCE_FRAME = "source_frame"
"""Custom property of a sprite's object: the frame of the clip, from 1, that it shows."""

# Frames are held.  The 0.001 forgives the float32 rounding of a line through a thousand frames (6e-5).
HELD = "floor(s + 0.001)"
# A driver's curve is asked at whole frames only; steps lie well before them.
_STEP_LEAD = 0.25

Key = tuple[float, float, str]
"""Frame, value, and the interpolation that begins there: "LINEAR" or "CONSTANT"."""


def add_source_frame(sprite_object, frames: int) -> None:
    """Give a sprite's object its clip frame, keyed so that it plays the `frames` of its clip as they were."""
    sprite_object[SOURCE_FRAME] = 1.0
    sprite_object.id_properties_ui(SOURCE_FRAME).update(
        min=1.0, max=float(frames), soft_min=1.0, soft_max=float(frames), default=1.0, step=100, precision=2,
        description="Frame of the clip that this sprite shows; its curve retimes drawing and place together")
    write_keys(sprite_object, identity_keys(frames))


def identity_keys(frames: int) -> list[Key]:
    """Keys that show clip frame f at scene frame f."""
    return [(1.0, 1.0, "LINEAR"), (float(frames), float(frames), "LINEAR")] if frames > 1 else [(1.0, 1.0, "LINEAR")]


def source_curve(sprite_object):
    """The F-curve of a sprite's clip frame, or None when the artist removed it."""
    path = f'["{SOURCE_FRAME}"]'
    return next((curve for curve in versions.fcurves_of(sprite_object) if curve.data_path == path), None)


def write_keys(sprite_object, keys: list[Key]) -> None:
    """Replace the keys of a sprite's clip frame."""
    path = f'["{SOURCE_FRAME}"]'
    if source_curve(sprite_object) is None:
        sprite_object.keyframe_insert(path, frame=1.0)
    curve = source_curve(sprite_object)
    _fill(curve, keys)


def drive(owner, path: str, sprite_object, points: Iterable[Key], *, expression: str = HELD, index: int = -1) -> None:
    """Let `owner`'s `path` follow the sprite's clip frame: `points` map frame to value on the driver's own curve.

    The expression is a simple one, which runs no Python: it works with auto-run scripts off.
    """
    owner.driver_remove(path, index)
    curve = owner.driver_add(path, index)
    for modifier in list(curve.modifiers):
        curve.modifiers.remove(modifier)
    curve.driver.type = "SCRIPTED"
    variable = curve.driver.variables.new()
    variable.name, variable.type = "s", "SINGLE_PROP"
    variable.targets[0].id = sprite_object
    variable.targets[0].data_path = f'["{SOURCE_FRAME}"]'
    curve.driver.expression = expression
    _fill(curve, list(points))


def steps(values: Iterable[float]) -> list[Key]:
    """Points of a curve that is `values[f - 1]` at frame f and changes at once, a point a change."""
    points: list[Key] = []
    for frame, value in enumerate(values, start=1):
        if not points or points[-1][1] != value:
            points.append((frame - _STEP_LEAD, float(value), "CONSTANT"))
    return points


def drive_expression(owner, expression: str) -> None:
    """Change the expression of all clip-frame drivers of `owner`."""
    for curve in owner.animation_data.drivers:
        curve.driver.expression = expression


def retarget(owner, sprite_object) -> None:
    """Let all clip-frame drivers of `owner` follow another sprite: needed after copying."""
    if owner.animation_data is None:
        return
    for curve in owner.animation_data.drivers:
        for variable in curve.driver.variables:
            if variable.targets[0].data_path == f'["{SOURCE_FRAME}"]':
                variable.targets[0].id = sprite_object


def _fill(curve, keys: list[Key]) -> None:
    points = curve.keyframe_points
    points.clear()
    points.add(len(keys))
    points.foreach_set("co", [number for frame, value, _ in keys for number in (frame, value)])
    for point, (_, _, interpolation) in zip(points, keys, strict=True):
        point.interpolation = interpolation
        point.handle_left_type = point.handle_right_type = "VECTOR"
    curve.extrapolation = "CONSTANT"
    curve.update()
