# SPDX-License-Identifier: GPL-3.0-or-later
"""Exposure sheets of drawn characters are exact: holds, cycles, small changes, borders, bad mattes; canvases hold every drawing."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.drawings import ExposureSheet, exposure_sheet
from toondecompose_blender.engine.drawings_canvas import canvas_of
from toondecompose_blender.engine.geometry import project, relative, resized, translation
from toondecompose_blender.engine.report import Silent, Stopped
from toondecompose_blender.engine.views import view_of

from .edge_clips import head
from .toons import HEIGHT, WIDTH, Shot, background, character, shoot, walk

TURN = 2 * np.pi / 8


@pytest.fixture(scope="module")
def walkers():
    return [character(arm=0.5 * np.sin(k * TURN), leg=0.45 * np.sin(k * TURN + 1)) for k in range(8)]


@pytest.fixture(scope="module")
def mouths():
    return [character(mouth=high) for high in (1, 4, 7)]


def sheet_of(shot: Shot) -> ExposureSheet:
    return exposure_sheet(shot.frames, shot.alphas, report=Silent())


def each(counts: list[int]) -> list[int]:
    """Drawing 1 for the first count of frames, 2 for the second, ..."""
    return [number for number, count in enumerate(counts, 1) for _ in range(count)]


def pose_error(sheet: ExposureSheet, poses: np.ndarray, center=(100, 110)) -> float:
    """Worst distance in px between where the sheet and the truth carry a drawing's center from its reference frame."""
    worst = 0.0
    for t, number in enumerate(sheet.exposure):
        if number:
            reference = sheet.references[number - 1]
            start = project(poses[reference], np.array([center], float))
            there = project(poses[t], np.array([center], float))
            worst = max(worst, float(np.linalg.norm(project(sheet.poses[t], start) - there)))
    return worst


@pytest.mark.parametrize("counts", [[2] * 6, [3] * 5, [1] * 8, [2, 1, 3, 1, 4, 2]], ids=["twos", "threes", "ones", "mixed"])
def test_every_hold_is_found_under_a_moving_sprite_and_camera(walkers, counts):
    exposure = each(counts)
    poses = walk(len(exposure), zoom=0.002)
    sheet = sheet_of(shoot(walkers, exposure, poses))
    assert sheet.exposure.tolist() == exposure
    assert pose_error(sheet, poses) < 0.1
    assert np.allclose(sheet.poses[sheet.references], np.eye(3))


