# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the four published checkpoint files, strictly and without running anything they contain.
What a file must hold is asked of the network itself; nothing here knows sheets or poses."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from ...protocol import CharacterError
from .networks import NETWORKS

__all__ = ["load_network", "check_folder", "LATER_FILES"]

LATER_FILES = ("cinnnet.pth", "udpadecodernet.pth")  # the files that the later network (Live3D v2) has and CoNR has not
REMEDY = "Choose the folder with udpparsernet.pth, target_pose_encoder.pth, shader.pth and rgbadecodernet.pth of CoNR (2022)."


def check_folder(folder: Path) -> None:
    """All four files are there.

    Raises `CharacterError`: character.weights_missing, character.weights_later (a folder of the later network).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CharacterError("character.weights_missing", f"The weights folder {folder} does not exist.", REMEDY)
    missing = [f"{name}.pth" for name in NETWORKS if not (folder / f"{name}.pth").is_file()]
    if missing and any((folder / name).is_file() for name in LATER_FILES):
        raise _later(folder)
    if missing:
        raise CharacterError("character.weights_missing", f"{folder} lacks {', '.join(missing)}.", REMEDY)


def load_network(folder: Path, name: str, *, device: str | torch.device = "cpu") -> nn.Module:
    """The network `name` (a key of `NETWORKS`) with the parameters of `<folder>/<name>.pth`, float32, for inference.

    Raises `CharacterError`: character.weights_missing, .weights_unreadable (truncated or no checkpoint), .weights_wrong
    (of another network or with values that are no numbers), .weights_later.
    """
    path = Path(folder) / f"{name}.pth"
    with torch.device("meta"):
        network = NETWORKS[name]()
    state = _compared(path, _stripped(path, _read(path)), network.state_dict())
    network.load_state_dict(state, strict=True, assign=True)
    return network.to(device).eval().requires_grad_(False)


def _read(path: Path) -> dict:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CharacterError("character.weights_missing", f"{path} does not exist.", REMEDY) from None
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError, ValueError, KeyError, AttributeError, UnicodeDecodeError) as cause:
        raise CharacterError("character.weights_unreadable", f"{path.name} is truncated or no checkpoint ({path.stat().st_size} bytes).",
                             "Download the file again; a complete one is as large as its source says.") from cause


def _stripped(path: Path, state: object) -> dict[str, torch.Tensor]:
    """The parameters by name, without the prefix that saving from several devices leaves."""
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CharacterError("character.weights_wrong", f"{path.name} holds no plain table of parameters.", REMEDY)
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _compared(path: Path, state: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    missing, foreign = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or foreign:
        if any((path.parent / name).is_file() for name in LATER_FILES):
            raise _later(path.parent)
        example = missing[0] if missing else foreign[0]
        raise CharacterError("character.weights_wrong", f"{path.name} is of another network: {len(missing)} parameters are missing, "
                             f"{len(foreign)} are unknown, for example {example}.", REMEDY)
    for key, value in state.items():
        if value.shape != expected[key].shape:
            raise CharacterError("character.weights_wrong", f"{path.name} is of another network: {key} has shape {tuple(value.shape)} "
                                 f"instead of {tuple(expected[key].shape)}.", REMEDY)
        if not torch.isfinite(value).all():
            raise CharacterError("character.weights_wrong", f"{path.name} is damaged: {key} holds values that are no numbers.",
                                 "Download the file again.")
    return {key: value.to(torch.float32) for key, value in state.items()}


def _later(folder: Path) -> CharacterError:
    return CharacterError("character.weights_later", f"{folder} holds the later network (Live3D v2), which is built differently.", REMEDY)
