# SPDX-License-Identifier: GPL-3.0-or-later
"""Recoloring by swatch: the engine's index maps say which pixel is whose, so a new color changes its region and nothing else.
It must not know what else happens to the color.

A swatch adds the difference of its new and its old color, so shading and line art stay.  Indices cannot be interpolated, colors
can: four texels are looked up unfiltered, and their differences weighted as the drawing's own four texels are.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..protocol import Swatch
from .loading import Sequence
from .materials import COLOR_NODE, DRAWING_NODE, drive_sequence, new_sequence_node
from .nodes import Graph, add_node
from .planes import UV_LAYER

__all__ = ["MAX_SWATCHES", "add_palette", "drive_palette", "retarget_palette", "swatch_names", "original_colors", "restore_palette",
           "is_recolored", "palette_tree"]

# A color ramp has at most 32 stops; the first is "no swatch".
MAX_SWATCHES = 31
_STOPS = 32
_NODE, _LOOKUP = "Palette", "Swatches"


def add_palette(material, sprite_object, palette: tuple[Swatch, ...], index_maps: Sequence, size: tuple[int, int]) -> None:
    """Give the sprite's object a color property a swatch, `color_1` the largest, and let its material follow them."""
    palette = palette[:MAX_SWATCHES]
    for number, swatch in enumerate(palette, start=1):
        _add_property(sprite_object, f"color_{number}", swatch)
    swatches = _swatch_group(f"{material.name} Swatches", sprite_object, palette)
    tree = material.node_tree
    node = add_node(tree, "ShaderNodeGroup", _NODE, (-160, 0))
    node.node_tree = _palette_group(f"{material.name} Palette", swatches, index_maps, size)
    tree.links.new(tree.nodes[DRAWING_NODE].outputs["Color"], node.inputs["Color"])
    tree.links.new(node.outputs["Color"], tree.nodes[COLOR_NODE].inputs["Color"])


def drive_palette(material, sprite_object, numbers: list[int]) -> None:
    """Let the index maps follow the sprite's clip frame; `numbers[f - 1]` is the number of frame f's file."""
    tree = palette_tree(material)
    if tree is not None:
        drive_sequence(tree, sprite_object, numbers)


def palette_tree(material):
    """The node tree that holds the index maps, or None for a sprite without palette."""
    node = material.node_tree.nodes.get(_NODE)
    return node.node_tree if node is not None else None


def swatch_names(sprite_object) -> list[str]:
    """The color properties, by share of area."""
    return [name for name in (f"color_{number}" for number in range(1, _STOPS)) if name in sprite_object]


def original_colors(sprite_object) -> np.ndarray:
    """Colors (N, 3) of the swatches as they were found, 0..1."""
    return np.array([_original(sprite_object, name) for name in swatch_names(sprite_object)]).reshape(-1, 3)


def restore_palette(sprite_object) -> None:
    """Give every swatch its original color again."""
    for name in swatch_names(sprite_object):
        sprite_object[name] = _original(sprite_object, name)
    sprite_object.update_tag()


def is_recolored(sprite_object) -> bool:
    """Whether any swatch differs from its original color."""
    return any(max(abs(a - b) for a, b in zip(sprite_object[name], _original(sprite_object, name), strict=True)) > 1e-6
               for name in swatch_names(sprite_object))


def retarget_palette(material, sprite_object) -> None:
    """Copy the palette's trees of a copied material, and let them follow another sprite's swatches."""
    node = material.node_tree.nodes.get(_NODE)
    if node is None:
        return
    node.node_tree = node.node_tree.copy()
    swatches = next(inner.node_tree for inner in node.node_tree.nodes if inner.type == "GROUP").copy()
    for inner in node.node_tree.nodes:
        if inner.type == "GROUP":
            inner.node_tree = swatches
    for curve in swatches.animation_data.drivers:
        curve.driver.variables[0].targets[0].id = sprite_object


def _original(sprite_object, name: str) -> list[float]:
    return list(sprite_object.id_properties_ui(name).as_dict()["default"])


def _add_property(sprite_object, name: str, swatch: Swatch) -> None:
    color = [channel / 255 for channel in swatch.color]
    sprite_object[name] = color
    sprite_object.id_properties_ui(name).update(subtype="COLOR_GAMMA", min=0.0, max=1.0, soft_min=0.0, soft_max=1.0, default=color,
                                                description=f"{swatch.share:.0%} of the sprite")


