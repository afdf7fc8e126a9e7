# SPDX-License-Identifier: GPL-3.0-or-later
"""Ultra-dense poses from a rig: which place of the resting character each pixel shows, as numbers on disk.
Works on a scene of its own with copies of the evaluated meshes, so the artist's materials and settings stay untouched; knows no engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ..protocol import SceneError
from .character_pass import PosePass

__all__ = ["Convention", "RestPose", "character_meshes", "render_poses", "render_view_pose"]

NOTE = "poses.json"  # beside the poses: how they were normalized


@dataclass(frozen=True)
class Convention:
    """How places of the resting character become numbers in 0..1.

    `axes` says which axis of the armature's space each channel holds, `flips` which of them run backwards.  The default is
    Blender's own: x to the character's left, y to its back, z up, for a character that faces -y; it fits the pictures that were
    published (the toes lowest in the second channel, the head highest in the third).  `uniform` keeps proportions instead of
    filling 0..1 on every axis; x always has the middle at 0.5.  `gamma` stores sRGB-encoded numbers instead of linear ones.
    """
    axes: tuple[int, int, int] = (0, 1, 2)
    flips: tuple[bool, bool, bool] = (False, False, False)
    uniform: bool = False
    gamma: bool = False

    def bounds(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lowest corner and extent, (3,) each in channel order, of all places (N, 3) in the armature's space."""
        oriented = self._oriented(points)
        low, high = oriented.min(0), oriented.max(0)
        side = max(abs(low[0]), abs(high[0]))
        low[0], high[0] = -side, side
        extent = np.maximum(high - low, 1e-9)
        if self.uniform:
            low, extent = low - (extent.max() - extent) / 2 * (1, 0, 0), np.full(3, extent.max())
        return low, extent

    def encode(self, points: np.ndarray, low: np.ndarray, extent: np.ndarray) -> np.ndarray:
        """Places (N, 3) in the armature's space as float32 (N, 3) in 0..1."""
        values = ((self._oriented(points) - low) / extent).clip(0, 1)
        if self.gamma:
            values = np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0.0031308) ** (1 / 2.4) - 0.055)
        return values.astype(np.float32)

    def _oriented(self, points: np.ndarray) -> np.ndarray:
        return points[:, self.axes] * np.where(self.flips, -1.0, 1.0)


@dataclass(frozen=True)
class RestPose:
    """The pose that gives places their numbers: the rest position, or the pose at `frame` of the action."""
    frame: int | None = None


