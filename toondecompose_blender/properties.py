# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sidebar shows and edits: settings, saved on the Scene, and status, on the WindowManager, neither saved nor undone.
Must not start work; status is written by the session alone."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from .jobs.spec import MOST_SPRITES
from .scene.editing import is_hidden, set_hidden
from .scene.hints import sprite_numbers
from .scene.versions import annotation_type, is_annotation, path_options, sequencer_scene, strip_range

__all__ = [
    "CharacterSettings", "Settings", "JobStatus", "FindingStatus", "Status", "SOURCE_ICONS", "BUSY",
    "spec_options", "character_switches", "active_strip", "shown_frames", "works_on_strip", "refusal", "hint_refusal",
    "character_refusal", "register", "unregister",
]


def _items(*rows: tuple[str, str, str]) -> list[tuple[str, str, str]]:
    return list(rows)


SPRITES = _items(("AUTO", "Auto", "Find out how many sprites there are"),
                 *((str(n), str(n), f"{n} sprites, the background included" if n > 1 else "The background alone")
                   for n in range(1, MOST_SPRITES + 1)))
QUALITIES = _items(("DRAFT", "Draft", "Fast, for a first look"), ("STANDARD", "Standard", "For most clips"),
                   ("BEST", "Best", "Slow, with the finest edges"))
DEVICES = _items(("AUTO", "Automatic", "The graphics card if the engine can use it, else the processor"), ("CPU", "CPU", "The processor"),
                 ("CUDA", "CUDA", "The NVIDIA graphics card"))
SIZES = _items(("AUTO", "From Quality", "As the quality says"),
               *((n, f"{n} Lines", f"Analyze at most {n} lines") for n in ("216", "360", "480", "720")))
FLOWS = _items(("AUTO", "From Quality", "As the quality says"), ("DIS", "DIS", "Dense inverse search: fast, no download"),
               ("RAFT", "RAFT", "Learned flow: slower, for large motion; needs its weights"))
FARMS = _items(("OPENJD", "OpenJD", "Write an Open Job Description bundle"),
               ("FLAMENCO", "Flamenco", "Write a job and its type for a Flamenco Manager"),
               ("DASK", "Dask", "Do the shots on the workers of a Dask scheduler"))
MOTIONS = _items(("SHAPE_KEYS", "Shape Keys", "Exact for any motion"),
                 ("UV_WARP", "UV Warp", "Plain keyframes, for a background that only moves, turns and zooms"))
BLENDINGS = _items(("DISPLAY", "Display", "Layers mix as in the clip: exact, without lights and view transforms"),
                   ("LINEAR", "Scene Linear", "Layers mix in linear light, to go with other 3D; soft edges change a little"))
OUTPUTS = _items(("PNG", "PNG Images", "One picture a frame"), ("MOVIE", "Movie", "H.264 with the clip's sound: small"),
                 ("FFV1", "Lossless Movie", "FFV1 with the clip's sound: every bit kept"),
                 ("EXR", "EXR Layers", "One layer a sprite, for compositing"))
METHODS = _items(("TRANSFER", "Transfer", "Colors from the nearest point of the sheet: sharp, no download"),
                 ("CONR", "CoNR", "The published networks; needs their weights"))
SHEET_SIZES = _items(*((n, f"{n} px", f"Draw {n} x {n} pixels") for n in ("256", "384", "512", "768", "1024")))
RESTS = _items(("REST", "Rest Position", "The armature's rest position is its A-pose"),
               ("FRAME", "At Frame", "The armature stands in its A-pose at a frame"))


def _is_armature(_, candidate) -> bool:
    return candidate.type == "ARMATURE"


def _is_annotation(_, candidate) -> bool:
    return is_annotation(candidate)


SOURCE_ICONS = {"MOVIE": "FILE_MOVIE", "IMAGE": "IMAGE_DATA", "META": "SEQ_STRIP_META", "SCENE": "SCENE_DATA"}
BUSY = {"running", "waiting", "preparing"}       # states of a job that will say more


