# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip that cuts becomes a result a shot: the same bytes as each shot alone, whatever happens to one of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.engine.drawn import draw_clip
from tests.engine.engines import engine, started
from toondecompose_blender.engine.memory import needed_bytes, side_by_side
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.protocol import Artifact, Cancelled, Done, Failed, Progress, decode, read_result, sha256
from toondecompose_blender.protocol_shots import read_shots

LENGTHS = (6, 5)
QUICK = ("--preset", "draft", "--device", "cpu")        # without asking torch, which takes a second to load


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Two scenes of a figure before a street."""
    folder, t = tmp_path_factory.mktemp("clip"), 1
    for seed, count in enumerate(LENGTHS, start=1):
        for frame in draw_clip(frames=count, width=128, height=80, size=60, seed=seed).frames:
            write_picture(folder / f"{t:04d}.png", frame)
            t += 1
    return folder


@pytest.fixture(scope="module")
def whole(clip, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    done = engine("decompose", clip, "--out", out, *QUICK, "--json")
    assert done.returncode == 0, done.stdout
    (out.parent / "messages").write_text(done.stdout, encoding="utf-8")
    return out


@pytest.fixture
def copy(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "out"))


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a result, its manifest among them; without what belongs to the job."""
    names = [*read_result(folder).files, "decomposition.json"]
    return {name: sha256(folder / name) for name in names}


def results(whole: Path) -> list[dict[str, str]]:
    return [contents(whole / shot.folder) for shot in read_shots(whole).shots]


def test_every_shot_is_a_result_of_its_own_with_the_bytes_it_would_have_alone(clip, whole, tmp_path):
    shots = read_shots(whole)
    assert shots.clip.frames == sum(LENGTHS) and [(shot.first, shot.last, shot.state) for shot in shots.shots] == [
        (1, 6, "done"), (7, 11, "done")]
    assert not (whole / "decomposition.json").exists()
    assert engine("decompose", clip, "--frames", "7:11", "--out", tmp_path / "alone", *QUICK).returncode == 0
    assert contents(tmp_path / "alone") == contents(whole / "shots/002")


def test_a_clip_of_one_shot_gives_the_same_folder_as_without_looking_for_shots(clip, tmp_path):
    for mode in ("auto", "off"):
        assert engine("decompose", clip, "--frames", "1:6", "--out", tmp_path / mode, *QUICK, "--shots", mode).returncode == 0
    assert contents(tmp_path / "auto") == contents(tmp_path / "off")
    files = [{path.name for path in (tmp_path / mode).iterdir()} for mode in ("auto", "off")]
    assert files[0] == files[1] and "shots.json" not in files[0] and "engine.lock" not in files[0]


def test_a_finished_whole_is_not_worked_on_again(clip, copy):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*.png")}
    assert engine("decompose", clip, "--out", copy, *QUICK).returncode == 0
    assert before == {path: path.stat().st_mtime_ns for path in copy.rglob("*.png")}


