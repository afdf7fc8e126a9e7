# SPDX-License-Identifier: GPL-3.0-or-later
"""Planes behind the near one: found where the near plane has an opening onto something that moves more slowly than the camera.
It knows motions, plates and soft masks; what a sprite is made of is not its business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from ..geometry import displacement, project, relative, warp_to
from ..motion import Motion, refine_motion
from ..parallel import map_ordered
from ..report import Report
from .evidence import background_weights, interval
from .plate import Canvas, Plate, build_plate, canvas_of_plane, view
from .planes_backdrop import Backdrop, FarPlane, build_backdrop, visibility
from .planes_depth import proposed_fractions, slower
from .planes_openings import opening_of, verified

__all__ = ["Backdrop", "FarPlane", "build_backdrop", "cleared", "find_planes"]

LEAST_VIEWS = 8            # frames that must show a place before it can be called an opening
LEAST_SHARE = 0.6          # of the views of a place in which it is foreground
LEAST_AREA = 0.002         # of a frame: a smaller region is not looked at
LEAST_MOTION = 0.05        # of the frame's diagonal that the camera must move for depth to show
LEAST_GAIN = 0.1           # of what is left unexplained, that one more plane must explain
CLIPPED = 30.0             # gray levels
NEIGHBORHOOD = np.ones((5, 5), np.uint8)
FRACTION_STEP = 0.05       # further from the vote than this a measured fraction is not believed
ROUNDS = 2                 # of plates and openings


def find_planes(frames: np.ndarray, foreground: np.ndarray, camera: np.ndarray, plate: Plate, *, report: Report) -> tuple[FarPlane, ...]:
    """The planes behind the near one, back to front; () if there are none.

    `frames` RGB uint8 (T, h, w, 3); `foreground` float32 (T, h, w), soft masks of all that differs from the near `plate`, whose
    motion is `camera` (T, 3, 3), plane -> frame.
    """
    height, width = frames.shape[1:3]
    if not _moves(camera, width, height):
        return ()
    canvas = canvas_of_plane(camera, width, height)
    regions = _regions(foreground, canvas)
    if regions.max() == 0:
        return ()
    report.stage("planes", ROUNDS + 2)
    proposed = proposed_fractions(frames, camera, canvas, regions)
    report.step()
    opening = cv2.dilate((regions > 0).astype(np.uint8) * 255, NEIGHBORHOOD)
    opening, plates = _first_opening(frames, camera, plate, opening, proposed)
    report.step()
    if not opening.any():
        return ()
    planes, plates = _chosen(frames, camera, opening, plates)
    planes = _opened(frames, (*plates, plate), planes)
    for _ in range(ROUNDS):
        planes = _followed(frames, camera, planes, report)
        backdrop = _stitched(frames, background_weights(cleared(foreground, camera, planes)), camera, planes)
        planes = _opened(frames, backdrop.plates, planes)
        report.step()
    return planes


def cleared(foreground: np.ndarray, camera: np.ndarray, planes: Sequence[FarPlane]) -> np.ndarray:
    """The soft masks float32 (T, h, w) without what is seen through the near plane's opening, for the first plates of the planes."""
    if not planes:
        return foreground
    height, width = foreground.shape[1:]
    canvas, opening = canvas_of_plane(camera, width, height), 255 - planes[-1].opening

    def solid(t: int) -> np.ndarray:
        shown = warp_to(opening, canvas.homographies[t], width, height, border=cv2.BORDER_REPLICATE)
        return foreground[t] * (shown.astype(np.float32) / 255)

    return np.stack(list(map_ordered(solid, range(len(foreground)))))


def _first_opening(frames, camera, plate, opening, proposed):
    """The near plane's opening before the proposed fractions all together, and the plates of these."""
    height, width = frames.shape[1:3]

    def through(t: int) -> np.ndarray:
        return warp_to(opening, plate.canvas.homographies[t], width, height)

    motions = {fraction: slower(camera, fraction) for fraction in sorted(proposed)}
    plates = {a: build_plate(frames.__getitem__, through, canvas_of_plane(motion, width, height)) for a, motion in motions.items()}
    behind = partial(_least_miss, frames, tuple(plates.values()))
    return verified(frames, plate, behind, opening_of(frames, plate, behind)), plates


def _least_miss(frames: np.ndarray, plates: Sequence[Plate], t: int) -> np.ndarray:
    """Gray levels by which the best of the plates misses frame t, float32 (h, w); NaN where none was seen."""
    return np.fmin.reduce([_miss(frames, plate, t) for plate in plates])


def _miss(frames: np.ndarray, plate: Plate, t: int) -> np.ndarray:
    colors, seen = view(plate, t, frames.shape[2], frames.shape[1])
    return np.where(seen, interval(frames[t], colors), np.float32(np.nan))


def _chosen(frames: np.ndarray, camera: np.ndarray, opening: np.ndarray,
            plates: dict[float, Plate]) -> tuple[tuple[FarPlane, ...], tuple[Plate, ...]]:
    """The fewest of the plates that explain what is seen through the near plane's opening, back to front, as planes and as plates."""
    height, width = frames.shape[1:3]
    names = sorted(plates)
    canvas = canvas_of_plane(camera, width, height)

    def misses(t: int) -> np.ndarray:
        seen = warp_to(opening, canvas.homographies[t], width, height) > 127
        rows = [np.nan_to_num(_miss(frames, plates[name], t)[seen], nan=CLIPPED) for name in names]
        return np.minimum(np.stack(rows), CLIPPED)

    table = np.concatenate(list(map_ordered(misses, range(len(frames)))), 1)
    chosen: list[float] = []
    left = np.full(table.shape[1], CLIPPED, np.float32)
    while len(chosen) < len(names):
        best = min(range(len(names)), key=lambda k: float(np.minimum(left, table[k]).sum()))
        now = np.minimum(left, table[best])
        if chosen and now.sum() > (1 - LEAST_GAIN) * left.sum():
            break
        chosen.append(names[best])
        left = now
    planes = tuple(FarPlane(slower(camera, a), a, opening) for a in sorted(chosen))
    return planes, tuple(plates[a] for a in sorted(chosen))


