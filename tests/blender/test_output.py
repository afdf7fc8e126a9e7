# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes out: pictures, movies, layers, and the strip in the edit; and the commands that make them."""

import math
import signal
import subprocess
import sys
import wave
from pathlib import Path

import bpy
import numpy as np
import pytest
import results
from reference import expected, psnr, rendered, seen

from toondecompose_blender import command
from toondecompose_blender.scene import retiming, strips, versions
from toondecompose_blender.scene.importing import import_result
from toondecompose_blender.scene.rendering import Pictures, engine_of, render_pictures
from toondecompose_blender.scene.sprites import sprites_of

FRAMES = 6


@pytest.fixture
def folder(tmp_path):
    """A fox on twos before a background."""
    background = results.write_sprite(tmp_path / "result", "background", [results.painted(240, 130, 1)], [1] * FRAMES,
                                      results.perspective(FRAMES, (240, 130), size=1.6, strength=0.3))
    fox = results.write_sprite(tmp_path / "result", "fox", [results.character(70, 60, seed) for seed in (1, 2, 3)], [1, 1, 2, 2, 3, 3],
                               results.perspective(FRAMES, (70, 60), seed=1))
    return results.write_result(tmp_path / "result", [background, fox], frames=FRAMES)


@pytest.fixture
def scene(folder):
    return bpy.data.scenes[import_result(folder).scene]


def written(scene, folder, kind, first=1, last=FRAMES):
    return render_pictures(scene, Pictures(folder, first, last, kind), rendered=lambda frame: True)


def movie_frames(path, count):
    """The frames of a movie as an edit shows them, (H, W, 3) 0..255."""
    scene = bpy.data.scenes.new("Player")
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = results.WIDTH, results.HEIGHT, 100
    versions.strips_of(scene.sequence_editor_create()).new_movie("Movie", str(path), 1, 1)
    return [results.read_png(picture)[..., :3] for picture in written(scene, path.parent / "frames", "png", 1, count)]


def test_ffv1_keeps_every_bit(scene, folder, tmp_path):
    (movie,) = written(scene, tmp_path / "out", "ffv1")
    assert movie.name == "0001-0006.mkv" and movie.stat().st_size > 1000
    pictures = [results.read_png(path)[..., :3] for path in written(scene, tmp_path / "png", "png")]
    assert all(np.array_equal(*pair) for pair in zip(movie_frames(movie, FRAMES), pictures, strict=True))


def test_a_movie_is_complete_or_not_there(scene, tmp_path):
    (movie,) = written(scene, tmp_path / "out", "movie", 2, 4)
    assert [path.name for path in movie.parent.iterdir()] == ["0002-0004.mp4"]
    assert bpy.data.movieclips.load(str(movie)).frame_duration == 3


@pytest.mark.parametrize("kind", ["movie", "ffv1"])
def test_a_stopped_movie_is_not_there_and_the_one_before_stays(scene, tmp_path, kind):
    (movie,) = written(scene, tmp_path / "out", kind)
    before, told = movie.read_bytes(), []
    stopped = render_pictures(scene, Pictures(movie.parent, 1, FRAMES, kind), rendered=lambda frame: told.append(frame) or frame < 3)
    assert stopped == [] and told == [1, 2, 3]
    assert [path.name for path in movie.parent.iterdir()] == [movie.name] and movie.read_bytes() == before


@pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="this build of Blender has no sound")
def test_a_movie_keeps_the_sound_of_the_clip(scene, tmp_path):
    with wave.open(str(tmp_path / "clip.wav"), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(b"".join(int(20000 * math.sin(i / 20)).to_bytes(2, "little", signed=True) for i in range(24000)))
    assert strips.set_clip_sound(scene, str(tmp_path / "clip.wav"), 1, True)
    (movie,) = render_pictures(scene, Pictures(tmp_path / "out", 1, FRAMES, "movie", sound=True), rendered=lambda frame: True)
    assert bpy.data.sounds.load(str(movie)).channels != "INVALID"
    assert not strips.set_clip_sound(scene, str(tmp_path / "clip.wav"), 1, False)


@pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="this build of Blender has no sound")
def test_the_sound_begins_with_the_frame_that_the_clip_begins_with(scene, tmp_path):
    with wave.open(str(tmp_path / "clip.wav"), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(bytes(96000))
    scene["toondecompose_source"], scene["toondecompose_first_frame"] = str(tmp_path / "clip.wav"), 13
    assert strips.keep_clip_sound(scene, True)
    (sound,) = versions.strips_of(scene.sequence_editor)
    assert versions.strip_range(sound)[0] == -11


EXR_LAYERS = """
import sys, numpy, OpenEXR
with OpenEXR.File(sys.argv[1], separate_channels=True) as file:
    layers = {}
    for part in file.parts:
        for name, channel in part.channels.items():
            layers.setdefault(name.rpartition(".")[0], {})[name[-1]] = channel.pixels
whole = {name: numpy.stack([found[c] for c in "RGBA"], -1) for name, found in layers.items() if len(found) == 4}
numpy.savez(sys.argv[2], **whole)
"""


def exr_layers(path, engine_python):
    """Name -> premultiplied RGBA (H, W, 4) of every layer, as another program reads them."""
    subprocess.run([engine_python, "-c", EXR_LAYERS, str(path), str(path.with_suffix(".npz"))], check=True)
    with np.load(path.with_suffix(".npz")) as layers:
        return {name.removesuffix(".Combined"): layers[name].astype(np.float64) for name in layers.files}


@pytest.mark.parametrize("engine", ["cycles", "eevee"])
def test_layers_hold_each_sprite_alone_pixel_by_pixel(scene, folder, tmp_path, engine, engine_python):
    scene.render.engine = engine_of(engine)
    written(scene, tmp_path / "out", "exr", 3, 3)
    assert len(scene.view_layers) == 1, "the scene is as it was"
    layers = exr_layers(tmp_path / "out" / "0003.exr", engine_python)
    for sprite in results.read(folder).sprites:
        drawing = results.read_png(folder / sprite.drawings[sprite.exposure[2] - 1])
        alone = seen(drawing, np.load(folder / sprite.homographies)[2])
        assert psnr(layers[sprite.name], alone) > 65
    over = layers["Fox"] + layers["Background"] * (1 - layers["Fox"][..., 3:])
    assert psnr(over[..., :3], expected(folder, 3)) > 65


def test_a_scene_strip_shows_retimed_sprites_at_the_frames_of_the_edit(scene, folder, tmp_path):
    bpy.context.window.scene = scene    # which has no strips
    retiming.reverse(sprites_of(scene)[1])
    edit = bpy.data.scenes.new("Edit")
    edit.render.resolution_x, edit.render.resolution_y = results.WIDTH, results.HEIGHT
    edit.view_settings.view_transform = "Standard"
    source = versions.strips_of(edit.sequence_editor_create()).new_effect(name="Clip", type="COLOR", channel=1, frame_start=11, **span(4))
    strip = strips.add_scene_strip(edit, source, scene)
    assert (*versions.strip_range(strip), strip.channel) == (11, 15, 2)
    pictures = rendered(edit, tmp_path / "out", 11, 14)
    for frame, picture in enumerate(pictures, start=1):
        assert psnr(picture, expected(folder, frame, frames={"fox": FRAMES + 1 - frame})) > 70, f"frame {frame}"


@pytest.mark.parametrize(("start", "end", "first", "shown"), [(13, 15, 13, 3), (9, 13, 11, 1)], ids=["trimmed", "extended"])
def test_a_strip_that_was_cut_otherwise_since_gets_the_sprites_over_their_frames(scene, folder, tmp_path, start, end, first, shown):
    edit = bpy.data.scenes.new("Edit")
    edit.render.resolution_x, edit.render.resolution_y = results.WIDTH, results.HEIGHT
    edit.view_settings.view_transform = "Standard"
    source = versions.strips_of(edit.sequence_editor_create()).new_image("Clip", str(folder / "fox" / "fox_0001.png"), 1, 1)
    for _ in range(29):
        source.elements.append("fox_0001.png")
    versions.set_strip_start(source, 11)
    versions.set_strip_end(source, 17)
    strips.remember_cut(source)
    versions.set_strip_start(source, start)
    versions.set_strip_end(source, end)
    strip = strips.add_scene_strip(edit, source, scene)
    assert versions.strip_range(strip) == (first, end)
    assert psnr(rendered(edit, tmp_path / "out", first)[0], expected(folder, shown)) > 70


def span(frames):
    return {"length": frames} if bpy.app.version >= (5, 0, 0) else {"frame_end": 11 + frames}


def test_the_commands_import_and_render(folder, tmp_path, capfd):
    assert command.main(["import", str(folder), "--blend", str(tmp_path / "a" / "clip.blend")]) == 0
    assert [image.filepath[:2] for image in bpy.data.images] == ["//"] * len(bpy.data.images)
    blend, out = str(tmp_path / "a" / "clip.blend"), str(tmp_path / "out")
    assert command.main(["render", blend, "--out", out, "--frames", "2:3", "--depth", "16"]) == 0
    text = capfd.readouterr().out
    assert "Rendering frame 3 (2 of 2" in text and str(tmp_path / "out") in text.splitlines()[-1]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0002.png", "0003.png"]
    assert psnr(results.read_png(tmp_path / "out" / "0003.png")[..., :3] / 255, expected(folder, 3)) > 77


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["import", "nowhere", "--blend", "x.blend"], 1, "result.missing"),
    (["render", "nowhere.blend", "--out", "out"], 1, "scene.file"),
    (["render"], 2, "required"),
])
def test_a_failed_command_says_why_and_returns_a_code(arguments, code, words, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command.main(arguments) == code
    error = capfd.readouterr().err
    assert words in error and "Traceback" not in error


def test_a_missing_range_or_scene_is_refused(folder, tmp_path, capfd):
    blend = str(tmp_path / "clip.blend")
    command.main(["import", str(folder), "--blend", blend])
    assert command.main(["render", blend, "--out", str(tmp_path / "out"), "--frames", "3:1"]) == 1
    assert command.main(["render", blend, "--out", str(tmp_path / "out"), "--scene", "Nothing"]) == 1
    error = capfd.readouterr().err
    assert "settings.frames" in error and "scene.missing" in error and not (tmp_path / "out").exists()


def test_the_module_runs_as_a_command(folder, tmp_path):
    arguments = [sys.executable, "-m", "toondecompose_blender.command", "import", str(folder), "--blend", str(tmp_path / "x.blend")]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=Path(command.__file__).parents[1], check=False)
    assert done.returncode == 0 and done.stderr == "" and str(tmp_path / "x.blend") in done.stdout


