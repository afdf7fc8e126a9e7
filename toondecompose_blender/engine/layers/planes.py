# SPDX-License-Identifier: GPL-3.0-or-later
"""Planes behind the near one: found where the near plane has an opening onto something that moves more slowly than the camera.
It knows motions, plates and soft masks; what a sprite is made of is not its business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..geometry import displacement, project, relative
from ..motion import Motion, refine_motion
from ..paged import paged, stacked
from ..parallel import map_ordered
from ..report import Report
from ..resampling import warp_to
from .evidence import background_weights
from .plate import Canvas, Plate, build_plate, canvas_of_plane
from .planes_backdrop import Backdrop, FarPlane, build_backdrop, plane_canvases, plane_weights, visibility
from .planes_depth import proposed_fractions, slower
from .planes_openings import UNKNOWN, misses, opening_of, unknown, verified

if TYPE_CHECKING:
    from ..accelerator import Accelerator

__all__ = ["Backdrop", "FarPlane", "build_backdrop", "cleared", "find_planes"]

FRAMES = 48                # evenly in time, that are looked at: more views of a place add nothing
LEAST_VIEWS = 8            # frames that must show a place before it can be called an opening
LEAST_SHARE = 0.6          # of the views of a place in which it is foreground
LEAST_AREA = 0.002         # of a frame: a smaller region is not looked at
LEAST_MOTION = 0.1         # of the frame's diagonal that the camera must move for depth to show
LEAST_GAIN = 0.1           # of what is left unexplained, that one more plane must explain
FRACTION_STEP = 0.05       # further from the vote than this a measured fraction is not believed
GROWTH = 9                 # px at 360 lines around an opening in which the first masks are not believed
FIRST_LOOK, LAST_LOOK = 0.25, 0.5  # least shares for an opening, on mixed plates and on clean ones; a sprite that stays has .12
OUTSIDE = 0.4              # of a part of the foreground lies before the near plane: then all of it is a sprite
ROUNDS = 2                 # of plates and openings


def find_planes(frames: np.ndarray, foreground: np.ndarray, camera: np.ndarray, plate: Plate, *, report: Report,
                accelerator: Accelerator | None = None) -> tuple[FarPlane, ...]:
    """The planes behind the near one, back to front; () if there are none.

    `frames` RGB uint8 (T, h, w, 3); `foreground` float32 (T, h, w), soft masks of all that differs from the near `plate`, whose
    motion is `camera` (T, 3, 3), plane -> frame; the plane is the pixel grid of a frame in the middle of the clip.
    """
    height, width = frames.shape[1:3]
    if _range(camera, width, height) < LEAST_MOTION * np.hypot(width, height):
        return ()
    canvas = canvas_of_plane(camera, width, height)
    regions = _regions(foreground, canvas)
    if regions.max() == 0:
        return ()
    report.stage("planes", ROUNDS + 2)
    picks = np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))
    few = frames[picks]
    report.step()
    planes = _first_planes(few, picks, camera, plate, regions, proposed_fractions(frames, camera, canvas, regions),
                           accelerator)
    report.step()
    for turn in range(ROUNDS):
        if planes and turn == 0:
            planes = _followed(frames, camera, planes, report, accelerator)
        if planes:
            plates = _stitched(few, picks, cleared(foreground, camera, planes)[picks], camera, planes, accelerator)
            planes = _opened(few, plates, planes, camera, least=LAST_LOOK if turn == ROUNDS - 1 else FIRST_LOOK)
        report.step()
    return planes


def cleared(foreground: np.ndarray, camera: np.ndarray, planes: Sequence[FarPlane]) -> np.ndarray:
    """The soft masks float32 (T, h, w) without what is seen through the near plane's opening and close around it.

    Use them for the first plates of the planes: before, all that is behind the near plane was foreground.
    """
    if not planes:
        return foreground
    height, width = foreground.shape[1:]
    canvas, solid = canvas_of_plane(camera, width, height), 255 - _grown(planes[-1].opening, width, height)

    def kept(t: int) -> np.ndarray:
        shown = warp_to(solid, canvas.homographies[t], width, height, border=cv2.BORDER_REPLICATE).astype(np.float32) / 255
        return foreground[t] * np.maximum(shown, _reaching_out(foreground[t], shown))

    return stacked(map_ordered(kept, range(len(foreground))), len(foreground))


def _reaching_out(mask: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """Parts of a mask that lie to a good share before the near plane, bool (h, w): a sprite whose head stands against the sky."""
    count, labels = cv2.connectedComponents((mask > 0.5).astype(np.uint8))
    areas = np.bincount(labels.ravel(), minlength=count)
    outside = np.bincount(labels.ravel(), solid.ravel(), count)
    reaching = outside > OUTSIDE * areas
    reaching[0] = False
    return reaching[labels]


def _grown(opening: np.ndarray, width: int, height: int) -> np.ndarray:
    size = 2 * max(1, round(GROWTH * min(width, height) / 360)) + 1
    return cv2.dilate(opening, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))


def _range(camera: np.ndarray, width: int, height: int) -> float:
    """How far apart, in px, the camera's motion carries two views of a place."""
    reference = camera[len(camera) // 2]
    farthest = max(camera, key=lambda other: displacement(relative(reference, other), width, height))
    return max(displacement(relative(farthest, other), width, height) for other in camera)


def _regions(foreground: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Labels int32 of the regions of the near plane's canvas that are foreground in most of their views; 0 elsewhere."""
    height, width = foreground.shape[1:]
    size = (canvas.width, canvas.height)
    views, hidden = np.zeros(size[::-1], np.float32), np.zeros(size[::-1], np.float32)
    for mask, homography in paged(zip(foreground, canvas.homographies, strict=True)):
        both = np.dstack([np.ones((height, width), np.float32), mask > 0.5])
        moved = warp_to(both, np.linalg.inv(homography), *size, flags=cv2.INTER_NEAREST)
        views += moved[..., 0]
        hidden += moved[..., 1]
    mostly = ((views >= LEAST_VIEWS) & (hidden > LEAST_SHARE * views)).astype(np.uint8)
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(mostly)
    large = sizes[:, cv2.CC_STAT_AREA] > LEAST_AREA * height * width
    large[0] = False
    return np.where(large, np.cumsum(large), 0).astype(np.int32)[labels]


def _at(canvas: Canvas, picks: np.ndarray) -> Canvas:
    return replace(canvas, homographies=canvas.homographies[picks])


def _first_planes(few: np.ndarray, picks: np.ndarray, camera: np.ndarray, plate: Plate, regions: np.ndarray,
                  proposed: Sequence[float], accelerator: Accelerator | None) -> tuple[FarPlane, ...]:
    """The fewest of the proposed planes that explain what is seen through the opening of the near plane."""
    height, width = few.shape[1:3]
    near = replace(plate, canvas=_at(plate.canvas, picks))
    region = _grown((regions > 0).astype(np.uint8) * 255, width, height)

    def through(i: int) -> np.ndarray:
        return warp_to(region, near.canvas.homographies[i], width, height)

    fractions = sorted(proposed)
    canvases = [_at(canvas_of_plane(slower(camera, a), width, height), picks) for a in fractions]
    plates = [build_plate(few.__getitem__, through, canvas, interpolation=cv2.INTER_LINEAR, accelerator=accelerator) for canvas in canvases]
    if not plates:
        return ()
    tables = [misses(few, one) for one in plates]
    own, behind = misses(few, near), np.minimum.reduce([_known(table, one) for table, one in zip(tables, plates, strict=True)])
    sweep = (1 - fractions[0]) * _range(camera, width, height)
    opening = verified(own, behind, near, opening_of(own, behind, near), least=FIRST_LOOK, sweep=sweep)
    if not opening.any():
        return ()
    shown = np.stack([warp_to(opening, h, width, height) > 127 for h in near.canvas.homographies])
    chosen = _fewest(np.stack([table[shown] for table in tables]))
    planes = tuple(FarPlane(slower(camera, fractions[k]), fractions[k], opening) for k in chosen)
    return _opened(few, [plates[k] for k in chosen] + [near], planes, camera, least=FIRST_LOOK)


def _fewest(table: np.ndarray) -> list[int]:
    """Rows of `table` uint8 (planes, pixels), in order, whose least misses are nearly as small as those of all."""
    table = np.minimum(table, 4 * 30).astype(np.float32)
    chosen, left = [], np.full(table.shape[1], 4 * 30, np.float32)
    while len(chosen) < len(table):
        best = int(np.argmin([np.minimum(left, row).sum(dtype=np.float64) for row in table]))
        now = np.minimum(left, table[best])
        if chosen and now.sum(dtype=np.float64) > (1 - LEAST_GAIN) * left.sum(dtype=np.float64):
            break
        chosen.append(best)
        left = now
    return sorted(chosen)


def _opened(few: np.ndarray, plates: Sequence[Plate], planes: Sequence[FarPlane], camera: np.ndarray, *,
            least: float) -> tuple[FarPlane, ...]:
    """The planes with openings measured on `plates` (back to front, the near one last); without those that are seen nowhere."""
    height, width = few.shape[1:3]
    tables = [misses(few, plate) for plate in plates]
    farthest = _range(camera, width, height)
    known = [_known(table, plate) for table, plate in zip(tables, plates, strict=True)]
    kept, shown = list(planes), np.ones(few.shape[:3], bool)
    for index in range(len(planes), 0, -1):
        behind = np.where(shown, np.minimum.reduce(known[:index]), UNKNOWN).astype(np.uint8)
        canvas = plates[index].canvas
        own_fraction = planes[index].fraction if index < len(planes) else 1.0
        opening = verified(tables[index], behind, plates[index], opening_of(tables[index], behind, plates[index]), least=least,
                           sweep=(own_fraction - planes[0].fraction) * farthest)
        if not opening.any():
            return tuple(kept[index:])
        kept[index - 1] = replace(kept[index - 1], opening=opening)
        shown &= np.stack([warp_to(opening, h, width, height) > 127 for h in canvas.homographies])
    return tuple(kept)


def _known(table: np.ndarray, plate: Plate) -> np.ndarray:
    """The misses of a plate, uint8 (T, h, w), `UNKNOWN` where it knows nothing of a pixel."""
    return np.maximum(table, unknown(plate, table.shape[2], table.shape[1]))


def _followed(frames: np.ndarray, camera: np.ndarray, planes: Sequence[FarPlane], report: Report,
              accelerator: Accelerator | None) -> tuple[FarPlane, ...]:
    """The planes with their fractions measured where they are seen.

    A motion measured freely on the little that is seen of a plane wanders off: only its fraction of the camera's motion is taken.
    """
    height, width = frames.shape[1:3]
    canvases = plane_canvases(camera, planes, width, height)
    openings = [plane.opening for plane in planes]
    followed = []
    for index, plane in enumerate(planes):
        shown = partial(visibility, canvases[1:], openings, index, width=width, height=height)
        seen = stacked(map_ordered(shown, range(len(frames))), len(frames))
        start = Motion(plane.homographies, False, "homography", 0.0, len(frames) // 2)
        measured = refine_motion(frames, start, weights=seen, report=report, accelerator=accelerator).homographies
        fraction = _fraction(measured, camera, np.array([np.count_nonzero(shown > 127) for shown in paged(seen)]), width, height)
        if abs(fraction - plane.fraction) < FRACTION_STEP:
            plane = replace(plane, homographies=slower(camera, fraction), fraction=fraction)
        followed.append(plane)
    return tuple(followed)


def _fraction(motion: np.ndarray, camera: np.ndarray, areas: np.ndarray, width: int, height: int) -> float:
    """The weighted median, over frames, of how far the frame's middle moves in `motion` for one px along `camera`."""
    middle = np.array([[width / 2, height / 2]])
    reference = len(camera) // 2
    moved, along = (np.stack([project(relative(h[reference], frame), middle)[0] - middle[0] for frame in h]) for h in (motion, camera))
    lengths = (along**2).sum(1)
    ratios = (moved * along).sum(1) / np.maximum(lengths, 1e-9)
    order = np.argsort(ratios, kind="stable")
    mass = np.cumsum((np.sqrt(lengths) * areas)[order])
    return round(float(ratios[order][np.searchsorted(mass, mass[-1] / 2)]), 4)


def _stitched(few: np.ndarray, picks: np.ndarray, foreground: np.ndarray, camera: np.ndarray, planes: Sequence[FarPlane],
              accelerator: Accelerator | None) -> list[Plate]:
    """Plates of the planes, back to front, and of the near one, from the picked frames; those behind reach a little under edges in front,
    so that an opening may grow."""
    height, width = few.shape[1:3]
    canvases = [_at(canvas, picks) for canvas in plane_canvases(camera, planes, width, height)]
    weights = background_weights(foreground)
    exact = [plane.opening for plane in planes]
    wide = [_grown(opening, width, height) for opening in exact]
    plates = []
    for index, canvas in enumerate(canvases):
        openings = [*exact[:index], *wide[index:]]
        weight = plane_weights(weights.__getitem__, canvases[1:], openings, index, width, height)
        plates.append(build_plate(few.__getitem__, weight, canvas, interpolation=cv2.INTER_LINEAR, accelerator=accelerator))
    return plates
