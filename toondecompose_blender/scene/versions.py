# SPDX-License-Identifier: GPL-3.0-or-later
"""How Blender 4.2 to 5.2 differ, behind one set of names; the only file that asks for the version.
It must not know anything about sprites."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy

__all__ = [
    "eevee_engine", "fcurves_of", "use_nodes", "strips_of", "new_scene_strip", "strip_range", "strip_offsets", "trimmed_end",
    "set_strip_start", "set_strip_end", "sharpen_scene", "set_movie_output", "set_image_output", "sequencer_scene", "sequencer_edits",
    "modifier_input", "modifier_input_path", "set_modifier_input", "path_options", "annotation_type", "is_annotation", "new_annotation",
    "space_annotation", "set_space_annotation", "is_flat",
]


def eevee_engine() -> str:
    """EEVEE's identifier: it lost its "next" when the old one had been gone long enough, in 5.0."""
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def fcurves_of(datablock):
    """The F-curves of the action of `datablock`, or an empty tuple; layered actions hide them in a channel bag from 5.0 on."""
    data = datablock.animation_data
    if data is None or data.action is None:
        return ()
    if hasattr(data.action, "fcurves"):
        return data.action.fcurves
    for layer in data.action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(data.action_slot) if data.action_slot else None
            if bag is not None:
                return bag.fcurves
    return ()


def use_nodes(owner) -> None:
    """Give a material or world its node tree; from 5.0 on it always has one and asking for it warns."""
    if bpy.app.version < (5, 0, 0):
        owner.use_nodes = True


def strips_of(editor):
    """The strips of a sequence editor; an empty collection is falsy, so no `or` here."""
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def new_scene_strip(editor, *, name: str, scene, channel: int, frame_start: int):
    """A new Scene strip."""
    return strips_of(editor).new_scene(name=name, scene=scene, channel=channel, frame_start=frame_start)


def strip_range(strip) -> tuple[int, int]:
    """First frame that a strip shows, and the frame after its last; the handles have names of their own from 5.2 on."""
    if hasattr(strip, "left_handle"):
        return strip.left_handle, strip.right_handle
    return strip.frame_final_start, strip.frame_final_end


def strip_offsets(strip) -> tuple[int, int, int]:
    """Frames of its content that a strip hides before its first and after its last (below 0: repeats), and those cut off its content."""
    if hasattr(strip, "left_handle_offset"):
        return int(strip.left_handle_offset), int(strip.right_handle_offset), int(getattr(strip, "content_trim_start", 0))
    return int(strip.frame_offset_start), int(strip.frame_offset_end), int(getattr(strip, "animation_offset_start", 0))


def trimmed_end(strip) -> int:
    """Frames cut off the end of a strip's content."""
    return int(strip.content_trim_end if hasattr(strip, "content_trim_end") else strip.animation_offset_end)


def set_strip_start(strip, start: int) -> None:
    """Cut a strip so that `start` is its first frame."""
    setattr(strip, "left_handle" if hasattr(strip, "left_handle") else "frame_final_start", start)


def set_strip_end(strip, end: int) -> None:
    """Cut a strip so that `end` is the first frame after it."""
    setattr(strip, "right_handle" if hasattr(strip, "right_handle") else "frame_final_end", end)


def sharpen_scene(scene) -> None:
    """Read textures in EEVEE without anisotropic filtering, where the scene decides on it: from 5.2 on; before, a preference."""
    if hasattr(scene.render, "anisotropic_filter"):
        scene.render.anisotropic_filter = "FILTER_0"


def set_image_output(settings, *, file_format: str, color_mode: str, color_depth: str) -> None:
    """Make image settings write single pictures."""
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE" if file_format != "OPEN_EXR_MULTILAYER" else "MULTI_LAYER_IMAGE"
    settings.file_format = file_format
    settings.color_mode = color_mode
    settings.color_depth = color_depth


def set_movie_output(settings) -> None:
    """Make image settings write a movie through FFmpeg."""
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    settings.color_mode = "RGB"


def sequencer_scene(context):
    """The scene that the sequencer edits: the workspace's own from 5.0 on, the window's before."""
    return getattr(context, "sequencer_scene", None) or context.scene


@contextlib.contextmanager
def sequencer_edits(context, scene) -> Iterator[None]:
    """With `scene` as the one that the sequencer edits: adding a strip's modifier crashes where that one has no strips."""
    workspace = context.workspace
    if workspace is None or not hasattr(workspace, "sequencer_scene"):
        with context.temp_override(scene=scene):
            yield
        return
    before = workspace.sequencer_scene
    workspace.sequencer_scene = scene
    try:
        yield
    finally:
        workspace.sequencer_scene = before


def modifier_input(modifier, identifier: str) -> tuple[object, str]:
    """Owner and property of a Geometry Nodes modifier's input, as `layout.prop` wants them; custom properties until 5.1."""
    if hasattr(modifier, "properties"):
        return getattr(modifier.properties.inputs, identifier), "value"
    return modifier, f'["{identifier}"]'


def modifier_input_path(modifier, identifier: str) -> str:
    """The input's data path from its object, for keys and drivers."""
    owner, name = modifier_input(modifier, identifier)
    return owner.path_from_id() + (name if name.startswith("[") else f".{name}")


def set_modifier_input(modifier, identifier: str, value) -> None:
    """Set an input of a Geometry Nodes modifier."""
    if hasattr(modifier, "properties"):
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value


def path_options() -> set[str]:
    """Options of a file property: without them 5.2 paints relative paths red, with them 4.2 refuses to register."""
    return {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()


def annotation_type() -> type:
    """The type of annotations: one with old Grease Pencil drawings until 4.2, named like them until 4.5."""
    return getattr(bpy.types, "Annotation", bpy.types.GreasePencil)


def is_annotation(data) -> bool:
    """False for what 4.2 keeps together with annotations: drawings of Grease Pencil objects."""
    return getattr(data, "is_annotation", True)


def new_annotation(space, name: str):
    """A new annotation in an editor's space.  Only the operator makes one that 4.2 takes for an annotation."""
    set_space_annotation(space, None)
    bpy.ops.gpencil.annotation_add()
    annotation = space_annotation(space)
    annotation.name = name
    return annotation


def space_annotation(space):
    """The annotation that is drawn over a Sequencer's preview or an Image Editor, or None."""
    return space.annotation if hasattr(space, "annotation") else space.grease_pencil


def set_space_annotation(space, annotation) -> None:
    setattr(space, "annotation" if hasattr(space, "annotation") else "grease_pencil", annotation)


def is_flat(stroke) -> bool:
    """True for a stroke that was drawn on a picture, not in a 3D View; 4.5 and 5.0 do not tell."""
    return getattr(stroke, "display_mode", "2DSPACE") == "2DSPACE"
