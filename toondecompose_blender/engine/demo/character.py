# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's heroine: a girl with a scarf, drawn in ink and flat color from a pose.
Knows how she looks; nothing of clips, cameras or frames."""

from __future__ import annotations

import numpy as np

from .ink import INK, Cel, Paint, curve, turned
from .run_cycle import Arm, Leg, Pose

__all__ = ["draw_runner", "SHEET", "ORIGIN"]

SHEET = (330.0, 330.0)  # units of the sheet she is drawn on
ORIGIN = (190.0, 190.0)  # the mean place of her hip on it

SKIN = Paint((252, 216, 186), (232, 168, 148))
HAIR = Paint((142, 76, 54), (98, 46, 48))
JACKET = Paint((250, 200, 70), (220, 142, 52))
SHIRT = Paint((250, 246, 236), (206, 204, 220))
SHORTS = Paint((66, 88, 150), (42, 54, 104))
SOCK = Paint((250, 246, 240), (200, 196, 214))
BOOT = Paint((178, 60, 52), (122, 36, 50))
SOLE = Paint((244, 232, 214), (190, 170, 172))
SCARF = Paint((228, 64, 70), (168, 36, 66))
GLOSS, BLUSH, IRIS, WHITE = (206, 128, 86), (246, 172, 152), (58, 126, 112), (255, 252, 248)


def draw_runner(pose: Pose, *, unit: float) -> Cel:
    """One drawing of the run, on a sheet of `SHEET` units with `unit` pixels each."""
    cel = Cel(*SHEET, origin=ORIGIN, unit=unit)
    _arm(cel, pose.far_arm, far=True)
    _leg(cel, pose.far_leg, far=True)
    _scarf_tails(cel, pose)
    _ponytail(cel, pose)
    _leg(cel, pose.near_leg, far=False)
    _torso(cel, pose)
    _head(cel, pose)
    _scarf_wrap(cel, pose)
    _arm(cel, pose.near_arm, far=False)
    return cel


def _tint(paint: Paint, far: bool) -> Paint:
    return paint.far() if far else paint


def _between(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    return a + (b - a) * share


def _leg(cel: Cel, leg: Leg, *, far: bool) -> None:
    bare = cel.limb([leg.hip, leg.knee], [25, 17])
    bare = cel.limb([leg.knee, _between(leg.knee, leg.ankle, 0.35), leg.ankle], [17, 16, 11], mask=bare)
    cel.lay(bare, _tint(SKIN, far), depth=4.5)
    sock = cel.limb([_between(leg.knee, leg.ankle, 0.45), leg.ankle], [16.5, 12])
    cel.lay(sock, _tint(SOCK, far), depth=3.5)
    _boot(cel, leg, far=far)
    shorts = cel.limb([leg.hip, _between(leg.hip, leg.knee, 0.5)], [33, 29])
    cel.lay(shorts, _tint(SHORTS, far), depth=6)


def _boot(cel: Cel, leg: Leg, *, far: bool) -> None:
    toe, shaft = leg.toe - leg.ankle, leg.ankle - leg.knee
    toe, shaft = toe / np.linalg.norm(toe), shaft / np.linalg.norm(shaft)
    heel = leg.ankle - 5 * toe + 3 * shaft
    sole = cel.limb([heel + 5.5 * shaft, heel + 5.5 * shaft + 28 * toe], [8, 8])
    cel.lay(sole, _tint(SOLE, far), line=1.3, depth=2)
    boot = cel.limb([leg.ankle - 7 * shaft, leg.ankle], [15.5, 15])
    boot = cel.limb([heel, leg.ankle + 10 * toe + 2 * shaft, leg.ankle + 20 * toe + 4.5 * shaft], [13, 14.5, 10.5], mask=boot)
    cel.lay(boot, _tint(BOOT, far), depth=3.5)
    across = np.array([-shaft[1], shaft[0]])
    cel.stroke([leg.ankle - 4.5 * shaft - 6 * across, leg.ankle - 4.5 * shaft + 6 * across], [1.8, 1.8], _tint(SOLE, far).fill, within=boot)


def _arm(cel: Cel, arm: Arm, *, far: bool) -> None:
    wrist = _between(arm.elbow, arm.hand, 0.72)
    fore = cel.limb([arm.elbow, arm.hand], [12, 9.5])
    cel.lay(fore, _tint(SKIN, far), depth=3)
    along = (arm.hand - arm.elbow) / np.linalg.norm(arm.hand - arm.elbow)
    across = np.array([along[1], -along[0]])
    fist = cel.limb([arm.hand + 1 * along, arm.hand + 6 * along], [14, 13])
    cel.lay(fist, _tint(SKIN, far), line=1.4, depth=3.5)
    for place in (3.0, 6.5):
        cel.stroke([arm.hand + place * along + 5.5 * across, arm.hand + place * along + 1.5 * across], [1.5, 0.8], within=fist)
    sleeve = cel.limb([arm.shoulder, arm.elbow], [19, 17])
    sleeve = cel.limb([arm.elbow, _between(arm.elbow, wrist, 0.85)], [17, 14.5], mask=sleeve)
    cel.lay(sleeve, _tint(JACKET, far), depth=4.5)
    cuff = _between(arm.elbow, wrist, 0.85)
    cel.stroke([cuff - 7 * across, cuff + 7 * across], [4.5, 4.5], _tint(SHIRT, far).fill, within=sleeve)
    cel.stroke([cuff - 2.4 * along - 7 * across, cuff - 2.4 * along + 7 * across], [1.1, 1.1], within=sleeve)


def _torso(cel: Cel, pose: Pose) -> None:
    side = [(-13, -4), (-17, -24), (-15, -44), (-8, -56), (5, -58), (15, -48), (17, -28), (14, -6), (15, 5), (0, 9), (-15, 5)]
    seat = curve(np.array([(-16, -8), (15, -8), (17, 6), (8, 15), (-8, 15), (-18, 6)]), closed=True)
    hips = cel.shape(turned(seat, pose.lean * 0.6, pose.hip))
    cel.lay(hips, SHORTS, depth=5)
    jacket = cel.shape(turned(curve(np.array(side), closed=True), pose.lean, pose.hip))
    cel.lay(jacket, JACKET, depth=6.5)

    def on_chest(points: list[tuple[float, float]]) -> np.ndarray:
        return turned(np.array(points), pose.lean, pose.hip)

    cel.stroke(on_chest([(-18, 1), (0, 5), (18, 1)]), [6, 6, 6], SHIRT.shade, within=jacket)
    cel.stroke(on_chest([(-18, -3), (0, 1), (18, -3)]), [1.4, 1.4, 1.4], within=jacket)
    cel.stroke(on_chest([(9, -54), (12, -30), (10, 6)]), [1.2, 1.6, 1.2], within=jacket)
    cel.stroke(on_chest([(-6, -16), (4, -13)]), [1.0, 1.8], within=jacket)


def _scarf_tails(cel: Cel, pose: Pose) -> None:
    root = pose.chest + [-8, -3]
    for length, start, drop, width in ((84, 0.0, 10, 15), (66, 0.22, -6, 14)):
        line = _streamer(root, length, pose.phase + start, drop=drop, swing=11)
        inside = cel.lay(cel.limb(line, [9, width, width + 1, width - 1]), SCARF, depth=5)
        for share in (0.80, 0.9):
            place = line[int(share * (len(line) - 1))]
            cel.stroke([place + [0, -9], place + [0, 9]], [2.2, 2.2], SHIRT.fill, within=inside)


def _streamer(root: np.ndarray, length: float, phase: float, *, drop: float, swing: float, waves: float = 0.85) -> np.ndarray:
    """A line (N, 2) of cloth or hair blown backwards, a wave running along it once a cycle."""
    along = np.linspace(0, 1, 9)
    sway = swing * along ** 0.8 * np.sin(2 * np.pi * (waves * along - phase))
    return root + np.stack([-length * along + 0.15 * sway, drop * along + sway], 1)


def _ponytail(cel: Cel, pose: Pose) -> None:
    root = turned(np.array([(-26, -20)]), pose.nod, pose.head)[0]
    tail = cel.empty()
    for length, start, drop, widths in ((74, 0.30, 26, [12, 24, 22, 12, 1.5]), (62, 0.36, 40, [10, 20, 15, 8, 1]),
                                        (66, 0.24, 8, [10, 18, 13, 6, 1])):
        cel.limb(_streamer(root, length, pose.phase + start, drop=drop, swing=9, waves=0.7), widths, mask=tail)
    inside = cel.lay(tail, HAIR, depth=6)
    for start, drop in ((0.33, 22), (0.30, 34)):
        cel.stroke(_streamer(root, 50, pose.phase + start, drop=drop, swing=8, waves=0.7)[2:], [0.8, 1.6, 0.6], within=tail)
    cel.stroke(_streamer(root, 44, pose.phase + 0.28, drop=6, swing=7, waves=0.7)[2:7], [1, 4, 1], GLOSS, within=inside)
    band = cel.limb([root + [-2, -7], root + [-4, 8]], [8, 8])
    cel.lay(band, SCARF, depth=2.5)


def _head(cel: Cel, pose: Pose) -> None:
    def at(points: list[tuple[float, float]]) -> np.ndarray:
        return turned(np.array(points, np.float64), pose.nod, pose.head)

    bounce = 1.6 * np.sin(4 * np.pi * pose.phase + 0.8)
    back = cel.shape(curve(at([(-8, -42), (14, -40), (28, -22), (20, 8), (-8, 22), (-27, 14), (-36, -6), (-30, -30)]), closed=True))
    cel.lay(back, HAIR, depth=7)
    neck = cel.limb([pose.chest + [2, -2], _between(pose.chest, pose.head, 0.45) + [2, 0]], [14, 13])
    cel.lay(neck, Paint(SKIN.shade, SKIN.shade))
    profile = [(0, -28), (20, -26), (29, -12), (29.5, 2), (28, 12), (22, 22), (12, 29), (2, 25), (-10, 15), (-16, 0), (-14, -18)]
    face = cel.shape(curve(at(profile), closed=True))
    _features(cel, at, cel.lay(face, SKIN, line=1.3, depth=4.5))
    ear = cel.shape(curve(at([(-12, -2), (-17, -4), (-20, 3), (-16, 12), (-10, 11)]), closed=True))
    cel.lay(ear, SKIN, line=1.2, depth=2)
    cel.stroke(at([(-16, 1), (-14, 4), (-15, 8)]), [0.8, 1.2, 0.8], SKIN.shade, within=ear)
    _fringe(cel, at, bounce)


def _features(cel: Cel, at, face: np.ndarray) -> None:
    """Eyes, brows, nose, mouth and blush; `at` places points of the head on the cel."""
    for x, width in ((6.0, 6.6), (23.0, 4.4)):
        angles = np.linspace(0, 2 * np.pi, 40)
        oval = np.stack([np.cos(angles), np.sin(angles)], 1)
        cel.fill(cel.shape(at(oval * [width, 8.6] + [x, -1])), WHITE, within=face)
        iris = cel.shape(at(oval * [width * 0.72, 8.0] + [x + 1.0, 0]))
        cel.fill(iris, INK, within=face)
        cel.fill(cel.shape(at(oval * [width * 0.52, 5.6] + [x + 1.0, 1.4])), IRIS, within=face)
        cel.fill(cel.shape(at(oval * [width * 0.28, 3.4] + [x + 1.2, 0.4])), INK, within=face)
        cel.fill(cel.shape(at(oval * [width * 0.26, 2.2] + [x + 2.3, -3.4])), WHITE, within=face)
        lash = [(x - width - 1.4, -4.5), (x - width * 0.4, -9.6), (x + width * 0.5, -9.4), (x + width, -5.6)]
        cel.stroke(at(lash), [1.2, 3.0, 2.8, 1.6], within=face)
        cel.stroke(at([(x - width * 0.5, 8.2), (x + width * 0.5, 8.0)]), [0.8, 0.8], within=face)
        cel.stroke(at([(x - width, -13), (x, -15.5), (x + width * 0.9, -14)]), [1.0, 1.9, 0.9], HAIR.shade, within=face)
    for x in (2.0, 25.0):
        cel.stroke(at([(x - 2.5, 12.5), (x + 2.5, 12.5)]), [4.2, 4.2], BLUSH, within=face)
    cel.stroke(at([(18.5, 8.5), (20, 10), (18.6, 10.6)]), [0.8, 1.2, 0.7], within=face)
    mouth = cel.shape(curve(at([(10, 15.5), (15, 16.5), (21, 15), (19.5, 20), (15, 22.4), (11.5, 20)]), closed=True))
    cel.lay(mouth, Paint((196, 74, 72), (150, 44, 56)), line=0.9, depth=1.5)


def _fringe(cel: Cel, at, bounce: float) -> None:
    """The hair over the brow, in strands that bounce."""
    cap = [(-18, 6), (-33, -4), (-32, -28), (-12, -44), (14, -43), (30, -28), (33, -14), (26, -21), (8, -21), (-8, -12)]
    hair = cel.shape(curve(at(cap), closed=True))
    strands = (((26, -27), (31, -16), (27, -3), 10), ((20, -30), (20, -17), (14.5, -8), 13), ((8, -30), (6, -16), (-1, -7), 14),
               ((-4, -26), (-9, -8), (-7, 10), 13), ((-14, -20), (-20, 0), (-16, 20), 13), ((-24, -20), (-28, 4), (-24, 21), 14))
    for root, middle, tip, width in strands:
        cel.limb(at([root, middle, (tip[0] - bounce, tip[1] + bounce)]), [width, width, width * 0.55, 1.0], mask=hair)
    for root, middle, tip in (((-6, -41), (-14, -52), (-24, -50 + bounce)), ((4, -42), (2, -53), (-8, -57 + bounce))):
        cel.limb(at([root, middle, tip]), [9, 5, 0.8], mask=hair)
    clear = cel.lay(hair, HAIR, depth=6)
    cel.stroke(at([(-27, -20), (-16, -30), (-2, -33), (8, -31)]), [1, 5, 5, 1], GLOSS, within=clear)
    cel.stroke(at([(13, -31), (21, -28), (26, -23)]), [1, 4, 1], GLOSS, within=clear)
    for line in (((14, -40), (14, -28), (11, -15)), ((0, -40), (-4, -26), (-9, -12)), ((-14, -36), (-21, -18), (-21, 4)),
                 ((24, -32), (26, -22), (24, -12))):
        cel.stroke(at(list(line)), [0.6, 1.5, 0.7], within=hair)


def _scarf_wrap(cel: Cel, pose: Pose) -> None:
    place = pose.chest + [3, -4]
    wrap = cel.limb(turned(np.array([(-15, -3), (-4, 4), (8, 5), (16, -2)]), pose.lean * 0.6, place), [13, 16, 16, 11])
    inside = cel.lay(wrap, SCARF, depth=5)
    fold = turned(np.array([(-13, 0), (0, 3), (12, 0)]), pose.lean * 0.6, place)
    cel.stroke(fold, [0.8, 1.5, 0.8], SCARF.shade, within=inside)
    knot = cel.limb(turned(np.array([(-17, -5), (-13, 4)]), pose.lean * 0.6, place), [11, 10])
    cel.lay(knot, SCARF, depth=3)