def test_a_walk_cycle_on_twos_is_found_in_all_its_rounds(walkers):
    exposure = [k // 2 % 8 + 1 for k in range(36)]
    poses = walk(36, step=(9.3, -0.6), start=(30, 80))
    sheet = sheet_of(shoot(walkers, exposure, poses, pan=7))
    assert sheet.exposure.tolist() == exposure
    assert pose_error(sheet, poses) < 0.15


def test_a_mouth_of_eight_by_four_pixels_makes_a_drawing(mouths):
    exposure = [1, 1, 2, 2, 3, 3, 2, 1, 3, 3]
    assert sheet_of(shoot(mouths, exposure, walk(10))).exposure.tolist() == exposure


def test_a_mouth_is_told_apart_in_noisy_jpeg_as_well(mouths):
    exposure = [1, 1, 2, 2, 3, 3, 2, 1, 3, 3]
    assert sheet_of(shoot(mouths, exposure, walk(10), noise=2, jpeg=70)).exposure.tolist() == exposure


def test_an_arm_alone_makes_a_drawing():
    arms = [character(arm=angle) for angle in (0.0, 0.2)]
    exposure = [1, 1, 2, 2, 1, 2, 2]
    assert sheet_of(shoot(arms, exposure, walk(7))).exposure.tolist() == exposure


def bear(angle: float) -> np.ndarray:
    """A large body with a face, all of which stands still, and a small arm: 340 px square, straight RGBA."""
    drawing, arm = np.zeros((340, 340, 4), np.uint8), (int(230 + 80 * np.cos(angle)), int(170 - 80 * np.sin(angle)))
    cv2.line(drawing, (230, 170), arm, (140, 90, 70, 255), 20, cv2.LINE_AA)
    cv2.ellipse(drawing, (150, 180), (95, 150), 0, 0, 360, (140, 90, 70, 255), -1)
    cv2.ellipse(drawing, (150, 220), (50, 70), 0, 0, 360, (220, 180, 130, 255), -1)
    for x in (120, 180):
        cv2.circle(drawing, (x, 90), 8, (40, 30, 30, 255), -1)
    return drawing


def test_hair_that_waves_makes_drawings():
    exposure = each([2] * 4)
    heads = [head(240, 24 * k) for k in range(4)]     # of the same mouth, with ends of hair that go 6 px
    drawings = [np.rint(255 * np.dstack([one[..., :3] / np.maximum(one[..., 3:], 1e-3), one[..., 3:]])).astype(np.uint8) for one in heads]
    shot = shoot(drawings, exposure, walk(8))
    sheet = exposure_sheet(shot.frames, shot.alphas, report=Silent(), behind=shot.behind.__getitem__)
    assert sheet.exposure.tolist() == exposure


def test_a_small_arm_of_a_large_body_makes_a_drawing():
    exposure = [1, 1, 2, 2, 3, 3, 4, 4]
    shot = shoot([bear(0.2 + 0.12 * n) for n in range(4)], exposure, walk(8, start=(150, 5), step=(0, 0)), pan=0, noise=0)
    assert sheet_of(shot).exposure.tolist() == exposure


def test_a_sprite_that_stays_while_the_camera_moves_is_one_drawing(walkers):
    still = np.tile(translation(200, 70), (8, 1, 1))
    sheet = sheet_of(shoot(walkers, [1] * 8, still, pan=11))
    assert sheet.exposure.tolist() == [1] * 8 and np.abs(sheet.poses - np.eye(3)).max() < 0.05


def test_a_sprite_that_leaves_and_comes_back_keeps_its_drawings(walkers):
    exposure = [1, 1, 2, 2, 3, 3, 4, 4, 0, 0, 1, 1, 2, 2]
    x = [60, 30, 0, -25, -45, -60, -80, -90, -300, -300, -80, -50, -20, 10]
    poses = np.stack([translation(left + 0.3 * t, 70) for t, left in enumerate(x)])
    sheet = sheet_of(shoot(walkers, exposure, poses))
    assert sheet.exposure.tolist() == exposure
    assert sheet.references[0] in (0, 1) and sheet.references[1] in (2, 3, 12, 13)  # where nothing is cut off
    assert pose_error(sheet, poses) < 0.2


def test_a_figure_of_thirty_pixels_keeps_its_sheet():
    tiny = [character(arm=0.5 * k, leg=0.3 * k, height=30) for k in range(4)]
    exposure = [1, 1, 2, 2, 3, 3, 4, 4, 1, 1]
    assert sheet_of(shoot(tiny, exposure, walk(10))).exposure.tolist() == exposure


def test_flat_shapes_without_any_drawing_are_told_apart_by_their_outline():
    shapes = []
    for axes in ((40, 40), (52, 30)):
        shape = np.zeros((120, 120, 4), np.uint8)
        cv2.ellipse(shape, (60, 60), axes, 0, 0, 360, (200, 80, 40, 255), -1, cv2.LINE_AA)
        shapes.append(shape)
    exposure = [1, 1, 2, 2, 1, 1]
    assert sheet_of(shoot(shapes, exposure, walk(6))).exposure.tolist() == exposure


@pytest.mark.parametrize("seed", [0, 1])
def test_mattes_that_are_two_pixels_wrong_do_not_change_the_sheet(walkers, seed):
    exposure = [1, 1, 2, 2, 3, 3, 4, 4, 1, 1, 2, 2]
    shot = shoot(walkers, exposure, walk(12))
    rng, square = np.random.default_rng(seed), np.ones((5, 5), np.uint8)

    def spoiled(alpha):
        mask = (alpha > 0.5).astype(np.uint8)
        wide, narrow = cv2.dilate(mask, square), cv2.erode(mask, square)
        ragged = cv2.GaussianBlur(rng.normal(0, 9, mask.shape).astype(np.float32), (0, 0), 2) * (wide - narrow)
        return np.clip(cv2.GaussianBlur((wide if rng.random() < 0.5 else narrow) * np.float32(1), (0, 0), 1.2) + 0.25 * ragged, 0, 1)

    sheet = sheet_of(replace(shot, alphas=np.stack([spoiled(alpha) for alpha in shot.alphas])))
    assert sheet.exposure.tolist() == exposure


def test_a_sprite_that_passes_behind_another_keeps_its_sheet(walkers):
    exposure = [1, 1, 2, 2, 1, 1, 2, 2, 1, 1]
    shot = shoot(walkers, exposure, walk(10, step=(12, 0)))
    frames, alphas, front = shot.frames.copy(), shot.alphas.copy(), np.zeros_like(shot.alphas)
    frames[:, :, 220:270], alphas[:, :, 220:270], front[:, :, 220:270] = (30, 140, 60), 0, 1
    sheet = exposure_sheet(frames, alphas, report=Silent(), front=front)
    assert sheet.exposure.tolist() == exposure
    assert pose_error(sheet, walk(10, step=(12, 0))) < 0.2


def test_a_sprite_that_turns_and_grows_is_one_drawing(walkers):
    poses = []
    for t in range(10):
        size, angle = 0.6 * 1.07**t, 0.05 * t
        turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        poses.append(np.vstack([np.column_stack([turn, np.array([300, 180]) - turn @ [100, 110]]), [0, 0, 1]]))
    sheet = sheet_of(shoot(walkers, [1] * 10, np.stack(poses)))
    assert sheet.exposure.tolist() == [1] * 10
    assert sheet.references.tolist() == [9] and pose_error(sheet, np.stack(poses)) < 0.2


def test_a_plane_wider_than_the_frame_that_slides_through_is_one_drawing():
    plane = np.dstack([cv2.warpAffine(background(8), translation(-30, -30)[:2], (1000, 300)), np.full((300, 1000), 255, np.uint8)])
    poses = np.stack([translation(-20 - 22.4 * t, 150) for t in range(14)])
    sheet = sheet_of(shoot([plane], [1] * 14, poses))
    assert sheet.exposure.tolist() == [1] * 14 and pose_error(sheet, poses, center=(400, 60)) < 0.5


def skyline(width: int) -> np.ndarray:
    """Flat upright blocks of one color, as wide as that, RGBA uint8."""
    rng = np.random.default_rng(5)
    picture = np.zeros((200, width, 4), np.uint8)
    picture[150:] = (90, 165, 175, 255)
    left = 0
    while left < width:
        wide = int(rng.integers(12, 50))
        picture[int(rng.integers(40, 130)):, left:left + wide] = (90, 165, 175, 255)
        left += wide + int(rng.integers(0, 9))
    return picture


def test_a_skyline_that_pans_behind_something_parked_is_one_drawing():
    poses = np.stack([translation(-4.3 * t, 90) for t in range(100)])
    shot = shoot([skyline(WIDTH + 440)], [1] * 100, poses, pan=0)
    front = np.zeros_like(shot.alphas)
    front[:, 150:300, 150:430] = 1
    alphas = shot.alphas * (1 - front)
    frames = np.where(shot.alphas[..., None] > 0, shot.frames, 255).astype(np.uint8)
    frames[:, 150:300, 150:430] = (230, 150, 40)
    sheet = exposure_sheet(frames, alphas, report=Silent(), front=front, behind=lambda t: np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    assert sheet.exposure.tolist() == [1] * 100
    assert pose_error(sheet, poses, center=(400, 100)) < 0.3


def test_a_drawing_that_is_shown_for_long_is_measured_a_part_at_a_time(walkers, monkeypatch):
    monkeypatch.setattr("toondecompose_blender.engine.drawings._TOGETHER", 4)
    poses = walk(14)
    sheet = sheet_of(shoot(walkers, [1] * 14, poses))
    assert sheet.exposure.tolist() == [1] * 14 and pose_error(sheet, poses) < 0.1
    assert np.allclose(sheet.poses[sheet.references], np.eye(3))


def bushes(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames and alphas of a dotted bush and a larger plain one that pass at 3 and at 6 px a frame, as if they were one sprite."""
    sky, green, dark, width, height, fine = (200, 230, 245), (40, 130, 40), (20, 80, 20), 360, 120, 4
    random, pictures, alphas = np.random.default_rng(1), [], []
    dots = [(random.uniform(-20, 20), random.uniform(-10, -2)) for _ in range(10)]
    for t in range(frames):
        mask, paint = np.zeros((fine * height, fine * width), np.uint8), np.full((height, width, 3), green, np.float32)
        for x, wide, high in ((110 - 3 * t, 50, 16), (400 - 6 * t, 80, 26)):
            for aside, part in ((-0.32, 0.6), (0, 1.0), (0.3, 0.7)):
                cv2.circle(mask, (int(fine * (x + aside * wide)), fine * 100), int(fine * part * high), 255, -1)
        for x, y in dots:
            cv2.circle(paint, (round(16 * (110 - 3 * t + x)), round(16 * (100 + y))), 24, dark, -1, cv2.LINE_AA, 4)
        mask[fine * 100:] = 0
        alpha = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
        pictures.append(np.rint(sky + alpha[..., None] / 255 * (paint - np.float32(sky))).astype(np.uint8))
        alphas.append(alpha)
    return np.stack(pictures), np.stack(alphas)


def test_what_is_measured_inside_one_part_of_a_sprite_does_not_tear_off_another_that_goes_its_own_way():
    frames, alphas = bushes(16)
    sheet = exposure_sheet(frames, alphas, report=Silent())
    for t, number in enumerate(sheet.exposure):
        brought = cv2.warpPerspective(alphas[sheet.references[number - 1]], sheet.poses[t], alphas.shape[:0:-1]) > 127
        shown = alphas[t] > 127
        assert (brought & shown).sum() > 0.7 * (brought | shown).sum()     # .20 by the dots of the one alone


@pytest.mark.parametrize("pan", [0, 6])
def test_mattes_with_background_in_their_gaps_do_no_harm_where_the_background_is_known(walkers, pan):
    exposure = [k // 2 % 3 + 1 for k in range(12)]
    shot = shoot(walkers, exposure, walk(12), pan=pan)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))
    alphas = np.stack([cv2.morphologyEx(alpha, cv2.MORPH_CLOSE, disc) for alpha in shot.alphas])
    assert alphas.sum() > 1.02 * shot.alphas.sum()
    sheet = exposure_sheet(shot.frames, alphas, report=Silent(), behind=shot.behind.__getitem__)
    assert sheet.exposure.tolist() == exposure


@pytest.mark.parametrize(("pan", "step"), [(3, 2.0), (5, 0.5), (2, 3.0)])
def test_feet_that_stay_with_the_ground_are_parts_of_their_drawings(pan, step):
    stride = 2 * (pan + step)   # of a planted foot, held for two frames
    drawings = [character(leg=float(np.arcsin((2.5 - k) * stride / 62))) for k in range(6)]
    exposure = each([2] * 6)
    shot = shoot(drawings, exposure, walk(12, step=(step, 0), start=(200, 60)), pan=pan)
    sheet = exposure_sheet(shot.frames, shot.alphas, report=Silent(), behind=shot.behind.__getitem__)
    assert sheet.exposure.tolist() == exposure


def test_a_sliver_beside_what_hides_the_sprite_still_has_a_place():
    alpha, front = np.zeros((60, 60), np.float32), np.zeros((60, 60), np.float32)
    alpha[10:50, 30:32], front[10:50, 32:55] = 1, 1
    view = view_of(0, np.full((60, 60, 3), 90, np.uint8), alpha, 255.0, front=front)
    assert view.cut and np.allclose(view.center, (30.5, 29.5))


def test_a_clip_without_the_sprite_has_an_empty_sheet():
    shot = shoot([], [0] * 4, walk(4))
    sheet = sheet_of(shot)
    assert sheet.exposure.tolist() == [0] * 4 and len(sheet.references) == 0


def test_alphas_in_bytes_give_the_same_sheet_with_one_thread_and_with_two(walkers, monkeypatch):
    shot = shoot(walkers, each([2, 2, 2]), walk(6))
    in_bytes = replace(shot, alphas=np.rint(shot.alphas * 255).astype(np.uint8))
    sheets = []
    for threads in ("1", "2"):
        monkeypatch.setenv("TOONDECOMPOSE_THREADS", threads)
        sheets.append(sheet_of(in_bytes))
    assert sheets[0].exposure.tolist() == each([2, 2, 2])
    assert sheets[0].poses.tobytes() == sheets[1].poses.tobytes()


def test_the_artist_can_stop_it(walkers):
    class Impatient(Silent):
        def step(self, count=1):
            raise Stopped

    shot = shoot(walkers, [1, 1], walk(2))
    with pytest.raises(Stopped):
        exposure_sheet(shot.frames, shot.alphas, report=Impatient())


def in_bytes(shot: Shot) -> np.ndarray:
    return np.rint(shot.alphas * 255).astype(np.uint8)


def test_the_canvas_holds_every_exposure_with_a_border_and_shows_it_in_one_place(walkers):
    exposure = [k // 2 % 4 + 1 for k in range(16)]
    shot = shoot(walkers, exposure, walk(16, start=(40, 60), zoom=0.003))
    sheet = sheet_of(shot)
    canvas = canvas_of(sheet, in_bytes(shot), width=2 * WIDTH, height=2 * HEIGHT)
    seen = {}
    for t, number in enumerate(sheet.exposure):
        large = cv2.resize(shot.alphas[t], (2 * WIDTH, 2 * HEIGHT))
        on_canvas = cv2.warpPerspective(large, np.linalg.inv(canvas.homographies[t]), (canvas.width, canvas.height))
        assert on_canvas.sum() > 0.97 * large.sum() / np.linalg.det(canvas.homographies[t][:2, :2])
        for border in (on_canvas[:2], on_canvas[-2:], on_canvas[:, :2], on_canvas[:, -2:]):
            assert border.max() == 0
        first = seen.setdefault(number, on_canvas)
        assert np.abs(first - on_canvas).mean() < 0.01


def test_a_drawing_is_not_resampled_in_its_reference_frame(walkers):
    shot = shoot(walkers, each([2, 2, 2]), walk(6))
    sheet = sheet_of(shot)
    canvas = canvas_of(sheet, in_bytes(shot), width=WIDTH, height=HEIGHT)
    for reference in sheet.references:
        shift = canvas.homographies[reference]
        assert np.array_equal(shift, np.rint(shift)) and np.array_equal(shift[:2, :2], np.eye(2))


def test_the_canvas_travels_evenly_when_the_shape_does_not():
    waving = [character(arm=angle) for angle in (-0.4, 1.6)]
    shot = shoot(waving, [k // 2 % 2 + 1 for k in range(24)], walk(24, step=(5, 0)))
    canvas = canvas_of(sheet_of(shot), in_bytes(shot), width=WIDTH, height=HEIGHT)
    middle = np.array([[canvas.width / 2, canvas.height / 2]])
    path = np.array([project(homography, middle)[0] for homography in canvas.homographies])
    steps = np.diff(path, axis=0)[4:-4]
    assert np.abs(steps - [5, 0]).max() < 2.5


def test_the_canvas_goes_with_the_body_while_a_part_of_it_changes():
    speaking = [character(mouth=size, arm=angle) for size, angle in ((1, 0.2), (16, 0.2), (16, 2.0))]
    poses = np.stack([translation(x, 70) for x in 120 - 16.0 * np.arange(12)])      # it leaves the picture on the left
    shot = shoot(speaking, each([4, 4, 4]), poses)
    sheet = sheet_of(shot)
    assert len(sheet.references) == 3 and len(np.unique(sheet.pegs[:, 0])) == 1
    canvas = canvas_of(sheet, in_bytes(shot), width=WIDTH, height=HEIGHT)
    steps = [relative(one, other) for one, other in zip(canvas.homographies, canvas.homographies[1:])]
    assert max(float(np.abs(step[:2, 2] - (-16, 0)).max()) for step in steps) < 1.2     # a drawing lies on whole pixels


def test_a_canvas_is_no_longer_than_what_is_seen_of_it_at_once():
    alphas = np.zeros((12, HEIGHT, WIDTH), np.uint8)
    alphas[:, 100:280] = 255    # a wall from border to border
    poses = np.repeat(np.eye(3)[None], 12, 0)
    pegs = np.stack([(0, 1000.0 - 90 * t, 190) for t in range(12)])     # a window in the wall, on which all drawings would hang
    sheet = ExposureSheet(np.arange(1, 13, dtype=np.int32), poses, np.arange(12, dtype=np.int32), pegs)
    assert canvas_of(sheet, alphas, width=WIDTH, height=HEIGHT).width < 1.1 * WIDTH


def test_a_border_that_cuts_the_sprite_does_not_shrink_its_canvas(walkers):
    poses = np.stack([translation(x, 70) for x in (60, 20, -30, -60, -80)])
    shot = shoot(walkers, [1] * 5, poses)
    sheet = sheet_of(shot)
    canvas = canvas_of(sheet, in_bytes(shot), width=WIDTH, height=HEIGHT)
    uncut = replace(shot, frames=shot.frames[:2], alphas=shot.alphas[:2])
    whole = canvas_of(sheet_of(uncut), in_bytes(uncut), width=WIDTH, height=HEIGHT)
    assert abs(canvas.width - whole.width) <= 3 and abs(canvas.height - whole.height) <= 3


def test_frames_without_the_sprite_carry_its_nearest_homography(walkers):
    shot = shoot(walkers, [0, 1, 1, 0, 0, 1], walk(6))
    canvas = canvas_of(sheet_of(shot), in_bytes(shot), width=WIDTH, height=HEIGHT)
    assert np.isfinite(canvas.homographies).all()
    assert np.array_equal(canvas.homographies[0], canvas.homographies[1])
    assert np.array_equal(canvas.homographies[3], canvas.homographies[2])
    assert np.array_equal(canvas.homographies[4], canvas.homographies[5])
    assert not np.array_equal(canvas.homographies[4], canvas.homographies[3])


def test_poses_of_the_analysis_become_poses_of_the_clip(walkers):
    shot = shoot(walkers, [1, 1, 1], walk(3))
    sheet = sheet_of(shot)
    small = canvas_of(sheet, in_bytes(shot), width=WIDTH, height=HEIGHT).homographies
    large = canvas_of(sheet, in_bytes(shot), width=3 * WIDTH, height=3 * HEIGHT).homographies
    between = [h[2] @ np.linalg.inv(h[0]) for h in (small, large)]
    assert np.allclose(resized(between[0], 3, 3), between[1], atol=1e-6)
