# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the published ToonDecompose writes, so that its users can switch; frames count from 0, sprite 0 is the background.
Reads a finished result and the clip's own frames; it knows nothing of other layouts.

    N.img.png               frame N
    N.homo.png              the motion: stripes on each sprite's canvas, seen through its homography where the sprite is seen
    N.obj.K.png             sprite K in frame N; sprites in front of the background over dark gray
    vis.mp4                 frame and motion above all sprites
    preview_position.mp4    frame beside motion
    flow/<f>T<t>.npy, .png  flow from frame f to t = f-3, f-1, f+1, f+3 (H, W, 2) float32 in px at 256 lines, and as a normal ball
    homo_matrix.K.npy       (T, 3, 3) float32, frame px -> canvas, whose corners over all frames span 0 ... 1
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..protocol import ClipError, Decomposition
from . import geometry
from .clip import ClipReader, open_clip
from .flow.dis import DenseInverseSearch
from .movie import MovieWriter
from .parallel import map_ordered
from .pictures import straight, write_array, write_picture
from .recompose import SpriteRenderer, over, whole_sprites
from .report import Report, ticked

__all__ = ["write_toondecompose", "normal_ball", "canvas_matrices", "stripes"]

# Facts of the published system: its frame rate, size of analysis, offsets of flow, gray behind sprites, px of flow at the ball's rim.
_FPS = 20.0
_LINES, _MULTIPLE = 256, 8
_OFFSETS = (-3, -1, 1, 3)
_GRAY = 48
_BALL_PX = 32.0

_STRIPES = (24, 12)  # across the canvas of the background, and of a smaller sprite
_FLOW_SAMPLES = 8  # frames that show the flow method how much texture there is


def write_toondecompose(folder: Path, decomposition: Decomposition, out: Path, report: Report) -> None:
    """Write all files into the empty folder `out`; the frames come from the clip, or are recomposed (and that is said) without it."""
    clip = decomposition.clip
    renderers = [SpriteRenderer(folder, decomposition, sprite) for sprite in whole_sprites(decomposition)]
    frame_of = _frames_of(decomposition, renderers, report)
    matrices = [canvas_matrices(_inverted(renderer.homographies), clip.width, clip.height) for renderer in renderers]
    for k, matrix in enumerate(matrices):
        write_array(out / f"homo_matrix.{k}.npy", matrix.astype(np.float32))
    report.stage("export", clip.frames)
    _write_sprites(out, clip.frames, frame_of, renderers, matrices, report)
    _write_flow(out / "flow", clip.frames, frame_of, report)


def _frames_of(decomposition: Decomposition, renderers: list[SpriteRenderer], report: Report):
    """What gives the clip's frame t (RGB uint8)."""
    clip = decomposition.clip
    try:
        reader = _reopened(decomposition)
    except ClipError as problem:
        report.warn("export.no_clip", f"The clip itself cannot be used ({problem.message}); recomposed frames stand for it.",
                    "Put the clip back where it was decomposed to export its own frames.")
        return lambda t: _recomposed([renderer.frame(t) for renderer in renderers], clip.width, clip.height)
    return reader.read


def _reopened(decomposition: Decomposition) -> ClipReader:
    """The frames that were decomposed.  Raises `ClipError` if they are not there any more."""
    clip = decomposition.clip
    if not clip.source:
        raise ClipError("clip.missing", "The result does not say where its clip is.", "")
    reader = open_clip(clip.source)
    if clip.first_frame not in reader.numbers:
        raise ClipError("clip.range", f"{clip.source} has no frame {clip.first_frame}.", "")
    start = list(reader.numbers).index(clip.first_frame)
    if start or reader.count != clip.frames:
        reader = open_clip(clip.source, frames=slice(start, start + clip.frames))
    if (reader.width, reader.height) != (clip.width, clip.height):
        raise ClipError("clip.size", f"{clip.source} is {reader.width}x{reader.height} pixels, the result {clip.width}x{clip.height}.", "")
    return reader


def _recomposed(shown: list[np.ndarray], width: int, height: int) -> np.ndarray:
    picture = np.zeros((height, width, 3), np.float32)
    for sprite in shown:
        picture = over(sprite, picture)
    return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def _inverted(homographies: np.ndarray) -> np.ndarray:
    """Frame -> canvas (T, 3, 3); a frame in which the sprite is nowhere repeats its neighbor's, for every frame needs a matrix."""
    known = np.isfinite(homographies).all((1, 2)) & (np.abs(np.linalg.det(np.nan_to_num(homographies))) > 1e-12)
    places = np.flatnonzero(known)
    nearest = [places[np.abs(places - t).argmin()] if len(places) else -1 for t in range(len(homographies))]
    return np.stack([np.eye(3) if t < 0 else np.linalg.inv(homographies[t]) for t in nearest])


def canvas_matrices(to_canvas: np.ndarray, width: int, height: int) -> np.ndarray:
    """Frame -> canvas (T, 3, 3), moved and scaled alike in x and y so that the frames' corners span 0 ... 1 in the longer direction."""
    corners = geometry.corners(width + 1, height + 1)
    places = np.concatenate([geometry.project(matrix, corners) for matrix in to_canvas])
    low, high = places.min(), places.max()
    return np.array([[1, 0, -low], [0, 1, -low], [0, 0, high - low]]) @ to_canvas


