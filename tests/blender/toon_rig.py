# SPDX-License-Identifier: GPL-3.0-or-later
"""A rigged toon character, built by script: body, head, hair and skirt with flat colors, and line art by the shader.
For tests and benchmarks of character drawing; needs bpy; what it draws must not depend on the extension."""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector

from toondecompose_blender.scene.versions import use_nodes

__all__ = ["Rig", "build", "walk", "turn", "add_camera", "render_truth"]

SKIN, SHIRT, STRIPE, SKIRT, HEM, SHOES, HAIR, SHINE, EYE, MOUTH, INK = (
    (0.98, 0.82, 0.70), (0.25, 0.45, 0.85), (0.95, 0.95, 0.98), (0.80, 0.22, 0.30), (0.95, 0.75, 0.30), (0.30, 0.22, 0.20),
    (0.45, 0.28, 0.55), (0.65, 0.48, 0.75), (0.12, 0.20, 0.35), (0.75, 0.25, 0.30), (0.08, 0.06, 0.10))
PALETTE = (SKIN, SHIRT, STRIPE, SKIRT, HEM, SHOES, HAIR, SHINE, EYE, MOUTH)
ARM_DROP = math.radians(30)
SHOULDER, ELBOW_AT, HAND_AT = Vector((0.16, 0, 1.32)), 0.28, 0.56


@dataclass(frozen=True)
class Rig:
    armature: bpy.types.Object
    meshes: tuple[bpy.types.Object, ...]


def _bones() -> dict[str, tuple[Vector, Vector, str]]:
    along = Vector((math.cos(ARM_DROP), 0, -math.sin(ARM_DROP)))
    bones = {"hips": (Vector((0, 0, 0.85)), Vector((0, 0, 1.0)), ""), "spine": (Vector((0, 0, 1.0)), Vector((0, 0, 1.4)), "hips"),
             "head": (Vector((0, 0, 1.4)), Vector((0, 0, 1.85)), "spine")}
    for side, sign in (("L", 1), ("R", -1)):
        def mirrored(point: Vector, sign: int = sign) -> Vector:
            return Vector((point.x * sign, point.y, point.z))
        elbow, hand = SHOULDER + along * ELBOW_AT, SHOULDER + along * HAND_AT
        hip, knee, foot = Vector((0.1, 0, 0.85)), Vector((0.1, 0, 0.46)), Vector((0.1, 0, 0.06))
        bones[f"upper_arm.{side}"] = (mirrored(SHOULDER), mirrored(elbow), "spine")
        bones[f"lower_arm.{side}"] = (mirrored(elbow), mirrored(hand), f"upper_arm.{side}")
        bones[f"upper_leg.{side}"] = (mirrored(hip), mirrored(knee), "hips")
        bones[f"lower_leg.{side}"] = (mirrored(knee), mirrored(foot), f"upper_leg.{side}")
    return bones


def _armature(scene: bpy.types.Scene) -> bpy.types.Object:
    armature = bpy.data.objects.new("Toon", bpy.data.armatures.new("Toon"))
    scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, (head, tail, parent) in _bones().items():
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail = head, tail
        bone.align_roll(Vector((0, -1, 0)))
        if parent:
            bone.parent = armature.data.edit_bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in armature.pose.bones:
        bone.rotation_mode = "XYZ"
    return armature


def _ink_material(color: tuple[float, float, float]) -> bpy.types.Material:
    """A flat color that turns to ink where the surface leaves the view."""
    material = bpy.data.materials.new("Toon")
    use_nodes(material)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    weight, step, mix = nodes.new("ShaderNodeLayerWeight"), nodes.new("ShaderNodeMath"), nodes.new("ShaderNodeMix")
    emission, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    weight.inputs["Blend"].default_value = 0.5
    step.operation, step.inputs[1].default_value = "GREATER_THAN", 0.74
    mix.data_type = "RGBA"
    mix.inputs[6].default_value, mix.inputs[7].default_value = (*color, 1), (*INK, 1)
    links.new(weight.outputs["Facing"], step.inputs[0])
    links.new(step.outputs[0], mix.inputs[0])
    links.new(mix.outputs[2], emission.inputs["Color"])
    links.new(emission.outputs[0], output.inputs["Surface"])
    material.cycles.emission_sampling = "NONE"
    return material


