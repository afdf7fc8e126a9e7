# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's installation: found, adopted, refused, cancelled and removed by the real installer process.
The real engine is adopted, never downloaded: a whole installation is 400 MB."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.jobs.children import listen
from toondecompose_blender.jobs import environment
from toondecompose_blender.jobs.environment import BROKEN, BUILDS, MISSING, OUTDATED, READY, EngineHome, child_environment
from toondecompose_blender.jobs.supervisor import Supervisor
from toondecompose_blender.protocol import Cancelled, Done, EngineError, Failed, Progress
from toondecompose_blender.requirements import requirements, requirements_file


@pytest.fixture
def home(tmp_path, monkeypatch) -> EngineHome:
    monkeypatch.delenv(environment.ENGINE_VARIABLE, raising=False)
    root = tmp_path / "engine 'é 日本"
    root.mkdir()
    return EngineHome(root)


def act(home: EngineHome, action: str, *arguments: str) -> Supervisor:
    return Supervisor(home.install_command(action, list(arguments)), home.root, env=child_environment(home.root))


def test_without_an_engine_the_remedy_is_to_install_it(home):
    assert home.status().state == MISSING
    with pytest.raises(EngineError) as caught:
        home.command(["doctor"])
    assert caught.value.code == "engine.missing" and "Install" in caught.value.remedy


