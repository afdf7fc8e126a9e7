# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of CoNR: their parameters come from a recipe, so no download is needed; reference outputs lie in a shared folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.engine.conr import state_of
from toondecompose_blender.engine.character import load_renderer
from toondecompose_blender.engine.character.cropping import cut, cut_pose, put_back, tight_crop
from toondecompose_blender.engine.character.drawing import Options, detect_poses, draw_character
from toondecompose_blender.engine.character.networks import DECODER, NETWORKS
from toondecompose_blender.engine.character.renderer import premultiplied
from toondecompose_blender.engine.character.udp import read_pose, write_pose
from toondecompose_blender.engine.character.winograd import Winograd, WinogradUp
from toondecompose_blender.engine.movie import MovieWriter
from toondecompose_blender.engine.pictures import read_picture, write_picture
from toondecompose_blender.protocol import CharacterError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "conr"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the reference outputs (../shared/conr) are not here")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The four checkpoint files, 720 MB, made once and removed afterwards."""
    folder = tmp_path_factory.mktemp("weights")
    for name in NETWORKS:
        torch.save(state_of(name), folder / f"{name}.pth")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def renderer(weights):
    return load_renderer(weights, device="cpu")


@pytest.fixture(scope="module")
def reference():
    return np.load(SHARED / "fixtures" / "forward_128.npz")


@needs_shared
@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_have_the_published_names_and_shapes(name):
    with torch.device("meta"):
        ours = {key: list(value.shape) for key, value in NETWORKS[name]().state_dict().items()}
    theirs = {key: value["shape"] for key, value in json.loads((SHARED / "keys" / f"{name}.pth.json").read_text()).items()}
    assert ours == theirs


def test_parameter_counts_are_the_published_ones():
    counts = {}
    for name, build in NETWORKS.items():
        with torch.device("meta"):
            counts[name] = sum(parameter.numel() for parameter in build().parameters())
    assert counts == {"udpparsernet": 57_220_420, "target_pose_encoder": 26_963_745, "shader": 96_135_096, "rgbadecodernet": 84_484}


def test_the_picture_decoder_premultiplies_and_repeats_itself():
    network = NETWORKS[DECODER]().eval()
    network.load_state_dict(state_of(DECODER))
    message = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 64, 16, 16)).astype(np.float32))
    with torch.inference_mode():
        rgba = network(message)
        again = network(message)
    assert torch.equal(rgba, again)
    assert (rgba[:, :3] <= rgba[:, 3:]).all()
    # Recorded from this implementation while it agreed with the published outputs.
    assert float(rgba.mean()) == pytest.approx(0.2861998, abs=1e-5)


@needs_shared
def test_drawings_equal_the_published_outputs(renderer, reference):
    drawn = renderer.draw(reference["sheet_rgba"], reference["udp"].astype(np.float32))
    assert drawn.dtype == np.float32
    assert np.abs(drawn - reference["rgba"]).max() <= 1e-4


@pytest.mark.parametrize(("height", "width"), [(8, 8), (12, 40), (64, 64)])
def test_convolutions_with_fewer_products_equal_the_plain_ones(height, width):
    torch.manual_seed(0)
    conv, up, activation = torch.nn.Conv2d(24, 16, 3, 1, 1), torch.nn.ConvTranspose2d(24, 16, 4, 2, 1), torch.nn.PReLU(16)
    picture = torch.randn(2, 24, height, width)
    pixels = picture.permute(0, 2, 3, 1).contiguous()
    with torch.inference_mode():
        assert (Winograd(conv, activation)(pixels).permute(0, 3, 1, 2) - activation(conv(picture))).abs().max() < 3e-5
        assert (WinogradUp(up, activation)(pixels).permute(0, 3, 1, 2) - activation(up(picture))).abs().max() < 5e-6
        assert (WinogradUp(up)(pixels) - up(picture)).abs().max() < 5e-6


@needs_shared
def test_detected_poses_equal_the_published_outputs(renderer, reference):
    detected = renderer.detect(reference["sheet_rgba"])
    assert np.abs(detected - reference["parser_raw"]).max() <= 2e-4


