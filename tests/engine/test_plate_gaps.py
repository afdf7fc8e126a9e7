# SPDX-License-Identifier: GPL-3.0-or-later
"""What is only ever seen through the gaps of something near, or close beside it, is shown as background; what a mask's hole shows is not.
Things drawn before a panning picture, or a still one, with their masks given."""

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.background import write_background
from toondecompose_blender.engine.geometry import translation
from toondecompose_blender.engine.layers.evidence import rim_weight
from toondecompose_blender.engine.layers.find import plate_weight
from toondecompose_blender.engine.layers.plate import Plate, build_plate, canvas_of_plane
from toondecompose_blender.engine.layers.planes_backdrop import build_backdrop

WIDTH, HEIGHT, FRAMES, PAN, BORDER = 192, 128, 24, 2, 2
CAMERA = np.stack([translation(-PAN * t, 0) for t in range(FRAMES)])
HIDDEN = np.s_[60:120, 60:-60]      # of the picture: below the thicket's tops, and shown by most frames


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(5)
    return cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH + PAN * (FRAMES - 1), 3), np.uint8), (0, 0), 2)


def stitched(picture: np.ndarray, things: np.ndarray, masks: np.ndarray) -> Plate:
    """The plate of a pan over `picture`, black where `things` are, with these `masks` of them, both float32 (T, H, W)."""
    frames = [np.where(thing[..., None] > 0, np.uint8(0), picture[:, PAN * t:][:, :WIDTH]) for t, thing in enumerate(things)]
    canvas = canvas_of_plane(CAMERA, WIDTH, HEIGHT, border=BORDER)
    return build_plate(frames.__getitem__, lambda t: plate_weight(masks[t], static=False), canvas)


def error(plate: Plate, picture: np.ndarray, place: tuple[slice, slice]) -> float:
    """The mean difference of a place of the picture, gray levels."""
    shown = plate.picture[BORDER:, BORDER:][:HEIGHT, :picture.shape[1]]
    return float(np.abs(shown[place].astype(int) - picture[place]).mean())


def test_what_is_seen_only_through_gaps_is_on_the_plate(picture):
    rows, columns = np.arange(HEIGHT)[:, None] >= 60, np.arange(WIDTH)
    thicket = np.stack([rows & ((columns + 5 * t) % 12 < 4) for t in range(FRAMES)]).astype(np.float32)
    plate = stitched(picture, thicket, thicket)
    assert plate.seen[BORDER:, BORDER:][HIDDEN].mean() > 0.95 and error(plate, picture, HIDDEN) < 2


def test_what_a_hole_in_a_mask_shows_is_not_where_a_few_frames_show_the_background(picture):
    figure, hole = np.s_[40:100, 110:160], np.s_[64:76, 129:141]      # it stays before one place, and leaves in the end
    thing, holed = np.zeros(picture.shape[:2], np.float32), np.zeros(picture.shape[:2], np.float32)
    thing[figure] = holed[figure] = 1
    holed[hole] = 0
    things, masks = (np.stack([one[:, PAN * t:][:, :WIDTH] * (t < FRAMES - 3) for t in range(FRAMES)]) for one in (thing, holed))
    assert error(stitched(picture, things, masks), picture, hole) < 4


@pytest.mark.parametrize("rim", [None, rim_weight], ids=["surely", "rim"])
def test_close_beside_a_thing_that_never_leaves_a_still_background_is_shown_as_it_is(tmp_path, picture, rim):
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[40:90, 60:120] = 1
    frame = np.where(mask[..., None] > 0, np.uint8(0), picture[:, :WIDTH])
    frame[37:40] = frame[90:93] = 255, 0, 0     # lines that the thing touches
    frames, still = np.stack([frame] * FRAMES), np.tile(np.eye(3), (FRAMES, 1, 1))

    def weight(t: int) -> np.ndarray:
        return plate_weight(mask, static=True)

    backdrop = build_backdrop(frames.__getitem__, weight, still, (), size=(WIDTH, HEIGHT))
    records, solved = write_background(tmp_path, backdrop, frames.__getitem__, weight, size=(WIDTH, HEIGHT), sharpens=False,
                                       rim=rim and (lambda t: rim(mask)))
    shown = cv2.imread(str(tmp_path / records[0].id / f"{records[0].id}_0001.png"))[..., ::-1]
    missed = np.abs(shown[2:, 2:][:HEIGHT, :WIDTH].astype(int) - frame)[mask == 0].max()
    assert missed <= 2 if rim else missed > 60      # shown as it is only where it may
    assert (backdrop.plates[-1].seen[2:, 2:][:HEIGHT, :WIDTH][38, 60:120] == 0).all()
    assert np.array_equal(solved.plates[-1].seen, backdrop.plates[-1].seen)     # nothing is solved against it
