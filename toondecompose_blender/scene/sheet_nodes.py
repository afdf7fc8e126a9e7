# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a sheet instead of an image sequence: beside each sequence's node stands one that reads the sheet, at a cell that is driven.
The sequence's node stays, without links, and takes over again.  It must not know files."""

from __future__ import annotations

import bpy

from . import timing
from .nodes import Graph, add_node
from .planes import UV_LAYER
from .sheets import Grid

__all__ = ["show_sheet", "hide_sheet", "sheet_of", "sequence_nodes", "copy_sheet"]

_SHEET, _CELL, _CANVAS = " Sheet", "Cell", "Canvas of the Sheet"


def sequence_nodes(tree) -> list:
    """The nodes of image sequences."""
    return [node for node in tree.nodes if node.type == "TEX_IMAGE" and not node.name.endswith(_SHEET)]


def sheet_of(tree):
    """The sheet that a tree shows, or None while it shows files."""
    return next((node.image for node in tree.nodes if node.type == "TEX_IMAGE" and node.name.endswith(_SHEET)), None)


def show_sheet(tree, sheet, grid: Grid, sprite_object, held: list[int]) -> None:
    """Let a tree show the sheet; `held[f - 1]` is the 1-based drawing of the sprite's clip frame f."""
    cell = _cell_group(f"{sheet.name} Cell", grid)
    for axis in (0, 1):
        places = [grid.origin(drawing - 1)[axis] / grid.size[axis] for drawing in held]
        timing.drive(cell, f'nodes["{_CELL}"].inputs[{axis}].default_value', sprite_object, timing.steps(places))
    for node in sequence_nodes(tree):
        _add_twin(tree, node, sheet, cell)


def hide_sheet(tree) -> None:
    """Let a tree show its files again; sheet and nodes of the sheet go."""
    sheet = sheet_of(tree)
    for node in sequence_nodes(tree):
        twin = tree.nodes[node.name + _SHEET]
        _move_links(tree, twin, node)
        place = twin.inputs["Vector"].links[0].from_node
        cell = place.node_tree
        for made in (twin, place):
            tree.nodes.remove(made)
    canvas = tree.nodes.get(_CANVAS)
    if canvas is not None:
        tree.nodes.remove(canvas)
    bpy.data.images.remove(sheet)
    bpy.data.node_groups.remove(cell)


def copy_sheet(tree, sprite_object) -> None:
    """After a tree was copied for another sprite: a cell of its own, which follows that sprite."""
    twins = [node for node in tree.nodes if node.type == "TEX_IMAGE" and node.name.endswith(_SHEET)]
    if twins:
        cell = twins[0].inputs["Vector"].links[0].from_node.node_tree.copy()
        timing.retarget(cell, sprite_object)
        for twin in twins:
            twin.inputs["Vector"].links[0].from_node.node_tree = cell


def _cell_group(name: str, grid: Grid):
    """Texture coordinates of the drawing's canvas -> those of its cell; outside of the canvas nothing of the neighbors."""
    group = bpy.data.node_groups.new(name, "ShaderNodeTree")
    group.interface.new_socket("Canvas", in_out="INPUT", socket_type="NodeSocketVector")
    group.interface.new_socket("Sheet", in_out="OUTPUT", socket_type="NodeSocketVector")
    graph = Graph(group)
    x, y = 1 / grid.width, 1 / grid.height
    near = graph.vector("MAXIMUM", graph.node("NodeGroupInput").outputs[0], (-x, -y, 0.0))
    near = graph.vector("MINIMUM", near, (1 + x, 1 + y, 0.0))
    scale = (grid.width / grid.size[0], grid.height / grid.size[1], 0.0)
    cell = graph.node("ShaderNodeCombineXYZ", _CELL)
    graph.link(graph.vector("MULTIPLY_ADD", near, scale, cell.outputs[0]), graph.node("NodeGroupOutput").inputs[0])
    return group


def _add_twin(tree, node, sheet, cell) -> None:
    x, y = node.location
    twin = add_node(tree, "ShaderNodeTexImage", node.name + _SHEET, (x, y - 300))
    twin.image, twin.interpolation, twin.extension = sheet, node.interpolation, "CLIP"
    place = add_node(tree, "ShaderNodeGroup", f"{node.name} {_CELL}", (x - 200, y - 300))
    place.node_tree = cell
    tree.links.new(_coordinates(tree, node), place.inputs[0])
    tree.links.new(place.outputs[0], twin.inputs["Vector"])
    _move_links(tree, node, twin)


def _coordinates(tree, node):
    """What the sequence's node looks up: what is linked, else the sprite's texture coordinates."""
    if node.inputs["Vector"].is_linked:
        return node.inputs["Vector"].links[0].from_socket
    canvas = tree.nodes.get(_CANVAS)
    if canvas is None:
        canvas = add_node(tree, "ShaderNodeUVMap", _CANVAS, (-900, -300))
        canvas.uv_map = UV_LAYER
    return canvas.outputs[0]


def _move_links(tree, source, target) -> None:
    """Let whatever reads `source` read `target`, output by output."""
    for name in ("Color", "Alpha"):
        for socket in [link.to_socket for link in source.outputs[name].links]:
            tree.links.new(target.outputs[name], socket)
