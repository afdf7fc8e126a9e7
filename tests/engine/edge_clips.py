# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips that make edges hard: a head with loose strands of hair, faded, flashed, blurred, grained or squeezed through H.264;
and how far a result is from the truth. It runs the engine but does not know how it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from tests.engine.drawn import textured
from toondecompose_blender.engine.decompose import decompose
from toondecompose_blender.engine.pictures import write_picture
from toondecompose_blender.engine.recompose import Recomposer, SpriteRenderer, decibel
from toondecompose_blender.engine.report import Silent
from toondecompose_blender.engine.settings import Settings

FINE = 4
SQUEEZED = Path(__file__).with_name("head_crf23.mp4")
NIGHT = (20, 25, 60)
INK = (0.11, 0.09, 0.13)


@dataclass(frozen=True)
class EdgeClip:
    """`frames` uint8 (T, H, W, 3); the sprite's true `layers` float32 (T, H, W, 4), premultiplied 0..1, opacity included;
    `opacity` (T,) of the sprite, and `behind` uint8 (T, H, W, 3), the background without it."""
    frames: np.ndarray
    layers: np.ndarray
    opacity: np.ndarray
    behind: np.ndarray


def head(size: int, drawing: int) -> np.ndarray:
    """A head with an outline, a face and strands 1 to 2 px wide that wave: premultiplied RGBA float32 (size, size, 4)."""
    big, random = size * FINE, np.random.default_rng(5)
    picture = np.zeros((big, big, 4), np.float32)

    def disc(x: float, y: float, radius: float, color: tuple[float, ...]) -> None:
        cv2.circle(picture, (int(x * big), int(y * big)), int(radius * big), (*color, 1.0), -1)

    line = round(1.5 * FINE)
    disc(0.5, 0.55, 0.25, INK)
    disc(0.5, 0.55, 0.25 - line / big, (0.92, 0.78, 0.62))
    for strand in range(13):
        angle = np.pi * (1.05 + 0.9 * strand / 12)
        along = np.linspace(0.16, 0.3 + 0.12 * random.random(), 40)
        bend = angle + 0.5 * np.sin(7 * along + drawing * 1.6 + strand) * (along - 0.16)
        points = np.stack([0.5 + along * np.cos(bend), 0.55 + along * np.sin(bend)], 1) * big
        color = INK if strand % 3 == 0 else (0.72, 0.48, 0.2)
        cv2.polylines(picture, [points.astype(np.int32)], False, (*color, 1.0), (1 + strand % 2) * FINE, cv2.LINE_8)
    disc(0.42, 0.52, 0.03, INK)
    disc(0.58, 0.52, 0.03, INK)
    mouth = int((0.04 + 0.03 * (drawing % 4)) * big), int(0.02 * big)
    cv2.ellipse(picture, (int(0.5 * big), int(0.66 * big)), mouth, 0, 0, 360, (*INK, 1.0), -1)
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)


