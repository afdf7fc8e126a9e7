# SPDX-License-Identifier: GPL-3.0-or-later
"""The residual: what sprites lack of their clip, kept apart, exact, and counted in no figure."""

import shutil

import numpy as np
import pytest

from tests.engine.drawn import draw_clip
from toondecompose_blender.engine.decompose import decompose
from toondecompose_blender.engine.export import recompose
from toondecompose_blender.engine.pictures import read_picture, write_picture
from toondecompose_blender.engine.recompose import Recomposer, decibel
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.engine.residual import add_residual, write_residual
from toondecompose_blender.engine.settings import Settings
from toondecompose_blender.protocol import Clip, Decomposition, ResultError, read_result, sha256

FRAMES = 4


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    frames = draw_clip(frames=FRAMES, width=192, height=112, size=80).frames
    for t, frame in enumerate(frames):
        write_picture(folder / f"{t:02d}.png", frame)
    return folder, frames


@pytest.fixture(scope="module")
def result(clip, tmp_path_factory):
    out = tmp_path_factory.mktemp("result") / "out"
    return out, decompose(clip[0], out, settings=Settings(residual=True), report=Silent())


def test_recomposition_and_residual_are_the_clip_bit_for_bit(clip, result, tmp_path):
    recompose(result[0], out=tmp_path / "exact", residual=True)
    recompose(result[0], out=tmp_path / "sprites")
    exact, sprites = ([read_picture(path) for path in sorted((tmp_path / name).iterdir())] for name in ("exact", "sprites"))
    assert np.array_equal(exact, clip[1])
    assert not np.array_equal(sprites, clip[1])


def test_the_residual_stands_in_the_manifest_and_in_no_figure(clip, result):
    folder, decomposition = result
    assert all(decomposition.files[name] == sha256(folder / name) for name in decomposition.residual)
    errors = [np.mean((clip[1][t].astype(float) - frame) ** 2) for t, frame in enumerate(Recomposer(folder, decomposition).frames())]
    assert decomposition.metrics["recomposition_psnr"] == pytest.approx(decibel(float(np.mean(errors))), abs=0.02)


def test_a_result_is_made_without_a_residual_unless_one_is_asked_for(clip, result, tmp_path):
    shutil.copytree(result[0], tmp_path / "again")
    assert not decompose(clip[0], tmp_path / "again", settings=Settings(), report=Silent()).residual
    assert not list((tmp_path / "again/residual").glob("*"))
    with pytest.raises(ResultError, match="without a residual"):
        recompose(tmp_path / "again", out=tmp_path / "out", residual=True)
    assert not (tmp_path / "out").exists()


def test_the_largest_differences_survive_and_another_rounding_does_little_harm(tmp_path):
    frame = np.zeros((8, 8, 3), np.uint8)
    frame[:, 4:] = 255
    decomposition = Decomposition(Clip("", 8, 8, 1), (), residual=("0001.png",))
    write_residual(tmp_path / "0001.png", frame, 255 - frame)
    assert np.array_equal(add_residual(tmp_path, decomposition, 0, 255 - frame), frame)
    write_residual(tmp_path / "0001.png", frame, frame)
    rounded = np.clip(frame.astype(int) + 1, 0, 255).astype(np.uint8)
    assert np.abs(add_residual(tmp_path, decomposition, 0, rounded).astype(int) - frame).max() == 1


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:90])])
def test_a_damaged_residual_is_told_in_a_sentence(result, tmp_path, spoil):
    folder = shutil.copytree(result[0], tmp_path / "result", ignore=shutil.ignore_patterns("stages"))
    spoil(folder / read_result(folder).residual[2])
    with pytest.raises(ResultError) as refusal:
        recompose(folder, out=tmp_path / "out", residual=True)
    assert refusal.value.code == "result.residual" and refusal.value.remedy and not (tmp_path / "out").exists()
