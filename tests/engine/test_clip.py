# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine accepts as a clip, and what it says about what it cannot accept."""

import errno
import os
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

from toondecompose_blender.engine import pictures
from toondecompose_blender.engine.clip import BACKDROP, open_clip, parse_range
from toondecompose_blender.protocol import ClipError, EngineError, SettingsError


def drawing(seed: int, width: int = 61, height: int = 47, channels: int = 3, depth: type = np.uint8) -> np.ndarray:
    """Soft colored blots, different for each seed."""
    noise = np.random.default_rng(seed).random((6, 8, channels))
    picture = np.clip(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1) * np.iinfo(depth).max
    return np.round(picture).astype(depth).reshape(height, width, channels)


def store(path: Path, picture: np.ndarray) -> Path:
    """Any depth and format, written by OpenCV (RGB order in, as everywhere)."""
    if picture.shape[2] >= 3:
        picture = picture[..., [2, 1, 0, 3][:picture.shape[2]]]
    path.write_bytes(cv2.imencode(path.suffix, picture, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes())
    return path


def folder_of(folder: Path, names: list[str], **kind) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        store(folder / name, drawing(seed, **kind))
    return folder


def store_exr(path: Path, channels: dict[str, np.ndarray], **header) -> Path:
    with OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}, channels) as file:
        file.write(str(path))
    return path


def store_movie(path: Path, frames: int, fourcc: str = "mp4v", fps: float = 12.5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), fps, (64, 48))
    for t in range(frames):
        writer.write(np.full((48, 64, 3), 6 * t, np.uint8))
    writer.release()
    return path


def refused(code: str, path: Path, frames: slice | None = None) -> ClipError:
    """The error with which a clip is refused when it is opened and read to its end."""
    with pytest.raises(ClipError) as caught:
        list(open_clip(path, frames=frames))
    assert caught.value.code == code
    assert caught.value.remedy
    return caught.value


def test_a_folder_is_read_in_the_order_an_animator_counts(tmp_path):
    clip = open_clip(folder_of(tmp_path / "run", ["f_9.png", "f_10.png", "f_11.png"]))
    assert (clip.name, clip.count, clip.width, clip.height, clip.first_frame) == ("run", 3, 61, 47, 9)
    assert [np.array_equal(frame, drawing(seed)) for seed, frame in zip((0, 1, 2), clip, strict=True)] == [True] * 3
    assert clip.gaps == () and clip.warnings == ()


def test_missing_numbers_are_reported_and_frames_on_twos_are_not(tmp_path):
    gappy = open_clip(folder_of(tmp_path / "a", [f"{n:04d}.png" for n in (1, 2, 5, 6, 8)]))
    assert gappy.gaps == (range(3, 5), range(7, 8))
    assert [w.code for w in gappy.warnings] == ["clip.gaps"] and "3-4, 7" in gappy.warnings[0].message
    assert open_clip(folder_of(tmp_path / "b", [f"{n:04d}.png" for n in (1, 3, 5)])).gaps == ()


def test_a_folder_that_holds_frames_stands_for_them(tmp_path):
    folder_of(tmp_path / "walk" / "frames", ["0000.png", "0001.png"])
    assert open_clip(tmp_path / "walk").name == open_clip(tmp_path / "walk" / "frames").name == "walk"
    assert open_clip(tmp_path / "walk").first_frame == 0


@pytest.mark.parametrize(("suffix", "channels"), [(".png", 1), (".png", 3), (".png", 4), (".tif", 1), (".tif", 3), (".tif", 4),
                                                  (".webp", 3), (".webp", 4)])
def test_lossless_formats_come_in_exactly(tmp_path, suffix, channels):
    picture = drawing(3, channels=channels)
    read = pictures.read_picture(store(tmp_path / f"a{suffix}", picture))
    expected = np.repeat(picture, 3, 2) if channels == 1 else picture
    seen = slice(None) if channels < 4 else picture[..., 3] > 0  # WebP forgets colors that nobody sees
    assert read.shape == expected.shape and np.array_equal(read[seen], expected[seen])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_rounded_to_eight(tmp_path, suffix, channels):
    picture = drawing(4, channels=channels, depth=np.uint16)
    read = pictures.read_picture(store(tmp_path / f"a{suffix}", picture))
    assert read.dtype == np.uint8 and np.array_equal(read, np.broadcast_to(np.round(picture / 257), read.shape))


