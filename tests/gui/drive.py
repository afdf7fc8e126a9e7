# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a real Blender window: an artist's way from the zip to retimed sprites, with a picture of each step.
Environment: EXTENSION_ZIP, OUT (pictures), BIND (holds frames/ and py/, the engine's interpreter), GUI_SIZE."""

import glob
import json
import os
import shutil
import subprocess
import time
import traceback
from importlib import import_module
from math import cos, pi, sin
from pathlib import Path

import bpy

OUT, BIND = os.environ["OUT"], os.environ["BIND"]
FRAMES = os.path.join(BIND, "frames")
WIDTH, HEIGHT = map(int, os.environ["GUI_SIZE"].split("x"))
MODULE = "bl_ext.user_default.toondecompose"
RUNNER = 4, -13, 95, 135       # in frame 20, px of the preview: its middle and how far it reaches to the sides
DECOMPOSE_AT, HINTS_AT = 137, 174   # units below the sidebar's upper edge; measured in pictures of 5.2 and 4.3
SEEN: dict = {}
mouse = None

os.environ["TOONDECOMPOSE_ENGINE"] = os.path.join(BIND, "py", "bin", "python3.11")
os.environ["LD_LIBRARY_PATH"] = os.path.join(BIND, "py", "lib")
os.environ["TOONDECOMPOSE_HOME"] = HOME = "/home/artist/toondecompose"     # pictures show it


def window():
    return bpy.context.window_manager.windows[0]


def area(kind, view_type=None):
    found = (a for a in window().screen.areas if a.type == kind and view_type in (None, getattr(a.spaces.active, "view_type", None)))
    return next(found)


def override(of_area, region="WINDOW"):
    chosen = next(r for r in of_area.regions if r.type == region)
    return bpy.context.temp_override(window=window(), screen=window().screen, area=of_area, region=chosen)


def picture(name):
    subprocess.run(["import", "-window", "root", f"{OUT}/{name}.png"], check=True)


def use_mouse(*words):
    """Let the mouse do this while Blender lives on, then leave: a tooltip would cover the panel.  One thing after the other."""
    global mouse
    if mouse is not None:
        mouse.wait()
    mouse = subprocess.Popen(["xdotool", *words, "mousemove", "900", str(HEIGHT - 8)])


def click(of_area, x, from_top):
    """Click in an area's sidebar: `x` 0..1 of its width, `from_top` in units below its upper edge."""
    sidebar = next(r for r in of_area.regions if r.type == "UI")
    scale = bpy.context.preferences.system.ui_scale
    left, low = sidebar.x + sidebar.width * x, sidebar.y + sidebar.height - from_top * scale
    use_mouse("mousemove", str(int(left)), str(int(HEIGHT - low)), "sleep", "0.3", "click", "1", "sleep", "0.3")


def drag(of_area, points):
    """Draw with the left mouse button through points of a preview: px from its middle, y up."""
    region = next(r for r in of_area.regions if r.type == "PREVIEW")
    places = [region.view2d.view_to_region(x, y, clip=False) for x, y in points]
    pixels = [(str(region.x + x), str(HEIGHT - region.y - y)) for x, y in places]
    words = ["mousemove", *pixels[0], "sleep", "0.3", "mousedown", "1"]
    for x, y in pixels[1:]:
        words += ["mousemove", x, y, "sleep", "0.05"]
    use_mouse(*words, "mouseup", "1")


def read_hints():
    """The hints of a job that is started now, through the button's own code."""
    hints, clips = import_module(f"{MODULE}.operators.hints"), import_module(f"{MODULE}.operators.clips")
    scene, folder = window().scene, Path(OUT, "job")
    folder.mkdir()
    strip = scene.sequence_editor.active_strip
    made = hints.drawn_hints(scene.toondecompose, clips.shown_strip(scene, strip, clips.strip_clip(scene, strip)), folder,
                             current=1, sprites=2)
    return json.loads(Path(made).read_text())["hints"] if made else []


def show_sidebar(of_area):
    of_area.spaces.active.show_region_ui = True


def choose_tab(of_area):
    next(r for r in of_area.regions if r.type == "UI").active_panel_category = "Toon"
    of_area.tag_redraw()


def status():
    return bpy.context.window_manager.toondecompose


def all_strips(scene):
    editor = scene.sequence_editor
    return list(editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)


def job_states():
    return [(job.status, job.stage, round(job.fraction, 2), job.message) for job in status().jobs]


def steps():
    """Each yielded number is how many seconds the window gets before the next step."""
    package = os.environ["EXTENSION_ZIP"]
    shutil.rmtree(HOME, ignore_errors=True)
    bpy.ops.extensions.package_install_files(filepath=package, repo="user_default", enable_on_install=True, overwrite=True)
    yield 2.0
    template = [path for root in (bpy.utils.resource_path("SYSTEM"), "/usr/share/blender")
                for path in glob.glob(f"{root}/**/Video_Editing/startup.blend", recursive=True)][0]
    with bpy.context.temp_override(window=window()):
        bpy.ops.workspace.append_activate(idname="Video Editing", filepath=template)
    yield 1.0
    scene = window().scene
    if hasattr(window().workspace, "sequencer_scene"):
        window().workspace.sequencer_scene = scene
    editor = area("SEQUENCE_EDITOR", "SEQUENCER")
    editor.spaces.active.timeline_overlay.show_strip_source = False
    show_sidebar(editor)
    yield 1.0
    choose_tab(editor)
    yield 1.0
    picture("1_no_strip")
    SEEN["engine"] = status().engine
    names = sorted(os.listdir(FRAMES))
    scene.render.resolution_x, scene.render.resolution_y = 640, 360     # before: the strip is fitted to it
    add = bpy.ops.sequencer.image_strip_add
    still = {"move_strips": False} if "move_strips" in add.get_rna_type().properties else {}
    with override(editor):
        add(directory=FRAMES + "/", files=[{"name": name} for name in names], frame_start=1, channel=1, **still)
        bpy.ops.sequencer.view_all()
    all_strips(scene)[0].name = "runner"
    scene.toondecompose.sprites, scene.toondecompose.quality = "2", "DRAFT"
    yield 1.5
    with override(area("SEQUENCE_EDITOR", "PREVIEW"), "PREVIEW"):
        bpy.ops.sequencer.view_all_preview()
    subprocess.run(["xdotool", "mousemove", "900", str(HEIGHT - 8)], check=True)
    yield 2.0
    picture("2_ready")
    preview = area("SEQUENCE_EDITOR", "PREVIEW")
    window().scene.frame_set(20)
    with override(editor):
        SEEN["draw"] = list(bpy.ops.toon.hints_draw())
    yield 1.5
    drag(preview, [(RUNNER[0] + RUNNER[2] * cos(a * pi / 12), RUNNER[1] + RUNNER[3] * sin(a * pi / 12)) for a in range(25)])
    yield 4.0
    SEEN["hints"] = read_hints()
    click(editor, 0.2, HINTS_AT)
    yield 2.0
    picture("2_hints")
    click(editor, 0.2, HINTS_AT)
    yield 1.0
    scene.toondecompose.use_hints = False
    with override(preview, "PREVIEW"):
        bpy.ops.wm.tool_set_by_id(name="builtin.select_box" if bpy.app.version >= (4, 4) else "builtin.select")
    yield 0.5
    click(editor, 0.4, DECOMPOSE_AT)
    yield 3.0
    picture("3_started")
    SEEN["clicked"] = job_states()
    if not status().jobs:
        with override(editor):
            bpy.ops.toon.decompose()
    deadline = time.time() + 120
    while not any(fraction > 0.3 for _, _, fraction, _ in job_states()) and time.time() < deadline:
        yield 0.2
    picture("4_running")
    SEEN["running"] = job_states()
    began = time.time()
    bpy.ops.toon.cancel_job(job=status().jobs[0].name)
    while job_states()[0][0] == "running" and time.time() < deadline:
        yield 0.05
    SEEN["cancelled_after"] = round(time.time() - began, 2)
    SEEN["stopped"] = job_states()[0][0] == "stopped"
    yield 0.5
    picture("5_stopped")
    bpy.ops.toon.resume_job(job=status().jobs[0].name)
    deadline = time.time() + 400
    while job_states()[0][2] < 0.8 and time.time() < deadline:
        yield 0.2
    SEEN["first_look"] = status().jobs[0].preview > 0
    picture("5_first_look")
    with override(editor):
        bpy.ops.screen.animation_play()
    while job_states()[0][0] != "ready" and time.time() < deadline:
        yield 0.2
    yield 1.0
    SEEN["while_playing"] = job_states()
    picture("6_import_ready")
    with override(editor):
        bpy.ops.screen.animation_cancel()
    while status().jobs and time.time() < deadline:
        yield 0.2
    SEEN["after"] = job_states()
    yield 1.5
    picture("6_done")
    session = import_module(f"{MODULE}.operators.session")
    bpy.context.preferences.view.render_display_type = "NONE"
    scene.render.filepath, scene.frame_end = os.path.join(OUT, "meanwhile", ""), 60
    with override(editor):
        bpy.ops.render.render("INVOKE_DEFAULT", animation=True)
    yield 0.2
    SEEN["rendering"] = [session.is_moving(), session.is_safe()]
    deadline = time.time() + 120
    while not session.is_safe() and time.time() < deadline:
        yield 0.2
    SEEN["rendered_then"] = session.is_safe(), [operator.bl_idname for operator in window().modal_operators]
    with override(editor):
        bpy.ops.sequencer.select_all(action="SELECT")
        bpy.ops.sequencer.meta_make()
        bpy.ops.toon.decompose()
    deadline, ticks = time.time() + 60, 0
    while job_states() and job_states()[0][0] == "preparing" and job_states()[0][2] < 0.3 and time.time() < deadline:
        ticks += 1
        yield 0.05
    SEEN["preparing"], SEEN["between"] = job_states(), ticks
    picture("6_rendering_a_meta")
    bpy.ops.toon.cancel_job(job=status().jobs[0].name)
    with override(editor):
        bpy.ops.sequencer.meta_separate()
        scene.sequence_editor.active_strip = next(strip for strip in all_strips(scene) if strip.name == "runner")
        SEEN["edit"] = list(bpy.ops.toon.show_sprites())
    yield 0.5
    layout = next(w for w in bpy.data.workspaces if w.name == "Layout")
    window().workspace = layout
    yield 1.0
    window().scene = next(s for s in bpy.data.scenes if any("toondecompose_sprite" in o for o in s.objects))
    view = area("VIEW_3D")
    show_sidebar(view)
    view.spaces.active.shading.type = "MATERIAL"
    with override(view):
        bpy.ops.view3d.view_camera()
    sprites = [o for o in window().scene.objects if "toondecompose_sprite" in o]
    SEEN["sprites"] = [o.name for o in sprites]
    front = max(sprites, key=lambda o: o.location.z)
    status().sprite_index = window().scene.objects.find(front.name)
    yield 1.0
    choose_tab(view)
    yield 60.0      # the first look compiles EEVEE's shaders, slowly without a graphics card
    picture("7_sprites")
    with override(view):
        SEEN["hold"] = list(bpy.ops.toon.hold(step=2))
        window().scene.frame_set(20)
    front["color_2"] = (0.1, 0.7, 0.2)
    front.update_tag()
    yield 8.0
    picture("8_retimed_recolored")
    window().scene.render.filepath = os.path.join(OUT, "render", "")
    window().scene.frame_end = 3
    with override(view):
        SEEN["render"] = list(bpy.ops.toon.render("EXEC_DEFAULT"))
    SEEN["rendered"] = sorted(os.listdir(os.path.join(OUT, "render")))
    yield 1.0
    blend = os.path.join(OUT, "edit.blend")
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    bpy.ops.wm.save_userpref()
    for name, words in (("doctor", ["doctor", "--json"]), ("wrong", ["import", "/nowhere", "--blend", "/tmp/x.blend"])):
        done = subprocess.run(["blender", "-b", blend, "--command", "toondecompose", *words], capture_output=True, text=True)
        SEEN[name] = done.returncode, done.stdout[-4000:], done.stderr[-1000:]
    bpy.ops.toon.engine_setup()
    yield 3.0
    picture("9_preferences")


def run():
    script, due = steps(), [time.time() + 1.0]

    def tick():
        if time.time() >= due[0]:
            try:
                due[0] = time.time() + next(script)
            except StopIteration:
                finish(0)
            except BaseException:
                traceback.print_exc()
                picture("failed")
                finish(3)
        return 0.05

    bpy.app.timers.register(tick, first_interval=0.5)


def finish(code):
    with open(os.path.join(OUT, "seen.json"), "w", encoding="utf-8") as file:
        json.dump(SEEN, file, indent=1)
    os._exit(code)


run()
