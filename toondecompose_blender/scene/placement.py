# SPDX-License-Identifier: GPL-3.0-or-later
"""Move, turn and scale a sprite in pixels of the frame, exactly, whatever its perspective: a Geometry Nodes group after the bake.
It must not know how the plane moves by itself.

A point at depth d moves by d / W for a pixel, so that the plane stays a plane and its picture a homography.
"""

from __future__ import annotations

import bpy
import numpy as np

from . import versions
from .lifting import View
from .nodes import Graph
from .timing import drive, steps

__all__ = ["MODIFIER", "add_placement", "placement_inputs", "placement_properties", "placement_path", "set_placement",
           "restore_placement", "set_pivots"]

MODIFIER = "Placement"
_PIVOTS = ("Pivot X", "Pivot Y")
_OWN_MIDDLE = "Turn around Middle"


def add_placement(sprite_object, view: View) -> None:
    """Give a sprite's object its placement, neutral."""
    modifier = sprite_object.modifiers.new(MODIFIER, "NODES")
    modifier.node_group = _group(view)
    for item in _inputs(modifier.node_group):
        versions.set_modifier_input(modifier, item.identifier, item.default_value)


def placement_inputs(sprite_object) -> dict[str, str]:
    """Identifiers of the modifier's inputs by name: Move X, Move Y (px, right and up), Rotation (radians), Scale."""
    group = sprite_object.modifiers[MODIFIER].node_group
    return {item.name: item.identifier for item in _inputs(group) if item.name not in (*_PIVOTS, _OWN_MIDDLE)}


def placement_properties(sprite_object) -> dict[str, tuple[object, str]]:
    """Owner and property of each input by name, as `layout.prop` wants them."""
    modifier = sprite_object.modifiers[MODIFIER]
    return {name: versions.modifier_input(modifier, identifier) for name, identifier in placement_inputs(sprite_object).items()}


def placement_path(sprite_object, name: str) -> str:
    """Data path, from the object, of the input called `name`: for keys and drivers."""
    return versions.modifier_input_path(sprite_object.modifiers[MODIFIER], placement_inputs(sprite_object)[name])


def set_placement(sprite_object, **values: float) -> None:
    """Set inputs by name, spaces as underscores and in lower case: `move_x`, `move_y`, `rotation`, `scale`."""
    modifier = sprite_object.modifiers[MODIFIER]
    for name, identifier in placement_inputs(sprite_object).items():
        value = values.get(name.lower().replace(" ", "_"))
        if value is not None:
            versions.set_modifier_input(modifier, identifier, float(value))
    sprite_object.update_tag()


def restore_placement(sprite_object) -> None:
    """Put the sprite where the clip has it."""
    set_placement(sprite_object, move_x=0.0, move_y=0.0, rotation=0.0, scale=1.0)


def set_pivots(sprite_object, middles: np.ndarray | None, view: View) -> None:
    """Turn and scale around `middles` (T, 2), px of the frame, in each clip frame; None: around the middle of the plane."""
    modifier = sprite_object.modifiers[MODIFIER]
    identifiers = {item.name: item.identifier for item in _inputs(modifier.node_group)}
    for axis, name in enumerate(_PIVOTS):
        path = versions.modifier_input_path(modifier, identifiers[name])
        sprite_object.driver_remove(path)
        if middles is not None:
            lengths = (middles[:, axis] - (view.width, view.height)[axis] / 2) / view.width * (1, -1)[axis]
            drive(sprite_object, path, sprite_object, steps(lengths))
    versions.set_modifier_input(modifier, identifiers[_OWN_MIDDLE], middles is None)


def _inputs(group) -> list:
    return [item for item in group.interface.items_tree
            if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.socket_type != "NodeSocketGeometry"]


def _group(view: View):
    """The node group for a frame's width, made once a file."""
    name = f"Toon Placement {view.width}"
    return bpy.data.node_groups.get(name) or _Builder(name, view).group


