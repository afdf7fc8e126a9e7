# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations on a sprite's one curve, clip frame over scene frame; each leaves plain keys to go on editing.
Nothing but the keys is stored: what an operation needs to know, it reads off the curve."""

from __future__ import annotations

import math

from ..protocol import SceneError
from .timing import HELD, Key, drive_expression, identity_keys, source_curve, write_keys

__all__ = ["speed", "reverse", "hold", "hold_of", "freeze", "offset", "repeat", "restore", "is_restored", "set_inbetweens",
           "shown_frame", "span"]

_SAME = 1e-3


def speed(sprite_object, factor: float) -> None:
    """Play `factor` times as fast from the first key on; below 0 also backwards."""
    keys = _keys(sprite_object)
    start = keys[0][0]
    write_keys(sprite_object, [(start + (frame - start) / abs(factor), value, kind) for frame, value, kind in keys])
    if factor < 0:
        reverse(sprite_object)


def reverse(sprite_object) -> None:
    """Play backwards between the first and the last key."""
    first, last = span(sprite_object)
    write_keys(sprite_object, _fitted(first, _sampled(sprite_object, first, last)[::-1]))


def hold(sprite_object, step: int) -> None:
    """Show each drawing for `step` frames: on ones, twos, threes, fours; on ones also undoes an earlier hold."""
    first, last = span(sprite_object)
    values = _unheld(_sampled(sprite_object, first, last), len(sprite_object["toondecompose_exposure"]))
    write_keys(sprite_object, _fitted(first, [values[index - index % step] for index in range(len(values))]))


def hold_of(sprite_object) -> int:
    """For how many frames the curve holds each drawing; 1 where it does not hold alike."""
    curve = source_curve(sprite_object)
    points = curve.keyframe_points if curve is not None else ()
    if len(points) < 2 or any(point.interpolation != "CONSTANT" for point in points):
        return 1
    gaps = {points[index + 1].co.x - points[index].co.x for index in range(len(points) - 1)}
    return round(gaps.pop()) if len(gaps) == 1 else 1


def freeze(sprite_object, frame: int) -> None:
    """Show for ever what is shown at scene frame `frame`."""
    write_keys(sprite_object, [(float(frame), float(shown_frame(sprite_object, frame)), "CONSTANT")])


def offset(sprite_object, frames: int) -> None:
    """Start `frames` later (earlier below 0)."""
    write_keys(sprite_object, [(frame + frames, value, kind) for frame, value, kind in _keys(sprite_object)])


def repeat(sprite_object, *, first: int, last: int, until: int, pingpong: bool = False) -> None:
    """Repeat what is shown from `first` to `last` up to scene frame `until`, in turns backwards if `pingpong`."""
    round_trip = _sampled(sprite_object, first, last)
    if pingpong:
        round_trip = round_trip + round_trip[-2:0:-1]
    start = min(first, span(sprite_object)[0])
    before = _sampled(sprite_object, start, first - 1)
    count = until - first + 1
    values = before + [round_trip[index % len(round_trip)] for index in range(count)]
    write_keys(sprite_object, _fitted(start, values))


def restore(sprite_object) -> None:
    """Play the clip as it was."""
    write_keys(sprite_object, identity_keys(len(sprite_object["toondecompose_exposure"])))


def is_restored(sprite_object) -> bool:
    """Whether the clip plays as it was."""
    frames = len(sprite_object["toondecompose_exposure"])
    return all(shown_frame(sprite_object, frame) == frame for frame in range(1, frames + 1))


def shown_frame(sprite_object, frame: float) -> int:
    """The clip frame that the sprite shows at scene frame `frame`, as the drivers round and hold it."""
    frames = len(sprite_object["toondecompose_exposure"])
    return min(max(math.floor(_sampled(sprite_object, frame, frame)[0] + _SAME), 1), frames)


def set_inbetweens(sprite_object, on: bool) -> None:
    """Let the place glide between clip frames (slow motion), or hold it as the drawings are held, which is the default.

    Raises `SceneError` (scene.inbetweens) for a sprite without shape keys.
    """
    if sprite_object.data.shape_keys is None:
        raise SceneError("scene.inbetweens", f"{sprite_object.name} moves by UV warp, which has no in-betweens.",
                         "Change its motion to Shape Keys first.")
    drive_expression(sprite_object.data.shape_keys, "s" if on else HELD)


def _keys(sprite_object) -> list[Key]:
    """The curve's keys; a smooth curve as one key a frame, which scaling and moving keeps as it looks."""
    curve = source_curve(sprite_object)
    if curve is None or len(curve.keyframe_points) == 0:
        return identity_keys(len(sprite_object["toondecompose_exposure"]))
    points = curve.keyframe_points
    if any(point.interpolation not in ("LINEAR", "CONSTANT") for point in points) or len(curve.modifiers):
        first, last = span(sprite_object)
        return _fitted(first, _sampled(sprite_object, first, last))
    return [(point.co.x, point.co.y, point.interpolation) for point in points]


