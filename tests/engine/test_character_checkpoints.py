# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoint files that an artist brings: what loads, and what is refused before a byte of it is run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.engine.conr import state_of
from toondecompose_blender.engine.character import load_renderer
from toondecompose_blender.engine.character.checkpoints import load_network
from toondecompose_blender.engine.character.networks import DECODER
from toondecompose_blender.protocol import CharacterError


def test_a_checkpoint_saved_from_several_devices_loads(tmp_path):
    state = state_of(DECODER)
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / f"{DECODER}.pth")
    loaded = load_network(tmp_path, DECODER).state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def _truncated(path: Path) -> None:
    torch.save(state_of(DECODER), path)
    path.write_bytes(path.read_bytes()[:-2000])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><title>Sign in</title>")


def _code(path: Path) -> None:
    torch.save(Hostile(), path)


def _foreign(path: Path) -> None:
    torch.save({"encoder.weight": torch.zeros(3)}, path)


def _misshapen(path: Path) -> None:
    torch.save({key: value[:1] for key, value in state_of(DECODER).items()}, path)


def _not_numbers(path: Path) -> None:
    state = state_of(DECODER)
    state["conv_rgba.0.bias"][0] = float("nan")
    torch.save(state, path)


class Hostile:
    """What a malicious file may hold: an object that runs code when it is unpickled."""

    def __reduce__(self):
        return print, ("this must never be printed",)


@pytest.mark.parametrize(("spoil", "code"), [
    (_truncated, "character.weights_unreadable"), (_empty, "character.weights_unreadable"), (_web_page, "character.weights_unreadable"),
    (_code, "character.weights_unreadable"), (_foreign, "character.weights_wrong"), (_misshapen, "character.weights_wrong"),
    (_not_numbers, "character.weights_wrong")])
def test_files_that_are_no_checkpoint_are_refused_with_a_remedy(tmp_path, capsys, spoil, code):
    spoil(tmp_path / f"{DECODER}.pth")
    with pytest.raises(CharacterError) as refusal:
        load_network(tmp_path, DECODER)
    assert refusal.value.code == code and refusal.value.remedy
    assert "must never be printed" not in capsys.readouterr().out


def test_missing_files_are_named(tmp_path):
    torch.save(state_of(DECODER), tmp_path / f"{DECODER}.pth")
    with pytest.raises(CharacterError, match=r"shader\.pth") as refusal:
        load_renderer(tmp_path, device="cpu")
    assert refusal.value.code == "character.weights_missing"


def test_the_later_network_is_recognized(tmp_path):
    for name in ("cinnnet", "udpadecodernet", "rgbadecodernet"):
        torch.save({"weight": torch.zeros(1)}, tmp_path / f"{name}.pth")
    with pytest.raises(CharacterError, match="Live3D v2") as refusal:
        load_renderer(tmp_path, device="cpu")
    assert refusal.value.code == "character.weights_later"