def test_an_existing_python_with_all_packages_is_adopted_and_runs_the_engine(home, engine_python):
    heard = listen(act(home, "adopt", "--python", engine_python))
    assert isinstance(heard[-1], Done) and [m.stage for m in heard if isinstance(m, Progress)][-1] == "Switch"
    status = home.status()
    named = {finding.name for finding in status.findings}
    assert status.state == READY and {"Device", "Driver", "Memory"} <= named and {each.name for each in requirements()} <= named
    done = subprocess.run(home.command(["doctor", "--json"]), env=child_environment(home.root), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["healthy"] and not list(home.root.glob("env-*"))
    assert isinstance(listen(act(home, "check"))[-1], Done)
    assert isinstance(listen(act(home, "remove"))[-1], Done)
    assert home.status().state == MISSING and Path(engine_python).exists()


def test_an_existing_python_without_the_packages_is_refused_and_the_old_engine_stays(home, tmp_path, engine_python):
    (home.root / "current.json").write_text(json.dumps({"python": engine_python, "external": True}), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    last = listen(act(home, "adopt", "--python", str(tmp_path / "bare/bin/python")))[-1]
    assert isinstance(last, Failed) and last.code == "engine.check" and last.remedy
    assert home.record().python == engine_python and home.status().state == READY


def test_the_check_of_an_engine_that_lost_a_package_says_which(home, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    (home.root / "current.json").write_text(json.dumps({"python": str(tmp_path / "bare/bin/python"), "external": True}), encoding="utf-8")
    assert isinstance(listen(act(home, "check"))[-1], Failed)
    status = home.status()
    assert status.state == BROKEN and status.remedy and status.message


def test_an_interpreter_that_is_gone_is_broken_with_a_remedy(home):
    (home.root / "current.json").write_text('{"python": "/nowhere/bin/python"}', encoding="utf-8")
    status = home.status()
    assert status.state == BROKEN and "Repair" in status.remedy


def test_an_engine_of_other_requirements_is_outdated(home):
    (home.root / "current.json").write_text(json.dumps({"python": sys.executable, "requirements": "older"}), encoding="utf-8")
    assert home.status().state == OUTDATED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"other": 1}'])
def test_a_damaged_record_counts_as_none(home, text):
    (home.root / "current.json").write_text(text, encoding="utf-8")
    assert home.status().state == MISSING


def test_a_studios_engine_is_named_by_a_variable(home, monkeypatch, engine_python):
    monkeypatch.setenv(environment.ENGINE_VARIABLE, engine_python)
    assert home.status().state == READY and home.record().external


def test_an_empty_folder_of_wheels_fails_and_leaves_nothing(home, tmp_path):
    (tmp_path / "wheels").mkdir()
    last = listen(act(home, "install", "--build", "cpu", "--wheels", str(tmp_path / "wheels")))[-1]
    assert isinstance(last, Failed) and last.code == "engine.packages" and "wheels" in last.remedy
    assert not list(home.root.glob("env-*")) and home.status().state == MISSING


def test_wheels_that_install_but_do_not_work_are_not_switched_to(home, tmp_path):
    """The right names and versions with nothing inside: pip is content, the check is not."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for wanted in requirements():
        empty_wheel(folder, wanted.name, wanted.version)
    last = listen(act(home, "install", "--build", "cpu", "--wheels", str(folder)))[-1]
    assert isinstance(last, Failed) and last.code == "engine.check"
    assert not list(home.root.glob("env-*")) and home.status().state == MISSING


@pytest.mark.skipif("TOONDECOMPOSE_TEST_WHEELS" not in os.environ, reason="TOONDECOMPOSE_TEST_WHEELS names no folder with all wheels")
def test_a_folder_of_wheels_becomes_an_engine_and_a_repair_replaces_it(home):
    """Minutes and 1.6 GB: only where somebody has the wheels."""
    made = []
    for _ in range(2):
        heard = listen(act(home, "install", "--build", "cpu", "--wheels", os.environ["TOONDECOMPOSE_TEST_WHEELS"]), patience=1200)
        assert isinstance(heard[-1], Done), heard[-1]
        assert max(message.done for message in heard if isinstance(message, Progress) and message.stage == "Packages") > 100     # MB
        made.append(Path(home.record().python))
        assert home.status().state == READY and home.record().size > 1e9
    assert not made[0].exists() and made[1].exists() and len(list(home.root.glob("env-*"))) == 1
    done = subprocess.run(home.command(["doctor", "--json"]), env=child_environment(home.root), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["healthy"]
    assert isinstance(listen(act(home, "remove"), patience=600)[-1], Done) and not list(home.root.glob("env-*"))


def test_a_cancelled_installation_leaves_nothing(home, tmp_path):
    (tmp_path / "wheels").mkdir()
    child = act(home, "install", "--build", "cpu", "--wheels", str(tmp_path / "wheels"))
    listen(child, lambda heard: isinstance(heard[-1], Progress) and heard[-1].stage == "Environment")
    child.cancel()
    assert listen(child)[-1] == Cancelled() and not list(home.root.glob("env-*"))


def test_an_installation_cancelled_while_pip_is_unpacked_leaves_nothing(home, tmp_path):
    (tmp_path / "wheels").mkdir()
    child = act(home, "install", "--build", "cpu", "--wheels", str(tmp_path / "wheels"))
    wait_until(lambda: any(home.root.glob("env-*/lib/python3*/site-packages/pip")), child)
    child.cancel()
    assert listen(child)[-1] == Cancelled()
    time.sleep(3)       # what still wrote would have made the folder again
    assert not list(home.root.glob("env-*"))


def test_an_installation_that_was_killed_is_swept_by_the_next(home):
    half = home.root / "env-20200101-000000"
    half.mkdir()
    (half / "python").write_text("half", encoding="utf-8")
    listen(act(home, "remove"))
    assert not half.exists()


def test_too_little_space_is_said_before_anything_is_downloaded(home, monkeypatch):
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=9m", "none", str(home.root)], capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount")
    try:
        last = listen(act(home, "install", "--build", "cpu"))[-1]
    finally:
        subprocess.run(["umount", "-l", str(home.root)], check=True)
    assert isinstance(last, Failed) and last.code == "engine.space" and f"{BUILDS[0].disk / 1000:.1f} GB" in last.message


def test_nothing_is_written_beside_the_package(home, tmp_path, monkeypatch, engine_python):
    package = tmp_path / "extensions" / "toondecompose"
    shutil.copytree(environment.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(requirements_file(), package / "requirements.txt")
    monkeypatch.setattr(environment, "PACKAGE", package)
    before = set(package.rglob("*"))
    subprocess.run(environment.module_command(engine_python, "engine", ["doctor"], home.root), env=child_environment(home.root), check=True,
                   capture_output=True)
    assert set(package.rglob("*")) == before and (home.root / "cache" / "bytecode").is_dir()


def wait_until(there: Callable[[], bool], child: Supervisor, patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not there():
        assert time.monotonic() < deadline
        child.poll()
        time.sleep(0.005)


def empty_wheel(folder: Path, name: str, version: str) -> None:
    """A valid wheel without modules."""
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