def stripes(matrix: np.ndarray, width: int, height: int, *, count: int) -> np.ndarray:
    """Slanting stripes painted on a canvas of 0 ... 1, seen from the frame: RGB float32 (height, width, 3) in 0..1."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in matrix)
    u, v = u / w, v / w
    wave = 0.5 + 0.5 * np.tanh(4 * np.sin(2 * np.pi * count * (u + v)))
    cross = 0.5 + 0.5 * np.tanh(4 * np.sin(2 * np.pi * count * (u - v)))
    hue = np.stack([np.clip(u, 0, 1), np.clip(v, 0, 1), 1 - np.clip(u, 0, 1)], 2)
    return (0.25 + (0.45 * wave + 0.3 * cross)[..., None] * (0.35 + 0.65 * hue)).astype(np.float32)


def _write_sprites(out: Path, frames: int, frame_of, renderers: list[SpriteRenderer], matrices: list[np.ndarray], report: Report) -> None:
    width, height = renderers[0].width, renderers[0].height

    def draw(t: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        frame, shown = frame_of(t), [renderer.frame(t) for renderer in renderers]
        motion = _motion(shown, [matrix[t] for matrix in matrices])
        sprites = [_over_gray(sprite, k) for k, sprite in enumerate(shown)]
        for name, picture in ((f"{t}.img", frame), (f"{t}.homo", motion), *((f"{t}.obj.{k}", sprite) for k, sprite in enumerate(sprites))):
            write_picture(out / f"{name}.png", picture)
        return frame, motion, sprites

    columns = max(2, len(renderers))
    with MovieWriter(out / "vis.mp4", width * columns, height * 2, fps=_FPS) as vis, \
            MovieWriter(out / "preview_position.mp4", width * 2, height, fps=_FPS) as position:
        for frame, motion, sprites in ticked(map_ordered(draw, range(frames), ahead=1), report):
            empty = np.zeros_like(frame)
            above = [frame, motion] + [empty] * (columns - 2)
            vis.write(np.vstack([np.hstack(above), np.hstack(sprites + [empty] * (columns - len(sprites)))]))
            position.write(np.hstack([frame, motion]))


def _motion(shown: list[np.ndarray], matrices: list[np.ndarray]) -> np.ndarray:
    height, width = shown[0].shape[:2]
    picture = np.zeros((height, width, 3), np.float32)
    for k, (sprite, matrix) in enumerate(zip(shown, matrices, strict=True)):
        alpha = sprite[..., 3:]
        picture = picture * (1 - alpha) + stripes(matrix, width, height, count=_STRIPES[min(k, 1)]) * alpha
    return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def _over_gray(sprite: np.ndarray, k: int) -> np.ndarray:
    """A sprite as the published system shows it: the background's content, the others over dark gray."""
    if k == 0:
        return straight(sprite)[..., :3]
    return np.round(np.clip(255 * sprite[..., :3] + _GRAY * (1 - sprite[..., 3:]), 0, 255)).astype(np.uint8)


def _write_flow(folder: Path, frames: int, frame_of, report: Report) -> None:
    """Flow between all wanted pairs; each pair is searched once, for both directions.  Beyond the clip's ends its last frame stands."""
    folder.mkdir()
    wanted = {(f, int(np.clip(f + offset, 0, frames - 1))) for f in range(frames) for offset in _OFFSETS}
    pairs = sorted({(min(pair), max(pair)) for pair in wanted})
    small = lru_cache(maxsize=16)(lambda t: _analysis(frame_of(t)))
    samples = np.unique(np.linspace(0, frames - 1, _FLOW_SAMPLES).astype(int))
    method = DenseInverseSearch(np.stack([small(int(t)) for t in samples]))
    report.stage("flow", len(pairs))

    def search(pair: tuple[int, int]) -> None:
        first, second = pair
        a, b = small(first), small(second)
        there, back = method(a, b) if first != second else (np.zeros((*a.shape[:2], 2), np.float32),) * 2
        for (f, t), flow in (((first, second), there), ((second, first), back)):
            if (f, t) in wanted:
                write_array(folder / f"{f}T{t}.npy", flow.astype(np.float32))
                write_picture(folder / f"{f}T{t}.png", normal_ball(flow))

    for _ in ticked(map_ordered(search, pairs), report):
        pass


def _analysis(frame: np.ndarray) -> np.ndarray:
    """A frame at the published size: 256 lines, both sides multiples of 8."""
    height, width = frame.shape[:2]
    size = [int(np.ceil(side / _MULTIPLE)) * _MULTIPLE for side in (_LINES * width / height, _LINES)]
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def normal_ball(flow: np.ndarray) -> np.ndarray:
    """Flow (H, W, 2) in px as the normals of a ball: RGB uint8; red is y, green is x, blue is what is left for z."""
    xy = flow.astype(np.float64) / _BALL_PX
    xy /= np.maximum(1, np.linalg.norm(xy, axis=2, keepdims=True))
    z = np.sqrt(np.clip(1 - (xy**2).sum(2), 0, 1))
    return np.round(np.stack([xy[..., 1], xy[..., 0], z], 2) * 127.5 + 127.5).astype(np.uint8)
