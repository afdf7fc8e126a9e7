# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast and how well characters are drawn: CoNR against the published loop, color transfer against the render of a scripted rig.
Random parameters and pictures prove speed and equality, not beauty; it watches real processes and changes nothing."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from toondecompose_blender.engine.character.sheet import View
from toondecompose_blender.engine.character.surface import surface_of
from toondecompose_blender.engine.character.transfer import Painter, line_reach
from toondecompose_blender.engine.character.udp import read_pose
from toondecompose_blender.engine.pictures import read_picture

from .machine import keep

__all__ = ["measure"]

VIEWS = {1: (0,), 2: (0, 180), 4: (0, 90, 180, 270), 8: tuple(range(0, 360, 45))}
SHOT = {256: 3, 512: 1}  # frames drawn at each size
ROUNDS = {256: 3, 512: 2}  # in which the published loop and the engine take turns
SAME_PLACE = 0.0012  # of the character's height, half a pixel at 512 px
ROOT = Path(__file__).resolve().parents[1]


def measure(*, blender: Path, sizes: list[int], scene: Path | None) -> None:
    """Print both tables; keep them as benchmarks/results/character_speed.json and character_transfer.json."""
    with tempfile.TemporaryDirectory() as temporary:
        if scene is None:
            scene = Path(temporary, "scene")
            subprocess.run([blender, "-m", "benchmarks.character_scene", scene], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        keep("character_transfer", _transfer(scene))
        if sizes:
            _speed(Path(temporary), sizes)


def _speed(folder: Path, sizes: list[int]) -> None:
    weights = _random_weights(folder / "weights")
    rows = []
    for size in sizes:
        for views in (4, 8):
            rows.append({"size": size, "views": views, **_compared(folder, weights, size, views)})
            keep("character_speed", rows)
            row = rows[-1]
            print(f"{size} px, {views} views: a frame {row['published']['frame_s']} -> {row['engine']['frame_s']}, "
                  f"{row['times_faster_frame']}x, with the sheet {row['times_faster_shot']}x; {row['published']['peak_gb']} -> "
                  f"{row['engine']['peak_gb']} GB; outputs differ by {row['largest_difference']:.1e}", flush=True)


def _compared(folder: Path, weights: Path, size: int, views: int) -> dict:
    """The medians of both, which take turns: what else the machine does hits one as often as the other."""
    runs: dict[str, list[dict]] = {"published": [], "engine": []}
    for _ in range(ROUNDS.get(size, 1)):
        for who, of_one in runs.items():
            words = [who, weights, size, views, SHOT.get(size, 1), folder / f"{who}.npy"]
            done = subprocess.run([sys.executable, "-m", "benchmarks.character_speed", *map(str, words)], check=True, cwd=ROOT,
                                  stdout=subprocess.PIPE, text=True)
            of_one.append(json.loads(done.stdout))
    row: dict = {who: _middle(of_one) for who, of_one in runs.items()}
    for name in ("sheet_s", "frame_s", "shot_s"):
        row[f"times_faster_{name[:-2]}"] = round(row["published"][name]["processor"] / row["engine"][name]["processor"], 2)
    row["rounds"] = [round(slow["frame_s"]["processor"] / fast["frame_s"]["processor"], 2) for slow, fast in zip(*runs.values(), strict=True)]
    row["largest_difference"] = float(np.abs(np.load(folder / "engine.npy") - np.load(folder / "published.npy")).max())
    return row


def _middle(runs: list[dict]) -> dict:
    """The median of every figure of several runs."""
    times = {name: {kind: round(statistics.median(run[name][kind] for run in runs), 2) for kind in runs[0][name]}
             for name in ("sheet_s", "frame_s", "shot_s")}
    return {**times, "frames": runs[0]["frames"], "peak_gb": max(run["peak_gb"] for run in runs)}


def _random_weights(folder: Path) -> Path:
    import torch

    from toondecompose_blender.engine.character.networks import NETWORKS
    folder.mkdir()
    torch.manual_seed(0)
    for name, build in NETWORKS.items():
        torch.save(build().state_dict(), folder / f"{name}.pth")
    return folder


def _transfer(scene: Path) -> dict:
    extent = json.loads((scene / "poses" / "poses.json").read_text())["extent"]
    files = sorted((scene / "poses").glob("*.npz"))
    poses = [read_pose(path) for path in files]
    truths = [read_picture(scene / "truth" / f"{path.stem}.png") for path in files]
    figures = {"poses_from_rig": json.loads((scene / "seconds.json").read_text()), "truth_flicker": _flicker(poses, truths, extent),
               "truth_flicker_off_lines": _flicker(poses, truths, extent, off_lines=True)}
    print(", ".join(f"{name}: {value}" for name, value in figures.items()))
    for count, angles in VIEWS.items():
        views = [View(str(angle), read_picture(scene / "sheet" / f"{angle:03d}.png"), read_pose(scene / "sheet" / f"{angle:03d}.npz"))
                 for angle in angles]
        drawn = [Painter(views, extent=extent).paint(pose) for pose in poses]
        plain = [Painter(views, extent=extent, lines=False).paint(pose) for pose in poses]
        row = {"decibel": _decibel(drawn, truths), "matte_iou": _overlap(drawn, truths),
               "seen_share": round(float(np.mean([(d.seen[d.rgba[..., 3] > 0] == 255).mean() for d in drawn])), 3),
               "flicker_paint": _flicker(poses, [p.rgba for p in plain], extent),
               "flicker_off_lines": _flicker(poses, [d.rgba for d in drawn], extent, off_lines=True),
               "flicker_with_lines": _flicker(poses, [d.rgba for d in drawn], extent)}
        figures[f"{count}_views"] = row
        print(f"{count} views: {row}", flush=True)
    return figures


def _decibel(drawn: list, truths: list[np.ndarray]) -> float:
    errors = [((d.rgba[..., :3].astype(float) - t[..., :3]) ** 2)[t[..., 3] > 127].mean() for d, t in zip(drawn, truths, strict=True)]
    return round(float(10 * np.log10(255 ** 2 / np.mean(errors))), 2)


def _overlap(drawn: list, truths: list[np.ndarray]) -> float:
    pairs = [(d.rgba[..., 3] > 127, t[..., 3] > 127) for d, t in zip(drawn, truths, strict=True)]
    return round(float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs])), 4)


def _flicker(poses: list[np.ndarray], pictures: list[np.ndarray], extent: list[float], *, off_lines: bool = False) -> float:
    """Mean change of color, of 255, from each even picture to the next where both show the same place.

    With `off_lines` only where both are farther from a contour than its lines: those slide over the surface as it turns.
    """
    proportions, changes = np.asarray(extent) / max(extent), []
    for first in range(0, len(poses), 2):
        masks = [_off_lines(pose, proportions) if off_lines else pose[..., 3] > 0.5 for pose in poses[first:first + 2]]
        before, after = (pose[mask][:, :3] * proportions for pose, mask in zip(poses[first:first + 2], masks, strict=True))
        distance, index = cKDTree(before).query(after)
        colors = [picture[mask][:, :3].astype(float) for picture, mask in zip(pictures[first:first + 2], masks, strict=True)]
        changes.append(np.abs(colors[0][index] - colors[1])[distance < SAME_PLACE].mean())
    return round(float(np.mean(changes)), 2)


def _off_lines(pose: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    surface = surface_of(pose, proportions)
    mask = surface.mask.copy()
    mask[mask] = surface.depth > line_reach(surface)
    return mask