@needs_shared
@pytest.mark.parametrize("case", ["shrink_tall", "enlarge", "edge_touch"])
def test_crops_and_their_undo_equal_the_published_ones(case):
    known = np.load(SHARED / "fixtures" / "preprocess.npz")
    rgba, pose = known[f"{case}_in_rgba"], known[f"{case}_udp_in"].astype(np.float32)
    crop = tight_crop(rgba[..., 3])
    assert np.abs(cut(premultiplied(rgba), crop, 128).transpose(2, 0, 1).astype(int) - known[f"{case}_out_rgb"]).max() <= 1
    assert np.abs(cut(rgba[..., 3], crop, 128).astype(int) - known[f"{case}_out_a"][0]).max() <= 1

    occupied = np.trunc(255 * pose[..., 3]).astype(np.uint8)
    crop = tight_crop(occupied)
    height, width, top, _, left, _, above, _, before, _, side, _ = known[f"{case}_udp_crop"]
    assert (crop.height, crop.width, crop.top, crop.left, crop.side) == (height, width, top - above, left - before, side)
    small = cut_pose(pose, crop, 128)
    assert np.array_equal(small[..., :3].transpose(2, 0, 1), known[f"{case}_udp_out_label"][:3].astype(np.float32))
    assert np.abs(np.rint(small[..., 3] * 255) - known[f"{case}_udp_out_mask"][0]).max() <= 1

    picture = np.concatenate([cut((pose[..., :3] * 255).astype(np.uint8), crop, 128) / 255, small[..., 3:]], -1)
    assert np.abs(put_back(picture, crop)[..., [2, 1, 0, 3]].astype(int) - known[f"{case}_undo_bgra"]).max() <= 1


@pytest.fixture
def folders(tmp_path):
    """Two views and a pose that both are an oval; with recipe weights this proves wiring, not beauty."""
    ys, xs = np.mgrid[0:140, 0:120]
    oval = ((xs - 60) / 35) ** 2 + ((ys - 70) / 55) ** 2 < 1
    for folder in ("sheet", "poses"):
        (tmp_path / folder).mkdir()
    for number in (1, 2):
        color = np.dstack([xs * 2, ys, np.full(xs.shape, 60 * number), 255 * oval])
        write_picture(tmp_path / "sheet" / f"{number}.png", color.clip(0, 255).astype(np.uint8))
    pose = np.dstack([xs / 120, np.full(xs.shape, 0.3), 1 - ys / 140, np.ones(xs.shape)]) * oval[..., None]
    write_pose(tmp_path / "poses" / "1.npz", pose)
    return tmp_path


def test_published_drawings_keep_the_published_arithmetic(folders, weights, renderer):
    options = Options(published=True)
    result = draw_character(folders / "sheet", folders / "poses", folders / "out", method="conr", weights=weights, size=128,
                            options=options)
    pictures = [read_picture(folders / "sheet" / name) for name in ("1.png", "2.png")]
    crops = [tight_crop(picture[..., 3]) for picture in pictures]
    views = np.stack([np.dstack([cut(premultiplied(picture), crop, 128), cut(picture[..., 3], crop, 128)])
                      for picture, crop in zip(pictures, crops, strict=True)])
    pose = read_pose(folders / "poses" / "1.npz")
    crop = tight_crop((255 * pose[..., 3]).astype(np.uint8))
    drawn = renderer.draw_pose(renderer.study(views, multiplied=True), cut_pose(pose, crop, 128))
    expected = put_back(drawn.transpose(1, 2, 0), crop)
    drawn = read_picture(folders / "out" / result.sprites[0].drawings[0])
    assert np.abs(drawn.astype(int) - expected).max() <= 1


