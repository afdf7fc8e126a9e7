# SPDX-License-Identifier: GPL-3.0-or-later
"""A result folder belongs to one engine at a time, and to the next as soon as that one is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from toondecompose_blender.engine.claim import CLAIM_NAME, claimed
from toondecompose_blender.engine.report import Silent, Stopped
from toondecompose_blender.protocol import EngineError


def claim(folder, *, wait=False, report=None):
    return claimed(folder, wait=wait, report=report or Silent())


def left_behind(folder, **changed) -> None:
    """The file of somebody else, who is alive as far as anybody can tell."""
    record = {"token": "other", "host": "elsewhere", "process": 1, "space": ""}
    (folder / CLAIM_NAME).write_text(json.dumps(record | changed))


def test_a_folder_is_held_while_the_work_lasts_and_free_afterwards_however_it_ends(tmp_path):
    with pytest.raises(ZeroDivisionError), claim(tmp_path / "new"):
        assert (tmp_path / "new" / CLAIM_NAME).exists()
        raise ZeroDivisionError
    assert list((tmp_path / "new").iterdir()) == []


def test_who_comes_second_is_told_who_came_first(tmp_path):
    left_behind(tmp_path, host="render7", process=4711)
    with pytest.raises(EngineError, match="process 4711 on render7") as caught, claim(tmp_path):
        pass
    assert caught.value.code == "engine.busy" and caught.value.remedy and (tmp_path / CLAIM_NAME).exists()


def test_a_holder_whose_process_is_gone_from_this_machine_holds_nothing(tmp_path):
    script = "import sys; from pathlib import Path; from tests.engine.test_claim import claim\n" \
        "held = claim(Path(sys.argv[1])); held.__enter__(); import os; os._exit(9)"
    assert subprocess.run([sys.executable, "-c", script, tmp_path], cwd=os.getcwd()).returncode == 9
    assert (tmp_path / CLAIM_NAME).exists()
    with claim(tmp_path):
        assert json.loads((tmp_path / CLAIM_NAME).read_text())["process"] == os.getpid()


def test_a_holder_elsewhere_counts_as_gone_when_its_heart_stopped(tmp_path):
    left_behind(tmp_path)
    old = time.time() - 3600
    os.utime(tmp_path / CLAIM_NAME, (old, old))
    with claim(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_find_a_dead_holder_one_at_a_time_gets_the_folder(tmp_path):
    left_behind(tmp_path)
    os.utime(tmp_path / CLAIM_NAME, (1, 1))
    inside, most, done = [], [], []

    def work():
        with claim(tmp_path, wait=True):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.05)
            inside.pop()
            done.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 6 and max(most) == 1


def test_who_waits_can_be_told_to_stop(tmp_path):
    class Impatient(Silent):
        def step(self, count=1):
            raise Stopped

    left_behind(tmp_path)
    with pytest.raises(Stopped), claim(tmp_path, wait=True, report=Impatient()):
        pass


def test_who_lost_the_folder_is_stopped_at_its_next_step_and_leaves_the_others_claim_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("toondecompose_blender.engine.claim._LOOK", 0.0)
    with pytest.raises(EngineError) as caught, claim(tmp_path) as report:
        report.step()
        left_behind(tmp_path)
        report.step()
    assert caught.value.code == "engine.lost_folder" and "other" in (tmp_path / CLAIM_NAME).read_text()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError) as caught, claim(tmp_path / "file" / "out"):
        pass
    assert caught.value.code == "engine.folder"
