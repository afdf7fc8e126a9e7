# SPDX-License-Identifier: GPL-3.0-or-later
"""The scores: right on known cases, and the same as those of the scorer that others use."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine import pictures
from toondecompose_blender.engine.demo import draw_demo
from toondecompose_blender.engine.evaluate import evaluate, table
from toondecompose_blender.engine.evaluate_measures import exposure_scores
from toondecompose_blender.protocol import ResultError

SHARED_SCORER = Path(__file__).parents[2].parent / "shared" / "tools" / "evaluate.py"
FRAMES = 8


@pytest.fixture(scope="module")
def truth(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    draw_demo(folder, width=128, height=72, frames=FRAMES, sprites=3)
    return folder


def predicted(folder: Path, truth: Path, sprites: list[int], change=lambda k, t, picture: picture, **extra) -> Path:
    """The truth's sprites in the given order, each picture changed; None leaves a picture out."""
    for k, source in enumerate(sprites):
        (folder / f"sprite_{k}").mkdir(parents=True)
        for t in range(FRAMES):
            picture = change(k, t, pictures.read_picture(truth / f"gt/sprite_{source}/{t:04d}.png"))
            if picture is not None:
                pictures.write_picture(folder / f"sprite_{k}" / f"{t:04d}.png", picture)
    motion = np.load(truth / "gt/homographies.npy")[sprites]
    pictures.write_array(folder / "homographies.npy", extra.get("motion", lambda m: m)(motion))
    if "order" in extra:
        (folder / "order.json").write_text(json.dumps(extra["order"]))
    return folder


def worn(k: int, t: int, picture: np.ndarray) -> np.ndarray | None:
    """A sprite that is off in every way that is scored."""
    if (k, t) == (1, 2):
        return None
    random = np.random.default_rng(100 * k + t)
    noisy = np.clip(picture + random.normal(0, 9, picture.shape), 0, 255)
    noisy[..., 3] = picture[..., 3]
    moved = cv2.warpAffine(noisy.astype(np.uint8), np.array([[1.0, 0, 1.3], [0, 1, 0.4 * t]]), picture.shape[1::-1])
    return cv2.GaussianBlur(moved, (0, 0), 0.8)


def drifting(motion: np.ndarray) -> np.ndarray:
    motion = motion.copy()
    motion[:, :, 0, 2] += np.linspace(0, 3, FRAMES)
    motion[:, :, 1, 0] += np.linspace(0, 0.01, FRAMES)
    motion[-1, 3] = np.nan
    return motion


def test_the_truth_scores_itself_as_perfect(tmp_path, truth):
    scores = evaluate(predicted(tmp_path / "p", truth, [0, 1, 2]), truth)
    assert scores.match == (0, 1, 2) and scores.psnr > 70
    assert scores.vis_iou == scores.full_iou == (1.0, 1.0, 1.0) and scores.order_acc == 1
    assert scores.alpha_mae == scores.rgb_err_visible == scores.flicker == (0.0, 0.0, 0.0)
    assert max(scores.homog_ref_max_px) < 1e-6 and scores.hidden_coverage[0] == 1 and scores.hidden_err[0] == 0


def test_a_shift_of_the_motion_is_measured_in_pixels(tmp_path, truth):
    def late_jump(motion: np.ndarray) -> np.ndarray:
        motion = motion.copy()
        motion[0, -1, 0, 2] += 2.5
        return motion

    scores = evaluate(predicted(tmp_path / "p", truth, [0, 1, 2], motion=late_jump), truth)
    assert scores.homog_ref_max_px[0] == pytest.approx(2.5, abs=1e-6)
    assert scores.homog_step_px[0] == pytest.approx(2.5 / (FRAMES - 1), abs=0.01)
    assert scores.homog_ref_px[1] == pytest.approx(0, abs=1e-6)


def test_another_canvas_is_no_motion_error(tmp_path, truth):
    gauge = np.array([[1.3, 0.1, 40], [0.05, 0.9, -7], [0, 0, 1.0]])
    scores = evaluate(predicted(tmp_path / "p", truth, [0, 1, 2], motion=lambda m: m @ gauge), truth)
    assert max(scores.homog_ref_max_px) < 1e-6


def test_swapped_sprites_are_matched_and_their_order_is_wrong(tmp_path, truth):
    scores = evaluate(predicted(tmp_path / "p", truth, [1, 2, 0]), truth)
    assert scores.match == (2, 0, 1) and scores.full_iou == (1.0, 1.0, 1.0)
    assert scores.order_acc < 0.5 and scores.psnr < 30


def test_order_json_puts_the_sprites_right(tmp_path, truth):
    scores = evaluate(predicted(tmp_path / "p", truth, [1, 2, 0], order=[2, 0, 1]), truth)
    assert scores.order_acc == 1 and scores.psnr > 70


