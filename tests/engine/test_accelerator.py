# SPDX-License-Identifier: GPL-3.0-or-later
"""The heavy loops in batches against the same loops frame by frame: operators, masks, plates, a whole decomposition, a full memory.
Batches run through torch on the processor here, which is the code that a graphics card runs."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from tests.engine.drawn import draw_clip
from toondecompose_blender.engine.accelerator import Accelerator, planned
from toondecompose_blender.engine.accelerator.pictures import resized, warped
from toondecompose_blender.engine.accelerator.walker import edge_weights as batched_edge_weights
from toondecompose_blender.engine.accelerator.walker import random_walk as batched_random_walk
from toondecompose_blender.engine.decompose import decompose
from toondecompose_blender.engine.flow import compute_flow
from toondecompose_blender.engine.geometry import project
from toondecompose_blender.engine.layers import plate
from toondecompose_blender.engine.layers.evidence import motion_masks, residual_masks
from toondecompose_blender.engine.layers.find import find_layers
from toondecompose_blender.engine.layers.plate import build_plate, canvas_of_plane
from toondecompose_blender.engine.matting.random_walker import edge_weights, random_walk
from toondecompose_blender.engine.motion import Motion
from toondecompose_blender.engine.motion.links import Measure, measure_links
from toondecompose_blender.engine.motion.pictures import prepare
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.engine.recompose import SpriteRenderer
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.engine.settings import Settings

FLAGS = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
BORDERS = {"zeros": cv2.BORDER_CONSTANT, "border": cv2.BORDER_REPLICATE}
FRAMES = 8
TURNED = np.array([[1.02, 0.03, -7.3], [-0.02, 0.98, 5.7], [1e-4, -2e-4, 1]])


class Warnings(Silent):
    """A report that remembers what the artist is told."""

    def __init__(self):
        self.codes = []

    def warn(self, code, message, remedy=""):
        self.codes.append(code)


class Counted(Accelerator):
    """An accelerator that remembers what it was asked to do in batches."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.computed = {}

    def map(self, on_device, items, **options):
        def counted(batch):
            name = getattr(on_device, "func", on_device).__qualname__.split(".")[0]
            self.computed[name] = self.computed.get(name, 0) + len(batch)
            return on_device(batch)
        return super().map(counted, items, **options)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)        # OpenMP's threads wait by spinning, which costs the most where cores are few
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def clip():
    return draw_clip(frames=FRAMES, width=224, height=136, size=100, hold=1, cycle=3)


