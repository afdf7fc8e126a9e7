# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene that sprites live in: camera, frames, colors and render settings with which a picture comes back as it went in.
It must not know sprites."""

from __future__ import annotations

import bpy

from ..protocol import Clip
from . import versions
from .lifting import View

__all__ = ["new_stage", "set_format", "view_of", "set_exact_rendering", "set_camera_range"]

# lens = sensor width makes the focal length equal to the frame's width, whatever its value; 36 mm is Blender's default.
_SENSOR = 36.0
# Every layer costs one bounce; below the minimum Cycles ends paths at random (47.9 dB instead of 77).
_TRANSPARENT_BOUNCES = 1024


def new_stage(clip: Clip):
    """A scene for `clip` with its size, frames, rate, camera and exact color and render settings."""
    scene = bpy.data.scenes.new(clip.name or "Sprites")
    scene.frame_start, scene.frame_end = 1, clip.frames
    scene.frame_set(1)
    set_format(scene, clip)
    _add_camera(scene, clip)
    set_exact_rendering(scene)
    return scene


def set_format(scene, clip: Clip) -> None:
    """Give a scene the size and rate of `clip`."""
    render = scene.render
    _set_rate(render, clip.fps)
    render.resolution_x, render.resolution_y, render.resolution_percentage = clip.width, clip.height, 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0


def view_of(scene) -> View:
    """The frame that the scene's sprites were built for; halving the render size does not change it."""
    return View(scene.render.resolution_x, scene.render.resolution_y)


def set_exact_rendering(scene) -> None:
    """Make both engines read each pixel once, in its center, through every layer."""
    render = scene.render
    render.engine = "CYCLES"
    render.film_transparent = True
    render.dither_intensity = 0.0
    render.filter_size = 0.01
    render.use_border = False
    # Saves a tenth of the time, but 5.0.1 crashes now and then when a scene that was rendered so is removed.
    render.use_persistent_data = False
    scene.eevee.taa_render_samples = 1
    versions.sharpen_scene(scene)
    if hasattr(scene, "cycles"):
        _set_exact_cycles(scene.cycles)
    versions.set_image_output(render.image_settings, file_format="PNG", color_mode="RGBA", color_depth="8")
    render.image_settings.compression = 15
    render.filepath = "//render/"


def set_camera_range(scene, nearest: float, farthest: float) -> None:
    """Let the scene's camera see from depth `nearest` to `farthest`, with room on both sides."""
    scene.camera.data.clip_start = max(nearest * 0.5, 1e-3)
    scene.camera.data.clip_end = farthest * 2.0


def _set_rate(render, fps: float) -> None:
    """23.976 becomes 24 / 1.001: Blender keeps a whole rate and a base."""
    render.fps = max(1, round(fps))
    render.fps_base = render.fps / fps


def _add_camera(scene, clip: Clip) -> None:
    data = bpy.data.cameras.new(f"{scene.name} Camera")
    data.type = "PERSP"
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = data.lens = _SENSOR
    camera = bpy.data.objects.new(data.name, data)
    camera.lock_location = camera.lock_rotation = camera.lock_scale = (True, True, True)
    scene.collection.objects.link(camera)
    scene.camera = camera


def _set_exact_cycles(cycles) -> None:
    cycles.samples = cycles.preview_samples = 1
    cycles.use_adaptive_sampling = cycles.use_preview_adaptive_sampling = False
    cycles.use_denoising = cycles.use_preview_denoising = False
    cycles.pixel_filter_type, cycles.filter_width = "BOX", 0.01
    cycles.max_bounces = 0
    cycles.transparent_max_bounces = cycles.min_transparent_bounces = _TRANSPARENT_BOUNCES
