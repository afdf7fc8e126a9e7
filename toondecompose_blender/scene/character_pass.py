# SPDX-License-Identifier: GPL-3.0-or-later
"""One render pass of numbers: meshes that carry a value at each vertex, seen unlit and unfiltered through a camera, in 32 bits.
Knows a scratch scene, its copies of meshes and one render; what the numbers mean is decided by its caller."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np

from ..protocol import SceneError
from .versions import use_nodes

__all__ = ["PosePass"]

ATTRIBUTE = "toondecompose_place"
EDGE_SAMPLES = 8  # steps of a soft edge
PLAIN, CULLED, HOLE = range(3)  # the pass's materials


class PosePass:
    """A scratch scene that renders places; use as a context manager, it leaves nothing behind.

    With `soft_edges` the share of each pixel that is covered takes the place of 0 or 1; it costs a second render.
    """

    def __init__(self, size: tuple[int, int], *, soft_edges: bool = False):
        self._width, self._height = size
        self._soft_edges = soft_edges

    def __enter__(self) -> PosePass:
        self._folder = tempfile.TemporaryDirectory(prefix="toondecompose-")
        self._scene = bpy.data.scenes.new("Toon Decompose Poses")
        self._materials = (_place_material(), _place_material(culled=True), _hole_material())
        self._copies: dict[str, bpy.types.Object] = {}
        camera = bpy.data.cameras.new("Toon Decompose Poses")
        self._camera = bpy.data.objects.new(camera.name, camera)
        self._scene.collection.objects.link(self._camera)
        self._scene.camera = self._camera
        self._set_up_render()
        return self

    def __exit__(self, *_) -> None:
        meshes = [thing.data for thing in self._copies.values()]
        bpy.data.batch_remove([*self._copies.values(), *meshes, *self._materials])
        cameras = {self._camera.data, *(camera for camera in bpy.data.cameras if camera.get(ATTRIBUTE))}
        bpy.data.objects.remove(self._camera)
        for camera in cameras:
            bpy.data.cameras.remove(camera)
        bpy.data.scenes.remove(self._scene)
        self._folder.cleanup()

    def add(self, thing: bpy.types.Object, depsgraph, values: np.ndarray) -> None:
        """A copy of the evaluated mesh of `thing`, whose vertices carry `values`, float32 (N, 3)."""
        evaluated = thing.evaluated_get(depsgraph)
        mesh = bpy.data.meshes.new_from_object(evaluated, preserve_all_data_layers=False, depsgraph=depsgraph)
        kinds = np.array([_kind_of(slot.material) for slot in thing.material_slots] or [PLAIN], np.int32)
        index = np.zeros(len(mesh.polygons), np.int32)
        mesh.polygons.foreach_get("material_index", index)
        mesh.materials.clear()
        for material in self._materials:
            mesh.materials.append(material)
        mesh.polygons.foreach_set("material_index", kinds[index.clip(0, len(kinds) - 1)])
        attribute = mesh.attributes.new(ATTRIBUTE, "FLOAT_COLOR", "POINT")
        attribute.data.foreach_set("color", np.column_stack([values, np.ones(len(values), np.float32)]).ravel())
        copy = bpy.data.objects.new(mesh.name, mesh)
        self._scene.collection.objects.link(copy)
        self._copies[thing.name] = copy

    def move(self, thing: bpy.types.Object, depsgraph) -> None:
        """Bring the copy of `thing` where the evaluated one is now.  Raises `SceneError`: scene.character_topology."""
        copy, evaluated = self._copies[thing.name], thing.evaluated_get(depsgraph)
        vertices = evaluated.data.vertices
        if len(vertices) != len(copy.data.vertices):
            raise SceneError("scene.character_topology", f"{thing.name} changes its number of vertices while it moves.",
                             "Disable the modifiers that add or remove vertices after the A-pose.")
        points = np.empty(len(vertices) * 3, np.float32)
        vertices.foreach_get("co", points)
        copy.data.vertices.foreach_set("co", points)
        copy.data.update()
        copy.matrix_world = evaluated.matrix_world.copy()
        copy.hide_render = evaluated.hide_render

    def look(self, camera: bpy.types.Object, depsgraph) -> None:
        """See through `camera` as it is now, its focus blur left out."""
        evaluated = camera.evaluated_get(depsgraph)
        data = evaluated.data.copy()
        data[ATTRIBUTE] = True
        data.dof.use_dof = False
        before, self._camera.data = self._camera.data, data
        if before.users == 0:
            bpy.data.cameras.remove(before)
        self._camera.matrix_world = evaluated.matrix_world.copy()

    def render(self) -> np.ndarray:
        """The picture, float32 (H, W, 4), top row first: values, and 1 where there is a mesh (or the share that it covers)."""
        picture = self._rendered(samples=1, filter_width=0.01)
        picture[..., :3] *= picture[..., 3:] > 0.5
        picture[..., 3] = picture[..., 3] > 0.5
        if self._soft_edges and picture[..., 3].any():
            self._set_border(picture[..., 3] > 0)
            picture[..., 3] = self._rendered(samples=EDGE_SAMPLES, filter_width=1.0)[..., 3]
            self._scene.render.use_border = False
        return picture.clip(0, 1)

    def save_exr(self, path: Path, picture: np.ndarray) -> None:
        """Write float32 (H, W, 4) as a 32-bit RGBA .exr, number for number."""
        image = bpy.data.images.new("Toon Decompose Pose", self._width, self._height, alpha=True, float_buffer=True)
        try:
            image.colorspace_settings.name, image.alpha_mode = "Non-Color", "CHANNEL_PACKED"
            image.pixels.foreach_set(np.ascontiguousarray(picture[::-1], np.float32).ravel())
            image.save_render(str(path), scene=self._scene)
        finally:
            bpy.data.images.remove(image)

    def _set_border(self, mask: np.ndarray) -> None:
        """Render only around the character: its edges are a small part of the frame."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        render = self._scene.render
        render.use_border, render.use_crop_to_border = True, False
        render.border_min_x, render.border_max_x = (columns[0] - 2) / self._width, (columns[-1] + 3) / self._width
        render.border_min_y, render.border_max_y = 1 - (rows[-1] + 3) / self._height, 1 - (rows[0] - 2) / self._height

    def _rendered(self, *, samples: int, filter_width: float) -> np.ndarray:
        path = Path(self._folder.name, "pass.exr")
        # One sample in the middle of each pixel for places: a mixture of two places would be a third place.
        self._scene.cycles.samples, self._scene.cycles.filter_width = samples, filter_width
        self._scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True, scene=self._scene.name)
        image = bpy.data.images.load(str(path), check_existing=False)
        try:
            image.colorspace_settings.name, image.alpha_mode = "Non-Color", "CHANNEL_PACKED"
            pixels = np.empty(self._width * self._height * 4, np.float32)
            image.pixels.foreach_get(pixels)
        finally:
            bpy.data.images.remove(image)
        return pixels.reshape(self._height, self._width, 4)[::-1].copy()

    def _set_up_render(self) -> None:
        render, cycles = self._scene.render, self._scene.cycles
        # No persistent data: it saves nothing here, and it would outlive the scene that it was made for.
        render.engine, render.film_transparent, render.use_persistent_data = "CYCLES", True, False
        render.resolution_x, render.resolution_y, render.resolution_percentage = self._width, self._height, 100
        render.use_compositing = render.use_sequencer = render.use_motion_blur = False
        render.filter_size, render.dither_intensity = 0.01, 0
        settings = render.image_settings
        settings.file_format, settings.color_mode, settings.color_depth, settings.exr_codec = "OPEN_EXR", "RGBA", "32", "NONE"
        cycles.device, cycles.max_bounces, cycles.transparent_max_bounces = "CPU", 0, 64
        cycles.min_transparent_bounces, cycles.pixel_filter_type = 64, "BOX"
        cycles.use_adaptive_sampling = cycles.use_denoising = False
        self._scene.view_settings.view_transform = "Raw"
        self._scene.world = None