def test_jpeg_comes_in_as_rgb(tmp_path):
    red = np.zeros((40, 40, 3), np.uint8) + np.array([220, 30, 20], np.uint8)
    clip = open_clip(store(tmp_path / "still.jpg", red))
    assert clip.count == 1 and np.abs(clip.read(0).astype(int) - red).max() < 5


def test_exr_goes_from_linear_light_to_display_colors(tmp_path):
    half = np.full((40, 50), 0.5, np.float32)
    path = store_exr(tmp_path / "a.exr", {"R": half, "G": half * 0, "B": half * 4, "A": half * 0 + 1})
    assert pictures.read_picture(path)[0, 0].tolist() == [188, 0, 255, 255]


def test_exr_color_is_divided_by_its_alpha_and_a_render_layer_is_found(tmp_path):
    half = np.full((40, 50), 0.5, np.float32)
    names = {"View.Combined.R": half, "View.Combined.G": half, "View.Combined.B": half / 2, "View.Combined.A": half, "View.Depth.Z": half}
    assert pictures.read_picture(store_exr(tmp_path / "a.exr", names))[0, 0].tolist() == [255, 255, 188, 128]


def test_an_exr_crop_is_placed_in_its_frame(tmp_path):
    crop = {letter: np.ones((10, 20), np.float32) for letter in "RGB"}
    window = {"dataWindow": (np.array([5, 7], np.int32), np.array([24, 16], np.int32)),
              "displayWindow": (np.array([0, 0], np.int32), np.array([49, 39], np.int32))}
    picture = pictures.read_picture(store_exr(tmp_path / "a.exr", crop, **window))
    expected = np.zeros((40, 50, 3), np.uint8)
    expected[7:17, 5:25] = 255
    assert np.array_equal(picture, expected)


def test_transparent_frames_are_shown_over_gray_and_said_to_be(tmp_path):
    picture = drawing(5, channels=4)
    picture[:20, :, 3], picture[20:, :, 3] = 0, 255
    clip = open_clip(store(tmp_path / "a.png", picture))
    frame = clip.read(0)
    assert (frame[:20] == BACKDROP).all() and np.array_equal(frame[20:], picture[20:, :, :3])
    assert clip.has_alpha and [w.code for w in clip.warnings] == ["clip.alpha"]


def test_a_movie_has_the_frames_that_can_be_decoded(tmp_path):
    clip = open_clip(store_movie(tmp_path / "run.mp4", 20))
    assert (clip.name, clip.count, clip.fps, clip.width, clip.height) == ("run", 20, 12.5, 64, 48)
    assert [abs(int(frame[20, 20, 1]) - 6 * t) <= 4 for t, frame in enumerate(clip)] == [True] * 20


def test_a_movie_can_be_read_out_of_order(tmp_path, monkeypatch):
    monkeypatch.setattr("toondecompose_blender.engine.movie._KEPT_BYTES", 3 * 64 * 48 * 3)
    clip = open_clip(store_movie(tmp_path / "run.avi", 12, "MJPG"), frames=parse_range("2:11"))
    straight = list(clip)
    assert clip.count == 10 and clip.first_frame == 2
    for t in (9, 0, 3, 2, 9, 8):
        assert np.array_equal(clip.read(t), straight[t])


def test_a_range_counts_from_one_and_includes_its_end(tmp_path):
    folder = folder_of(tmp_path / "a", [f"{n}.png" for n in range(10, 16)])
    clip = open_clip(folder, frames=parse_range("2:4"))
    assert clip.count == 3 and clip.first_frame == 11 and np.array_equal(clip.read(0), drawing(1))
    assert open_clip(folder, frames=parse_range("5:")).count == 2
    assert "between 1 and 6" in refused("clip.range", folder, parse_range("3:9")).remedy
    refused("clip.range", folder, parse_range("8:"))


