# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist sees before the drawings are done: every sprite that was found, on a sheet that an icon can show."""

import numpy as np

from tests.engine.drawn import draw_clip
from toondecompose_blender.engine.first_look import FIRST_LOOK, first_look, show_first_look
from toondecompose_blender.engine.pictures import read_picture
from toondecompose_blender.engine.report import Silent


class Heard(Silent):
    def __init__(self):
        self.artifacts = []

    def artifact(self, kind, path):
        self.artifacts.append((kind, path))


def test_every_sprite_is_cut_out_where_it_is_largest_and_the_background_is_darkened_below_them():
    clip = draw_clip(frames=5)
    alphas = np.rint(np.asarray(clip.alphas, np.float32) * 255).astype(np.uint8)
    sheet = first_look(clip.frames, alphas)
    height, width = sheet.shape[:2]
    assert 0.4 < width / height < 2.6
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 50
    without = first_look(clip.frames, alphas * 0)
    assert sheet.shape == without.shape and (sheet != without).any(2).mean() > 0.02


def test_the_sheet_is_told_and_lies_where_no_result_looks(tmp_path):
    clip, heard = draw_clip(frames=3), Heard()
    (tmp_path / "stages").mkdir()
    show_first_look(tmp_path, "stages", clip.frames, np.zeros((0, 3, *clip.frames.shape[1:3]), np.uint8), heard)
    assert heard.artifacts == [("contact_sheet", f"stages/{FIRST_LOOK}")] and read_picture(tmp_path / "stages" / FIRST_LOOK).size
