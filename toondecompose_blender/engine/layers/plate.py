# SPDX-License-Identifier: GPL-3.0-or-later
"""A sprite's plate: one picture stitched from many frames by a robust vote, and the view of it in a frame.
It takes homographies and weights as given; it knows neither flow nor mattes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numba import njit

from ...protocol import ClipError
from ..geometry import corners, normalized, project, translation
from ..paged import stacked
from ..parallel import map_ordered, worker_count
from ..resampling import warp_to

if TYPE_CHECKING:
    from ..accelerator import Accelerator

__all__ = ["AT_NEED", "Canvas", "Look", "PerFrame", "Plate", "Tile", "canvas_of_plane", "build_plate", "reached", "view", "fill_unseen"]

# Frame number -> a picture: the frame itself, or a weight a pixel.
PerFrame = Callable[[int], np.ndarray]

# Frame number -> what the background looks like there, uint8 (H, W, 3), and where that is known, bool (H, W).
Look = Callable[[int], tuple[np.ndarray, np.ndarray]]

CANDIDATES = 8             # colors tried as the mode, evenly in time; by trial on toon clips
VOTE_SIGMA = 8.0           # gray levels per channel; by trial on toon clips
MEAN_SHIFTS = 3
LEAST_WEIGHT = 0.3         # a frame's pixel below this share of background has no vote
ENOUGH = 1.5               # frames' worth of weight that say what is there ...
AT_NEED = 64               # ... where they say less, pixels of this weight (of 255) have a vote, too, ...
LEAST_AT_NEED = 0.2        # ... and all from this share on (judgement)
TILE_BYTES = 48 << 20      # warped colors held at once by one thread
MOST_VOTERS = 192          # frames that vote in one place: some seconds of a shot, and 24 for each color tried
LONG_TILE = (512, 256)     # px, width and height, where not all frames vote: twice the bytes above
LARGEST_CANVAS = 120_000_000


@dataclass(frozen=True)
class Canvas:
    """The picture plane of a sprite: its size in px and `homographies` (T, 3, 3), canvas -> frame."""
    width: int
    height: int
    homographies: np.ndarray


@dataclass(frozen=True)
class Plate:
    """`picture` uint8 (H, W, 3); `seen` float32 (H, W): 1 where frames agree on what is there, 0 where it was filled in."""
    canvas: Canvas
    picture: np.ndarray
    seen: np.ndarray


def canvas_of_plane(plane: np.ndarray, width: int, height: int, *, border: int = 2) -> Canvas:
    """The smallest canvas that all frames (width x height) seen through `plane` (T, 3, 3; plane -> frame) fit on.

    The canvas is the plane moved by whole pixels.  Raises `ClipError` (clip.motion) if it would be absurdly large.
    """
    outline = np.concatenate([project(np.linalg.inv(h), corners(width, height)) for h in plane])
    if not np.isfinite(outline).all():
        raise _too_large(0)
    low, high = np.floor(outline.min(0)) - border, np.ceil(outline.max(0)) + border
    size = (high - low + 1).astype(np.int64)
    if size.prod() > LARGEST_CANVAS:
        raise _too_large(int(size.prod()))
    return Canvas(int(size[0]), int(size[1]), normalized(plane @ translation(*low)))


def _too_large(pixels: int) -> ClipError:
    return ClipError("clip.motion", f"The camera seems to move over {pixels / 1e6:.0f} million pixels; its motion was not found.",
                     "Decompose a shorter range of frames, without the cut or the blank frames.")


def build_plate(read: PerFrame, weight: PerFrame, canvas: Canvas, *,
                interpolation: int = cv2.INTER_CUBIC, accelerator: Accelerator | None = None) -> Plate:
    """Stitch frames into a plate.

    `read(t)` is frame t, uint8 (H, W, 3); `weight(t)` uint8 (H, W), 255 where it surely shows this plane, `AT_NEED` where that is
    believed only of places that no frame shows surely.
    Works in tiles, with the votes of a bounded number of frames in each, so memory grows neither with the canvas nor with the clip.
    """
    tiles = _tiles(canvas)
    if len(tiles) > 1:      # every tile asks for the weights of every frame that it is seen in
        weight = stacked(map_ordered(weight, range(len(canvas.homographies))), len(canvas.homographies)).__getitem__
    height, width = weight(0).shape
    outlines = np.stack([project(np.linalg.inv(homography), corners(width, height)) for homography in canvas.homographies])

    def vote(tile: Tile) -> tuple[np.ndarray, ...]:
        colors, weights, views = _warped(read, weight, canvas, tile, outlines, interpolation)
        return (*_mode(colors, weights, VOTE_SIGMA, CANDIDATES), views)

    if accelerator is None:
        parts = map_ordered(vote, tiles, ahead=max(1, 4 // worker_count()))
    else:
        from ..accelerator.plates import STRIP, voted

        tiles = tiles if len(outlines) > MOST_VOTERS else _cut(canvas, canvas.width, STRIP)
        parts = voted(accelerator, read, weight, canvas, tiles, partial(_voters, outlines), otherwise=vote,
                      cubic=interpolation == cv2.INTER_CUBIC)
    picture, seen = np.empty((canvas.height, canvas.width, 3), np.float32), np.empty((canvas.height, canvas.width), np.float32)
    for tile, part in zip(tiles, parts, strict=True):
        picture[tile.place], seen[tile.place] = _believed(*part)
    filled = fill_unseen(picture, seen)
    return Plate(canvas, np.clip(np.rint(filled), 0, 255).astype(np.uint8), seen)


@dataclass(frozen=True)
class Tile:
    """A part of a canvas: the place and the size of a rectangle, px."""
    left: int
    top: int
    width: int
    height: int

    @property
    def place(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def _tiles(canvas: Canvas) -> list[Tile]:
    """Rows as wide as the canvas; of long clips smaller rectangles, which fewer frames show."""
    frames = len(canvas.homographies)
    if frames > MOST_VOTERS:
        return _cut(canvas, *LONG_TILE)
    return _cut(canvas, canvas.width, max(8, TILE_BYTES // (frames * canvas.width * 4)))


def _cut(canvas: Canvas, width: int, height: int) -> list[Tile]:
    return [Tile(left, top, min(width, canvas.width - left), min(height, canvas.height - top))
            for top in range(0, canvas.height, height) for left in range(0, canvas.width, width)]


def _believed(picture: np.ndarray, agreement: np.ndarray, support: np.ndarray, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A pixel counts as seen if frames agree, and either enough of them do or most that could see it do."""
    seen = (agreement > 0.25) & ((support > ENOUGH) | (support > 0.6 * views))
    return picture, seen.astype(np.float32)