def _opened(frames: np.ndarray, plates: Sequence[Plate], planes: Sequence[FarPlane]) -> tuple[FarPlane, ...]:
    """The planes with openings measured on `plates` (back to front, the near one last); without those that are seen nowhere."""
    height, width = frames.shape[1:3]
    kept, nearer = list(planes), []
    for index in range(len(planes), 0, -1):
        def behind(t: int, index: int = index) -> np.ndarray:
            shown = _through(nearer, t, width, height)
            return np.where(shown > 127, _least_miss(frames, plates[:index], t), np.float32(np.nan))

        opening = verified(frames, plates[index], behind, opening_of(frames, plates[index], behind))
        if not opening.any():
            return tuple(kept[index:])
        kept[index - 1] = replace(kept[index - 1], opening=opening)
        nearer.append((opening, plates[index].canvas))
    return tuple(kept)


def _through(nearer: Sequence[tuple[np.ndarray, Canvas]], t: int, width: int, height: int) -> np.ndarray:
    """What of frame t is seen through all these openings, uint8 (height, width)."""
    shown = np.full((height, width), 255, np.uint8)
    for opening, canvas in nearer:
        shown = cv2.multiply(shown, warp_to(opening, canvas.homographies[t], width, height), scale=1 / 255)
    return shown


def _followed(frames: np.ndarray, camera: np.ndarray, planes: Sequence[FarPlane], report: Report) -> tuple[FarPlane, ...]:
    """The planes with their fractions measured where they are seen.

    A motion measured freely on the little that is seen of a plane wanders off; only the fraction that it has of the camera's motion
    is taken from it, and that only where it is steady over time.
    """
    height, width = frames.shape[1:3]
    nearer = [canvas_of_plane(motion, width, height) for motion in [*(plane.homographies for plane in planes[1:]), camera]]
    openings = [plane.opening for plane in planes]
    followed = []
    for index, plane in enumerate(planes):
        seen = np.stack([visibility(nearer, openings, index, t, width, height) for t in range(len(frames))])
        start = Motion(plane.homographies, False, "homography", 0.0, len(frames) // 2)
        measured = refine_motion(frames, start, weights=seen, report=report).homographies
        fraction = _fraction(measured, camera, (seen > 127).sum((1, 2)), width, height)
        if abs(fraction - plane.fraction) < FRACTION_STEP:
            plane = replace(plane, homographies=slower(camera, fraction), fraction=fraction)
        followed.append(plane)
    return tuple(followed)


def _fraction(motion: np.ndarray, camera: np.ndarray, areas: np.ndarray, width: int, height: int) -> float:
    """The weighted median, over frames, of how far the frame's middle moves in `motion` for one px along `camera`."""
    middle = np.array([[width / 2, height / 2]])
    reference = len(camera) // 2
    moved, camera_moved = (np.stack([project(relative(h[reference], frame), middle)[0] - middle[0] for frame in h]) for h in (motion, camera))
    lengths = (camera_moved**2).sum(1)
    ratios = (moved * camera_moved).sum(1) / np.maximum(lengths, 1e-9)
    order = np.argsort(ratios, kind="stable")
    mass = np.cumsum((np.sqrt(lengths) * areas)[order])
    return round(float(ratios[order][np.searchsorted(mass, mass[-1] / 2)]), 4)


def _stitched(frames: np.ndarray, weights: np.ndarray, camera: np.ndarray, planes: Sequence[FarPlane]) -> Backdrop:
    height, width = frames.shape[1:3]
    return build_backdrop(frames.__getitem__, weights.__getitem__, camera, planes, size=(width, height))


def _moves(camera: np.ndarray, width: int, height: int) -> bool:
    reference = camera[len(camera) // 2]
    farthest = max(displacement(relative(reference, other), width, height) for other in camera)
    return farthest > LEAST_MOTION * float(np.hypot(width, height))


def _regions(foreground: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Labels int32 of the regions of the near plane's canvas that are foreground in most of their views; 0 elsewhere."""
    height, width = foreground.shape[1:]
    size = (canvas.width, canvas.height)
    views, hidden = np.zeros(size[::-1], np.float32), np.zeros(size[::-1], np.float32)
    for mask, homography in zip(foreground, canvas.homographies, strict=True):
        back = np.linalg.inv(homography)
        views += cv2.warpPerspective(np.ones((height, width), np.float32), back, size, flags=cv2.INTER_NEAREST)
        hidden += cv2.warpPerspective((mask > 0.5).astype(np.float32), back, size, flags=cv2.INTER_NEAREST)
    mostly = ((views >= LEAST_VIEWS) & (hidden > LEAST_SHARE * views)).astype(np.uint8)
    count, labels, sizes, _ = cv2.connectedComponentsWithStats(mostly)
    large = sizes[:, cv2.CC_STAT_AREA] > LEAST_AREA * height * width
    large[0] = False
    return np.where(large, np.cumsum(large), 0).astype(np.int32)[labels]
