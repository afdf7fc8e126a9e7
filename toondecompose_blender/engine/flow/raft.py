# SPDX-License-Identifier: GPL-3.0-or-later
"""RAFT flow (Teed and Deng 2020) through torchvision, with weights that the artist brings, in either published layout.
It never downloads anything; it knows nothing of what its flow is used for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...protocol import EngineError

if TYPE_CHECKING:
    import torch

__all__ = ["Raft", "torchvision_keys"]

_UPDATES = 20  # refinement steps: torchvision's own evaluation uses 12 for speed and 32 for its tables
_STRIDE = 8  # the network's feature maps
_SMALLEST = 128  # px: below it the coarsest correlation level is empty

# princeton-vl/RAFT -> torchvision.models.optical_flow.raft_large, module by module; the convolutions inside keep their order
_RENAMED = (
    (r"^fnet\.", "feature_encoder."), (r"^cnet\.", "context_encoder."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])(\d)\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."), (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
    (r"^(\w+_encoder)\.conv1\.", r"\1.convnormrelu.0."), (r"^(\w+_encoder)\.norm1\.", r"\1.convnormrelu.1."),
    (r"^(\w+_encoder)\.conv2\.", r"\1.conv."),
    (r"\.(layer\d\.\d)\.conv(\d)\.", r".\1.convnormrelu\2.0."), (r"\.(layer\d\.\d)\.norm([12])\.", r".\1.convnormrelu\2.1."),
    (r"\.(layer\d\.\d)\.norm3\.", r".\1.downsample.1."),
)


class Raft:
    """Flow of frame pairs by RAFT on `device`.  Raises `EngineError`: engine.raft_missing, engine.raft_weights."""

    threaded = False  # the network is parallel in itself

    def __init__(self, device: str, weights: Path | None):
        self._device = device
        self._network = _network(weights).to(device).eval()

    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flow first -> second and second -> first of two RGB uint8 frames, each float32 (h, w, 2)."""
        import torch

        height, width = first.shape[:2]
        pair = torch.from_numpy(np.stack([first, second])).permute(0, 3, 1, 2).to(self._device).float() / 127.5 - 1
        missing = [max(_SMALLEST, -(-size // _STRIDE) * _STRIDE) - size for size in (width, height)]
        left, top = missing[0] // 2, missing[1] // 2
        pair = torch.nn.functional.pad(pair, (left, missing[0] - left, top, missing[1] - top), mode="replicate")
        with torch.inference_mode():
            flow = self._network(pair, pair.flip(0), num_flow_updates=_UPDATES)[-1]
        flow = flow[..., top:top + height, left:left + width].permute(0, 2, 3, 1).float().cpu().numpy()
        return flow[0], flow[1]


def torchvision_keys(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A published RAFT state dict under torchvision's names; one that has them already comes back as it is.

    princeton-vl's files were saved from a parallel wrapper ("module.") and list the shortcut's normalisation twice.
    """
    state = {re.sub(r"^module\.", "", key): value for key, value in state.items()}
    if any(key.startswith("feature_encoder.") for key in state):
        return state
    renamed = {}
    for key, value in state.items():
        for pattern, replacement in _RENAMED:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    return renamed


def _network(weights: Path | None) -> torch.nn.Module:
    try:
        from torchvision.models.optical_flow import raft_large
    except ImportError as cause:
        raise EngineError("engine.raft_missing", "RAFT needs torchvision, which this engine does not have.",
                          "Install torchvision of the same release as torch into the engine, or use the built-in flow (dis).") from cause
    if weights is None or not Path(weights).is_file():
        raise EngineError("engine.raft_weights", f"There are no RAFT weights at {weights}." if weights else "RAFT needs a file of weights.",
                          "Download raft-sintel.pth from princeton-vl/RAFT or torchvision's raft_large, and name the file; "
                          "or use the built-in flow (dis).")
    network = raft_large(weights=None, progress=False)
    state = _read(Path(weights))
    wanted = network.state_dict()
    if missing := [key for key, value in wanted.items() if key not in state or state[key].shape != value.shape]:
        raise EngineError("engine.raft_weights", f"{weights} is not a RAFT (large) network: it lacks {missing[0]} and "
                          f"{len(missing) - 1} more.", "Choose raft-sintel.pth, raft-things.pth or a torchvision raft_large file.")
    network.load_state_dict({key: state[key] for key in wanted})
    return network


def _read(path: Path) -> dict[str, torch.Tensor]:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return torchvision_keys(state)
    except Exception as cause:  # torch.load raises what its readers raise: pickle, zip, io, runtime errors
        raise EngineError("engine.raft_weights", f"{path} cannot be read as network weights.",
                          "Download the file again; it may be incomplete.") from cause
