# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a fresh bpy: install the zip, use it, disable, enable, remove; prints one JSON object of what was seen."""

import gc
import json
import os
import sys
import threading
import time

import bpy

MODULE = "bl_ext.user_default.toondecompose"


def registered() -> list[str]:
    """All classes of the extension that Blender knows, and its properties."""
    classes = [name for name in dir(bpy.types) if name.startswith("TOON_")]
    owners = [owner for owner in (bpy.types.Scene, bpy.types.WindowManager) if hasattr(owner, "toondecompose")]
    return classes + [f"{owner.__name__}.toondecompose" for owner in owners]


def handlers() -> int:
    lists = (getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers))
    return sum(MODULE in getattr(handler, "__module__", "") for entry in lists if isinstance(entry, list) for handler in entry)


def decompose(clip: str, patience: float) -> dict:
    """Press the button on an image strip and tick until the sprites are in the file."""
    from importlib import import_module
    session, versions = import_module(f"{MODULE}.operators.session"), import_module(f"{MODULE}.scene.versions")
    session.current().file_opened()
    scene = bpy.context.scene
    names = sorted(os.listdir(clip))
    strips = versions.strips_of(scene.sequence_editor_create())
    strip = strips.new_image(name="run", filepath=os.path.join(clip, names[0]), channel=1, frame_start=5)
    for name in names[1:]:
        strip.elements.append(name)
    versions.set_strip_end(strip, 5 + len(names))
    scene.sequence_editor.active_strip = strip
    scene.toondecompose.sprites, scene.toondecompose.quality = "2", "DRAFT"
    pressed = bpy.ops.toon.decompose()
    texts, deadline = set(), time.monotonic() + patience
    while session.current().queue.busy or session.current().finished:
        session.current().tick()
        for job in bpy.context.window_manager.toondecompose.jobs:
            texts.add(job.stage)
        assert time.monotonic() < deadline, list(bpy.context.window_manager.toondecompose.jobs)
        time.sleep(0.02)
    jobs = [(job.status, job.message, job.remedy) for job in bpy.context.window_manager.toondecompose.jobs]
    sprites = [thing.name for thing in bpy.data.objects if "toondecompose_sprite" in thing]
    return {"pressed": list(pressed), "stages": sorted(texts), "jobs": jobs, "sprites": sprites, "marked": "toondecompose_job" in strip}


def main(package: str, clip: str) -> dict:
    seen = {"blender": bpy.app.version_string, "before": registered()}
    bpy.ops.extensions.package_install_files(filepath=package, repo="user_default", enable_on_install=True, overwrite=True)
    folder = os.path.dirname(sys.modules[MODULE].__file__)
    seen["enabled"], seen["files"] = registered(), sorted(os.listdir(folder))
    seen["reason"] = ""
    try:
        bpy.ops.toon.decompose()
    except RuntimeError as error:
        seen["reason"] = str(error)
    if clip:
        seen["decompose"] = decompose(clip, 300)
    bpy.ops.preferences.addon_disable(module=MODULE)
    seen["disabled"], seen["handlers"], seen["threads"] = registered(), handlers(), threading.active_count()
    bpy.ops.preferences.addon_enable(module=MODULE)
    seen["again"] = registered()
    repos = [repo.module for repo in bpy.context.preferences.extensions.repos]
    bpy.ops.extensions.package_uninstall(repo_index=repos.index("user_default"), pkg_id="toondecompose")
    gc.collect()
    seen["removed"], seen["left"] = registered(), os.path.exists(folder)
    return seen


if __name__ == "__main__":
    print("\nSEEN " + json.dumps(main(*sys.argv[1:])), flush=True)
    os._exit(0)     # Blender as a module may crash while the interpreter takes it down; what was seen is told