class CharacterSettings(bpy.types.PropertyGroup):
    """What to draw of a rigged character, and from which views."""
    armature: PointerProperty(name="Armature", type=bpy.types.Object, poll=_is_armature, description="The rig whose motion is drawn")
    rest: EnumProperty(name="A-Pose", items=RESTS, description="Where the rig stands as on the sheet")
    rest_frame: IntProperty(name="Frame", default=1, description="The frame of the A-pose")
    sheet: StringProperty(name="Sheet", subtype="DIR_PATH", options=path_options(), description="Folder with the character's drawn views")
    method: EnumProperty(name="Method", items=METHODS, description="How the views become drawings")
    weights: StringProperty(name="Weights", subtype="DIR_PATH", options=path_options(), description="Folder with the published checkpoints")
    size: EnumProperty(name="Size", items=SHEET_SIZES, default="512", description="Size at which the networks draw; larger frames follow")
    background: StringProperty(name="Background", subtype="FILE_PATH", options=path_options(),
                               description="A picture or movie that becomes a sprite behind the character; none if empty")
    lines: BoolProperty(name="Contour Lines", default=True,
                        description="Draw the sheet's contour lines along the silhouette; without them every place keeps one color")
    ink: BoolProperty(name="Lines Apart", description="Contour lines as a sprite of their own, over one whose places keep their colors")
    symmetry: BoolProperty(name="Symmetry", default=True, description="Fill what no view shows from the character's other side")
    steady_crop: BoolProperty(name="Steady Scale", default=True, description="One crop for the shot instead of one for each frame")
    previous: IntProperty(name="Previous Drawings", min=0, max=8, description="Feed so many drawings before back as views")
    guide: BoolProperty(name="Guide by Transfer", description="Add the color transfer of each frame as a view")
    published: BoolProperty(name="As Published", description="The published arithmetic, without any of the improvements")
    smoothing: FloatProperty(name="Smoothing", min=0, max=1, subtype="FACTOR", description="Mix equal places of neighboring frames")
    despeckle: BoolProperty(name="Despeckle", default=True, description="Remove specks and pinholes from the matte")
    hard_matte: BoolProperty(name="Hard Matte", description="Make alpha 0 or 1")
    threshold: IntProperty(name="Threshold", default=128, min=0, max=254, description="A hard matte covers where alpha, of 255, is larger")
    erosion: IntProperty(name="Erosion", min=0, max=64, subtype="PIXEL", description="Draw the hard matte in by so many pixels")
    frame_start: IntProperty(name="Start", default=1, description="First frame to draw")
    frame_end: IntProperty(name="End", default=60, description="Last frame to draw")


class Settings(bpy.types.PropertyGroup):
    """How a clip is decomposed, imported and rendered; saved with the scene and undone with it."""
    sprites: EnumProperty(name="Sprites", items=SPRITES, description="How many sprites to look for, the background included")
    quality: EnumProperty(name="Quality", items=QUALITIES, default="STANDARD", description="Speed against precision")
    filepath: StringProperty(name="Clip", subtype="FILE_PATH", options=path_options(), description="A movie, or one image of a sequence")
    use_hints: BoolProperty(name="Hints", description="Help to tell sprites apart by what you drew; never required")
    hint_annotation: PointerProperty(name="Annotation", type=annotation_type(), poll=_is_annotation,
                                     description="A line on a sprite, or a circle around it, on any frame; one layer a sprite")
    hint_mask: PointerProperty(name="Mask", type=bpy.types.Mask, description="The shape of a sprite on any frame; one layer a sprite")
    hints: StringProperty(name="File", subtype="FILE_PATH", options=path_options(),
                          description="A file of hints made elsewhere, used where neither annotation nor mask is chosen")
    device: EnumProperty(name="Device", items=DEVICES, description="What computes")
    size: EnumProperty(name="Size", items=SIZES, description="Lines of the picture in which motion is looked for; drawings keep full size")
    flow: EnumProperty(name="Flow", items=FLOWS, description="How motion between frames is found")
    seed: IntProperty(name="Seed", min=0, description="The same seed, settings and device give the same result")
    farm: EnumProperty(name="Farm", items=FARMS, description="What Submit to Farm writes or asks")
    scheduler: StringProperty(name="Scheduler", description="Address of Dask's scheduler, as tcp://host:8786; empty: workers here")
    motion: EnumProperty(name="Motion", items=MOTIONS, description="How imported sprites move")
    blending: EnumProperty(name="Blending", items=BLENDINGS, description="How imported sprites mix")
    output: EnumProperty(name="Output", items=OUTPUTS, description="What Render writes")
    use_sound: BoolProperty(name="Sound", default=True, description="Keep the sound of the clip")
    character: PointerProperty(type=CharacterSettings)


def spec_options(settings: Settings) -> dict:
    """The settings in a job's words: the one place where menus become numbers, names and None."""
    return {
        "sprites": None if settings.sprites == "AUTO" else int(settings.sprites),
        "preset": settings.quality.lower(),
        "size": None if settings.size == "AUTO" else int(settings.size),
        "device": settings.device.lower(),
        "flow": "" if settings.flow == "AUTO" else settings.flow.lower(),
        "seed": settings.seed,
        "hints": bpy.path.abspath(settings.hints) if settings.use_hints else "",
        "motion": settings.motion.lower().replace("_", "-"),
        "blending": settings.blending.lower(),
    }


def character_switches(settings: CharacterSettings) -> tuple[str, ...]:
    """What the sidebar switches about a drawing, in the engine's words."""
    plain = [] if settings.despeckle else ["--no-despeckle"]
    if settings.smoothing:
        plain += ["--smoothing", f"{settings.smoothing:.3f}"]
    if settings.hard_matte:
        plain += ["--threshold", str(settings.threshold), "--erosion", str(settings.erosion)]
    if settings.method == "TRANSFER":
        return (*plain, *(word for word, on in (("--no-lines", not settings.lines), ("--ink", settings.lines and settings.ink),
                                                ("--no-symmetry", not settings.symmetry)) if on))
    if settings.previous:
        plain += ["--previous", str(settings.previous)]
    return (*plain, *(word for word, on in (("--tight-crop", not settings.steady_crop), ("--guide", settings.guide),
                                            ("--published", settings.published)) if on))


