# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device the engine computes on.
It asks torch; it does not decide what runs there."""

from __future__ import annotations

from importlib.metadata import version

from ..protocol import EngineError

__all__ = ["resolve_device"]


def resolve_device(asked: str) -> str:
    """"cpu" or "cuda" for "auto", "cpu" or "cuda".  Raises `EngineError` (engine.no_cuda) if CUDA is asked for in vain."""
    if asked == "cpu" or (asked == "auto" and version("torch").endswith("+cpu")):
        return "cpu"
    import torch  # takes a second or two before the first sign of life, so only when the answer depends on it

    if torch.cuda.is_available():
        return "cuda"
    if asked == "cuda":
        raise EngineError("engine.no_cuda", "No CUDA device was found.",
                          "Choose the device Automatic or CPU, or install the NVIDIA driver.")
    return "cpu"
