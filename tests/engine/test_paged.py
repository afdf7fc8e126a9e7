# SPDX-License-Identifier: GPL-3.0-or-later
"""However little is kept in memory, the same bytes come out; what lies in files is gone afterwards; what was forgotten is made again."""

import errno
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from tests.engine.drawn import draw_clip
from toondecompose_blender.engine import paged
from toondecompose_blender.engine.decompose import decompose
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.engine.settings import Settings
from toondecompose_blender.engine.stages import StageStore


@pytest.fixture
def no_memory(monkeypatch):
    """Every array goes to a file, pages are given back after every frame, and hardly a result is remembered."""
    for name in ("IN_MEMORY", "RESIDENT", "RECALLED", "LOOKED_AFTER"):
        monkeypatch.setattr(paged, name, 0)
    monkeypatch.setattr(paged, "FEWEST_RECALLED", 2)


@pytest.mark.parametrize("sprites", [2, 3])
def test_a_clip_that_fits_nowhere_in_memory_gives_the_same_bytes(tmp_path, monkeypatch, request, sprites):
    (tmp_path / "clip").mkdir()
    for t, frame in enumerate(draw_clip(frames=10, width=208, height=128, size=90, sprites=sprites - 1).frames):
        write_picture(tmp_path / f"clip/{t}.png", frame)
    files = []
    for name, threads in (("roomy", "1"), ("narrow", "2")):
        monkeypatch.setenv("TOONDECOMPOSE_THREADS", threads)
        if name == "narrow":
            request.getfixturevalue("no_memory")
        settings = Settings(sprites=sprites, device="cpu", residual=True)
        files.append(decompose(tmp_path / "clip", tmp_path / name, settings=settings, report=Silent()).files)
    assert files[0] == files[1] and len(files[0]) > 8
    assert not list((tmp_path / "narrow").rglob("*.tmp"))


def test_large_arrays_lie_in_files_only_as_long_as_they_are_used(tmp_path, no_memory):
    with paged.spilling(tmp_path / "passing"):
        array = paged.stacked((np.full((4, 5), t, np.uint8) for t in range(3)), 3)
        assert len(list((tmp_path / "passing").iterdir())) == 1
        for frame in paged.paged(array):
            frame += 1
        assert array[:, 0, 0].tolist() == [1, 2, 3] and type(array) is np.ndarray
        del array, frame
        assert not list((tmp_path / "passing").iterdir())
    assert not (tmp_path / "passing").exists()
    assert paged.stacked((np.ones(3),), 1, np.uint8).dtype == np.uint8


def test_an_engine_that_died_leaves_nothing_to_the_next_one(tmp_path):
    store = StageStore(tmp_path)
    with paged.spilling(store.passing()):
        left = store.passing()
        left.mkdir()
    assert store.passing() != left and not left.exists()


def test_a_stage_keeps_large_and_small_arrays_alike(tmp_path, no_memory):
    pictures = np.arange(2 * 3 * 4, dtype=np.int32).reshape(2, 3, 4)
    stage = StageStore(tmp_path).run("made", "", lambda stage: stage.save(pictures=pictures[:, :, ::2], nothing=np.zeros((0, 3))))
    assert np.array_equal(stage.load("pictures"), pictures[:, :, ::2]) and stage.load("nothing").shape == (0, 3)


def test_kept_arrays_are_what_they_were(tmp_path, no_memory):
    arrays = [np.arange(n, dtype=kind).reshape(-1, 2) for n in (0, 2, 66, 5000) for kind in (np.uint8, np.float32)]
    with paged.spilling(tmp_path / "passing"):
        keeper = paged.Keeper()
        kept = [keeper.keep(array) for array in arrays]
        paged.trim()
        assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(kept, arrays, strict=True))
        assert not any(np.shares_memory(a, b) for a, b in zip(kept, arrays, strict=True) if a.size)


def test_what_is_forgotten_is_made_again_and_nothing_twice_at_once(no_memory):
    made, meet = [], threading.Barrier(2)
    squares = paged.Recalled(lambda t: made.append(t) or t * t, 5, size=1 << 40)
    assert [squares[t] for t in (0, 1, 1, 2, 3, 0, -1)] == [0, 1, 1, 4, 9, 0, 16] and made == [0, 1, 2, 3, 0, 4]
    assert list(squares) == [0, 1, 4, 9, 16] and len(squares) == 5
    made.clear()

    def ask() -> None:
        meet.wait()
        squares[2]

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [2]
    with pytest.raises(IndexError):
        squares[5]


def test_what_cannot_be_made_says_so_every_time():
    broken = paged.Recalled(lambda t: 1 // t, 2, size=1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            broken[0]
    assert broken[1] == 1


def test_an_array_that_does_not_fit_on_the_disk_is_told_before_any_room_is_taken(tmp_path, monkeypatch):
    full = SimpleNamespace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    with pytest.raises(OSError) as caught:
        paged.empty_on_disk(tmp_path / "large.npy", (1001,), np.uint8)
    assert caught.value.errno == errno.ENOSPC and not list(tmp_path.iterdir())
    assert len(paged.empty_on_disk(tmp_path / "small.npy", (1000,), np.uint8)) == 1000