def _active_row(_status) -> int:
    """The list's highlighted row is the active object."""
    active = bpy.context.object
    return bpy.context.scene.objects.find(active.name) if active else -1


def _activate_row(_status, row: int) -> None:
    """A click in the list selects the sprite alone, as a click in the view does."""
    chosen = bpy.context.scene.objects[row]
    for other in bpy.context.selected_objects:
        other.select_set(False)
    bpy.context.view_layer.objects.active = chosen
    if chosen.visible_get():
        chosen.select_set(True)


class JobStatus(bpy.types.PropertyGroup):
    """One job as the sidebar shows it; `name` is its id."""
    clip: StringProperty()
    strip: StringProperty()
    folder: StringProperty()
    status: StringProperty()
    stage: StringProperty()
    fraction: FloatProperty(min=0, max=1)
    text: StringProperty()
    message: StringProperty()
    remedy: StringProperty()
    preview: IntProperty()
    can_resume: BoolProperty()
    submitted: BoolProperty()


class FindingStatus(bpy.types.PropertyGroup):
    """A line of the engine's report; `name` is what it is about."""
    value: StringProperty()
    state: StringProperty()


class Status(bpy.types.PropertyGroup):
    """What goes on; the panels read it, the session writes it."""
    jobs: CollectionProperty(type=JobStatus)
    engine: StringProperty()
    engine_message: StringProperty()
    engine_remedy: StringProperty()
    findings: CollectionProperty(type=FindingStatus)
    engine_folder: StringProperty()
    engine_size: StringProperty()
    engine_space: StringProperty()
    engine_enough_space: BoolProperty(default=True)
    build: StringProperty()
    installing: BoolProperty()
    install_stage: StringProperty()
    install_fraction: FloatProperty(min=0, max=1)
    install_text: StringProperty()
    jobs_size: StringProperty()
    lost: StringProperty()
    sprite_index: IntProperty(get=_active_row, set=_activate_row)


def active_strip(context):
    """The strip that the sequencer's panels are about, or None."""
    editor = sequencer_scene(context).sequence_editor
    return editor.active_strip if editor else None


def shown_frames(strip) -> tuple[int, int]:
    """First and last frame of the scene in which a strip is shown."""
    start, end = strip_range(strip)
    return start, end - 1


def works_on_strip(context) -> bool:
    """True where Decompose means the active strip: in the sequencer; without an editor, if there is one."""
    return active_strip(context) is not None if context.area is None else context.area.type == "SEQUENCE_EDITOR"


def refusal(context) -> str:
    """Why the clip cannot be decomposed now, or "": the button's tooltip and the line below it.  The engine's state is not asked."""
    status = context.window_manager.toondecompose
    if not works_on_strip(context):
        return hint_refusal(context.scene.toondecompose) if context.scene.toondecompose.filepath else "Choose a movie or image"
    strip = active_strip(context)
    if strip is None or strip.type not in SOURCE_ICONS:
        return "Select a movie or image strip"
    if any(job.strip == strip.name and job.status in BUSY for job in status.jobs):
        return "This clip is being decomposed"
    return hint_refusal(context.scene.toondecompose)


def hint_refusal(settings: Settings) -> str:
    """Why these hints cannot be used with these settings, or ""."""
    if not settings.use_hints or settings.sprites == "AUTO":
        return ""
    named = max(sprite_numbers(settings.hint_annotation, settings.hint_mask).values(), default=0) + 1
    return f"The hints name {named} sprites with the background: choose {named} or Auto" if named > int(settings.sprites) else ""


def character_refusal(context) -> str:
    """Why the character cannot be drawn now, or ""."""
    settings = context.scene.toondecompose.character
    if settings.armature is None:
        return "Choose an armature"
    if not settings.sheet:
        return "Choose a sheet folder"
    if settings.method == "CONR" and not settings.weights:
        return "Choose the weights folder"
    if settings.frame_end < settings.frame_start:
        return "The last frame lies before the first"
    return "" if context.scene.camera else "Add a camera"


_CLASSES = (CharacterSettings, Settings, JobStatus, FindingStatus, Status)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.toondecompose = PointerProperty(type=Settings)
    bpy.types.WindowManager.toondecompose = PointerProperty(type=Status)
    bpy.types.Object.toondecompose_visible = BoolProperty(
        name="Visible", description="Show the sprite in the view and in the render", get=lambda sprite: not is_hidden(sprite),
        set=lambda sprite, visible: set_hidden(sprite, not visible))


def unregister() -> None:
    del bpy.types.Object.toondecompose_visible
    del bpy.types.WindowManager.toondecompose
    del bpy.types.Scene.toondecompose
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