def _voters(outlines: np.ndarray, tile: Tile) -> np.ndarray:
    """The frames that show some of a tile, by their `outlines` (T, 4, 2) on the canvas; if they are many, some evenly in time."""
    low, high = outlines.min(1) - (tile.left, tile.top), outlines.max(1) - (tile.left, tile.top)
    shown = np.flatnonzero(~((high < -1).any(1) | (low > (tile.width, tile.height)).any(1)))
    if len(shown) <= MOST_VOTERS:
        return shown
    return shown[np.linspace(0, len(shown) - 1, MOST_VOTERS).round().astype(int)]


def _warped(read, weight, canvas: Canvas, tile: Tile, outlines: np.ndarray, interpolation: int):
    """Colors uint8 (n, H, W, 3) and weights uint8 (n, H, W) of a tile in the frames that vote, and how many of these reach there (H, W)."""
    voters = _voters(outlines, tile)
    colors = np.empty((len(voters), tile.height, tile.width, 3), np.uint8)
    weights = np.zeros((len(voters), tile.height, tile.width), np.uint8)
    views = np.zeros((tile.height, tile.width), np.float32)
    for i, t in enumerate(voters.tolist()):
        part, mask = reached(outlines[t], tile), weight(t)
        to_part, size = translation(-part.left, -part.top) @ np.linalg.inv(canvas.homographies[t]), (part.width, part.height)
        place = Tile(part.left - tile.left, part.top - tile.top, *size).place
        colors[i][place] = warp_to(read(t), to_part, *size, flags=interpolation, border=cv2.BORDER_REPLICATE)
        weights[i][place] = warp_to(mask, to_part, *size)
        views[place] += warp_to(np.ones(mask.shape, np.uint8), to_part, *size, flags=cv2.INTER_NEAREST)
    return colors, weights, views


def reached(outline: np.ndarray, tile: Tile) -> Tile:
    """The part of a tile that a frame with this outline (4, 2) on the canvas can show: of a pan, a small one; it may be empty."""
    ends = (tile.left, tile.top), (tile.left + tile.width, tile.top + tile.height)
    low = np.clip(np.floor(outline.min(0)).astype(int) - 2, *ends)
    high = np.clip(np.ceil(outline.max(0)).astype(int) + 3, *ends)
    return Tile(*low.tolist(), *(high - low).tolist())


