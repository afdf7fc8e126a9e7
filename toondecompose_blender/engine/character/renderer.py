# SPDX-License-Identifier: GPL-3.0-or-later
"""The four networks at work: a sheet and poses go in, premultiplied pictures come out; the published arithmetic, less its detours.
Knows arrays of one size only; files, crops and everything that improves on the publication live elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...protocol import CharacterError
from .checkpoints import check_folder, load_network
from .memory import keep_freed_memory
from .networks import DECODER, DETECTOR, ENCODER, SHADER, STRIDE, normalized

__all__ = ["Renderer", "StudiedSheet", "load_renderer", "premultiplied"]


def premultiplied(rgba: np.ndarray) -> np.ndarray:
    """uint8 (..., 4) straight alpha -> uint8 (..., 3) color times alpha, truncated as the published loader does."""
    return (rgba[..., :3] * (rgba[..., 3:] / 255.0)).astype(np.uint8)


@dataclass(frozen=True)
class StudiedSheet:
    """A sheet as the networks see it: `references` (V, 4, S, S) and their five features, deep to shallow."""
    references: torch.Tensor
    features: tuple[torch.Tensor, ...]

    @property
    def size(self) -> int:
        return self.references.shape[-1]

    def joined(self, *others: StudiedSheet) -> StudiedSheet:
        """This sheet with the views of others; each view was studied on its own, so nothing is computed again."""
        if not others:
            return self
        sheets = (self, *others)
        return StudiedSheet(torch.cat([sheet.references for sheet in sheets]),
                            tuple(torch.cat(level) for level in zip(*(sheet.features for sheet in sheets), strict=True)))


class Renderer:
    """Draws poses of a character from its sheet; stateless, so one renderer serves many sheets."""

    def __init__(self, networks: dict[str, torch.nn.Module], device: str | torch.device):
        self._networks, self.device = networks, torch.device(device)

    @torch.inference_mode()
    def draw(self, sheet: np.ndarray, poses: np.ndarray) -> np.ndarray:
        """Sheet uint8 (V, S, S, 4) straight alpha, poses float32 (F, S, S, 4) -> float32 (F, 4, S, S) premultiplied, 0..1.

        S must be a multiple of 128.  Raises `CharacterError`: character.size, character.pose_size.
        """
        studied = self.study(sheet)
        drawn = [self.draw_pose(studied, pose) for pose in poses]
        return np.stack(drawn) if drawn else np.zeros((0, 4, studied.size, studied.size), np.float32)

    @torch.inference_mode()
    def detect(self, sheet: np.ndarray, *, multiplied: bool = False) -> np.ndarray:
        """Sheet uint8 (V, S, S, 4) -> landmarks and occupancy, float32 (V, 4, S, S), before the clamp to 0..1."""
        color, _ = self._pictures(sheet, multiplied)
        detector = self._networks[DETECTOR]
        return detector.decode(detector.features(normalized(color))).cpu().numpy()

    @torch.inference_mode()
    def study(self, sheet: np.ndarray, *, multiplied: bool = False) -> StudiedSheet:
        """What the networks keep of a sheet, uint8 (V, S, S, 4), for any number of poses.

        With `multiplied`, color has been multiplied by alpha already, as it must be before a picture is resized.
        """
        color, alpha = self._pictures(sheet, multiplied)
        features = self._networks[DETECTOR].features(normalized(color))
        # The published model multiplies the sheet's color by alpha a second time here; its training expects that.
        return StudiedSheet(torch.cat([color * alpha, alpha], 1), tuple(features))

    @torch.inference_mode()
    def draw_pose(self, studied: StudiedSheet, pose: np.ndarray) -> np.ndarray:
        """One pose, float32 (S, S, 4) -> float32 (4, S, S) premultiplied."""
        if pose.shape != (studied.size, studied.size, 4):
            raise CharacterError("character.pose_size", f"A pose of {pose.shape} does not fit a sheet of {studied.size} px.",
                                 "Crop the poses and the sheet to the same size.")
        values = torch.from_numpy(np.ascontiguousarray(pose, np.float32)).to(self.device).permute(2, 0, 1)[None]
        occupancy = torch.trunc(255 * values[:, 3:]) / 255
        target = self._networks[ENCODER].features(normalized(torch.cat([values[:, :3] * occupancy, occupancy], 1)))
        message = self._networks[SHADER](studied.references, list(studied.features), target)
        return self._networks[DECODER](message)[0].cpu().numpy()

    def _pictures(self, sheet: np.ndarray, multiplied: bool) -> tuple[torch.Tensor, torch.Tensor]:
        if sheet.ndim != 4 or sheet.dtype != np.uint8 or sheet.shape[-1] != 4 or not len(sheet):
            raise CharacterError("character.sheet", f"A sheet is uint8 (V, S, S, 4), not {sheet.dtype} {sheet.shape}.",
                                 "Crop the views first.")
        if sheet.shape[1] != sheet.shape[2] or sheet.shape[1] % STRIDE:
            raise CharacterError("character.size", f"{sheet.shape[2]} x {sheet.shape[1]} px is no multiple of {STRIDE} px.",
                                 "Choose 256, 384 or 512.")

        def tensor(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(self.device).permute(0, 3, 1, 2).to(torch.float32) / 255

        return tensor(sheet[..., :3] if multiplied else premultiplied(sheet)), tensor(sheet[..., 3:])


def load_renderer(folder: Path | str, *, device: str | torch.device = "cpu") -> Renderer:
    """A renderer with the four checkpoint files of `folder`.

    Raises `CharacterError`: character.weights_missing, .weights_unreadable, .weights_wrong, .weights_later.
    """
    check_folder(Path(folder))
    if torch.device(device).type == "cpu":
        keep_freed_memory()
    names = (DECODER, DETECTOR, ENCODER, SHADER)  # the smallest first: a wrong folder shows early
    networks = {name: load_network(Path(folder), name, device=device) for name in names}
    networks[SHADER].settle()
    return Renderer(networks, device)