def span(sprite_object) -> tuple[int, int]:
    """First and last whole frame of the keys; a last step lasts as long as the one before it."""
    curve = source_curve(sprite_object)
    if curve is None or len(curve.keyframe_points) == 0:
        return 1, len(sprite_object["toondecompose_exposure"])
    points = curve.keyframe_points
    last = points[-1].co.x
    if len(points) > 1 and points[-2].interpolation == "CONSTANT":
        last += points[-1].co.x - points[-2].co.x - 1
    return math.ceil(points[0].co.x - _SAME), math.ceil(last - _SAME)


def _sampled(sprite_object, first: float, last: float) -> list[float]:
    curve = source_curve(sprite_object)
    frames = [first + index for index in range(int(last - first) + 1)]
    return [curve.evaluate(frame) for frame in frames] if curve is not None else [float(sprite_object["source_frame"])] * len(frames)


def _unheld(values: list[float], frames: int) -> list[float]:
    """The line that evenly held `values` are the steps of; other values as they are.  Stays within 1 ... `frames`.

    Where a loop jumps, the line goes on as it went before.
    """
    starts = [index for index in range(len(values)) if index == 0 or abs(values[index] - values[index - 1]) > _SAME]
    lengths = {after - before for before, after in zip(starts, starts[1:], strict=False)}
    if len(lengths) != 1 or lengths == {1} or len(values) - starts[-1] > max(lengths):
        return values
    step = lengths.pop()
    rises = [values[after] - values[before] for before, after in zip(starts, starts[1:], strict=False)]
    usual = sorted(abs(rise) for rise in rises)[len(rises) // 2]
    line = []
    for index in range(len(values)):
        block = min(index // step, len(rises) - 1)
        if index // step == len(rises) or abs(rises[block]) > usual + _SAME:
            block = max(index // step - 1, 0)
        line.append(values[index] + rises[block] * (index % step) / step)
    return [min(max(value, 1.0), float(frames)) for value in line]


def _fitted(first: int, values: list[float]) -> list[Key]:
    """The fewest keys, from frame `first` on, whose lines and steps run through all `values`, one a frame."""
    keys: list[Key] = []
    index, last = 0, len(values) - 1
    while index <= last:
        end = _straight_end(values, index)
        flat = end == index or abs(values[end] - values[index]) < _SAME
        if not flat and end - index < 2 and last > 1:
            end, flat = index, True
        keys.append((float(first + index), values[index], "CONSTANT" if flat else "LINEAR"))
        shared = end < last and _straight_end(values, end) - end >= 2 and end > index
        if not shared and not flat:
            keys.append((float(first + end), values[end], "CONSTANT"))
        index = end if shared else end + 1
    return keys


def _straight_end(values: list[float], start: int) -> int:
    """Last index up to which the values from `start` on change evenly."""
    end = min(start + 1, len(values) - 1)
    while end + 1 < len(values) and abs(values[end + 1] - 2 * values[end] + values[end - 1]) < _SAME:
        end += 1
    return end