def _swatch_group(name: str, sprite_object, palette: tuple[Swatch, ...]):
    """Index (0..1, as an 8-bit picture holds it) -> new minus old color of its swatch."""
    group = bpy.data.node_groups.new(name, "ShaderNodeTree")
    group.interface.new_socket("Index", in_out="INPUT", socket_type="NodeSocketFloat")
    group.interface.new_socket("Difference", in_out="OUTPUT", socket_type="NodeSocketVector")
    graph = Graph(group)
    # The middle of the stop's interval: no rounding reaches the next one.
    place = graph.math("MULTIPLY_ADD", graph.node("NodeGroupInput").outputs["Index"], 255 / _STOPS, 0.5 / _STOPS)
    ramps = []
    for title in ("New", "Old"):
        node = graph.node("ShaderNodeValToRGB", title)
        _set_stops(node.color_ramp, palette)
        graph.link(place, node.inputs[0])
        ramps.append(node.outputs["Color"])
    graph.link(graph.vector("SUBTRACT", *ramps), graph.node("NodeGroupOutput").inputs["Difference"])
    for number in range(1, len(palette) + 1):
        _drive_color(group, f'nodes["New"].color_ramp.elements[{number}].color', sprite_object, f"color_{number}")
    return group


def _set_stops(ramp, palette: tuple[Swatch, ...]) -> None:
    ramp.interpolation = "CONSTANT"
    ramp.elements[0].color = ramp.elements[1].color = (0.0, 0.0, 0.0, 1.0)
    for number, swatch in enumerate(palette, start=1):
        ramp.elements.new(number / _STOPS).color = (*(channel / 255 for channel in swatch.color), 1.0)
    # Two stops were there: the first means "none", the last lies behind all indices.
    ramp.elements[len(palette) + 1].position = min((len(palette) + 1) / _STOPS, 1.0)


def _drive_color(tree, path: str, sprite_object, name: str) -> None:
    for channel in range(3):
        driver = tree.driver_add(path, channel).driver
        driver.type = "SUM"
        variable = driver.variables.new()
        variable.type = "SINGLE_PROP"
        variable.targets[0].id = sprite_object
        variable.targets[0].data_path = f'["{name}"][{channel}]'


def _palette_group(name: str, swatches, index_maps: Sequence, size: tuple[int, int]):
    """Color -> color plus the swatches' differences, bilinear between the four texels around."""
    group = bpy.data.node_groups.new(name, "ShaderNodeTree")
    group.interface.new_socket("Color", in_out="INPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Color", in_out="OUTPUT", socket_type="NodeSocketColor")
    graph = Graph(group)
    coordinates = graph.node("ShaderNodeUVMap", "Canvas")
    coordinates.uv_map = UV_LAYER
    texel = graph.vector("SUBTRACT", graph.vector("MULTIPLY", coordinates.outputs[0], (*size, 0.0)), (0.5, 0.5, 0.0))
    corner = graph.vector("FLOOR", texel)
    right, up, _ = graph.split(graph.vector("SUBTRACT", texel, corner))
    color = graph.node("NodeGroupInput").outputs["Color"]
    image = None
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        middle = graph.vector("ADD", corner, (x + 0.5, y + 0.5, 0.0))
        lookup = new_sequence_node(group, index_maps.first, f"Index {x}{y}", image=image)
        image, lookup.interpolation = lookup.image, "Closest"
        graph.link(graph.vector("DIVIDE", middle, (*size, 1.0)), lookup.inputs["Vector"])
        swatch = graph.node("ShaderNodeGroup", f"{_LOOKUP} {x}{y}")
        swatch.node_tree = swatches
        graph.link(lookup.outputs["Color"], swatch.inputs[0])
        weight = graph.math("MULTIPLY", right if x else graph.math("SUBTRACT", 1.0, right), up if y else graph.math("SUBTRACT", 1.0, up))
        color = graph.vector("ADD", color, graph.vector("SCALE", swatch.outputs[0], weight))
    graph.link(color, graph.node("NodeGroupOutput").inputs["Color"])
    return group
