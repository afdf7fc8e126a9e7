# SPDX-License-Identifier: GPL-3.0-or-later
"""A result folder becomes a scene: everything is read and checked first, and what was built goes away if building fails.
It must not know operators, nor how the folder came to be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..protocol import ResultError, SceneError, inside
from ..protocol_shots import DONE, ShotRecord, Shots, has_shots, read_shots
from . import baking, drawings, placement, shots, stacking, stage
from . import blending as mixing
from .loading import Result, Source, load_result
from .planes import new_plane
from .sprites import FIRST_FRAME, JOB_ID, SOURCE, SPRITE_ID
from .timing import add_source_frame

__all__ = ["Imported", "import_result"]


@dataclass(frozen=True)
class Imported:
    """Names, not references, of what an import made: they outlive undo; `sprites` back to front.

    `warnings` tell, for people, what was done otherwise than asked.
    """
    scene: str
    collection: str
    sprites: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def import_result(folder: os.PathLike | str, *, bake: str = "shape-keys", blending: str = "display", name: str = "") -> Imported:
    """Build a scene of its own from a result folder: a collection with one object a sprite, ready to render the clip again.

    A sprite whose motion a UV warp cannot follow gets shape keys, and a warning.  Of a clip in shots, each that is done becomes a
    scene of its own, and one more scene plays them at their frames; that one is told.
    Raises `ResultError` or `SettingsError` before anything is built; whatever goes wrong later, nothing half-built stays.
    """
    whole = read_shots(folder) if has_shots(folder) else None
    records = [record for record in whole.shots if record.state == DONE] if whole else []
    results = [load_result(inside(folder, record.folder)) for record in records] if whole else [load_result(folder)]
    if not results:
        raise ResultError("result.missing", f"No shot in {Path(folder)} is finished.", "Decompose the clip again; finished shots are kept.")
    before = _everything()
    try:
        if whole is None:
            return _build(results[0], bake=bake, blending=blending, name=name, job=results[0].folder.name)
        job, title = Path(folder).resolve().name, name or whole.clip.name or "Sprites"
        parts = [_build(result, bake=bake, blending=blending, name=f"{title} Shot {Path(record.folder).name}", job=job)
                 for result, record in zip(results, records, strict=True)]
        return _joined(whole, records, parts, title)
    except BaseException:
        bpy.data.batch_remove(_everything() - before)
        raise


def _joined(whole: Shots, records: list[ShotRecord], parts: list[Imported], title: str) -> Imported:
    """A scene that plays the shots' scenes, and what was made in all of them."""
    scenes = [(bpy.data.scenes[part.scene], record.first) for part, record in zip(parts, records, strict=True)]
    edit = shots.new_edit(whole.clip, scenes, title)
    missing = len(whole.shots) - len(records)
    warnings = tuple(warning for part in parts for warning in part.warnings)
    if missing:
        warnings += (f"{missing} of {len(whole.shots)} shots are not finished and were left out",)
    return Imported(edit.name, parts[0].collection, tuple(sprite for part in parts for sprite in part.sprites), warnings)


def _build(result: Result, *, bake: str, blending: str, name: str, job: str) -> Imported:
    scene = stage.new_stage(result.decomposition.clip)
    if name:
        scene.name = name
    collection = bpy.data.collections.new(scene.name)
    collection[JOB_ID] = job
    clip = result.decomposition.clip
    scene[SOURCE], scene[FIRST_FRAME] = clip.source, clip.first_frame
    scene.collection.children.link(collection)
    warnings: list[str] = []
    objects = [_sprite_object(source, scene, bake, warnings) for source in result.sources]
    for sprite_object in objects:
        collection.objects.link(sprite_object)
    stacking.stack(scene, objects)
    mixing.set_blending(scene, blending)
    return Imported(scene.name, collection.name, tuple(sprite_object.name for sprite_object in objects), tuple(warnings))


def _sprite_object(source: Source, scene, bake: str, warnings: list[str]):
    sprite, view = source.sprite, stage.view_of(scene)
    sprite_object = new_plane(sprite.name or sprite.id, sprite.width, sprite.height)
    sprite_object[SPRITE_ID] = sprite.id
    baking.remember(sprite_object, baking.Motion(sprite.width, sprite.height, source.homographies, sprite.exposure), view)
    add_source_frame(sprite_object, len(sprite.exposure))
    placement.add_placement(sprite_object, view)
    try:
        baking.bake(sprite_object, bake, view)
    except SceneError as refusal:
        warnings.append(str(refusal))
        baking.bake(sprite_object, "shape-keys", view)
    drawings.dress(sprite_object, source)
    return sprite_object


def _everything() -> set:
    """All data-blocks of the kinds that an import makes."""
    data = bpy.data
    kinds = (data.scenes, data.collections, data.objects, data.meshes, data.materials, data.images, data.node_groups,
             data.cameras, data.actions, data.shape_keys)
    return {block for kind in kinds for block in kind}
