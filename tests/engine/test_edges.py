# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair, fades, flashes, blur, grain and compression through the whole chain: edges stay soft, strands whole, colors clean.
The clips and the measures stand in edge_clips.py; benchmarks/edges.py prints the same at a larger size."""

import pytest

from tests.engine.edge_clips import CASES, EdgeScores, run, score
from toondecompose_blender.protocol import read_result

SIZE = {"width": 320, "height": 180, "frames": 20}


def scores_of(case: str, folder) -> EdgeScores:
    clip = CASES[case](**SIZE)
    result = run(clip, folder)
    return score(clip, result, read_result(result))


@pytest.mark.parametrize("case", ["hair over a pan", "hair before a still", "hair drawn on ones"])
def test_strands_are_kept_edges_soft_colors_clean_and_lines_unbroken(case, tmp_path):
    scores = scores_of(case, tmp_path)
    assert scores.thin > 0.85 and scores.band < 0.08
    assert abs(scores.fringe) < 0.1 and scores.lines > 0.95
    assert scores.iou > 0.95


# What may be lost to each: visible IoU at least, alpha error and opacity error at most.
GENTLY = {
    "fade over 12 frames": (0.9, 0.01, 0.03),
    "flash": (0.9, 0.01, 0.0),
    "dusk over 12 frames": (0.9, 0.01, 0.0),
    "motion blur of 9 px": (0.9, 0.01, 0.0),
    "grain of sigma 4": (0.9, 0.01, 0.0),
    "H.264 at crf 23": (0.9, 0.012, 0.0),
}


@pytest.mark.parametrize("case", GENTLY)
def test_what_production_does_to_a_picture_degrades_it_gently(case, tmp_path):
    scores, (iou, alpha, opacity) = scores_of(case, tmp_path), GENTLY[case]
    assert scores.iou > iou and scores.alpha < alpha and scores.opacity <= opacity
