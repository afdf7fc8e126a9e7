# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of shader nodes that change a sprite's color: the artist's adjustments, and the step to scene-linear light.
They work on display values, as the drawings hold them; they must not know drawings.
"""

from __future__ import annotations

import bpy

from .nodes import Graph, add_node

__all__ = ["new_color_group", "linear_group"]

_LINEAR = "Toon Display to Linear"


def new_color_group(name: str):
    """Hue, saturation, value -> curves -> tint, and opacity on the alpha: neutral as it is made.

    Blender cannot key a curve's points, so the input Curves says how much of them is seen.
    """
    group = bpy.data.node_groups.new(name, "ShaderNodeTree")
    _add_color_sockets(group.interface)
    source = add_node(group, "NodeGroupInput", "In", (-500, 0))
    shift = add_node(group, "ShaderNodeHueSaturation", "Hue Saturation Value", (-280, 0))
    curves = add_node(group, "ShaderNodeRGBCurve", "Curves", (-80, 0))
    tint = add_node(group, "ShaderNodeMix", "Tint", (220, 0))
    tint.data_type, tint.blend_type = "RGBA", "MULTIPLY"
    tint.inputs["Factor"].default_value = 1.0
    fade = add_node(group, "ShaderNodeMath", "Opacity", (220, -260))
    fade.operation = "MULTIPLY"
    target = add_node(group, "NodeGroupOutput", "Out", (440, 0))
    links = group.links
    links.new(source.outputs["Color"], shift.inputs["Color"])
    for socket in ("Hue", "Saturation", "Value"):
        links.new(source.outputs[socket], shift.inputs[socket])
    links.new(shift.outputs["Color"], curves.inputs["Color"])
    links.new(source.outputs["Curves"], curves.inputs[0])
    tint_a, tint_b = (socket for socket in tint.inputs if socket.type == "RGBA")
    links.new(curves.outputs["Color"], tint_a)
    links.new(source.outputs["Tint"], tint_b)
    links.new(next(socket for socket in tint.outputs if socket.type == "RGBA"), target.inputs["Color"])
    links.new(source.outputs["Alpha"], fade.inputs[0])
    links.new(source.outputs["Opacity"], fade.inputs[1])
    links.new(fade.outputs[0], target.inputs["Alpha"])
    return group


def _add_color_sockets(interface) -> None:
    for name, kind, default, highest in (
            ("Color", "NodeSocketColor", (0.0, 0.0, 0.0, 1.0), None), ("Alpha", "NodeSocketFloat", 1.0, 1.0),
            ("Hue", "NodeSocketFloat", 0.5, 1.0), ("Saturation", "NodeSocketFloat", 1.0, 2.0), ("Value", "NodeSocketFloat", 1.0, 2.0),
            ("Curves", "NodeSocketFloat", 1.0, 1.0),
            ("Tint", "NodeSocketColor", (1.0, 1.0, 1.0, 1.0), None), ("Opacity", "NodeSocketFloat", 1.0, 1.0)):
        socket = interface.new_socket(name, in_out="INPUT", socket_type=kind)
        socket.default_value = default
        if highest is not None:
            socket.min_value, socket.max_value = 0.0, highest
    interface.new_socket("Color", in_out="OUTPUT", socket_type="NodeSocketColor")
    interface.new_socket("Alpha", in_out="OUTPUT", socket_type="NodeSocketFloat")


def linear_group():
    """The group that turns display values into scene-linear light by the sRGB curve (IEC 61966-2-1); one a file."""
    group = bpy.data.node_groups.get(_LINEAR)
    if group is not None:
        return group
    group = bpy.data.node_groups.new(_LINEAR, "ShaderNodeTree")
    group.interface.new_socket("Color", in_out="INPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Color", in_out="OUTPUT", socket_type="NodeSocketColor")
    graph = Graph(group)
    parts = graph.split(graph.node("NodeGroupInput").outputs["Color"])
    graph.link(graph.join(*(_linear(graph, part) for part in parts)), graph.node("NodeGroupOutput").inputs["Color"])
    return group


def _linear(graph: Graph, value):
    curve = graph.math("POWER", graph.math("DIVIDE", graph.math("ADD", value, 0.055), 1.055), 2.4)
    foot = graph.math("DIVIDE", value, 12.92)
    above = graph.math("GREATER_THAN", value, 0.04045)
    return graph.math("MULTIPLY_ADD", above, graph.math("SUBTRACT", curve, foot), foot)
