# SPDX-License-Identifier: GPL-3.0-or-later
"""A shader graph in a few words: nodes with names, operations on values that may be sockets or plain numbers.
It must not know sprites."""

from __future__ import annotations

__all__ = ["add_node", "Graph"]


def add_node(tree, kind: str, name: str, location: tuple[float, float]):
    """A new node called `name` at `location`."""
    node = tree.nodes.new(kind)
    node.name = node.label = name
    node.location = location
    return node


class Graph:
    """Adds nodes to a tree from left to right; values are sockets, numbers or vectors."""

    def __init__(self, tree):
        self.tree = tree
        self._count = 0

    def node(self, kind: str, name: str = ""):
        """A new node right of the ones before."""
        self._count += 1
        return add_node(self.tree, kind, name or f"{kind} {self._count}", (160 * (self._count % 12), -180 * (self._count // 12)))

    def link(self, value, socket) -> None:
        """Feed a socket."""
        if hasattr(value, "is_linked"):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def math(self, operation: str, *values):
        """A Math node's result."""
        node = self.node("ShaderNodeMath")
        node.operation = operation
        for value, socket in zip(values, node.inputs, strict=False):
            self.link(value, socket)
        return node.outputs[0]

    def vector(self, operation: str, *values):
        """A Vector Math node's result; SCALE takes a vector and a number."""
        node = self.node("ShaderNodeVectorMath")
        node.operation = operation
        sockets = [node.inputs[0], node.inputs["Scale"]] if operation == "SCALE" else node.inputs
        for value, socket in zip(values, sockets, strict=False):
            self.link(value, socket)
        return node.outputs[0]

    def split(self, vector):
        """The three parts of a vector."""
        node = self.node("ShaderNodeSeparateXYZ")
        self.link(vector, node.inputs[0])
        return node.outputs

    def join(self, x, y, z=0.0):
        """A vector of three parts."""
        node = self.node("ShaderNodeCombineXYZ")
        for value, socket in zip((x, y, z), node.inputs, strict=True):
            self.link(value, socket)
        return node.outputs[0]
