# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing without weights: every pixel of a pose takes the color that the sheet shows at the same place of the character.
The same place gets the same color in every frame; only contour lines follow the silhouette.  Knows views and poses, no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ...protocol import CharacterError
from .holes import push_pull
from .sheet import View
from .surface import Surface, surface_of

__all__ = ["Painter", "Painted", "PROPORTIONS", "line_reach"]

PROPORTIONS = (0.8, 0.35, 1.0)  # of a standing figure in an A-pose, where the poses do not tell their own
NEIGHBORS = 8
REACH_PIXELS = 1.6  # the spread, in pixels of the sheet, over which a view that faces more wins against a nearer one
BLEND_PIXELS = 0.6  # the spread, in pixels of the sheet, over which the winning view's own pixels are mixed: as sharp as bilinear
FACING_POWER = 2.0
SOLID = 250  # alpha from which a pixel of a view is all character
LINE_PIXELS = 2.0  # nearer to a contour, a pixel of a view may be line instead of surface
LEAST_FACING = 0.35  # a pixel that faces less spans too much surface to be of one color
LINE_REACH, LINE_REACH_PIXELS = 0.02, 3.0  # contour lines lie within this distance of their contour, the larger of the two
LINE_SOLID = 200
DEPTH_WEIGHT, FACING_WEIGHT = 120.0, 1.0  # what makes two places of a contour alike, against the distance between them (measured)
LINE_FLOOR = 4.0  # in 0..255: keeps the darkening of very dark surfaces finite
OTHER_SIDE, SIDE_WEIGHT = -0.3, 0.1  # cosine of normals that look away from each other; what a normal counts against a place
SEEN = 0.05  # a place whose nearest sample is farther away was not seen
THIN_PIXELS = 4.0  # a place farther than this from any inside may belong to a strand that is all contour
THROUGH = (1.0, 0.25, 1.0)  # what nobody saw takes the color of the same spot on the body's other side: depth counts less


@dataclass(frozen=True)
class Painted:
    """A drawing, uint8 (H, W, 4) straight alpha; `seen` uint8 (H, W): 255 seen, 128 by symmetry, 0 made up or no character.

    `ink` uint8 (H, W, 4) straight alpha holds the contour lines to lay over it, where they are kept apart, else None.
    """
    rgba: np.ndarray
    seen: np.ndarray
    ink: np.ndarray | None = None