def character_meshes(scene: bpy.types.Scene, armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The rendered meshes of `scene` that `armature` moves: by modifier, by parent, or by a parent's parent.

    Raises `SceneError`: scene.character_armature, scene.character_meshes.
    """
    if armature is None or armature.type != "ARMATURE":
        raise SceneError("scene.character_armature", "No armature is chosen.", "Choose the character's armature.")
    found = [thing for thing in scene.objects if thing.type == "MESH" and not thing.hide_render and _follows(thing, armature)]
    if not any(thing.data.polygons for thing in found):
        raise SceneError("scene.character_meshes", f"{armature.name} moves no meshes that are rendered.",
                         "Choose another armature, or enable its meshes for rendering.")
    return found


def render_poses(scene: bpy.types.Scene, armature: bpy.types.Object, folder: Path, *, frames: Sequence[int], size: tuple[int, int],
                 rest: RestPose = RestPose(), convention: Convention = Convention(), soft_edges: bool = False,
                 suffix: str = ".npz") -> Iterator[Path]:
    """Render the pose of every frame through the scene's camera into `<folder>/<frame>.npz`, key `i`, float32 (H, W, 4).

    With the `suffix` ".exr" into 32-bit RGBA pictures instead.

    `size` is (width, height) in px; `soft_edges` gives drawings by transfer smooth outlines, but is not as CoNR was trained.
    One path a step, so that a caller may show progress or stop.  The scene's frame is restored.
    Raises `SceneError`: scene.character_armature, .character_meshes, .character_camera, .character_topology, .character_rest.
    """
    meshes = character_meshes(scene, armature)
    _camera(scene)
    folder.mkdir(parents=True, exist_ok=True)
    with _frame_kept(scene), PosePass(size, soft_edges=soft_edges) as stage:
        _write_note(folder, convention, *_prepare(stage, scene, armature, meshes, rest, convention))
        for frame in frames:
            scene.frame_set(frame)
            yield _render_into(folder / f"{frame:04d}{suffix}", stage, scene, meshes)


def render_view_pose(scene: bpy.types.Scene, armature: bpy.types.Object, path: Path, *, size: tuple[int, int],
                     at_rest: bool = True, rest: RestPose = RestPose(), convention: Convention = Convention()) -> Path:
    """Render the pose that belongs to one view of the sheet, `path` (.npz or .exr), through the scene's camera.

    The character stands at rest (`at_rest`), or as the current frame poses it.  Raises as `render_poses`.
    """
    meshes = character_meshes(scene, armature)
    _camera(scene)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _frame_kept(scene), PosePass(size) as stage:
        frame = scene.frame_current
        _write_note(path.parent, convention, *_prepare(stage, scene, armature, meshes, rest, convention))
        scene.frame_set(frame if rest.frame is None or not at_rest else rest.frame)
        with _posed(armature, "REST" if at_rest and rest.frame is None else "POSE"):
            return _render_into(path, stage, scene, meshes)


def _follows(thing: bpy.types.Object, armature: bpy.types.Object) -> bool:
    if any(modifier.type == "ARMATURE" and modifier.object == armature for modifier in thing.modifiers):
        return True
    parent = thing.parent
    while parent is not None:
        if parent == armature:
            return True
        parent = parent.parent
    return False


def _camera(scene: bpy.types.Scene) -> None:
    if scene.camera is None:
        raise SceneError("scene.character_camera", f"Scene {scene.name} has no camera.", "Add a camera that sees the character.")


def _prepare(stage: PosePass, scene, armature, meshes, rest: RestPose, convention: Convention) -> tuple[np.ndarray, np.ndarray]:
    """Give the stage every mesh with its numbers; returns lowest corner and extent of the resting character in armature units."""
    if rest.frame is not None:
        if armature.animation_data is None or armature.animation_data.action is None:
            raise SceneError("scene.character_rest", f"{armature.name} has no action, so it has no pose at frame {rest.frame}.",
                             "Choose the rest position as the A-pose.")
        scene.frame_set(rest.frame)
    with _posed(armature, "REST" if rest.frame is None else "POSE"):
        depsgraph = _depsgraph(scene)
        inverse = armature.evaluated_get(depsgraph).matrix_world.inverted()
        places = {thing.name: _places(thing, depsgraph, inverse) for thing in meshes}
        low, extent = convention.bounds(np.concatenate(list(places.values())))
        for thing in meshes:
            stage.add(thing, depsgraph, convention.encode(places[thing.name], low, extent))
    return low, extent


def _places(thing: bpy.types.Object, depsgraph, inverse: Matrix) -> np.ndarray:
    evaluated = thing.evaluated_get(depsgraph)
    vertices = evaluated.data.vertices
    points = np.empty(len(vertices) * 3, np.float32)
    vertices.foreach_get("co", points)
    matrix = np.array(inverse @ evaluated.matrix_world)
    return points.reshape(-1, 3).astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def _render_into(path: Path, stage: PosePass, scene: bpy.types.Scene, meshes: list) -> Path:
    depsgraph = _depsgraph(scene)
    for thing in meshes:
        stage.move(thing, depsgraph)
    stage.look(scene.camera, depsgraph)
    temporary = path.with_suffix(f".tmp{path.suffix}")
    if path.suffix == ".exr":
        stage.save_exr(temporary, stage.render())
    else:
        np.savez_compressed(temporary, i=stage.render())
    temporary.replace(path)
    return path


def _write_note(folder: Path, convention: Convention, low: np.ndarray, extent: np.ndarray) -> None:
    bounds = {"low": np.round(low, 4).tolist(), "extent": np.round(extent, 4).tolist()}
    note = {**bounds, "axes": convention.axes, "flips": convention.flips, "gamma": convention.gamma}
    (folder / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def _depsgraph(scene: bpy.types.Scene):
    layer = scene.view_layers[0]
    layer.update()
    return layer.depsgraph


@contextmanager
def _posed(armature: bpy.types.Object, position: str):
    before, armature.data.pose_position = armature.data.pose_position, position
    try:
        yield
    finally:
        armature.data.pose_position = before


@contextmanager
def _frame_kept(scene: bpy.types.Scene):
    frame, subframe = scene.frame_current, scene.frame_subframe
    try:
        yield
    finally:
        scene.frame_set(frame, subframe=subframe)
