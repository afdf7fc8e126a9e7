# SPDX-License-Identifier: GPL-3.0-or-later
"""A result written in other layouts: what stands where, and that nothing half-written is left."""

import json
import shutil

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.clip import open_clip
from toondecompose_blender.engine.evaluate import evaluate
from toondecompose_blender.engine.export import export
from toondecompose_blender.engine.export_toondecompose import canvas_matrices, normal_ball
from toondecompose_blender.engine.geometry import project
from toondecompose_blender.engine.pictures import composite, read_picture
from toondecompose_blender.engine.recompose import Recomposer
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.protocol import EngineError, ResultError, SettingsError

from .true_result import write_true_result

WIDTH, HEIGHT, FRAMES = 160, 90, 9


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    clip, folder = tmp_path_factory.mktemp("clip"), tmp_path_factory.mktemp("result")
    return clip, folder, write_true_result(folder, clip, width=WIDTH, height=HEIGHT, frames=FRAMES, sprites=3)


@pytest.fixture(scope="module")
def switched(drawn, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "published"
    export(drawn[1], layout="toondecompose", out=out)
    return out


def test_frames_layout_holds_every_sprite_in_frame_space(drawn, tmp_path):
    _, folder, decomposition = drawn
    export(folder, layout="frames", out=tmp_path / "out")
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert names == {f"sprite_{k}/{t:04d}.png" for k in range(3) for t in range(FRAMES)} | {"homographies.npy", "order.json"}
    assert json.loads((tmp_path / "out/order.json").read_text()) == [0, 1, 2]
    assert np.load(tmp_path / "out/homographies.npy").shape == (3, FRAMES, 3, 3)
    recomposer = Recomposer(folder, decomposition)
    for t in (0, FRAMES - 1):
        sprites = [read_picture(tmp_path / f"out/sprite_{k}/{t:04d}.png") for k in range(3)]
        assert all(sprite.shape == (HEIGHT, WIDTH, 4) for sprite in sprites)
        assert np.abs(composite(sprites).astype(int) - recomposer.frame(t)).max() <= 2


def test_frames_layout_scores_like_the_result_itself(drawn, tmp_path):
    clip, folder, _ = drawn
    export(folder, layout="frames", out=tmp_path / "out")
    one, other = evaluate(folder, clip), evaluate(tmp_path / "out", clip)
    assert (one.psnr, one.vis_iou, one.alpha_mae, one.homog_ref_px) == (other.psnr, other.vis_iou, other.alpha_mae, other.homog_ref_px)
    assert one.mean("vis_iou") > 0.97 and one.mean("homog_ref_max_px") < 1e-6 and one.exposure_holds == (1, 1, 1)


def test_a_sprite_that_is_not_exposed_is_empty_in_that_frame(drawn, tmp_path):
    folder = shutil.copytree(drawn[1], tmp_path / "result")
    manifest = json.loads((folder / "decomposition.json").read_text())
    manifest["sprites"][2]["exposure"][4] = 0
    (folder / "decomposition.json").write_text(json.dumps(manifest))
    motion = np.load(folder / "bird/homographies.npy")
    motion[4] = np.nan
    np.save(folder / "bird/homographies.npy", motion)
    export(folder, layout="frames", out=tmp_path / "out")
    assert not read_picture(tmp_path / "out/sprite_2/0004.png").any() and read_picture(tmp_path / "out/sprite_2/0003.png").any()
    export(folder, layout="toondecompose", out=tmp_path / "published")
    assert np.isfinite(np.load(tmp_path / "published/homo_matrix.2.npy")).all()


def test_published_layout_holds_what_its_users_look_for(switched):
    names = {path.relative_to(switched).as_posix() for path in switched.rglob("*") if path.is_file()}
    pairs = {(f, min(max(f + d, 0), FRAMES - 1)) for f in range(FRAMES) for d in (-3, -1, 1, 3)}
    assert names == ({f"{t}.{kind}.png" for t in range(FRAMES) for kind in ("img", "homo", "obj.0", "obj.1", "obj.2")}
                     | {f"flow/{f}T{t}.{kind}" for f, t in pairs for kind in ("npy", "png")}
                     | {"vis.mp4", "preview_position.mp4"} | {f"homo_matrix.{k}.npy" for k in range(3)})


def test_published_layout_shows_frames_sprites_and_movies(drawn, switched):
    clip = open_clip(drawn[0])
    assert np.array_equal(read_picture(switched / "5.img.png"), clip.read(5))
    girl = read_picture(switched / "5.obj.1.png")
    truth = read_picture(drawn[0] / "gt/sprite_1/0005.png")
    assert (girl[truth[..., 3] == 0] == 48).mean() > 0.98
    assert np.abs(girl.astype(int) - truth[..., :3])[truth[..., 3] == 255].mean() < 12
    for name, size in (("vis.mp4", (3 * WIDTH, 2 * HEIGHT)), ("preview_position.mp4", (2 * WIDTH, HEIGHT))):
        movie = open_clip(switched / name)
        assert (movie.count, (movie.width, movie.height), movie.fps) == (FRAMES, size, 20)
        assert np.abs(movie.read(5)[:HEIGHT, :WIDTH].astype(int) - clip.read(5)).mean() < 8


def test_published_matrices_lead_from_the_frame_to_one_canvas(drawn, switched):
    to_frame = np.load(drawn[1] / "town/homographies.npy")
    matrices = np.load(switched / "homo_matrix.0.npy").astype(np.float64)
    assert np.load(switched / "homo_matrix.0.npy").dtype == np.float32
    corners = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]], float)
    places = np.concatenate([project(matrix, corners) for matrix in matrices])
    assert places.min() == pytest.approx(0, abs=1e-4) and places.max() == pytest.approx(1, abs=1e-4)
    seen_first = project(to_frame[6] @ np.linalg.inv(to_frame[2]), np.array([[80.0, 40.0]]))
    assert project(matrices[6], seen_first) == pytest.approx(project(matrices[2], np.array([[80.0, 40.0]])), abs=1e-4)


