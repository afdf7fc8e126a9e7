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
from toondecompose_blender.engine.layers.planes_backdrop import FarPlane, build_backdrop

WIDTH, HEIGHT, FRAMES, PAN, BORDER = 192, 128, 24, 2, 2
STILL = np.tile(np.eye(3), (FRAMES, 1, 1))
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


def beside_a_thing(picture: np.ndarray, planes: tuple[FarPlane, ...] = ()) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """A frame with a thing that never leaves, its mask, and what `write_background` takes of such a clip with a still background."""
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[40:90, 60:120] = 1
    frame = np.where(mask[..., None] > 0, np.uint8(0), picture[:, :WIDTH])
    colors = np.random.default_rng(1).choice(np.uint8([[255, 0, 0], [0, 0, 255], [255, 255, 0]]), WIDTH // 4).repeat(4, 0)
    frame[37:40] = frame[90:93] = colors    # lines that the thing touches; how they go on, nothing tells
    clip = {"read": lambda t: frame, "weight": lambda t: plate_weight(mask, static=True)}
    backdrop = build_backdrop(clip["read"], clip["weight"], STILL, planes, size=(WIDTH, HEIGHT))
    return frame, mask, {"backdrop": backdrop, **clip, "size": (WIDTH, HEIGHT), "sharpens": False}


def test_close_beside_a_thing_that_never_leaves_a_still_background_is_shown_as_it_is(tmp_path, picture):
    frame, mask, clip = beside_a_thing(picture)
    missed, solved = [], []
    for name, rim in (("surely", None), ("rim", lambda t: rim_weight(mask))):
        records, backdrop = write_background(tmp_path / name, **clip, rim=rim)
        shown = cv2.imread(str(tmp_path / name / records[0].id / f"{records[0].id}_0001.png"))[BORDER:, BORDER:, ::-1]
        missed.append(np.abs(shown[:HEIGHT, :WIDTH].astype(int) - frame)[mask == 0].max())
        solved.append(backdrop.plates[-1])
    assert missed[0] > 60 and missed[1] <= 2
    assert np.array_equal(solved[0].picture, solved[1].picture)     # nothing is solved against it
    assert np.array_equal(solved[0].seen, solved[1].seen) and (solved[1].seen[BORDER:, BORDER:][38, 60:120] == 0).all()


def test_of_a_background_that_is_painted_anew_no_rim_is_shown(tmp_path, picture):
    opening = np.zeros((FRAMES, HEIGHT + 2 * BORDER, WIDTH + 2 * BORDER), np.uint8)
    opening[FRAMES // 2:] = 255
    _, mask, clip = beside_a_thing(picture, (FarPlane(STILL, 1.0, opening),))
    files = []
    for name, rim in (("surely", None), ("rim", lambda t: rim_weight(mask))):
        write_background(tmp_path / name, **clip, rim=rim)
        files.append([path.read_bytes() for path in sorted((tmp_path / name).rglob("*.png"))])
    assert files[0] == files[1] and len(files[0]) > 1