@njit(nogil=True, cache=True, error_model="numpy")
def _mode(colors, weights, sigma, candidates):
    """Per pixel the mode of weighted colors: best candidate by kernel score, then mean shifts (biweight kernel, 3.7 sigma)."""
    frames, height, width, _ = colors.shape
    picture = np.zeros((height, width, 3), np.float32)
    agreement = np.zeros((height, width), np.float32)
    support = np.zeros((height, width), np.float32)
    reach = np.float32(1.0 / (13.5 * sigma * sigma))
    samples = np.empty((frames, 4), np.float32)
    for i in range(height):
        for j in range(width):
            count, total = _sampled(samples, colors, weights, i, j, LEAST_WEIGHT)
            if total <= ENOUGH:
                count, total = _sampled(samples, colors, weights, i, j, LEAST_AT_NEED)
            support[i, j] = total
            if count == 0:
                continue
            best, winner = np.float32(-1), 0
            tried = min(candidates, count)
            for k in range(tried):
                candidate = (2 * k + 1) * count // (2 * tried)
                score = np.float32(0)
                for s in range(count):
                    score += _kernel(samples, s, samples[candidate, 0], samples[candidate, 1], samples[candidate, 2], reach)
                if score > best:
                    best, winner = score, candidate
                if best >= total:       # all agree
                    break
            r, g, b = samples[winner, 0], samples[winner, 1], samples[winner, 2]
            mass = np.float32(0)
            for shift in range(MEAN_SHIFTS):
                narrow = reach * np.float32(2 if shift == MEAN_SHIFTS - 1 else 1)
                sr = sg = sb = mass = np.float32(0)
                for s in range(count):
                    k = _kernel(samples, s, r, g, b, narrow)
                    sr += k * samples[s, 0]
                    sg += k * samples[s, 1]
                    sb += k * samples[s, 2]
                    mass += k
                if mass > 1e-3:
                    r, g, b = sr / mass, sg / mass, sb / mass
            picture[i, j, 0], picture[i, j, 1], picture[i, j, 2] = r, g, b
            agreement[i, j] = mass
    return picture, agreement, support


@njit(nogil=True, cache=True, error_model="numpy")
def _sampled(samples, colors, weights, i, j, least):
    """Put the colors and weights of the frames that have a vote at a pixel into `samples`: how many, and their sum of weights."""
    count, total = 0, np.float32(0)
    for t in range(len(weights)):
        if weights[t, i, j] > least * 255:
            for c in range(3):
                samples[count, c] = colors[t, i, j, c]
            samples[count, 3] = weights[t, i, j] / np.float32(255)
            total += samples[count, 3]
            count += 1
    return count, total


@njit(nogil=True, cache=True, inline="always", error_model="numpy")
def _kernel(samples, s, r, g, b, reach):
    dr, dg, db = samples[s, 0] - r, samples[s, 1] - g, samples[s, 2] - b
    q = np.float32(1) - (dr * dr + dg * dg + db * db) * reach
    return samples[s, 3] * q * q if q > 0 else np.float32(0)


def fill_unseen(picture: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Continue `picture` float32 (H, W, C) smoothly into pixels whose weight `seen` float32 (H, W) is 0 (push-pull pyramid)."""
    if seen.min() >= 1:
        return picture
    pictures, weights = [_weighted(picture, seen)], [seen]
    while min(weights[-1].shape) > 2:
        height, width = weights[-1].shape
        size = ((width + 1) // 2, (height + 1) // 2)
        pictures.append(cv2.resize(pictures[-1], size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1))
        weights.append(cv2.resize(weights[-1], size, interpolation=cv2.INTER_AREA))
    pulled = pictures[-1] / np.maximum(weights[-1], 1e-6)[..., None]
    for level in range(len(pictures) - 2, -1, -1):
        height, width = weights[level].shape
        up = cv2.resize(pulled, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
        _mix_in(up, pictures[level], weights[level])
        pulled = up
    return pulled


@njit(nogil=True, cache=True, error_model="numpy")
def _weighted(picture, weight):
    """`picture` (H, W, C) times `weight` (H, W), float32."""
    result = np.empty_like(picture)
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            for c in range(picture.shape[2]):
                result[i, j, c] = picture[i, j, c] * weight[i, j]
    return result


@njit(nogil=True, cache=True, error_model="numpy")
def _mix_in(picture, sums, weights):
    """Mix the mean of `sums` with `weights` into `picture`, all float32, in place: the more, the nearer the weight is to 1."""
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            divisor, share = max(weights[i, j], np.float32(1e-6)), min(weights[i, j], np.float32(1))
            for c in range(picture.shape[2]):
                picture[i, j, c] = sums[i, j, c] / divisor * share + picture[i, j, c] * (np.float32(1) - share)


def view(plate: Plate, t: int, width: int, height: int, *, interpolation: int = cv2.INTER_CUBIC,
         part: tuple[slice, slice] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """What frame t shows of a plate: colors uint8 (height, width, 3), where they were seen, bool (height, width); or a `part` of both."""
    homography, size = plate.canvas.homographies[t], (width, height)
    if part is not None:
        rows, columns = part
        homography, size = translation(-columns.start, -rows.start) @ homography, (columns.stop - columns.start, rows.stop - rows.start)
    colors = warp_to(plate.picture, homography, *size, flags=interpolation, border=cv2.BORDER_REPLICATE)
    seen = warp_to(plate.seen, homography, *size)
    return colors, seen > 0.99