@pytest.fixture(scope="module")
def folder(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    for t, frame in enumerate(clip.frames):
        write_picture(folder / f"{t + 1:03}.png", frame)
    return folder


def decomposed(folder, out, accelerator=None):
    return decompose(folder, out, settings=Settings(sprites=2, device="cpu"), report=Silent(), accelerator=accelerator)


@pytest.fixture(scope="module")
def plain(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "out"
    return out, decomposed(folder, out)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("interpolation", FLAGS)
def test_a_warp_is_opencvs(clip, interpolation, border):
    frame, size = clip.frames[0], (200, 190)
    wanted = cv2.warpPerspective(frame, TURNED, size, flags=FLAGS[interpolation] | cv2.WARP_INVERSE_MAP, borderMode=BORDERS[border])
    batch = Accelerator("cpu").pictures([frame, frame[::-1]])
    found = warped(batch, np.stack([TURNED] * 2), size, interpolation=interpolation, border=border)[0].permute(1, 2, 0)
    difference = np.abs(found.clamp(0, 255).round().numpy() - wanted)
    # Two pixels that lie half way between others may be rounded to either.
    assert (difference > 1).sum() <= (2 * 3 if interpolation == "nearest" else 0)


@pytest.mark.parametrize("area", [False, True])
def test_a_size_is_changed_as_opencv_does(clip, area):
    picture = clip.frames[0].astype(np.float32)
    wanted = cv2.resize(picture, (143, 61), interpolation=cv2.INTER_AREA if area else cv2.INTER_LINEAR)
    found = resized(Accelerator("cpu").pictures([picture]), (143, 61), area=area)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - wanted).max() < 0.01


def test_random_walks_in_a_batch_are_those_taken_one_by_one(clip):
    device, drawn = Accelerator("cpu"), np.random.default_rng(0)
    frames, behind = clip.frames[:3, :131, :203], clip.frames[3:6, :131, :203]
    value, confidence = (drawn.random((3, 131, 203)).astype(np.float32) ** power for power in (1, 6))
    batch = batched_random_walk(device.pictures(value), device.pictures(confidence),
                                *batched_edge_weights(device.pictures(frames), device.pictures(behind)))
    for i in range(3):
        assert np.abs(batch[i, 0].numpy() - random_walk(value[i], confidence[i], *edge_weights(frames[i], behind[i]))).max() < 1e-3


@pytest.mark.parametrize("seeded", [False, True])
def test_masks_in_batches_are_those_of_single_frames(clip, seeded):
    device = Counted("cpu", budget=40 << 20)
    prior = motion_masks(clip.frames, clip.camera)
    for before, plain in ((None, prior), (prior, motion_masks(clip.frames, clip.camera, before=prior))):
        assert np.abs(motion_masks(clip.frames, clip.camera, before=before, accelerator=device) - plain).mean() < 1e-3
    seeds = np.full(clip.frames.shape[:3], 255, np.uint8) if seeded else None
    if seeded:
        seeds[:, 20:40, 30:60], seeds[:, 90:120, 100:120] = 0, 1
    known = np.indices(clip.frames.shape[1:3]).sum(0) % 97 > 9

    def look(t):
        return np.roll(clip.frames[(t + 3) % FRAMES], 2, 1), known

    masks = [residual_masks(clip.frames, look, prior, prior_trust=(0.1, 0.4), seeds=seeds, accelerator=one) for one in (None, device)]
    assert np.abs(masks[0] - masks[1]).mean() < 1e-3
    assert device.computed == {"motion_masks": 2 * FRAMES, "residual_masks": FRAMES}


@pytest.mark.parametrize("most", [100, 3])
def test_a_plate_voted_in_strips_or_of_a_long_clip_in_squares_is_the_same_plate(clip, most, monkeypatch):
    monkeypatch.setattr(plate, "MOST_VOTERS", most)
    monkeypatch.setattr(plate, "LONG_TILE", (96, 64))
    weights = np.rint(255 * (1 - clip.alphas[0].astype(np.float32) / clip.alphas[0].max())).astype(np.uint8)
    weights[:, weights.shape[1] // 2:] //= 255 // plate.AT_NEED
    canvas = canvas_of_plane(clip.camera, *clip.frames.shape[2:0:-1], border=70)     # no frame reaches its corners
    one, other = (build_plate(clip.frames.__getitem__, weights.__getitem__, canvas, accelerator=device)
                  for device in (None, Accelerator("cpu", budget=20 << 20)))
    difference = np.abs(one.picture.astype(int) - other.picture)
    assert difference.mean() < 0.05 and (difference > 2).mean() < 1e-3
    assert (one.seen != other.seen).mean() < 1e-3


def test_a_clip_decomposed_in_batches_has_the_same_sheet_order_mattes_and_homographies(clip, folder, plain, tmp_path):
    device = Counted("cpu")
    (out, one), other = plain, decomposed(folder, tmp_path / "out", device)
    assert {"_links", "motion_masks", "residual_masks", "voted", "solve_drawings", "Recomposer"} <= set(device.computed)
    assert [(sprite.id, sprite.exposure) for sprite in other.sprites] == [(sprite.id, sprite.exposure) for sprite in one.sprites]
    for mine, same in zip(other.sprites, one.sprites, strict=True):
        assert np.abs(np.load(tmp_path / "out" / mine.homographies) - np.load(out / same.homographies)).max() < 0.02
        looks = [SpriteRenderer(at, whole, sprite) for at, whole, sprite in ((tmp_path / "out", other, mine), (out, one, same))]
        assert max(np.abs(looks[0].frame(t) - looks[1].frame(t))[..., 3].mean() for t in range(FRAMES)) < 2 / 255


def test_without_memory_the_processor_does_it_all_and_the_artist_is_warned_once(folder, plain, tmp_path):
    told = Warnings()
    assert decomposed(folder, tmp_path / "out", Accelerator("cpu", report=told, budget=1000)).files == plain[1].files
    assert told.codes == ["engine.out_of_memory"]


def test_a_batch_that_does_not_fit_after_all_is_tried_in_halves_then_on_the_processor():
    told, sizes = Warnings(), []
    device = Accelerator("cpu", report=told, budget=80)

    def doubled(batch):
        sizes.append(len(batch))
        if len(batch) > 2 or 11 in batch:
            torch.empty(1 << 60, dtype=torch.uint8)      # more than any machine has
        return [2 * item for item in batch]

    assert list(device.map(doubled, range(12), otherwise=lambda item: 2 * item, bytes_each=10)) == [2 * item for item in range(12)]
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 2, 1, 1] and told.codes == ["engine.out_of_memory"]


def test_an_error_that_is_not_of_memory_is_not_hidden():
    def broken(batch):
        return torch.ones(2) @ torch.ones(3)

    with pytest.raises(RuntimeError, match="size"):
        list(Accelerator("cpu").map(broken, [1], otherwise=lambda item: item, bytes_each=1))


def test_batches_are_planned_within_what_is_free_and_no_larger_than_useful():
    assert planned(0) == 0
    assert planned(8 << 30) <= 4 << 30
    assert planned(140 << 30) == planned(80 << 30) <= 16 << 30


def test_a_little_less_free_memory_does_not_change_the_batches():
    assert planned(7 << 30) == planned(6 << 30) > planned(3 << 30)


@pytest.mark.parametrize("family", ["translation", "similarity", "affine", "homography"])
def test_links_aligned_together_are_those_aligned_one_by_one(clip, family):
    device = Counted("cpu", budget=60 << 20)
    pictures = prepare(clip.frames)
    weights = tuple(np.linspace(0, 1, len(points), dtype=np.float32) for points in pictures.points)
    plain = Measure(pictures, family, weights, minimum=60)
    start = clip.camera.copy()
    start[3, :2, 2] += 1.5                               # within reach of the wide blur
    start[5, :2, 2] += 400                               # nowhere: its pairs share nothing
    pairs = [(t, t + step) for step in (1, 3) for t in range(FRAMES - step)]
    one, other = (measure_links(measure, start, pairs) for measure in (plain, replace(plain, accelerator=device)))
    assert [(link.source, link.target) for link in one] == [(link.source, link.target) for link in other]
    assert 5 < len(one) < len(pairs)
    for mine, same in zip(other, one, strict=True):
        assert np.abs(project(mine.homography, mine.points) - project(same.homography, same.points)).max() < 1e-3
        assert mine.weight == pytest.approx(same.weight, abs=1e-3)
    assert device.computed["_links"] >= len(one)


def test_sprites_that_overlap_share_their_masks_in_batches_as_in_single_frames():
    crowd = draw_clip(frames=6, width=224, height=136, size=100, hold=1, cycle=3, sprites=2)
    camera = Motion(crowd.camera, False, "translation", 0.0, 3)
    flow = compute_flow(crowd.frames, report=Silent())
    device = Counted("cpu")
    one, other = (find_layers(crowd.frames, flow, camera, sprites=3, report=Silent(), accelerator=use) for use in (None, device))
    assert one.alphas.shape == other.alphas.shape and len(one.alphas) == 2
    assert np.abs(one.alphas.astype(int) - other.alphas).mean() < 0.5
    assert device.computed["_shared_out"] == 6


def test_batches_repeat_themselves_to_the_last_bit_with_any_number_of_threads(clip):
    masks = []
    for threads in (1, 2, 2):
        torch.set_num_threads(threads)
        masks.append(motion_masks(clip.frames, clip.camera, accelerator=Accelerator("cpu", budget=40 << 20)))
    torch.set_num_threads(1)
    assert np.array_equal(masks[0], masks[1]) and np.array_equal(masks[1], masks[2])