def edge_clip(*, frames: int = 16, width: int = 320, height: int = 180, pan: float = 4.0, hold: int = 2, drawings: int = 3,
              speed: float = 2.5, fade: int = 0, blur: float = 0.0, grain: float = 0.0, seed: int = 4) -> EdgeClip:
    """A head that crosses a textured background panned by `pan` px a frame (0: a still camera), drawings held and repeated.

    It fades out over the last `fade` frames; `blur` px of motion blur along its way; `grain` gray levels of noise.
    """
    wall = textured(width + int(abs(pan) * frames) + 60, height + 40, seed)
    size, random = int(0.9 * height), np.random.default_rng(seed)
    opacity = np.clip((frames - 0.5 - np.arange(frames)) / fade, 0, 1) if fade else np.ones(frames)
    pictures, layers, behind = [], [], []
    for t in range(frames):
        move = np.float32([[1, 0, -20 - pan * t], [0, 1, -20 - 3 * np.sin(t / 4) * (pan != 0)]])
        back = cv2.warpAffine(wall, move, (width, height), flags=cv2.INTER_CUBIC)
        place = np.float32([[1, 0, 0.08 * width + speed * t], [0, 1, 0.06 * height]])
        layer = cv2.warpAffine(head(size, t // hold % drawings), place, (width, height))
        if blur:
            layer = cv2.blur(layer, (2 * round(blur / 2) + 1, 1))
        layer = layer * np.float32(opacity[t])
        picture = layer[..., :3] * 255 + (1 - layer[..., 3:]) * back + random.normal(0, 1, back.shape) * grain
        pictures.append(np.rint(np.clip(picture, 0, 255)).astype(np.uint8))
        layers.append(layer)
        behind.append(back)
    return EdgeClip(np.stack(pictures), np.stack(layers), opacity, np.stack(behind))


def flashed(clip: EdgeClip, amounts: dict[int, float], color: tuple[int, int, int] = (255, 255, 255)) -> EdgeClip:
    """The clip with a veil of `color` over whole frames: frame number -> share of the veil."""
    frames = clip.frames.copy()
    for t, amount in amounts.items():
        frames[t] = np.rint(frames[t] * (1 - amount) + np.array(color) * amount)
    return replace(clip, frames=frames)


def dusk(times: range, pace: float, most: float = 0.6) -> dict[int, float]:
    """Amounts of a veil that comes by `pace` a frame, and stays: frame number -> share of the veil."""
    return {t: min(most, pace * (number + 1)) for number, t in enumerate(times)}


def squeezed(**size) -> EdgeClip:
    """The head after x264 at crf 23, made with benchmarks.squeeze; it has one size."""
    clip = edge_clip(frames=20, pan=8.7, speed=3.3)
    movie = cv2.VideoCapture(str(SQUEEZED))
    return replace(clip, frames=np.stack([cv2.cvtColor(movie.read()[1], cv2.COLOR_BGR2RGB) for _ in clip.frames]))


#: What is hard -> a clip of the given width, height and number of frames, at least 20.
CASES: dict[str, Callable[..., EdgeClip]] = {
    "hair over a pan": lambda **size: edge_clip(pan=8.7, speed=3.3, **size),
    "hair before a still": lambda **size: edge_clip(pan=0, speed=8, **size),
    "hair drawn on ones": lambda **size: edge_clip(pan=8.7, speed=3.3, hold=1, drawings=100, **size),
    "fade over 12 frames": lambda **size: edge_clip(pan=8.7, speed=3.3, fade=12, **size),
    "flash": lambda **size: flashed(edge_clip(pan=8.7, speed=3.3, **size), {8: 0.5, 9: 0.9, 10: 0.6, 11: 0.3}),
    "fade from black": lambda **size: flashed(edge_clip(pan=8.7, speed=3.3, **size), {t: 0.95 - t / 10 for t in range(10)}, (0, 0, 0)),
    "dusk over 12 frames": lambda frames, **size: flashed(edge_clip(pan=8.7, speed=3.3, frames=frames, **size),
                                                          dusk(range(4, frames), 0.05), NIGHT),
    "motion blur of 9 px": lambda **size: edge_clip(pan=8.7, speed=5, blur=9, **size),
    "grain of sigma 4": lambda **size: edge_clip(pan=8.7, speed=3.3, grain=4, **size),
    "H.264 at crf 23": squeezed,
}


@dataclass(frozen=True)
class EdgeScores:
    """`iou` of what is visible; `thin` recall of structures up to 2 px wide; `band` alpha error within 3 px of the edge; `fringe`
    share of the old background left in the edge's colors; `lines` share of the line art that is there, opaque and dark;
    `alpha` mean error over the frame; `opacity` mean error; `psnr` of the recomposition, dB; `drawings` found."""
    iou: float
    thin: float
    band: float
    fringe: float
    lines: float
    alpha: float
    opacity: float
    psnr: float
    drawings: int


def run(clip: EdgeClip, folder: Path, *, sprites: int = 2) -> Path:
    """Decompose the clip below `folder`; returns the result's folder."""
    (folder / "clip").mkdir(parents=True, exist_ok=True)
    for t, frame in enumerate(clip.frames):
        write_picture(folder / f"clip/{t:04d}.png", frame)
    decompose(folder / "clip", folder / "out", settings=Settings(sprites=sprites), report=Silent())
    return folder / "out"


def score(clip: EdgeClip, result: Path, decomposition) -> EdgeScores:
    """How near the first sprite before the background comes to the truth."""
    sprite = next(sprite for sprite in decomposition.sprites if sprite.role == "sprite")
    renderer = SpriteRenderer(result, decomposition, sprite)
    found = np.stack([renderer.frame(t) for t in range(len(clip.frames))])
    errors = [np.mean((clip.frames[t].astype(float) - frame) ** 2) for t, frame in enumerate(Recomposer(result, decomposition).frames())]
    truth, alpha = clip.layers[..., 3], found[..., 3]
    opacity = np.array(sprite.opacity or [1.0] * len(truth)) * (np.array(sprite.exposure) > 0)
    return EdgeScores(
        iou=float(((truth > 0.5) & (alpha > 0.5)).sum() / max(1, ((truth > 0.5) | (alpha > 0.5)).sum())),
        thin=_thin_recall(truth, alpha), band=_band_error(truth, alpha), fringe=_fringe(clip, found), lines=_lines(clip, found),
        alpha=float(np.abs(truth - alpha).mean()), opacity=float(np.abs(opacity - clip.opacity).mean()),
        psnr=decibel(float(np.mean(errors))), drawings=len(sprite.drawings))


def _thin_recall(truth: np.ndarray, alpha: np.ndarray) -> float:
    """Share of the true pixels that an opening of 5 px removes, for which at least half of their alpha was found."""
    thin = np.stack([(mask > 0.3) & (cv2.morphologyEx((mask > 0.3).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) == 0)
                     for mask in truth])
    return float((alpha[thin] >= truth[thin] / 2).mean())


def _bands(truth: np.ndarray) -> np.ndarray:
    kernel = np.ones((7, 7), np.uint8)
    return np.stack([cv2.dilate((mask > 0.02).astype(np.uint8), kernel) - cv2.erode((mask > 0.98 * mask.max()).astype(np.uint8), kernel)
                     for mask in truth]) > 0


def _band_error(truth: np.ndarray, alpha: np.ndarray) -> float:
    return float(np.abs(truth - alpha)[_bands(truth)].mean())


def _fringe(clip: EdgeClip, found: np.ndarray) -> float:
    """Least-squares share b of the old background in the edge's straight colors: found = (1 - b) true + b background."""
    truth = clip.layers[..., 3]
    edge = _bands(truth) & (truth > 0.15) & (found[..., 3] > 0.15)
    true, got = (layer[edge][:, :3] / layer[edge][:, 3:] for layer in (clip.layers, found))
    away = clip.behind[edge] / 255 - true
    return float(((got - true) * away).sum() / (away * away).sum())


def _lines(clip: EdgeClip, found: np.ndarray) -> float:
    colors = clip.layers[..., :3] / np.maximum(clip.layers[..., 3:], 1e-3)
    ink = (clip.layers[..., 3] > 0.9) & (colors.max(-1) < 0.25)
    got = found[..., :3].max(-1) / np.maximum(found[..., 3], 1e-3)
    return float(((found[..., 3] > 0.5) & (got < 0.4))[ink].mean())


def picture_of(clip: EdgeClip, result: Path, decomposition, t: int) -> np.ndarray:
    """Frame t, the found sprite and the true one over green, side by side, RGB uint8: to be looked at."""
    sprite = next(sprite for sprite in decomposition.sprites if sprite.role == "sprite")
    found = SpriteRenderer(result, decomposition, sprite).frame(t)
    green = np.float32([0.2, 0.85, 0.3])
    sides = [layer[..., :3] + (1 - layer[..., 3:]) * green for layer in (found, clip.layers[t])]
    return np.hstack([clip.frames[t], *(np.rint(np.clip(side, 0, 1) * 255).astype(np.uint8) for side in sides)])
