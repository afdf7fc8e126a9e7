# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole chain as its users start it: in a process of its own, on small drawn clips, interrupted, resumed and fed with nonsense.
Stages alone are tested beside their modules."""

import json
import shutil
import signal
import subprocess

import numpy as np
import pytest

from tests.engine.drawn import draw_clip, overlap
from tests.engine.engines import ROOT, engine, started
from toondecompose_blender.engine.pictures import read_picture, write_picture
from toondecompose_blender.engine.recompose import Recomposer, SpriteRenderer
from toondecompose_blender.protocol import Cancelled, Done, Failed, Hello, Progress, decode, read_result, sha256


@pytest.fixture(scope="module")
def clip():
    return draw_clip(frames=16)


@pytest.fixture(scope="module")
def frames_folder(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip") / "走る 'girl'"
    folder.mkdir()
    for t, frame in enumerate(clip.frames):
        write_picture(folder / f"f{t + 1}.png", frame)
    return folder


@pytest.fixture(scope="module")
def result(frames_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("result") / "out"
    done = engine("decompose", frames_folder, "--sprites", 2, "--out", out, threads=1)
    assert done.returncode == 0, done.stderr
    return out


def test_a_pan_with_a_figure_becomes_two_sprites_that_recompose_it(clip, result):
    decomposition = read_result(result)
    assert [sprite.role for sprite in decomposition.sprites] == ["background", "sprite"]
    figure = SpriteRenderer(result, decomposition, decomposition.sprites[1])
    found = np.stack([figure.frame(t)[..., 3] for t in range(16)])
    assert overlap(found, clip.alphas[0]) > 0.9
    errors = [np.mean((frame.astype(float) - clip.frames[t]) ** 2) for t, frame in enumerate(Recomposer(result, decomposition).frames())]
    assert 10 * np.log10(255**2 / np.mean(errors)) > 28
    assert decomposition.metrics["recomposition_psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean(errors)), abs=0.01)


def test_held_and_repeated_frames_share_a_drawing(result):
    exposure = read_result(result).sprites[1].exposure
    assert exposure == tuple(t // 2 % 4 + 1 for t in range(16))


def test_the_camera_follows_the_drawn_pan(clip, result):
    camera = np.load(result / "sprite_0/homographies.npy")
    for t in range(15):
        found, truth = camera[t + 1] @ np.linalg.inv(camera[t]), clip.camera[t + 1] @ np.linalg.inv(clip.camera[t])
        assert np.abs(found - truth)[:2, 2].max() < 0.15


def test_every_file_is_in_the_manifest_with_its_digest(result):
    decomposition = read_result(result)
    on_disk = {path.relative_to(result).as_posix() for path in result.rglob("*") if path.is_file() and "stages" not in path.parts}
    assert on_disk - set(decomposition.files) == {"decomposition.json"}
    assert all(sha256(result / name) == digest for name, digest in decomposition.files.items())


def test_two_threads_write_the_same_bytes_as_one(frames_folder, result, tmp_path):
    assert engine("decompose", frames_folder, "--sprites", 2, "--out", tmp_path / "again", threads=2).returncode == 0
    assert read_result(tmp_path / "again").files == read_result(result).files
    assert (tmp_path / "again/decomposition.json").read_bytes() == (result / "decomposition.json").read_bytes()


def test_json_lines_tell_of_the_job_from_hello_to_done(frames_folder, result):
    done = engine("decompose", frames_folder, "--sprites", 2, "--out", result, "--json")
    messages = [decode(line) for line in done.stdout.splitlines()]
    assert isinstance(messages[0], Hello) and messages[-1] == Done(str(result.resolve()))
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == list(range(len(messages)))


def test_a_killed_engine_resumes_after_its_last_finished_stage(frames_folder, result, tmp_path):
    out = tmp_path / "killed"
    with started("decompose", frames_folder, "--sprites", 2, "--out", out, "--json") as child:
        for line in child.stdout:
            message = decode(line)
            if isinstance(message, Progress) and message.stage == "Layers":
                child.kill()
    assert not (out / "decomposition.json").exists() and (out / "stages/motion.json").exists()
    finished = {name: (out / f"stages/{name}.json").stat().st_mtime_ns for name in ("frames", "flow", "motion")}
    assert engine("decompose", frames_folder, "--sprites", 2, "--out", out).returncode == 0
    assert finished == {name: (out / f"stages/{name}.json").stat().st_mtime_ns for name in finished}
    assert read_result(out).files == read_result(result).files


def test_a_stage_that_lost_a_file_is_made_again(frames_folder, result, tmp_path):
    out = tmp_path / "damaged"
    shutil.copytree(result, out)
    (out / "decomposition.json").unlink()
    next((out / "stages/layers").glob("alphas.npy")).unlink()
    assert engine("decompose", frames_folder, "--sprites", 2, "--out", out).returncode == 0
    assert read_result(out).files == read_result(result).files


def test_what_another_engine_made_is_made_again(frames_folder, result, tmp_path):
    out, package = tmp_path / "out", tmp_path / "toondecompose_blender"
    shutil.copytree(result, out)
    shutil.copytree(ROOT / package.name, package)

    def records() -> dict[str, int]:
        assert engine("decompose", frames_folder, "--sprites", 2, "--out", out, root=tmp_path).returncode == 0
        return {path.name: path.stat().st_mtime_ns for path in (out / "stages").glob("*.json")}

    before = records()
    assert records() == before
    with open(package / "engine/flow.py", "a", encoding="utf-8") as module:
        module.write("# mended")
    after = records()
    assert after.keys() == before.keys() and all(after[name] > before[name] for name in before)
    assert read_result(out).files == read_result(result).files


@pytest.mark.parametrize("way", ["word", "end", "interrupt"])
def test_cancelling_stops_soon_and_keeps_finished_stages(frames_folder, tmp_path, way):
    out, last, asked = tmp_path / "cancelled", None, False
    with started("decompose", frames_folder, "--sprites", 2, "--out", out, "--json") as child:
        for line in child.stdout:
            last = decode(line)
            if isinstance(last, Progress) and last.stage == "Flow" and not asked:
                asked = True
                _ask_to_stop(child, way)
    assert child.returncode == 130 and last == Cancelled()
    assert (out / "stages/frames.json").exists() and not (out / "decomposition.json").exists()


def _ask_to_stop(child: subprocess.Popen, way: str) -> None:
    if way == "interrupt":
        child.send_signal(signal.SIGINT)
    elif way == "word":
        child.stdin.write("cancel\n")
        child.stdin.flush()
    else:
        child.stdin.close()


BAD_INPUT = {
    "missing": ("clip.missing", lambda folder: shutil.rmtree(folder)),
    "empty": ("clip.empty", lambda folder: [path.unlink() for path in folder.iterdir()]),
    "truncated": ("clip.damaged", lambda folder: (folder / "f3.png").write_bytes((folder / "f3.png").read_bytes()[:200])),
    "mixed sizes": ("clip.mixed_sizes", lambda folder: write_picture(folder / "f5.png", np.zeros((60, 80, 3), np.uint8))),
    "tiny": ("clip.too_small", lambda folder: [write_picture(path, np.zeros((4, 4, 3), np.uint8)) for path in folder.iterdir()]),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused_with_code_and_remedy_and_leaves_no_result(frames_folder, tmp_path, case):
    code, spoil = BAD_INPUT[case]
    folder = tmp_path / "spoilt"
    shutil.copytree(frames_folder, folder)
    spoil(folder)
    done = engine("decompose", folder, "--out", tmp_path / "out", "--json")
    last = decode(done.stdout.splitlines()[-1])
    assert done.returncode == 1 and isinstance(last, Failed) and last.code == code and last.remedy
    assert "Traceback" not in done.stderr and not (tmp_path / "out/decomposition.json").exists()


@pytest.mark.parametrize("arguments", [("--sprites", "9"), ("--sprites", "0"), ("--size", "3"), ("--device", "cuda"), ("--frames", "4:99")])
def test_wrong_settings_are_refused_in_a_sentence(frames_folder, tmp_path, arguments):
    done = engine("decompose", frames_folder, "--out", tmp_path / "out", *arguments)
    if arguments == ("--device", "cuda") and done.returncode == 0:
        pytest.skip("this machine has a CUDA device")
    assert done.returncode == 1 and done.stderr.startswith("Error (") and "Traceback" not in done.stderr


@pytest.mark.parametrize("count", [1, 2])
def test_a_single_frame_and_a_pair_become_results_too(frames_folder, tmp_path, count):
    done = engine("decompose", frames_folder, "--frames", f"1:{count}", "--sprites", 2, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert read_result(tmp_path / "out").clip.frames == count


def test_two_figures_that_cross_become_layers_in_order(tmp_path):
    clip = draw_clip(frames=16, sprites=2, size=100, speed=7)
    (tmp_path / "clip").mkdir()
    for t, frame in enumerate(clip.frames):
        write_picture(tmp_path / f"clip/{t:03d}.png", frame)
    done = engine("decompose", tmp_path / "clip", "--sprites", 3, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    decomposition = read_result(tmp_path / "out")
    assert len(decomposition.sprites) == 3
    for sprite, truth in zip(decomposition.sprites[1:], clip.alphas, strict=True):
        found = np.stack([SpriteRenderer(tmp_path / "out", decomposition, sprite).frame(t)[..., 3] for t in range(16)])
        assert overlap(found, truth) > 0.6


def test_the_index_maps_name_the_swatch_of_every_opaque_pixel(result):
    sprite = read_result(result).sprites[1]
    drawing, index = read_picture(result / sprite.drawings[0]), read_picture(result / sprite.index_maps[0])[..., 0]
    opaque = drawing[..., 3] == 255
    assert index.max() <= len(sprite.palette) and (index[opaque] > 0).mean() > 0.9
    colors = np.array([swatch.color for swatch in sprite.palette], float)
    chosen = opaque & (index > 0)
    distance = np.linalg.norm(drawing[chosen][:, None, :3] - colors[None], axis=2)
    assert (distance[np.arange(chosen.sum()), index[chosen] - 1] <= distance.min(1) + 12).all()


def test_no_two_pictures_of_a_result_share_a_name(result):
    names = [name.rpartition("/")[2] for sprite in read_result(result).sprites for name in (*sprite.drawings, *sprite.index_maps)]
    assert len(names) > 4 and len(set(names)) == len(names)


def test_a_result_with_fewer_sprites_leaves_nothing_of_the_one_before(frames_folder, result, tmp_path):
    out = tmp_path / "again"
    shutil.copytree(result, out)
    assert engine("decompose", frames_folder, "--sprites", 1, "--out", out).returncode == 0
    on_disk = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file() and "stages" not in path.parts}
    assert not any(name.startswith("sprite_1/") for name in on_disk)
    assert on_disk - {"job.log"} == {*read_result(out).files, "decomposition.json"}  # the log is the job's, not the result's


def test_the_doctor_finds_this_engine_healthy():
    done = engine("doctor", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["healthy"]


def test_a_result_is_never_written_into_the_clip_nor_into_a_folder_without_a_name(frames_folder, tmp_path):
    before = sorted(frames_folder.iterdir())
    done = engine("decompose", frames_folder, "--out", frames_folder)
    assert done.returncode == 1 and "settings.out" in done.stderr and sorted(frames_folder.iterdir()) == before
    done = engine("decompose", frames_folder, "--out", "")
    assert done.returncode == 2 and "name the folder" in done.stderr


def test_wrong_hints_are_told_before_the_work_begins(frames_folder, tmp_path):
    (tmp_path / "hints.json").write_text("hello")
    done = engine("decompose", frames_folder, "--frames", "1:3", "--out", tmp_path / "out", "--hints", tmp_path / "hints.json")
    assert done.returncode == 1 and "settings.hints" in done.stderr and not (tmp_path / "out/stages/flow.json").exists()