def _tube(start: Vector, end: Vector, radii: tuple[float, float], *, rings: int = 40, sides: int = 48,
          flat: float = 1.0, cap: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N, 3) and quads (M, 4) of a rounded tube; `flat` scales it along y."""
    axis = (end - start).normalized()
    turn = axis.to_track_quat("Z", "Y").to_matrix()
    length = (end - start).length
    along = np.linspace(0, 1, rings)
    radius = radii[0] + (radii[1] - radii[0]) * along
    height = along * length
    if cap:
        angle = np.linspace(0, np.pi / 2, max(10, rings // 2))
        height = np.concatenate([-radii[0] * np.cos(angle), height[1:-1], length + radii[1] * np.sin(angle)])
        radius = np.concatenate([radii[0] * np.sin(angle), radius[1:-1], radii[1] * np.cos(angle)])
        radius = np.maximum(radius, 1e-4)
    phi = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.outer(radius, np.cos(phi)), np.outer(radius, np.sin(phi)), np.repeat(height[:, None], sides, 1)], -1)
    points = ring.reshape(-1, 3) @ np.array(turn).T
    points[:, 1] *= flat
    rows, columns = np.meshgrid(np.arange(len(height) - 1), np.arange(sides), indexing="ij")
    after = (columns + 1) % sides
    quads = np.stack([rows * sides + columns, rows * sides + after, (rows + 1) * sides + after, (rows + 1) * sides + columns], -1)
    return points + np.array(start), quads.reshape(-1, 4)


def _mesh(scene, armature, name: str, parts: list, paint) -> bpy.types.Object:
    """A mesh of tubes, bound to the nearest bones with soft joints; `paint(centers)` picks each face's color."""
    points = np.concatenate([part[0] for part in parts])
    offsets = np.cumsum([0] + [len(part[0]) for part in parts])
    quads = np.concatenate([part[1] + offset for part, offset in zip(parts, offsets[:-1], strict=True)])
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], quads.tolist())
    for color in PALETTE:
        mesh.materials.append(_ink_material(color))
    mesh.polygons.foreach_set("material_index", paint(points[quads].mean(1)).astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(quads), bool))
    thing = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(thing)
    thing.parent = armature
    thing.modifiers.new("Armature", "ARMATURE").object = armature
    start = 0
    for part_points, _, bones in parts:
        _bind(thing, part_points, start, bones)
        start += len(part_points)
    return thing


def _bind(thing: bpy.types.Object, points: np.ndarray, start: int, bones: tuple[str, ...]) -> None:
    table = _bones()
    distances = []
    for name in bones:
        head, tail = (np.array(end) for end in table[name][:2])
        share = (((points - head) @ (tail - head)) / ((tail - head) @ (tail - head))).clip(0, 1)
        distances.append(np.linalg.norm(points - head - share[:, None] * (tail - head), axis=1))
    weights = np.exp(-(np.array(distances) / 0.045) ** 2 / 2) + 1e-9
    weights /= weights.sum(0)
    for name, column in zip(bones, weights, strict=True):
        group = thing.vertex_groups.get(name) or thing.vertex_groups.new(name=name)
        for level in np.unique(np.rint(column * 64)):
            group.add((start + np.flatnonzero(np.rint(column * 64) == level)).tolist(), level / 64, "REPLACE")


def _paint_body(centers: np.ndarray) -> np.ndarray:
    x, _, z = np.abs(centers.T[0]), centers.T[1], centers.T[2]
    color = np.where(z > 0.84, 1, 0)
    color[(z > 0.84) & (np.floor(z / 0.06) % 3 == 0)] = 2
    reach = (x - SHOULDER.x) / math.cos(ARM_DROP)
    color[reach > 0.30] = 0
    color[(z < 0.34) & (x < 0.3)] = 2
    color[(z < 0.12) & (x < 0.3)] = 5
    return color


def _paint_head(centers: np.ndarray) -> np.ndarray:
    x, y, z = centers.T
    color = np.zeros(len(centers))
    front = y < 0
    color[front & (((np.abs(x) - 0.075) / 0.032) ** 2 + ((z - 1.60) / 0.05) ** 2 < 1)] = 8
    color[front & ((x / 0.045) ** 2 + ((z - 1.49) / 0.014) ** 2 < 1)] = 9
    return color


