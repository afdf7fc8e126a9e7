# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine gets exactly the frames that a strip shows: movies with sound, trimmed, retimed, of another frame rate; images backwards.
The movie is FFV1, written by Blender from drawn pictures; what the engine reads of it is compared bit for bit."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import bpy
import numpy as np
import pytest

import toondecompose_blender
from tests.blender import results
from tests.package.test_extension import BLENDERS
from toondecompose_blender.operators import session as module
from toondecompose_blender.scene import versions
from toondecompose_blender.scene.output import set_output
from toondecompose_blender.scene.prerender import StripRender

COUNT, SIZE = 12, (64, 36)
READ = """
import sys
from pathlib import Path
import numpy as np
from toondecompose_blender.engine.clip import open_clip, parse_range
frames = parse_range(":".join(sys.argv[3:])) if sys.argv[3:] else None
np.save(sys.argv[2], np.stack(list(open_clip(Path(sys.argv[1]), frames=frames))))
"""


def picture(number: int) -> np.ndarray:
    return results.painted(*SIZE, number)


@pytest.fixture(scope="module")
def movie(tmp_path_factory) -> Path:
    """Twelve drawn pictures as FFV1 with a tone, at 24 frames a second."""
    folder = tmp_path_factory.mktemp("movie")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    with wave.open(str(folder / "tone.wav"), "wb") as tone:
        tone.setparams((1, 2, 48000, 0, "NONE", ""))
        tone.writeframes((8000 * np.sin(np.arange(24000) / 20)).astype("<i2").tobytes())
    strips = versions.strips_of(scene.sequence_editor_create())
    for number in range(1, COUNT + 1):
        results.write_png(folder / f"{number:02d}.png", picture(number))
    strip = strips.new_image(name="pictures", filepath=str(folder / "01.png"), channel=1, frame_start=1)
    for number in range(2, COUNT + 1):
        strip.elements.append(f"{number:02d}.png")
    versions.set_strip_end(strip, COUNT + 1)
    strips.new_sound(name="tone", filepath=str(folder / "tone.wav"), channel=2, frame_start=1)
    scene.render.resolution_x, scene.render.resolution_y, scene.render.fps = *SIZE, 24
    scene.view_settings.view_transform, scene.render.dither_intensity = "Standard", 0
    scene.frame_end, scene.render.use_file_extension = COUNT, False
    for name, sound in (("run.mkv", True), ("silent.mkv", False)):
        set_output(scene, "ffv1", sound=sound)
        scene.render.filepath = str(folder / name)
        bpy.ops.render.render(animation=True)
    return folder / "run.mkv"


@pytest.fixture
def silent(movie) -> Path:
    """The same movie without sound: Blender takes a longer sound for a longer picture."""
    return movie.with_name("silent.mkv")


@pytest.fixture
def edit(tmp_path, monkeypatch, engine_python):
    """An empty edit of the clip's size and rate, with the extension on."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    monkeypatch.setenv("TOONDECOMPOSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TOONDECOMPOSE_ENGINE", engine_python)
    toondecompose_blender.register()
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.fps = *SIZE, 24
    scene.sequence_editor_create()
    yield scene
    toondecompose_blender.unregister()


def add_movie(scene, movie: Path, start: int = 7):
    strip = versions.strips_of(scene.sequence_editor).new_movie(name="run", filepath=str(movie), channel=1, frame_start=start)
    scene.sequence_editor.active_strip = strip
    return strip


def read(engine: str, folder: Path) -> tuple[np.ndarray, str]:
    """What the engine would decompose after a press of the button, and the path that it was given."""
    current = module.current()
    bpy.ops.toon.decompose()
    job = next(iter(current.queue.jobs.values()))
    while current.renders:
        current._render_strips()
    words = [engine, "-c", READ, job.spec.clip, str(folder / "read.npy"), *(str(frame or "") for frame in job.spec.frames or ())]
    subprocess.run(words, check=True, cwd=Path(__file__).parents[2])
    return np.load(folder / "read.npy"), job.spec.clip


def assert_shows(frames: np.ndarray, numbers: list[int]) -> None:
    """`frames` are the drawn pictures of these numbers, exactly."""
    assert len(frames) == len(numbers)
    for index, number in enumerate(numbers):
        found = [other for other in range(1, COUNT + 1) if np.array_equal(frames[index], picture(other)[..., :3])]
        assert found == [number], f"frame {index + 1} is picture {found}, not {number}"


def test_a_trimmed_movie_with_sound_is_read_itself_between_its_handles(edit, movie, engine_python, tmp_path):
    strip = add_movie(edit, movie)
    versions.set_strip_start(strip, 10)
    versions.set_strip_end(strip, 16)
    frames, path = read(engine_python, tmp_path)
    assert path == str(movie)
    assert_shows(frames, [4, 5, 6, 7, 8, 9])


def test_frames_cut_off_the_content_are_not_counted_twice(edit, movie, engine_python, tmp_path):
    strip = add_movie(edit, movie)
    setattr(strip, "content_trim_start" if hasattr(strip, "content_trim_start") else "animation_offset_start", 2)
    versions.set_strip_start(strip, 8)
    versions.set_strip_end(strip, 11)
    (tmp_path / "seen").mkdir()
    StripRender(edit.name, strip.name, tmp_path / "seen").step(60)
    frames, path = read(engine_python, tmp_path)
    seen = np.stack([results.read_png(file)[..., :3] for file in sorted((tmp_path / "seen").iterdir())])
    assert np.array_equal(frames, np.rint(seen)), path


def test_proxies_are_ignored(edit, movie, engine_python, tmp_path):
    strip = add_movie(edit, movie)
    strip.use_proxy = True
    strip.proxy.build_25 = True
    versions.set_strip_end(strip, 9)
    frames, _ = read(engine_python, tmp_path)
    assert_shows(frames, [1, 2])


def test_a_movie_whose_sound_is_longer_is_read_to_its_last_picture(edit, movie, engine_python, tmp_path):
    strip = add_movie(edit, movie)
    versions.set_strip_start(strip, 9)
    frames, path = read(engine_python, tmp_path)
    assert path == str(movie)
    assert_shows(frames, list(range(3, COUNT + 1)))


ADD_MOVIE = """
import bpy, sys
bpy.ops.wm.read_factory_settings(use_empty=True)
scene, window = bpy.context.scene, bpy.context.window_manager.windows[0]
scene.render.resolution_x, scene.render.resolution_y, scene.render.fps = 64, 36, 12
scene.sequence_editor_create()
area = max(window.screen.areas, key=lambda area: area.width * area.height)
area.type = "SEQUENCE_EDITOR"
region = next(region for region in area.regions if region.type == "WINDOW")
with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
    bpy.ops.sequencer.movie_strip_add(filepath=sys.argv[1], frame_start=7, channel=1, use_framerate=False, sound=False)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[2])