def test_a_range_beyond_the_scene_is_rendered_with_a_warning(folder, tmp_path, capfd):
    blend = str(tmp_path / "clip.blend")
    command.main(["import", str(folder), "--blend", blend])
    assert command.main(["render", blend, "--out", str(tmp_path / "out"), "--frames", "6:7"]) == 0
    assert "Warning: scene 'clip' has the frames 1 to 6 only." in capfd.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0006.png", "0007.png"]


def interrupted(folder, tmp_path, *options):
    """Exit code, last words and files of a render that got Ctrl-C after its first frame."""
    blend = str(tmp_path / "clip.blend")
    command.main(["import", str(folder), "--blend", blend])
    bpy.data.scenes["clip"].frame_end = 5000
    bpy.ops.wm.save_mainfile()
    arguments = [sys.executable, "-m", "toondecompose_blender.command", "render", blend, "--out", str(tmp_path / "out"), *options]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          cwd=Path(command.__file__).parents[1]) as process:
        # Blender may say a word of its own when it starts.
        assert any("Rendering frame 1 " in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    return process.returncode, error, sorted((tmp_path / "out").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_an_interrupted_movie_leaves_no_file_and_says_so(folder, tmp_path):
    code, error, files = interrupted(folder, tmp_path, "--format", "ffv1")
    assert code == 130 and error.startswith("Stopped; no movie was written") and files == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_an_interrupted_render_keeps_whole_pictures_and_says_so(folder, tmp_path):
    code, error, pictures = interrupted(folder, tmp_path)
    assert code == 130 and error.startswith("Stopped;")
    assert 1 <= len(pictures) < 5000 and results.read_png(pictures[-1]).shape == (results.HEIGHT, results.WIDTH, 4)