def test_the_networks_draw_within_the_outline_with_every_switch_on(folders, weights):
    write_pose(folders / "poses" / "2.npz", np.roll(read_pose(folders / "poses" / "1.npz"), 4, axis=1))
    options = Options(previous=1, guide=True, smoothing=0.5, threshold=30, erosion=1, steady_crop=False)
    result = draw_character(folders / "sheet", folders / "poses", folders / "out", method="conr", weights=weights, size=128,
                            options=options)
    drawn, pose = read_picture(folders / "out" / result.sprites[0].drawings[-1]), read_pose(folders / "poses" / "2.npz")
    assert drawn.shape == (140, 120, 4) and set(np.unique(drawn[..., 3])) == {0, 255}
    assert not drawn[..., 3][pose[..., 3] == 0].any()
    assert result.settings["method"] == "conr" and len(result.sprites[0].drawings) == 2


def test_detected_poses_can_be_read_back(folders, weights):
    files = detect_poses(folders / "sheet", folders / "detected", weights=weights, size=128)
    assert [file.name for file in files] == ["1.npz", "2.npz"]
    pose = read_pose(files[0])
    assert pose.shape == (140, 120, 4) and not pose[0].any()


def test_large_poses_are_drawn_small_and_enlarged_along_their_own_edges(folders, weights):
    pose = read_pose(folders / "poses" / "1.npz")
    large = cv2.resize(pose, (360, 420), interpolation=cv2.INTER_NEAREST)
    write_pose(folders / "poses" / "1.npz", large)
    write_pose(folders / "poses" / "2.npz", 0 * large)
    result = draw_character(folders / "sheet", folders / "poses", folders / "out", method="conr", weights=weights, size=128)
    drawn = read_picture(folders / "out" / result.sprites[0].drawings[0])
    assert result.sprites[0].exposure == (1, 0)  # nothing is drawn where there is nothing
    assert drawn.shape == (420, 360, 4) and not drawn[..., 3][large[..., 3] == 0].any()
    edge = (large[..., 3] > 0) & (cv2.erode(large[..., 3], np.ones((3, 3))) == 0)
    assert drawn[edge][:, 3].mean() > 0.8 * drawn[large[..., 3] > 0][:, 3].mean()  # as crisp as the pose, not as the small drawing


def test_a_movie_on_a_flat_background_becomes_poses(folders, weights):
    picture = read_picture(folders / "sheet" / "1.png")
    flat = np.where(picture[..., 3:] > 0, picture[..., :3], 240).astype(np.uint8)
    with MovieWriter(folders / "walk.mp4", 120, 140, fps=24) as movie:
        for shift in (0, 6):
            movie.write(np.roll(flat, shift, axis=1))
    files = detect_poses(folders / "walk.mp4", folders / "detected", weights=weights, size=128)
    poses = [read_pose(file) for file in files]
    assert [file.name for file in files] == ["0001.npz", "0002.npz"] and all(pose.shape == (140, 120, 4) for pose in poses)
    assert not any(pose[:, :8].any() for pose in poses)


def test_detecting_without_weights_is_refused_at_once(folders):
    with pytest.raises(CharacterError) as refusal:
        detect_poses(folders / "sheet", folders / "detected", weights=folders)
    assert refusal.value.code == "character.weights_missing" and not (folders / "detected").exists()


def test_views_are_free_of_order_and_joined_sheets_equal_whole_ones(renderer):
    sheet = np.random.default_rng(1).integers(0, 256, (2, 128, 128, 4), np.uint8)
    pose = np.random.default_rng(2).random((128, 128, 4), np.float32)
    whole = renderer.draw_pose(renderer.study(sheet), pose)
    parts = renderer.study(sheet[1:]).joined(renderer.study(sheet[:1]))
    assert np.abs(renderer.draw_pose(parts, pose) - whole).max() < 1e-4


def test_sizes_that_the_networks_cannot_work_at_are_refused(renderer):
    with pytest.raises(CharacterError) as refusal:
        renderer.study(np.zeros((2, 160, 160, 4), np.uint8))
    assert refusal.value.code == "character.size"
    with pytest.raises(CharacterError) as refusal:
        renderer.draw(np.zeros((1, 128, 128, 4), np.uint8), np.zeros((1, 256, 256, 4), np.float32))
    assert refusal.value.code == "character.pose_size"