def test_a_shot_that_fails_does_not_stop_the_others_and_is_the_only_one_that_is_tried_again(clip, whole, tmp_path):
    spoilt, out = Path(shutil.copytree(clip, tmp_path / "clip")), tmp_path / "out"
    good = (spoilt / "0009.png").read_bytes()
    (spoilt / "0009.png").write_bytes(good[:len(good) // 2])
    done = engine("decompose", spoilt, "--out", out, *QUICK, "--json")
    last = decode(done.stdout.splitlines()[-1])
    assert done.returncode == 1 and isinstance(last, Failed)
    assert last.code == "engine.shots" and "shot 2" in last.message
    first, second = read_shots(out).shots
    assert (first.state, second.state) == ("done", "failed") and second.code == "clip.damaged" and second.remedy
    before = (out / "shots/001/decomposition.json").stat().st_mtime_ns
    (spoilt / "0009.png").write_bytes(good)
    assert engine("decompose", spoilt, "--out", out, *QUICK).returncode == 0
    assert [read_result(out / shot.folder).files for shot in read_shots(out).shots] == [
        read_result(whole / shot.folder).files for shot in read_shots(whole).shots]
    assert (out / "shots/001/decomposition.json").stat().st_mtime_ns == before


def test_json_lines_tell_of_all_shots_as_of_one_job_that_only_goes_forward(whole):
    messages = [decode(line) for line in (whole.parent / "messages").read_text(encoding="utf-8").splitlines()]
    assert messages[-1] == Done(str(whole.resolve()))
    shares = [(m.stage_number - 1 + m.done / m.total) / m.stage_count for m in messages if isinstance(m, Progress) and m.stage != "Cuts"]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert {message.path for message in messages if isinstance(message, Artifact)} == {
        f"shots/{number:03d}/contact_sheet.png" for number in (1, 2)}


def test_of_a_range_of_frames_the_shots_count_from_its_first(clip, tmp_path):
    assert engine("decompose", clip, "--frames", "4:9", "--out", tmp_path / "out", *QUICK).returncode == 0
    shots = read_shots(tmp_path / "out")
    assert [(shot.first, shot.last) for shot in shots.shots] == [(1, 3), (4, 6)] and (shots.clip.frames, shots.clip.first_frame) == (6, 4)
    assert read_result(tmp_path / "out/shots/002").clip.first_frame == 7


def shot_engines(whole: Path) -> list[int]:
    """The processes that hold a claim on a shot."""
    return [json.loads(path.read_text())["process"] for path in whole.glob("shots/*/engine.lock") if path.stat().st_size]


def until(condition, patience: float = 120):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_cancelling_stops_the_engines_of_all_shots_and_the_same_command_goes_on(clip, whole, tmp_path):
    out = tmp_path / "out"
    with started("decompose", clip, "--out", out, *QUICK, "--json") as child:
        pids = until(lambda: shot_engines(out))
        child.stdin.write("cancel\n")
        child.stdin.flush()
        last = decode(child.stdout.read().splitlines()[-1])
    assert last == Cancelled() and not any(map(alive, pids)) and not list(out.rglob("engine.lock"))
    assert {shot.state for shot in read_shots(out).shots} <= {"waiting", "done"}
    assert engine("decompose", clip, "--out", out, *QUICK).returncode == 0
    assert results(out) == results(whole)


def test_when_the_first_engine_is_killed_those_of_its_shots_leave_too(clip, whole, tmp_path):
    out = tmp_path / "out"
    with started("decompose", clip, "--out", out, *QUICK, "--json") as child:
        pids = until(lambda: shot_engines(out))
        child.kill()
    until(lambda: not any(map(alive, pids)), patience=60)
    assert engine("decompose", clip, "--out", out, *QUICK).returncode == 0     # the dead one's claim is no obstacle
    assert results(out) == results(whole)


def test_a_shot_whose_engine_is_killed_is_tried_once_more(clip, whole, tmp_path):
    out = tmp_path / "out"
    with started("decompose", clip, "--out", out, *QUICK, "--json") as child:
        os.kill(until(lambda: shot_engines(out))[0], signal.SIGKILL)
        messages = [decode(line) for line in child.stdout.read().splitlines()]
    if isinstance(messages[-1], Failed):            # on one core shots do not run side by side, so memory cannot be the reason
        assert messages[-1].code == "engine.shots"
        assert engine("decompose", clip, "--out", out, *QUICK).returncode == 0
    assert results(out) == results(whole)


def test_no_more_shots_run_at_once_than_fit_into_memory_and_cores(monkeypatch):
    size = {"frames": 100, "analyzed": (640, 360), "native": (1280, 720)}
    one = needed_bytes(**size)
    monkeypatch.setenv("TOONDECOMPOSE_THREADS", "4")
    for free, together in ((one, 1), (3 * one, 2), (100 * one, 4), (None, 1)):
        monkeypatch.setattr("toondecompose_blender.engine.memory.free_bytes", lambda free=free: free)
        assert side_by_side(9, device="cpu", **size) == together
    assert side_by_side(2, device="cpu", **size) == 1 and side_by_side(9, device="cuda", **size) == 1