def _kind_of(material: bpy.types.Material | None) -> int:
    """Which of the pass's materials stands for one of the artist's."""
    if material is None:
        return PLAIN
    return HOLE if _invisible(material) else CULLED if material.use_backface_culling else PLAIN


def _invisible(material: bpy.types.Material) -> bool:
    """True for a material whose shader says alpha 0, as imported models hide spare faces, glasses or effects."""
    if material.node_tree is None:
        return False
    for link in material.node_tree.links:
        if link.to_node.type == "OUTPUT_MATERIAL" and link.to_socket.name == "Surface":
            alphas = [socket for socket in link.from_node.inputs if socket.name == "Alpha" and socket.type == "VALUE"]
            if link.from_node.type == "BSDF_TRANSPARENT" or any(not a.is_linked and a.default_value == 0 for a in alphas):
                return True
    return False


def _place_material(*, culled: bool = False) -> bpy.types.Material:
    """Shows the attribute as light; with `culled`, back faces are holes, as toon outlines made of shells need."""
    material, nodes, links, output = _empty_material()
    place, light = (nodes.new(f"ShaderNode{kind}") for kind in ("Attribute", "Emission"))
    place.attribute_name = ATTRIBUTE
    links.new(place.outputs["Color"], light.inputs["Color"])
    links.new(light.outputs[0], output.inputs["Surface"])
    if culled:
        side, hole, mix = (nodes.new(f"ShaderNode{kind}") for kind in ("NewGeometry", "BsdfTransparent", "MixShader"))
        links.new(side.outputs["Backfacing"], mix.inputs[0])
        links.new(light.outputs[0], mix.inputs[1])
        links.new(hole.outputs[0], mix.inputs[2])
        links.new(mix.outputs[0], output.inputs["Surface"])
    return material


def _hole_material() -> bpy.types.Material:
    material, nodes, links, output = _empty_material()
    links.new(nodes.new("ShaderNodeBsdfTransparent").outputs[0], output.inputs["Surface"])
    return material


def _empty_material():
    """A new material, its nodes and links, and its output node."""
    material = bpy.data.materials.new("Toon Decompose Place")
    use_nodes(material)
    nodes = material.node_tree.nodes
    nodes.clear()
    material.cycles.emission_sampling = "NONE"
    return material, nodes, material.node_tree.links, nodes.new("ShaderNodeOutputMaterial")
