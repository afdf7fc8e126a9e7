# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's painted background: a lane past a small town on a summer day, several screens wide.
Knows the painting; nothing of cameras or sprites."""

from __future__ import annotations

import numpy as np

from .brush import Board, mixed

__all__ = ["paint_town", "GROUND"]

GROUND = 318.0  # units from the top: where feet touch the lane
_HORIZON = 232.0

_SKY = [(84, 158, 214), (128, 194, 230), (190, 224, 236), (246, 236, 212)]
_WALLS = [(240, 222, 190), (226, 186, 150), (236, 206, 196), (200, 212, 214), (244, 232, 214), (214, 196, 160)]
_ROOFS = [(178, 84, 66), (150, 74, 78), (110, 100, 122), (190, 112, 70), (126, 84, 70)]
_SHUTTERS = [(70, 122, 110), (74, 102, 148), (160, 78, 70), (92, 126, 70)]
_LEAVES = [(58, 112, 70), (84, 140, 74), (120, 168, 82), (156, 190, 96)]
_GRASS = [(92, 146, 76), (122, 172, 84), (150, 190, 98), (106, 158, 80)]


def paint_town(width: float, height: float, *, unit: float, seed: int = 7) -> np.ndarray:
    """The painting, `width` x `height` units with `unit` pixels each: RGB uint8."""
    board = Board(width, height, unit=unit, random=np.random.default_rng(seed))
    board.gradient(0, _HORIZON + 20, _SKY)
    _clouds(board)
    _hills(board)
    _town(board)
    _hedge(board)
    _trees(board)
    _fence(board)
    _lane(board)
    _verge(board)
    board.grain(2.6)
    return board.picture


def _clouds(board: Board) -> None:
    for _ in range(int(board.width / 60)):
        x, y = board.random.uniform(0, board.width), board.random.uniform(20, 170)
        board.dabs(np.stack([x + board.random.normal(0, 22, 7), y + board.random.normal(0, 2.2, 7)], 1), length=34, breadth=1.6, tilt=-2,
                   spread=2, colors=[mixed(_SKY[1], (250, 250, 246), 0.45), mixed(_SKY[1], (250, 250, 246), 0.2)])
    for x in np.arange(40, board.width, 190):
        x, y, size = x + board.random.uniform(-50, 50), board.random.uniform(32, 120), board.random.uniform(0.6, 1.3)
        count = int(14 * size) + 6
        along = np.sort(board.random.uniform(-1, 1, count))
        swell = 1 - along ** 2  # round on top, flat below
        radius = size * (8 + 17 * swell * board.random.uniform(0.6, 1, count))
        puffs = np.stack([x + 82 * size * along, y - size * 24 * swell * board.random.random(count) - 0.4 * radius, radius], 1)
        board.soft(puffs, (196, 214, 230), blur=1.0, strength=0.95)
        board.soft(puffs * [1, 1, 0.86] + [3, -3, 0], (232, 238, 242), blur=1.4)
        board.soft(puffs * [1, 1, 0.66] + [5, -6, 0], (255, 253, 246), blur=1.2)


def _hills(board: Board) -> None:
    for level, (base, swing, color) in enumerate(((158, 30, (142, 178, 200)), (184, 22, (122, 168, 160)), (208, 14, (108, 160, 112)))):
        xs = np.linspace(-5, board.width + 5, int(board.width / 3))
        phases = board.random.uniform(0, 7, 4)
        ridge = base - sum(swing / n * np.sin(xs / (150 / n) + phases[n - 1]) for n in range(1, 5)) * 0.6
        outline = np.concatenate([np.stack([xs, ridge], 1), [(board.width + 5, _HORIZON + 30), (-5, _HORIZON + 30)]])
        board.polygon(outline, color)
        count = int(board.width * 1.3)
        at = board.random.integers(0, len(xs), count)
        below = ridge[at] + board.random.gamma(1.5, 9, count)
        places = np.stack([xs[at] + board.random.uniform(-3, 3, count), np.minimum(below, _HORIZON + 20)], 1)
        tones = [mixed(color, (60, 110, 110), 0.28), mixed(color, (210, 226, 190), 0.25), color]
        board.dabs(places[np.argsort(places[:, 1])], length=9 - 2 * level, breadth=3 + level, tilt=-8, spread=14, colors=tones)


def _town(board: Board) -> None:
    x = -30.0
    while x < board.width + 20:
        width, height = board.random.uniform(62, 104), board.random.uniform(66, 112)
        _house(board, x, width, height)
        x += width + board.random.uniform(2, 34)


def _house(board: Board, x: float, width: float, height: float) -> None:
    random = board.random
    wall, roof = _WALLS[random.integers(len(_WALLS))], _ROOFS[random.integers(len(_ROOFS))]
    top, bottom = _HORIZON + 34 - height, _HORIZON + 34
    board.box(x, top, width, height, wall)
    board.box(x, top, width * 0.16, height, mixed(wall, (90, 90, 140), 0.28))
    stones = board.scattered(int(width * height / 60), (x + 3, x + width - 3), (top + 2, bottom))
    board.dabs(stones, length=6, breadth=2.2, tilt=0, spread=4,
               colors=[mixed(wall, (120, 96, 96), 0.16), mixed(wall, (255, 250, 236), 0.35)])
    _roof(board, x, top, width, roof)
    shutter = _SHUTTERS[random.integers(len(_SHUTTERS))]
    columns = int(width // 27)
    for row in range(int((height - 26) // 30)):
        for column in range(columns):
            _window(board, x + (column + 0.5) * width / columns - 6, top + 12 + 30 * row, shutter)
    door = x + width * random.uniform(0.3, 0.6)
    board.box(door - 8, bottom - 29, 16, 29, mixed(shutter, (60, 40, 40), 0.3))
    board.box(door - 6, bottom - 27, 12, 27, shutter)
    board.box(door - 4, bottom - 24, 8, 8, (200, 220, 220))
    board.line([(x, top), (x, bottom)], mixed(wall, (60, 40, 60), 0.6), 0.8)
    board.line([(x + width, top), (x + width, bottom)], mixed(wall, (60, 40, 60), 0.6), 0.8)


def _roof(board: Board, x: float, top: float, width: float, color: tuple) -> None:
    random = board.random
    rise, eave = random.uniform(24, 38), 6.0
    ridge = random.uniform(0.18, 0.34) * width
    chimney = x + width * random.uniform(0.3, 0.7)
    board.box(chimney, top - rise - 10, 9, 22, (168, 108, 92))
    board.box(chimney - 1.5, top - rise - 12, 12, 3.5, (120, 80, 80))
    board.polygon([(x - eave, top + 3), (x + ridge, top - rise), (x + width - ridge, top - rise), (x + width + eave, top + 3)], color)
    dark, light = mixed(color, (50, 30, 60), 0.4), mixed(color, (255, 220, 180), 0.22)
    for row in np.arange(0, rise, 4.2):
        share = row / rise
        left, right, y = x - eave + share * (ridge + eave), x + width + eave - share * (ridge + eave), top + 3 - row
        for tile in np.arange(left + 2 + (row % 8.4 > 4) * 3, right - 2, 6):
            board.dab(tile + 2, y - 2.2, 5.4, 3.2, random.normal(0, 4), (dark, light, color)[random.integers(3)])
        board.line([(left, y), (right, y)], dark, 0.5)
    board.line([(x - eave, top + 3.5), (x + width + eave, top + 3.5)], mixed(dark, (30, 20, 40), 0.4), 1.4)


def _window(board: Board, x: float, y: float, shutter: tuple) -> None:
    glass = mixed((86, 118, 150), (184, 214, 222), board.random.random())
    board.box(x - 1.2, y - 1.2, 14.4, 18.4, (250, 246, 236))
    board.box(x, y, 12, 16, glass)
    board.polygon([(x + 1, y + 15), (x + 1, y + 8), (x + 9, y + 1), (x + 11, y + 1)], mixed(glass, (236, 246, 246), 0.5))
    board.line([(x + 6, y), (x + 6, y + 16)], (250, 246, 236), 1.0)
    board.line([(x, y + 7), (x + 12, y + 7)], (250, 246, 236), 1.0)
    for side in (-5.2, 13.4):
        board.box(x + side, y - 1, 3.8, 18, shutter)
        for slat in np.arange(y + 1, y + 16, 2.6):
            board.line([(x + side + 0.4, slat), (x + side + 3.2, slat)], mixed(shutter, (30, 30, 50), 0.35), 0.5)
    board.box(x - 3, y + 17, 18, 2.6, (150, 104, 84))
    board.dabs(board.scattered(9, (x - 2, x + 14), (y + 14, y + 18)), length=3, breadth=2.4, tilt=0, spread=40,
               colors=[(222, 84, 90), (246, 190, 90), (96, 148, 80), (240, 150, 170)])


def _hedge(board: Board) -> None:
    board.gradient(_HORIZON + 33, board.height, [(112, 160, 84), (92, 142, 76)])
    for depth, shift in ((0, 0.0), (1, 7.0)):
        colors = _LEAVES[:3] if depth == 0 else _LEAVES[1:]
        xs = board.random.uniform(0, board.width, int(board.width * (2.4 - depth)))
        crown = 9 + 5 * np.sin(xs / 31 + depth) + 3 * np.sin(xs / 11)
        places = np.stack([xs, _HORIZON + 36 + shift - crown * board.random.random(len(xs))], 1)
        board.dabs(places[np.argsort(places[:, 1])], length=6, breadth=3.6, tilt=20, spread=50, colors=colors)


def _trees(board: Board) -> None:
    x = 60.0
    while x < board.width:
        _tree(board, x, _HORIZON + 44 + board.random.uniform(0, 6), board.random.uniform(0.8, 1.25))
        x += board.random.uniform(150, 280)


def _tree(board: Board, x: float, foot: float, size: float) -> None:
    random = board.random
    trunk, crown = 66 * size, np.array([x, foot - 96 * size])
    for left_foot, left_top, color in ((-6.0, -3.4, (104, 76, 66)), (1.0, 1.0, (140, 104, 82))):
        sides = np.array([(left_foot, 0), (left_top, 0), (3.4, 0), (7.0, 0)]) * size
        board.polygon(sides + [(x, foot), (x, foot - trunk), (x, foot - trunk), (x, foot)], color)
    for side in (-1, 1):
        board.line([(x, foot - trunk * 0.7), (x + side * 22 * size, foot - trunk * 1.15)], (104, 76, 66), 3 * size)
    clumps = crown + size * random.normal(0, 1, (9, 2)) * [24, 17]
    for level, color in enumerate(((44, 92, 66), (66, 122, 70), (102, 154, 76), (150, 188, 92))):
        for cx, cy in clumps:
            count, reach = int((70, 60, 46, 22)[level] * size), (19, 17, 14, 10)[level] * size
            spots = random.normal(0, 0.5, (count, 2)) * reach + [cx + 2.0 * level, cy - 3.2 * level]
            board.dabs(spots, length=6.5, breadth=3.6, tilt=25, spread=45, colors=[color, mixed(color, _LEAVES[min(level, 3)], 0.6)])


def _fence(board: Board) -> None:
    top, bottom = _HORIZON + 22, _HORIZON + 58
    for y in (top + 9, bottom - 11):
        board.box(-5, y, board.width + 10, 4, (226, 218, 204))
        board.line([(0, y + 4.2), (board.width, y + 4.2)], (132, 120, 126), 0.9)
    for x in np.arange(4, board.width, 11.5):
        x += board.random.normal(0, 0.5)
        lean = board.random.normal(0, 0.5)
        picket = np.array([(x, bottom), (x + lean, top + 4), (x + lean + 3, top), (x + lean + 6, top + 4), (x + 6, bottom)])
        board.polygon(picket, mixed((246, 240, 228), (214, 206, 204), board.random.random() * 0.7))
        board.line(picket[[4, 3]], (138, 126, 132), 0.9)
        board.line(picket[[0, 1, 2, 3]], (170, 158, 156), 0.5)
        board.line([(x + 2 + lean, top + 8), (x + 2, bottom - 3)], (216, 206, 200), 0.5)


def _lane(board: Board) -> None:
    top = _HORIZON + 62
    blades = board.scattered(int(board.width * 2), (0, board.width), (_HORIZON + 54, top + 4))
    board.dabs(blades, length=3, breadth=9, tilt=0, spread=16, colors=_GRASS)
    board.gradient(top, board.height, [(214, 186, 146), (196, 160, 124)])
    board.dabs(board.scattered(int(board.width * 4), (0, board.width), (top, board.height)), length=16, breadth=2.4, tilt=0, spread=3,
               colors=[(224, 198, 158), (186, 150, 118), (206, 176, 138), (176, 144, 120)])
    for x, y in board.scattered(int(board.width / 5), (0, board.width), (top + 4, board.height)):
        size = board.random.uniform(1.5, 4.5) * (0.5 + (y - top) / 60)
        board.dab(x + 0.5, y + 0.8, size * 1.7, size, 0, (134, 108, 104))
        board.dab(x, y, size * 1.6, size * 0.8, 0, mixed((196, 186, 176), (160, 148, 146), board.random.random()))


def _verge(board: Board) -> None:
    top = _HORIZON + 62
    for edge, reach in ((top + 1, 7), (board.height - 4, 16)):
        for x in board.random.uniform(0, board.width, int(board.width * 1.4)):
            height, lean = board.random.uniform(0.4, 1) * reach, board.random.normal(0, 2.2)
            color = mixed(_GRASS[board.random.integers(4)], (60, 110, 62), board.random.random() * 0.5)
            y = edge + board.random.uniform(-1, 4)
            board.polygon([(x - 1.1, y), (x + lean, y - height), (x + 1.1, y)], color)
    flowers = board.scattered(int(board.width / 6), (0, board.width), (board.height - 16, board.height - 4))
    board.dabs(flowers, length=3.2, breadth=2.8, tilt=0, spread=40, colors=[(250, 240, 210), (246, 196, 80), (226, 96, 110)])
