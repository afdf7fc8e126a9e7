# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow of drawn pictures whose motion is known, and what is said when a method cannot work."""

import importlib.util

import cv2
import numpy as np
import pytest

from toondecompose_blender.engine.flow import Flow, compute_flow
from toondecompose_blender.engine.flow.raft import torchvision_keys
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.protocol import ClipError, EngineError, SettingsError


pytestmark = pytest.mark.usefixtures("one_thread_a_frame")


def moving(width, height, count=4, step=(3, -2)):
    """A painted picture that moves by `step` px a frame, and a square in front that stands still."""
    rng = np.random.default_rng(1)
    large = rng.integers(0, 255, (height + 80, width + 80, 3), np.uint8)
    large = cv2.normalize(cv2.GaussianBlur(large, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    frames = []
    for t in range(count):
        x, y = 40 - step[0] * t, 40 - step[1] * t
        frame = large[y:y + height, x:x + width].copy()
        cv2.rectangle(frame, (width // 2, height // 2), (width // 2 + 30, height // 2 + 30), (250, 40, 30), -1)
        frames.append(frame)
    return np.stack(frames)


@pytest.mark.parametrize("size", [(320, 270), (200, 120)])
def test_a_pan_is_seen_both_ways_at_large_and_small_sizes(size):
    flow = compute_flow(moving(*size), report=Silent())
    assert flow.forward.shape == (3, size[1], size[0], 2) and flow.forward.dtype == np.float16
    inner = (slice(None), slice(20, size[1] // 2 - 20), slice(20, size[0] - 20))
    assert np.abs(np.median(flow.forward[inner].astype(float), (1, 2)) - [3, -2]).max() < 0.1
    assert np.abs(np.median(flow.backward[inner].astype(float), (1, 2)) - [-3, 2]).max() < 0.1


def test_flow_is_consistent_where_things_are_seen_twice_and_not_where_they_leave():
    flow = compute_flow(moving(320, 270, step=(12, 0)), report=Silent())
    seen = flow.consistent(1)
    assert seen[20:110, 20:280].mean() > 0.97
    assert seen[20:110, -8:].mean() < 0.1
    assert flow.consistent_back(1)[20:110, :8].mean() < 0.1


def test_the_tolerance_grows_with_the_motion():
    forward = np.zeros((1, 40, 60, 2), np.float16)
    backward = forward.copy()
    forward[..., 0], backward[..., 0] = 10, -9.1  # off by .9 px: 1 px² + 1 % of 100 px² allow 1.4 px
    assert Flow(forward, backward).consistent(0)[:, :45].all()
    backward[..., 0] = -8.4
    assert not Flow(forward, backward).consistent(0).any()


def test_the_number_of_threads_changes_no_byte(monkeypatch):
    frames = moving(240, 140)
    monkeypatch.setenv("TOONDECOMPOSE_THREADS", "1")
    one = compute_flow(frames, report=Silent())
    monkeypatch.setenv("TOONDECOMPOSE_THREADS", "2")
    two = compute_flow(frames, report=Silent())
    assert one.forward.tobytes() == two.forward.tobytes() and one.backward.tobytes() == two.backward.tobytes()


def test_one_frame_has_no_flow():
    assert compute_flow(moving(64, 48, count=1), report=Silent()).forward.shape == (0, 48, 64, 2)


def test_unknown_methods_and_tiny_frames_are_refused_with_a_remedy():
    with pytest.raises(SettingsError) as refused:
        compute_flow(moving(64, 48), method="guess", report=Silent())
    assert refused.value.code == "settings.flow" and "dis" in refused.value.remedy
    with pytest.raises(ClipError):
        compute_flow(np.zeros((2, 9, 40, 3), np.uint8), report=Silent())


def test_raft_without_its_parts_says_how_to_get_them(tmp_path):
    with pytest.raises(EngineError) as refused:
        compute_flow(moving(64, 48), method="raft", weights=tmp_path / "absent.pth", report=Silent())
    expected = "engine.raft_weights" if importlib.util.find_spec("torchvision") else "engine.raft_missing"
    assert refused.value.code == expected and "dis" in refused.value.remedy


@pytest.mark.parametrize(("published", "expected"), [
    ("module.fnet.conv1.weight", "feature_encoder.convnormrelu.0.weight"),
    ("module.cnet.norm1.running_mean", "context_encoder.convnormrelu.1.running_mean"),
    ("module.cnet.layer2.0.conv1.bias", "context_encoder.layer2.0.convnormrelu1.0.bias"),
    ("module.cnet.layer2.0.norm2.weight", "context_encoder.layer2.0.convnormrelu2.1.weight"),
    ("module.cnet.layer2.0.downsample.0.weight", "context_encoder.layer2.0.downsample.0.weight"),
    ("module.fnet.conv2.weight", "feature_encoder.conv.weight"),
    ("module.update_block.encoder.convc1.weight", "update_block.motion_encoder.convcorr1.0.weight"),
    ("module.update_block.encoder.conv.bias", "update_block.motion_encoder.conv.0.bias"),
    ("module.update_block.gru.convq2.weight", "update_block.recurrent_block.convgru2.convq.weight"),
    ("module.update_block.flow_head.conv2.weight", "update_block.flow_head.conv2.weight"),
    ("module.update_block.mask.2.weight", "mask_predictor.conv.weight"),
    ("feature_encoder.conv.weight", "feature_encoder.conv.weight"),
])
def test_published_raft_weights_are_known_by_either_name(published, expected):
    state = torchvision_keys({published: 1})
    assert list(state) == [expected]


def test_a_file_that_is_no_raft_network_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchvision")
    torch.save({"fnet.conv1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(EngineError) as refused:
        compute_flow(moving(64, 48), method="raft", weights=tmp_path / "other.pth", report=Silent())
    assert refused.value.code == "engine.raft_weights"
