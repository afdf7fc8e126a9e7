# SPDX-License-Identifier: GPL-3.0-or-later
"""A result folder made of a drawn clip's own layers: what a perfect decomposition would write."""

from pathlib import Path

import cv2
import numpy as np

from toondecompose_blender.engine import pictures
from toondecompose_blender.engine.demo import draw_demo
from toondecompose_blender.protocol import Clip, Decomposition, Sprite, write_manifest


def write_true_result(folder: Path, clip: Path, **demo) -> Decomposition:
    """Draw the demo with its options into `clip` and its layers as a result into `folder`."""
    scene = draw_demo(clip, **demo)
    sprites = []
    for k, layer in enumerate(scene.layers):
        (folder / layer.name).mkdir(parents=True)
        names = tuple(f"{layer.name}/{number + 1:04d}.png" for number in range(len(layer.drawings)))
        for name, drawing in zip(names, layer.drawings, strict=True):
            rows, columns = (side // layer.supersampling for side in drawing.shape[:2])
            small = cv2.resize(drawing.astype(np.float32) / 255, (columns, rows), interpolation=cv2.INTER_AREA)
            pictures.write_picture(folder / name, pictures.straight(small))
        pictures.write_array(folder / layer.name / "homographies.npy", layer.homographies)
        sprites.append(Sprite(layer.name, layer.name.capitalize(), "character" if k else "background", columns, rows, names, layer.exposure,
                              f"{layer.name}/homographies.npy"))
    decomposition = Decomposition(Clip(scene.name, scene.width, scene.height, scene.frames, 24.0, 0, str(clip)), tuple(sprites))
    write_manifest(folder, decomposition)
    return decomposition
