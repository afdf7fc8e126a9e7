# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks measure what they say: stages that ran, loops of the published sizes, clips that repeat."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import long, plot, published_loops, scaling, tables
from benchmarks.cases import Case, Measured
from benchmarks.drawn_clips import LOOP, crowd
from benchmarks.watch import Run, StageUse
from toondecompose_blender.engine.console import STAGES

ROOT = Path(__file__).parents[2]


def numbers(words: str) -> int:
    return sum(word.strip("()").replace(".", "", 1).isdigit() for word in words.split())


def test_the_tables_of_stages_have_a_column_for_every_stage_that_the_engine_ran(tmp_path):
    clip = tmp_path / "clip"
    script = ("from pathlib import Path; from benchmarks.cases import *; from benchmarks.stages import tables_of; "
              f"case = drawn_case('tiny', size=(96, 64), frames=6); print(tables_of([measured(case)])); case.write(Path({str(clip)!r}))")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seconds, use, memory = done.stdout.strip().split("\n\n")
    heads = seconds.splitlines()[1].split()
    assert heads[:2] == ["clip", "Start"] and [head for head in heads if head in STAGES] == list(STAGES)
    for part in (seconds, use, memory):
        title, head, row = part.splitlines()
        assert row.startswith("tiny: 6 of 96x64, K = 2") and "whole" in head, part
    assert numbers(seconds.splitlines()[2].partition("K = 2")[2]) == len(heads) - 1 - 1       # "a frame" is two words
    peaks = [float(word) for word in memory.splitlines()[2].partition("K = 2")[2].split()[:-2]]
    assert len(peaks) == len(STAGES) + 1 and min(peaks) > 0.05, "an engine that runs has more than 50 MB in every stage"
    assert len(list(clip.glob("frames/*.png"))) == 6


def test_a_crowd_has_the_sprites_that_were_asked_for_and_comes_back_to_where_it_was():
    scene = crowd(width=64, height=48, frames=LOOP + 1, sprites=6)
    assert len(scene.layers) == 6
    town = scene.layers[0].homographies
    np.testing.assert_allclose(town[0], town[LOOP], atol=1e-9)
    assert abs(town[LOOP // 2] - town[0])[0, 2] > 64, "the camera leaves the first view"
    for layer in scene.layers[1:]:
        assert len(set(layer.exposure)) > 1 and any(layer.frame(t, 64, 48)[..., 3].any() for t in (0, 30))
    with pytest.raises(ValueError):
        crowd(width=64, height=48, frames=2, sprites=7)


def test_the_published_loops_have_their_sizes_and_every_step_descends():
    shape = published_loops.Shape(frames=4, width=32, sprites=3)
    torch.manual_seed(0)
    loops = list(published_loops.loops(shape, torch.device("cpu"), samples=64))
    assert sum(loop.steps for loop in loops) == 40_000 * (1 + 2 + 1 + 1) + 60_000
    motion, sprites = loops[0].step.__self__, loops[-1].step.__self__
    assert [layer.in_features for layer in motion.flows[0] if hasattr(layer, "in_features")] == [26] + [256] * 11
    assert [layer.in_features for layer in sprites.alphas[0] if hasattr(layer, "in_features")] == [12] + [256] * 7
    for loop in loops:
        owner = loop.step.__self__
        nets = [net for net in (vars(owner)[name] for name in ("affine", "flows", "mask", "background", "alphas") if name in vars(owner))]
        flat = [net for one in nets for net in (one if isinstance(one, list) else [one])]
        before = [parameter.clone() for net in flat for parameter in net.parameters()]
        loop.step()
        after = [parameter for net in flat for parameter in net.parameters()]
        assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)), loop.name


def test_the_power_of_a_series_is_that_of_its_values():
    assert scaling.power([10, 20, 40, 80, 160], [5 + x ** 1.5 for x in (10, 20, 40, 80, 160)]) == pytest.approx(1.5, abs=0.02)


def test_a_table_sets_its_first_column_left_and_the_others_right():
    text = tables.table("Title", ["clip", "s"], [["a", "1.0"], ["longer", "10.0"]])
    assert text == "Title\nclip       s\na        1.0\nlonger  10.0\n"


def test_the_picture_is_drawn_from_figures_that_were_kept(tmp_path):
    pytest.importorskip("matplotlib", reason="requirements/benchmarks.txt is not installed")
    stage = {"name": "Flow", "alone": 2.0}
    case = {"stages": [stage], "alone": 2.0, "peak_gb": 0.5, "width": 64, "height": 48, "frames": 10}
    series = {"fixed": "K = 2", "points": [case | {"amount": amount} for amount in (10, 20, 40)]}
    machine = {"cores": 2, "memory_gb": 8.0, "date": "2026-01-01"}
    kept = {"stages": {"figures": {"violet 720": case}, "machine": machine},
            "scaling": {"figures": {name: series for name in ("frames", "pixels", "sprites")}}}
    plot.draw(json.loads(json.dumps(kept)), tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 10_000


def test_what_1000_frames_would_take_is_on_the_line_through_the_first_run_and_the_last():
    def run(frames, seconds, gigabytes):
        stages = (StageUse("Layers", seconds, 2 * seconds, 0.0, seconds, gigabytes, gigabytes / 2),
                  StageUse("Result", 1.0, 1.0, 0.0, 1.0, 0.1, 0.1))
        return Measured(Case("drawn", 4), 64, 48, frames, Run("drawn", "4", None, "", 0.0, 2, stages))

    line = long.of_thousand([run(100, 200.0, 1.0), run(150, 9.0, 9.0), run(200, 400.0, 1.1)])
    assert line["seconds"] == line["seconds_alone"] == 2001.0 and line["cpu_seconds"] == 4001.0
    assert (line["peak_gb"], line["own_gb"]) == (1.9, 0.95)
    assert long.of_thousand([run(100, 200.0, 1.0)]) == {}