"""


def test_a_movie_of_another_rate_is_what_the_scene_shows_of_it(edit, silent, engine_python, tmp_path):
    """As Blender's own Add Movie does it: the strip keeps the movie's speed.  That operator crashes 5.0 without a window, not 4.2."""
    old = [python for python in BLENDERS if Path(python).parent.parent.name == "4.2"]
    if not old:
        pytest.skip("no Blender 4.2 here that could add the movie")
    subprocess.run([*old, "-c", ADD_MOVIE, silent, tmp_path / "edit.blend"], check=True, capture_output=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "edit.blend"))
    scene = bpy.context.scene
    scene.sequence_editor.active_strip = versions.strips_of(scene.sequence_editor)[0]
    frames, path = read(engine_python, tmp_path)
    assert path != str(silent)
    assert_shows(frames, [1, 3, 5, 7, 9, 11])


def test_a_reversed_movie_is_what_its_strip_shows(edit, silent, engine_python, tmp_path):
    strip = add_movie(edit, silent)
    strip.use_reverse_frames = True
    versions.set_strip_end(strip, 11)
    frames, path = read(engine_python, tmp_path)
    assert path != str(silent)
    assert_shows(frames, [12, 11, 10, 9])


@pytest.mark.skipif(bpy.app.version < (5, 2, 0), reason="adding a key by script crashes older Blenders")
def test_a_retimed_movie_is_what_its_strip_shows(edit, silent, engine_python, tmp_path):
    strip = add_movie(edit, silent)
    strip.retiming_keys.add(timeline_frame=13)
    strip.retiming_keys[1].timeline_frame = 10          # the first six frames in three, the others in nine
    versions.set_strip_end(strip, 13)
    frames, path = read(engine_python, tmp_path)
    assert path != str(silent)
    assert_shows(frames, [1, 3, 5, 7, 7, 8])


def test_a_movie_held_beyond_its_end_repeats_its_last_frame(edit, silent, engine_python, tmp_path):
    strip = add_movie(edit, silent)
    versions.set_strip_end(strip, 7 + COUNT + 2)
    frames, _ = read(engine_python, tmp_path)
    assert_shows(frames, [*range(1, COUNT + 1), COUNT, COUNT])


@pytest.mark.parametrize("change, numbers", [({"use_reverse_frames": True}, [8, 5, 2, 1]), ({"strobe": 2}, [1, 1, 5, 5])])
def test_images_with_gaps_in_their_numbers_are_shown_as_the_strip_plays_them(edit, movie, engine_python, tmp_path, change, numbers):
    folder = movie.parent
    strip = versions.strips_of(edit.sequence_editor).new_image(name="gaps", filepath=str(folder / "01.png"), channel=1, frame_start=3)
    for number in (2, 5, 8):
        strip.elements.append(f"{number:02d}.png")
    versions.set_strip_end(strip, 7)
    edit.sequence_editor.active_strip = strip
    for name, value in change.items():
        setattr(strip, name, value)
    frames, _ = read(engine_python, tmp_path)
    assert_shows(frames, numbers)