def build(scene: bpy.types.Scene) -> Rig:
    """The character in `scene`, 1.9 m tall, facing -y, its arms 30 degrees down at rest."""
    armature = _armature(scene)
    bones = _bones()

    def tube(bone: str, end_bone: str, radii: tuple[float, float], names: tuple[str, ...], **shape):
        return (*_tube(bones[bone][0], bones[end_bone][1], radii, **shape), names)

    body = [(*_tube(Vector((0, 0, 0.88)), Vector((0, 0, 1.32)), (0.13, 0.15), flat=0.72, rings=60), ("hips", "spine"))]
    for side in "LR":
        body.append(tube(f"upper_arm.{side}", f"lower_arm.{side}", (0.062, 0.045), (f"upper_arm.{side}", f"lower_arm.{side}"), rings=70))
        body.append(tube(f"upper_leg.{side}", f"lower_leg.{side}", (0.085, 0.062), (f"upper_leg.{side}", f"lower_leg.{side}"), rings=90))
    head = [(*_tube(Vector((0, -0.01, 1.57)), Vector((0, -0.01, 1.66)), (0.19, 0.19), rings=80, sides=160, flat=0.95), ("head",))]
    hair = [(*_tube(Vector((0, 0.035, 1.60)), Vector((0, 0.035, 1.70)), (0.205, 0.205), rings=60, sides=96), ("head",)),
            (*_tube(Vector((0, 0.19, 1.62)), Vector((0, 0.24, 1.10)), (0.09, 0.035), rings=60), ("head",))]
    skirt = [(*_tube(Vector((0, 0, 0.98)), Vector((0, 0, 0.60)), (0.15, 0.30), rings=60, sides=96, cap=False), ("hips",))]
    meshes = (_mesh(scene, armature, "Body", body, _paint_body), _mesh(scene, armature, "Head", head, _paint_head),
              _mesh(scene, armature, "Hair", hair, lambda c: np.where(np.abs(c[:, 2] - 1.80) < 0.025, 7, 6)),
              _mesh(scene, armature, "Skirt", skirt, lambda c: np.where(c[:, 2] < 0.66, 4, 3)))
    return Rig(armature, meshes)


def _key(rig: Rig, frame: int, bone: str, x: float, z: float = 0.0) -> None:
    posed = rig.armature.pose.bones[bone]
    posed.rotation_euler = (math.radians(x), 0, math.radians(z))
    posed.keyframe_insert("rotation_euler", frame=frame)


def walk(rig: Rig, first: int, frames: int) -> None:
    """Two steps with swinging arms and bending knees, on the spot."""
    for index in range(frames):
        phase, frame = 2 * math.pi * index / frames, first + index
        for side, sign in (("L", 1), ("R", -1)):
            swing = math.sin(phase) * sign
            _key(rig, frame, f"upper_leg.{side}", 32 * swing)
            _key(rig, frame, f"lower_leg.{side}", 25 * (1 - math.cos(phase + (0 if sign > 0 else math.pi))) / 2)
            _key(rig, frame, f"upper_arm.{side}", -28 * swing, -25 * sign)
            _key(rig, frame, f"lower_arm.{side}", -20)
        _key(rig, frame, "spine", 3, 4 * math.sin(phase))


def turn(rig: Rig, first: int, frames: int, *, degrees: float = 360) -> None:
    """A turn around the vertical axis."""
    for index in range(frames):
        rig.armature.rotation_euler = (0, 0, math.radians(degrees) * index / frames)
        rig.armature.keyframe_insert("rotation_euler", frame=first + index)


def add_camera(scene: bpy.types.Scene, angle: float = 0.0) -> bpy.types.Object:
    """A camera at `angle` degrees around the character: 0 sees the front, 90 its left side."""
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    camera.data.lens, camera.data.sensor_width = 50, 36
    around = Matrix.Rotation(math.radians(angle), 4, "Z")
    camera.matrix_world = around @ Matrix.Translation((0, -3.3, 0.98)) @ Matrix.Rotation(math.pi / 2, 4, "X")
    return camera


def render_truth(scene: bpy.types.Scene, path: str, size: int, *, samples: int = 16) -> None:
    """The toon render of the current frame as a PNG with straight alpha, in the colors of the palette."""
    render = scene.render
    render.engine, render.film_transparent = "CYCLES", True
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage, render.filepath, render.dither_intensity = 100, path, 0
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = samples, False, 0
    scene.cycles.use_adaptive_sampling, scene.cycles.device = False, "CPU"
    scene.view_settings.view_transform = "Raw"
    bpy.ops.render.render(write_still=True, scene=scene.name)