def test_stripes_stay_on_the_background_while_the_camera_moves(drawn, switched):
    to_frame = np.load(drawn[1] / "town/homographies.npy")
    first, second = (read_picture(switched / f"{t}.homo.png").astype(np.float32) for t in (2, 3))
    follows = cv2.warpPerspective(first, to_frame[3] @ np.linalg.inv(to_frame[2]), (WIDTH, HEIGHT))
    sky = np.s_[4:20, 4:150]
    assert np.abs(follows - second)[sky].mean() < 0.35 * np.abs(first - second)[sky].mean()


def test_flow_says_where_the_background_went(drawn, switched):
    to_frame = np.load(drawn[1] / "town/homographies.npy")
    flow = np.load(switched / "flow/4T3.npy")
    assert flow.shape == (256, 456, 2) and flow.dtype == np.float32
    size = np.array([456 / WIDTH, 256 / HEIGHT])
    place = np.array([[WIDTH * 0.85, HEIGHT * 0.55]])
    moved = (project(to_frame[3] @ np.linalg.inv(to_frame[4]), place) - place)[0] * size
    x, y = np.round(place[0] * size).astype(int)
    assert np.median(flow[y - 20:y + 20, x - 20:x + 20].reshape(-1, 2), 0) == pytest.approx(moved, abs=1.0)
    assert not np.load(switched / "flow/0T0.npy").any()


def test_the_normal_ball_tells_direction_and_saturates():
    flow = np.array([[[0, 0], [32, 0], [0, -320], [16, 0]]], np.float32)
    assert normal_ball(flow)[0].tolist() == [[128, 128, 255], [128, 255, 128], [0, 128, 128], [128, 191, 238]]


def test_a_still_sprite_has_the_frame_as_its_canvas():
    assert canvas_matrices(np.tile(np.eye(3), (2, 1, 1)), 160, 90)[0] == pytest.approx(np.diag([1, 1, 160.0]))


def test_without_its_clip_a_result_is_exported_from_recomposed_frames_and_says_so(drawn, tmp_path):
    folder = shutil.copytree(drawn[1], tmp_path / "result")
    manifest = json.loads((folder / "decomposition.json").read_text())
    manifest["clip"]["source"] = str(tmp_path / "gone")
    (folder / "decomposition.json").write_text(json.dumps(manifest))

    class Listener(Silent):
        warned: list[str] = []

        def warn(self, code: str, message: str, remedy: str = "") -> None:
            self.warned.append(code)

    export(folder, layout="toondecompose", out=tmp_path / "out", report=Listener())
    assert Listener.warned == ["export.no_clip"]
    assert np.array_equal(read_picture(tmp_path / "out/3.img.png"), Recomposer(folder, drawn[2]).frame(3))


def test_the_same_result_gives_the_same_bytes(drawn, switched, tmp_path, monkeypatch):
    monkeypatch.setenv("TOONDECOMPOSE_THREADS", "1")
    export(drawn[1], layout="toondecompose", out=tmp_path / "again")
    for path in switched.rglob("*"):
        assert path.is_dir() or path.read_bytes() == (tmp_path / "again" / path.relative_to(switched)).read_bytes(), path


def test_an_empty_folder_may_be_named_in_any_way(drawn, tmp_path, monkeypatch):
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty" / "deep")
    export(drawn[1].resolve(), layout="frames", out=".")
    monkeypatch.chdir(tmp_path)
    export(drawn[1].resolve(), layout="frames", out="empty/../other/")
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "other"}
    assert (tmp_path / "empty/deep/order.json").exists() and (tmp_path / "other/order.json").exists()


def test_nothing_is_overwritten_and_nothing_half_written_stays(drawn, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("keep")
    with pytest.raises(SettingsError) as caught:
        export(drawn[1], layout="frames", out=tmp_path / "full")
    assert caught.value.code == "settings.out" and (tmp_path / "full/mine.txt").read_text() == "keep"
    folder = shutil.copytree(drawn[1], tmp_path / "result")
    (folder / "girl/0002.png").write_bytes(b"broken")
    with pytest.raises(Exception, match="0002.png"):
        export(folder, layout="frames", out=tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "result"]


def test_what_cannot_be_exported_is_refused(drawn, tmp_path):
    with pytest.raises(SettingsError) as caught:
        export(drawn[1], layout="psd", out=tmp_path / "out")
    assert caught.value.code == "settings.layout"
    with pytest.raises(ResultError) as caught:
        export(tmp_path, layout="frames", out=tmp_path / "out")
    assert caught.value.code == "result.missing"
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(EngineError) as caught:
        export(drawn[1], layout="frames", out=tmp_path / "file" / "out")
    assert caught.value.code == "engine.write" and caught.value.remedy
