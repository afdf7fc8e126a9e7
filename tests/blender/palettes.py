# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws a sprite whose paints and regions are known: for tests that recolor or pack.
It must not know how results are imported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import results

from toondecompose_blender.protocol import Swatch

COLORS = ((200, 60, 40), (40, 90, 180), (230, 200, 60))


def shaded(seed, width=70, height=60):
    """A drawing of three flat colors with shading and an outline, and its index map."""
    y, x = np.mgrid[0:height, 0:width]
    index = np.where(x + seed * 4 < width * 0.4, 1, np.where(y < height * 0.5, 2, 3))
    picture = np.zeros((height, width, 4), np.uint8)
    shade = np.where((x // 8 + y // 8) % 2, 0, -25)
    for number, color in enumerate(COLORS, start=1):
        picture[index == number, :3] = (np.array(color) + shade[index == number, None]).clip(0, 255)
    outline = (np.abs(x - width // 2) < 2) | (np.abs(y - height // 3) < 2)
    picture[outline, :3], index[outline] = 20, 0
    picture[..., 3] = (255 * np.clip((0.95 - np.maximum(np.abs(x / width * 2 - 1), np.abs(y / height * 2 - 1))) / 0.1, 0, 1)).round()
    return picture, index.astype(np.uint8)


def recolor(number, new):
    """The NumPy recolor, an edit of sprite "fox": the difference added to the region of a swatch."""
    indices = {shaded(seed)[0].tobytes(): shaded(seed)[1] for seed in (0, 1)}

    def edit(name, drawing, homography):
        if name == "fox":
            index = indices[drawing.round().astype(np.uint8).tobytes()]
            drawing = drawing.copy()
            drawing[index == number, :3] += np.array(new) - COLORS[number - 1]
        return drawing, homography
    return edit


def write_fox(folder: Path):
    """A two-drawing sprite of three frames with palette and index maps, before a painted background."""
    pictures, indices = zip(*(shaded(seed) for seed in (0, 1)), strict=True)
    for number, index in enumerate(indices, start=1):
        results.write_png(folder / "fox" / "index" / f"fox_index_{number:04d}.png", np.dstack([index] * 3 + [np.full_like(index, 255)]))
    background = results.write_sprite(folder, "background", [results.painted(200, 110, 1)], [1] * 3,
                                      results.perspective(3, (200, 110), size=1.5, strength=0.3))
    fox = results.write_sprite(folder, "fox", list(pictures), [1, 2, 1], results.perspective(3, (70, 60), seed=1, size=0.8),
                               palette=tuple(Swatch(color, share) for color, share in zip(COLORS, (0.5, 0.3, 0.2), strict=True)),
                               index_maps=("fox/index/fox_index_0001.png", "fox/index/fox_index_0002.png"))
    return results.write_result(folder, [background, fox], frames=3)