@dataclass(frozen=True)
class _Samples:
    """Pixels of the views as points of the character: a search tree, and each one's color float64 (N, 3), rank and view.

    The rank is the penalty for facing away; `normals` (N, 3) tell the sides of thin cloth apart, `sided` searches by place and
    normal; `pixel` is the length of the coarsest view's pixel.
    """
    tree: cKDTree
    sided: cKDTree
    normals: np.ndarray
    colors: np.ndarray
    rank: np.ndarray
    view: np.ndarray
    pixel: float

    def scaled(self, factors: tuple[float, float, float]) -> _Samples:
        """The same samples where some directions count less."""
        return replace(self, tree=cKDTree(self.tree.data * factors))

    def pick(self, places: np.ndarray, normals: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Color (M, 3) around each place in the one view that shows it best, and the distance (M,) of the nearest sample.

        Where `normals` (M, 3) are given, places that only the other side of the surface shows look for samples of their own side.
        """
        distance, index = self._nearest(self.tree, places)
        colors, best = self._mixed(distance, index)
        nearest = distance[:, 0]
        if normals is not None:
            other = np.flatnonzero((self.normals[best] * normals).sum(1) < OTHER_SIDE)
            if len(other):
                self._from_own_side(places, normals, other, colors, nearest)
        return colors, nearest

    def _from_own_side(self, places: np.ndarray, normals: np.ndarray, other: np.ndarray, colors: np.ndarray, nearest: np.ndarray) -> None:
        """Replace colors and distances of the places `other` by those of samples near them whose normals agree, if there are any."""
        _, index = self._nearest(self.sided, np.hstack([places[other], SIDE_WEIGHT * normals[other]]))
        distance = np.linalg.norm(self.tree.data[index] - places[other][:, None], axis=2)
        distance[(self.normals[index] * normals[other][:, None]).sum(2) <= 0] = np.inf
        found = distance.min(1) <= SEEN
        if found.any():
            colors[other[found]] = self._mixed(distance[found], index[found])[0]
            nearest[other[found]] = distance[found].min(1)

    def _nearest(self, tree: cKDTree, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = min(NEIGHBORS, tree.n)
        distance, index = tree.query(keys, k=count)
        return distance.reshape(len(keys), count), index.reshape(len(keys), count)

    def _mixed(self, distance: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Color of each row of samples (M, K), and the sample that decides it."""
        near, rank, view = (distance / self.pixel) ** 2 / 2, self.rank[index], self.view[index]
        best = np.argmin(near / REACH_PIXELS ** 2 + rank, axis=1)[:, None]
        # Drawings of two views rarely agree to the pixel: mixing them would double every line.
        score = np.where(view == np.take_along_axis(view, best, 1), near / BLEND_PIXELS ** 2 + rank, np.inf)
        weight = np.exp(score.min(1, keepdims=True) - score)
        colors = np.einsum("nk,nkc->nc", weight / weight.sum(1, keepdims=True), self.colors[index])
        return colors, np.take_along_axis(index, best, 1)[:, 0]


class Painter:
    """Colors from the views of a sheet, for any number of poses; `extent` (3,) holds the proportions of the poses' channels.

    Contour `lines` belong to the silhouette and move over the surface; kept apart as `ink` they leave it one color at a place.
    """

    def __init__(self, views: Sequence[View], *, extent: Sequence[float] = PROPORTIONS, lines: bool = True, ink: bool = False,
                 symmetry: bool = True):
        self._extent = np.asarray(extent, np.float64) / max(extent)
        self._symmetry, self._ink_apart = symmetry, ink
        surfaces = [(view, surface_of(view.pose, self._extent)) for view in views if view.pose is not None]
        usable = [(view, surface) for view, surface in surfaces if (view.rgba[surface.mask, 3] >= SOLID).any()]
        if not usable:
            raise CharacterError("character.view_pose", "No view of the sheet has a pose that covers its drawing.",
                                 "Render the poses of the views from the rig, or give the weights folder so that they can be detected.")
        self._strands = _gather(usable, lambda surface: (surface.depth > 0) & ~_beside_inside(surface))
        self._inside = _gather(usable, _inside) or self._strands or _gather(usable, lambda surface: surface.depth >= 0)
        self._through = self._inside.scaled(THROUGH)
        self._lines = _Lines(usable, self._inside) if lines else None

    def paint(self, pose: np.ndarray) -> Painted:
        """The drawing of one pose, float32 (H, W, 4).  The same input gives the same bytes on any machine."""
        surface = surface_of(pose, self._extent)
        rgba = np.zeros((*pose.shape[:2], 4), np.uint8)
        seen = np.zeros(pose.shape[:2], np.uint8)
        alpha = np.rint(pose[..., 3] * 255).astype(np.uint8)
        if not surface.mask.any():
            return Painted(rgba, seen, np.zeros_like(rgba) if self._ink_apart else None)
        colors, distance = self._color(surface.places, surface.normals)
        marks = np.where(distance <= SEEN, 255, 0).astype(np.uint8)
        if self._symmetry:
            self._mirror(surface, colors, marks)
        unknown = marks == 0
        colors[unknown] = self._through.pick(surface.places[unknown] * THROUGH)[0]
        seen[surface.mask] = marks
        if self._lines is None:
            return Painted(_picture(surface.mask, colors, alpha), seen)
        factors = self._lines.darkening(surface)
        if not self._ink_apart:
            return Painted(_picture(surface.mask, colors * factors, alpha), seen)
        cover, ink = _ink(colors, factors)
        # Both go on beyond the outline: a pixel that the character covers in part has its share of line, too.
        share = push_pull(_spread(surface.mask, cover), surface.mask)[..., 0]
        return Painted(_picture(surface.mask, colors, alpha), seen, _picture(surface.mask, ink, share * alpha))

    def _color(self, places: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        colors, distance = self._inside.pick(places, normals)
        far = np.flatnonzero(distance > THIN_PIXELS * self._inside.pixel)
        if len(far) and self._strands is not None:
            thin_colors, thin_distance = self._strands.pick(places[far])
            thin = thin_distance < distance[far]
            colors[far[thin]], distance[far[thin]] = thin_colors[thin], thin_distance[thin]
        return colors, distance

    def _mirror(self, surface: Surface, colors: np.ndarray, marks: np.ndarray) -> None:
        """Unseen places take the color of their mirror image, if that was seen."""
        holes = np.flatnonzero(marks == 0)
        opposite = surface.places[holes].copy()
        opposite[:, 0] = self._extent[0] - opposite[:, 0]
        mirrored, distance = self._color(opposite, surface.normals[holes] * (-1, 1, 1))
        found = distance <= SEEN
        colors[holes[found]] = mirrored[found]
        marks[holes[found]] = 128


class _Lines:
    """Contour lines: how much darker the views are near their contours than the surface is there."""

    def __init__(self, usable: list[tuple[View, Surface]], inside: _Samples):
        keys, ratios = [], []
        for view, surface in usable:
            pixels = view.rgba[surface.mask]
            near = _near_contour(surface) & _beside_inside(surface) & (pixels[:, 3] >= LINE_SOLID)
            plain, _ = inside.pick(surface.places[near])
            ratios.append(((pixels[near, :3] + LINE_FLOOR) / (plain + LINE_FLOOR)).clip(0, 1))
            keys.append(_line_key(surface, near))
        self._tree, self._ratios = cKDTree(np.concatenate(keys)), np.concatenate(ratios)

    def darkening(self, surface: Surface) -> np.ndarray:
        """Factors (N, 3) for the colors of a surface, 1 away from its contours."""
        factors = np.ones((len(surface.places), 3))
        near = _near_contour(surface)
        if near.any() and self._tree.n:
            factors[near] = self._ratios[self._tree.query(_line_key(surface, near))[1]]
        return factors


def _ink(colors: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much (N, 1), 0..1, of which color (N, 3) to lay over `colors` (N, 3) so that they are multiplied by `factors` (N, 3)."""
    cover = 1 - factors.min(1, keepdims=True)
    return cover, colors * (factors - 1 + cover) / np.maximum(cover, 1e-6)


def _spread(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (N, C) of the pixels of `mask` as a picture (H, W, C)."""
    picture = np.zeros((*mask.shape, values.shape[1]))
    picture[mask] = values
    return picture


def _picture(mask: np.ndarray, colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colors (N, 3) of the pixels of `mask`, continued beyond it, under an alpha (H, W), 0..255: uint8 (H, W, 4)."""
    return np.rint(np.dstack([push_pull(_spread(mask, colors), mask), alpha])).astype(np.uint8)


def line_reach(surface: Surface) -> float:
    """How far from a contour its line may reach; farther away colors depend on the place alone."""
    return max(LINE_REACH, LINE_REACH_PIXELS * surface.pixel)


def _near_contour(surface: Surface) -> np.ndarray:
    return surface.depth <= line_reach(surface)


def _beside_inside(surface: Surface) -> np.ndarray:
    """Pixels with some inside next to them: in thin strands nobody can tell a line from the surface."""
    inside = np.zeros(surface.mask.shape, np.uint8)
    inside[surface.mask] = surface.depth > LINE_PIXELS * surface.pixel
    reach = int(np.ceil(line_reach(surface) / surface.pixel)) + 1
    return cv2.dilate(inside, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))[surface.mask] > 0


def _line_key(surface: Surface, chosen: np.ndarray) -> np.ndarray:
    return np.column_stack([surface.places[chosen], DEPTH_WEIGHT * surface.depth[chosen], FACING_WEIGHT * surface.facing[chosen]])


def _inside(surface: Surface) -> np.ndarray:
    return (surface.depth > LINE_PIXELS * surface.pixel) & (surface.facing > LEAST_FACING)


def _gather(usable: list[tuple[View, Surface]], wanted: Callable[[Surface], np.ndarray]) -> _Samples | None:
    """The samples of all views that are solid and `wanted`; None if there are none."""
    chosen = [(view.rgba[surface.mask, 3] >= SOLID) & wanted(surface) for view, surface in usable]
    if not any(some.any() for some in chosen):
        return None

    def joined(of: Callable[[View, Surface], np.ndarray]) -> np.ndarray:
        return np.concatenate([of(view, surface)[some] for (view, surface), some in zip(usable, chosen, strict=True)])

    places, normals = joined(lambda _, surface: surface.places), joined(lambda _, surface: surface.normals)
    return _Samples(
        cKDTree(places), cKDTree(np.hstack([places, SIDE_WEIGHT * normals])), normals,
        colors=joined(lambda view, surface: view.rgba[surface.mask, :3].astype(np.float64)),
        rank=joined(lambda _, surface: -FACING_POWER * np.log(surface.facing + 0.02)),
        view=np.repeat(np.arange(len(usable)), [int(some.sum()) for some in chosen]),
        pixel=max(surface.pixel for _, surface in usable))