def test_a_sprite_that_was_not_found_scores_nothing(tmp_path, truth):
    scores = evaluate(predicted(tmp_path / "p", truth, [0, 1]), truth)
    assert scores.match == (0, 1, None) and scores.vis_iou[2] == 0 and scores.predicted == 2


@pytest.mark.skipif(not SHARED_SCORER.exists(), reason="the shared scorer is not beside this checkout")
@pytest.mark.parametrize("case", ["worn", "worn and reordered", "one missing", "one too many", "truth"])
def test_the_scores_agree_with_the_shared_scorer(tmp_path, truth, case):
    sprites = {"worn and reordered": [2, 0, 1], "one missing": [0, 2], "one too many": [0, 1, 2, 2]}.get(case, [0, 1, 2])
    keep = {"change": lambda k, t, picture: picture} if case == "truth" else {"change": worn, "motion": drifting}
    extra = {"order": [1, 2, 0]} if case == "worn and reordered" else {}
    guess = predicted(tmp_path / "p", truth, sprites, **keep, **extra)
    subprocess.run([sys.executable, SHARED_SCORER, truth, guess, "--json", tmp_path / "s.json"], check=True, capture_output=True)
    other, mine = json.loads((tmp_path / "s.json").read_text())[0], evaluate(guess, truth)
    assert list(other["match"].values()) == list(mine.match)
    assert (other["psnr"], other["psnr_worst_frame"]) == (round(mine.psnr, 2), round(mine.psnr_worst_frame, 2))
    for name in ("vis_iou", "full_iou", "alpha_mae", "rgb_err_visible", "hidden_err", "hidden_coverage", "flicker", "homog_step_px",
                 "homog_ref_px", "order_acc", "recon_flicker", "fsd_frame_rgb_l1", "fsd_sprite_alpha_l1", "fsd_sprite_rgb_l1"):
        assert getattr(mine, name) == same(other[name]), name
    assert mine.mean("vis_alpha_mae") == same(other["mean_vis_alpha_mae"])


def same(value):
    """Equal to four digits, where None stands for itself."""
    if isinstance(value, list):
        return tuple(same(item) for item in value)
    return value if value is None else pytest.approx(value, abs=1.01e-4)


def test_exposure_sheets_are_compared_by_what_they_say_not_by_numbers():
    true = [1, 1, 2, 2, 3, 3, 1, 1]
    assert exposure_scores(true, [5, 5, 1, 1, 2, 2, 5, 5]) == {"holds": 1, "false_merges": 0, "cycles": 1}
    assert exposure_scores(true, [1, 1, 2, 2, 3, 3, 4, 4]) == {"holds": 1, "false_merges": 0, "cycles": 0}
    assert exposure_scores(true, [1, 1, 1, 2, 3, 3, 1, 1]) == {"holds": 5 / 7, "false_merges": 1, "cycles": 1}


def test_the_table_has_a_row_for_every_sprite_and_the_means(tmp_path, truth):
    scores = evaluate(predicted(tmp_path / "p", truth, [0, 1]), truth)
    lines = table([scores, scores]).splitlines()
    assert len(lines) == 1 + 2 * 4 + 1 and lines[0].split()[:3] == ["clip", "PSNR", "visIoU"]
    assert len({len(line.split()) for line in lines if line.startswith(("demo", "clip", "mean"))}) == 1
    assert f"{scores.psnr:.2f}" in lines[1] and f"{scores.vis_iou[1]:.4f}" in lines[3]


def test_what_cannot_be_scored_is_refused(tmp_path, truth):
    file = truth / "meta.json"
    for prediction, known, code in ((tmp_path, truth, "result.missing"), (file, truth, "result.missing"),
                                    (truth / "gt", tmp_path, "truth.missing"), (truth / "gt", file, "truth.missing")):
        with pytest.raises(ResultError) as caught:
            evaluate(prediction, known)
        assert caught.value.code == code and caught.value.remedy
    small = predicted(tmp_path / "p", truth, [0], lambda k, t, picture: picture[:40])
    with pytest.raises(ResultError) as caught:
        evaluate(small, truth)
    assert caught.value.code == "result.size"
    for order in ("[0, 1]", "[", "7"):
        (small / "order.json").write_text(order)
        with pytest.raises(ResultError) as caught:
            evaluate(small, truth)
        assert caught.value.code == "result.damaged"
    (small / "order.json").unlink()
    np.save(small / "homographies.npy", np.eye(3))
    with pytest.raises(ResultError) as caught:
        evaluate(small, truth)
    assert caught.value.code == "result.homographies"