class _Builder(Graph):
    """Builds the group: position p (depth 1 at the origin) -> depth d; turn and scale p - c d; add (c + move) d."""

    def __init__(self, name: str, view: View):
        self.group = bpy.data.node_groups.new(name, "GeometryNodeTree")
        self.group.is_modifier = True
        super().__init__(self.group)
        self._width = float(view.width)
        self._add_sockets()
        source = self.node("NodeGroupInput")
        position = self.node("GeometryNodeInputPosition").outputs[0]
        # The object's origin is at depth 1, the camera at z = 1.
        depth = self.math("SUBTRACT", 1.0, self.split(position)[2])
        pivot = self._pivot(source, position)
        arm = self.vector("SUBTRACT", position, self.vector("SCALE", pivot, depth))
        target = self.vector("ADD", pivot, self._move(source))
        flat = self.vector("ADD", self._turned(arm, source), self.vector("SCALE", target, depth))
        self._set_position(source, flat, position)

    def _add_sockets(self) -> None:
        interface = self.group.interface
        interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
        for name, subtype, default in (("Move X", "NONE", 0.0), ("Move Y", "NONE", 0.0), ("Rotation", "ANGLE", 0.0), ("Scale", "NONE", 1.0),
                                       ("Pivot X", "NONE", 0.0), ("Pivot Y", "NONE", 0.0)):
            socket = interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat")
            socket.default_value, socket.subtype = default, subtype
            socket.hide_in_modifier = name in _PIVOTS
        middle = interface.new_socket(_OWN_MIDDLE, in_out="INPUT", socket_type="NodeSocketBool")
        middle.default_value, middle.hide_in_modifier = True, True
        interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")

    def _pivot(self, source, position):
        """Middle of the four corners, which is the canvas's middle, as seen at depth 1; or the given one."""
        statistic = self.node("GeometryNodeAttributeStatistic")
        statistic.data_type = "FLOAT_VECTOR"
        self.link(source.outputs["Geometry"], statistic.inputs["Geometry"])
        self.link(position, next(socket for socket in statistic.inputs if socket.name == "Attribute" and socket.type == "VECTOR"))
        middle = next(socket for socket in statistic.outputs if socket.name == "Mean" and socket.type == "VECTOR")
        x, y, z = self.split(middle)
        # A canvas that reaches behind the camera may have its middle there: stay in front.
        depth = self.math("MAXIMUM", self.math("SUBTRACT", 1.0, z), 1e-3)
        own = self.join(self.math("DIVIDE", x, depth), self.math("DIVIDE", y, depth))
        switch = self.node("GeometryNodeSwitch")
        switch.input_type = "VECTOR"
        self.link(source.outputs[_OWN_MIDDLE], switch.inputs["Switch"])
        self.link(self.join(source.outputs["Pivot X"], source.outputs["Pivot Y"]), switch.inputs["False"])
        self.link(own, switch.inputs["True"])
        return switch.outputs[0]

    def _move(self, source):
        return self.join(*(self.math("DIVIDE", source.outputs[name], self._width) for name in ("Move X", "Move Y")))

    def _turned(self, arm, source):
        rotate = self.node("ShaderNodeVectorRotate")
        rotate.rotation_type = "Z_AXIS"
        self.link(arm, rotate.inputs["Vector"])
        self.link(source.outputs["Rotation"], rotate.inputs["Angle"])
        return self.vector("SCALE", rotate.outputs[0], source.outputs["Scale"])

    def _set_position(self, source, flat, position) -> None:
        """x and y of the new place, the old z: scaling must not change the depth."""
        x, y, _ = self.split(flat)
        setter = self.node("GeometryNodeSetPosition")
        self.link(source.outputs["Geometry"], setter.inputs["Geometry"])
        self.link(self.join(x, y, self.split(position)[2]), setter.inputs["Position"])
        self.link(setter.outputs[0], self.node("NodeGroupOutput").inputs[0])
