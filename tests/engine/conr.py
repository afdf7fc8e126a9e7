# SPDX-License-Identifier: GPL-3.0-or-later
"""CoNR's parameters by a recipe instead of a download: normal numbers seeded by their names.
Must not know what the networks make of them."""

from __future__ import annotations

import zlib

import numpy as np
import torch

from toondecompose_blender.engine.character.networks import NETWORKS


def recipe(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The parameter `key` as the reference outputs used it: normal numbers seeded by its name."""
    n = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode()))).standard_normal(shape)
    if len(shape) >= 2:
        transposed = key.endswith(".up.weight") or ".conv_last." in key
        gain = np.sqrt(2)
        if key.startswith("decoder_blocks."):
            gain = 0.75 if key.endswith(".conv_last.2.weight") else 1.25
        n *= gain / np.sqrt(shape[0] * 4 if transposed else np.prod(shape[1:]))
    elif key.endswith(".norm.weight"):
        n = 1 + 0.02 * n
    else:
        n = 0.02 * n + (0.25 if key.endswith(".weight") else 0)
    return torch.from_numpy(n.astype(np.float32))


def state_of(name: str) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        network = NETWORKS[name]()
    return {key: recipe(key, tuple(value.shape)) for key, value in network.state_dict().items()}
