# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to draw a pose from a sheet, behind one call: color transfer, which needs no weights, and the networks.
Knows arrays; folders, jobs and results live in `drawing`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...protocol import SettingsError
from ..pictures import straight
from .cropping import Crop, cut, cut_pose, put_back, tight_crop
from .finishing import despeckled, enlarged, straight_color, thresholded
from .renderer import Renderer, StudiedSheet, premultiplied
from .sheet import View
from .transfer import Painted, Painter

__all__ = ["Options", "TransferMethod", "NetworkMethod", "detected_views", "cut_multiplied", "occupancy"]

MOST_PREVIOUS, MOST_EROSION = 8, 64


@dataclass(frozen=True)
class Options:
    """What an artist may switch.  The defaults improve on the publication; `published` keeps its arithmetic to the last bit.

    `lines` lets contour lines follow the silhouette, `ink` keeps them apart, as a sprite over a surface that never changes its colors,
    `symmetry` fills unseen places from the other side (transfer).
    `steady_crop` keeps one square for the shot, `previous` feeds so many drawn frames back as views, `guide` the transfer (networks).
    `smoothing` 0..1 mixes equal places of neighboring frames; `despeckle` removes specks from the matte.
    `threshold` 0..255 and `erosion` px make a hard, drawn-in matte; None keeps it soft.
    Raises `SettingsError`: settings.smoothing, settings.previous, settings.threshold, settings.erosion,
    settings.ink.
    """
    lines: bool = True
    ink: bool = False
    symmetry: bool = True
    published: bool = False
    steady_crop: bool = True
    previous: int = 0
    guide: bool = False
    smoothing: float = 0.0
    despeckle: bool = True
    threshold: int | None = None
    erosion: int = 0

    def __post_init__(self):
        for name, low, high in (("smoothing", 0, 1), ("previous", 0, MOST_PREVIOUS), ("threshold", 0, 254), ("erosion", 0, MOST_EROSION)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise SettingsError(f"settings.{name}", f"{name.capitalize()} cannot be {value}.", f"Choose {low} to {high}.")
        if self.ink and not self.lines:
            raise SettingsError("settings.ink", "Without contour lines there are none to keep apart.", "Choose one of the two switches.")
        if self.erosion and self.threshold is None:
            raise SettingsError("settings.erosion", "Only a hard matte can be drawn in.", "Choose a threshold too, 128 for example.")


def occupancy(pose: np.ndarray) -> np.ndarray:
    """Where a pose float32 (H, W, 4) shows the character: uint8 (H, W), truncated as published."""
    return np.trunc(255 * pose[..., 3]).astype(np.uint8)


class TransferMethod:
    """Colors carried through pose space."""
    sequential = False

    def __init__(self, views: Sequence[View], *, extent: Sequence[float], options: Options):
        self._painter = Painter(views, extent=extent, lines=options.lines, ink=options.ink, symmetry=options.symmetry)
        self._options = options

    def draw(self, pose: np.ndarray) -> Painted:
        painted = self._painter.paint(pose)
        rgba, ink = _matted(painted.rgba, self._options), painted.ink
        if ink is not None:
            ink = np.dstack([ink[..., :3], np.minimum(ink[..., 3], rgba[..., 3])])
        return Painted(rgba, painted.seen, ink)


class NetworkMethod:
    """CoNR; `crop` is the square of the shot, or None for one of its own around each pose."""

    def __init__(self, renderer: Renderer, views: Sequence[View], *, size: int, crop: Crop | None, options: Options,
                 painter: Painter | None = None):
        self._renderer, self._size, self._crop, self._options, self._painter = renderer, size, crop, options, painter
        self._sheet = renderer.study(_square_views(views, size), multiplied=True)
        self._before: deque[StudiedSheet] = deque(maxlen=options.previous)
        self.sequential = True

    def draw(self, pose: np.ndarray) -> Painted:
        crop = self._crop or tight_crop(occupancy(pose))
        if crop is None or not occupancy(pose).any():
            return Painted(np.zeros((*pose.shape[:2], 4), np.uint8), np.zeros(pose.shape[:2], np.uint8))
        small = cut_pose(pose, crop, self._size)
        sheet = self._sheet.joined(*self._before, *self._guides(pose, crop))
        drawn = self._renderer.draw_pose(sheet, small).transpose(1, 2, 0)
        if self._options.previous:
            self._before.append(self._renderer.study((drawn * 255).astype(np.uint8)[None], multiplied=True))
        if self._options.published:
            rgba = put_back(drawn, crop)
        else:
            rgba = _matted(_full_size(drawn, small, pose, crop), self._options)
        return Painted(rgba, np.where(rgba[..., 3] > 0, 255, 0).astype(np.uint8))

    def _guides(self, pose: np.ndarray, crop: Crop) -> list[StudiedSheet]:
        if self._painter is None:
            return []
        return [self._renderer.study(cut_multiplied(self._painter.paint(pose).rgba, crop, self._size)[None], multiplied=True)]


def detected_views(renderer: Renderer, views: Sequence[View], size: int) -> list[View]:
    """The views, each as its square of `size` px, with the pose that the detector sees in it; a known pose is kept."""
    unknown = [view for view in views if view.pose is None]
    if not unknown:
        return list(views)
    squares = _square_views(unknown, size)
    poses = iter(renderer.detect(squares, multiplied=True).transpose(0, 2, 3, 1).clip(0, 1))
    pictures = (straight(square.astype(np.float32) / 255) for square in squares)
    return [view if view.pose is not None else View(view.name, next(pictures), next(poses)) for view in views]


def cut_multiplied(rgba: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """The square of a straight picture uint8 (H, W, 4) at `size` px, color times alpha, in the published order of steps."""
    return np.dstack([cut(premultiplied(rgba), crop, size), cut(rgba[..., 3], crop, size)])


def _square_views(views: Sequence[View], size: int) -> np.ndarray:
    return np.stack([cut_multiplied(view.rgba, tight_crop(view.rgba[..., 3]), size) for view in views])


def _full_size(drawn: np.ndarray, small: np.ndarray, pose: np.ndarray, crop: Crop) -> np.ndarray:
    """What was drawn in the square, at the pose's own size, color straight and within the pose's outline."""
    values = np.dstack([straight_color(drawn), drawn[..., 3:]])
    window = np.zeros((crop.side, crop.side, 4), np.float32)
    window[crop.inset] = pose[crop.window]
    if crop.side > len(drawn):
        values = enlarged(values, small, window)
    elif crop.side < len(drawn):
        values = cv2.resize(values, (crop.side, crop.side), interpolation=cv2.INTER_AREA)
    values[..., 3] *= window[..., 3]
    rgba = np.zeros((crop.height, crop.width, 4), np.uint8)
    rgba[crop.window] = np.rint(values.clip(0, 1) * 255).astype(np.uint8)[crop.inset]
    return rgba


def _matted(rgba: np.ndarray, options: Options) -> np.ndarray:
    alpha = rgba[..., 3]
    if options.despeckle:
        alpha = despeckled(alpha)
    if options.threshold is not None:
        alpha = thresholded(alpha, options.threshold, options.erosion)
    return np.dstack([rgba[..., :3], alpha])