@pytest.mark.parametrize("text", ["", "3", "0:4", "5:2", "a:b", "1:2:3", "-1:4"])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(SettingsError) as caught:
        parse_range(text)
    assert caught.value.code == "settings.frames" and caught.value.remedy


def test_clips_that_are_none_are_refused(tmp_path):
    refused("clip.missing", tmp_path / "nowhere")
    refused("clip.empty", tmp_path)
    (tmp_path / "notes.txt").write_text("no clip")
    refused("clip.unreadable", tmp_path / "notes.txt")
    refused("clip.empty", tmp_path)
    refused("clip.too_small", store(tmp_path / "dot.png", drawing(0, width=20, height=200)))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".exr"])
@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.98])
def test_a_picture_cut_short_is_named(tmp_path, suffix, share):
    whole = drawing(0, width=640, height=480)
    if suffix == ".exr":
        path = store_exr(tmp_path / "a2.exr", {c: whole[..., i] / np.float32(255) for i, c in enumerate("RGB")})
    else:
        path = store(tmp_path / f"a2{suffix}", whole)
    os.truncate(path, int(path.stat().st_size * share))
    assert path.name in refused("clip.damaged", path).message


def test_a_picture_with_a_flipped_bit_or_a_false_name_is_refused(tmp_path):
    path = store(tmp_path / "a.png", drawing(0, width=640, height=480))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)
    refused("clip.damaged", path)
    (tmp_path / "b.png").write_text("not a picture at all")
    refused("clip.damaged", tmp_path / "b.png")
    (tmp_path / "c.mp4").write_bytes(bytes(data))
    refused("clip.damaged", tmp_path / "c.mp4")


def test_a_movie_cut_short_is_refused_or_said_to_be_short(tmp_path):
    cut = store_movie(tmp_path / "a.mp4", 20)
    os.truncate(cut, cut.stat().st_size // 2)
    refused("clip.damaged", cut)
    half = store_movie(tmp_path / "b.avi", 40, "MJPG")
    os.truncate(half, half.stat().st_size // 2)
    clip = open_clip(half)
    assert 5 < len(list(clip)) < 25 and [w.code for w in clip.warnings] == ["clip.short"]


def test_frames_of_different_sizes_are_refused_by_name(tmp_path):
    folder = folder_of(tmp_path / "a", ["1.png", "2.png"])
    store(folder / "3.png", drawing(2, width=62))
    assert "3.png is 62x47" in refused("clip.mixed_sizes", folder).message


def test_two_kinds_of_pictures_in_a_folder_are_said_to_be_mixed(tmp_path):
    folder = folder_of(tmp_path / "a", ["1.png", "2.png", "3.jpg"])
    clip = open_clip(folder)
    assert clip.count == 2 and [w.code for w in clip.warnings] == ["clip.mixed_kinds"]


def test_names_in_any_script_work(tmp_path):
    folder = folder_of(tmp_path / "走る 少女", ["コマ1.png", "コマ2.png"])
    assert open_clip(folder).name == "走る 少女" and len(list(open_clip(folder))) == 2


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_is_written_exactly_and_with_the_same_bytes(tmp_path, channels):
    picture = drawing(7, channels=channels)
    picture = picture[..., 0] if channels == 1 else picture
    for name in ("a.png", "b.png"):
        pictures.write_picture(tmp_path / name, picture)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert np.array_equal(pictures.read_picture(tmp_path / "a.png"), pictures.to_display(picture))


def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EngineError) as caught:
        pictures.write_picture(tmp_path / "a.png", drawing(0))
    assert caught.value.code == "engine.disk_full" and "Free some space" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_cannot_be_written_to(tmp_path):
    with pytest.raises(EngineError) as caught:
        pictures.write_picture(tmp_path / "nowhere" / "a.png", drawing(0))
    assert caught.value.code == "engine.write"
