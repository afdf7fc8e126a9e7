# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of a result that people look at: contact sheet and preview movie."""

import numpy as np
import pytest

from toondecompose_blender.engine.clip import open_clip
from toondecompose_blender.engine.movie import MovieWriter
from toondecompose_blender.engine.pictures import read_picture
from toondecompose_blender.engine.recompose import Recomposer
from toondecompose_blender.engine.sheet import ResultPictures, checkerboard, contact_sheet, exploded
from toondecompose_blender.protocol import EngineError

from .true_result import write_true_result


def flat(color: tuple[int, int, int], width: int = 64, height: int = 36) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)


RED, GREEN, BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)


def test_pictures_stand_in_rows_in_the_order_given():
    sheet = contact_sheet([flat(RED), flat(GREEN), flat(BLUE)], columns=2, cell_width=32)
    places = [np.argwhere((sheet == color).all(2)) for color in (RED, GREEN, BLUE)]
    assert [len(place) for place in places] == [32 * 18] * 3
    (red_y, red_x), (green_y, green_x), (blue_y, blue_x) = (place.min(0) for place in places)
    assert red_y == green_y < blue_y and red_x == blue_x < green_x


def test_labels_and_headings_are_written_beside_the_pictures():
    plain = contact_sheet([flat(RED), flat(GREEN)], columns=1, cell_width=64)
    named = contact_sheet([flat(RED), flat(GREEN)], columns=1, cell_width=64, labels=["original", "走る"], headings=["frame 1"])
    assert named.shape[1] > plain.shape[1] and named.shape[0] > plain.shape[0]
    margin = named[:, :100]
    assert (margin[named.shape[0] // 2:].min() < 120) and (margin[:named.shape[0] // 2].min() < 120) and (named[:20, 112:].min() < 120)


def test_pulled_apart_the_back_sprite_is_upper_left_and_the_front_one_lower_right():
    sprites = [np.dstack([flat(color, 320, 180) / np.float32(255), np.ones((180, 320), np.float32)]) for color in (RED, BLUE)]
    scene = exploded(sprites)
    red, blue = (np.argwhere((scene == color).all(2)).mean(0) for color in (RED, BLUE))
    assert (red < blue).all()
    sprites[1][:] = 0
    seen_through = exploded(sprites)
    assert (np.abs(seen_through.astype(int) - RED).max(2) < 60).sum() > (np.abs(scene.astype(int) - RED).max(2) < 60).sum()


def test_transparency_is_a_soft_checkerboard():
    board = checkerboard(48, 24, cell=12)
    assert len(np.unique(board)) == 2 and board[0, 0, 0] != board[0, 12, 0] == board[12, 0, 0]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    clip, folder = tmp_path_factory.mktemp("clip"), tmp_path_factory.mktemp("result")
    return clip, folder, write_true_result(folder, clip, width=160, height=90, frames=10, sprites=3)


def show(drawn, out) -> None:
    clip, folder, decomposition = drawn
    reader = open_clip(clip)
    recomposer = Recomposer(folder, decomposition)
    with ResultPictures(out / "sheet.png", out / "preview.mp4", decomposition, recomposer.sprites) as pictures:
        for t, recomposed in enumerate(recomposer.frames()):
            pictures.add(t, reader.read(t), recomposed, pictures.panel(t, reader.read(t), recomposed))


def test_a_result_gets_a_sheet_and_a_movie_of_all_its_frames(drawn, tmp_path):
    show(drawn, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["preview.mp4", "sheet.png"]
    sheet, movie = read_picture(tmp_path / "sheet.png"), open_clip(tmp_path / "preview.mp4")
    assert 0.5 < sheet.shape[0] / sheet.shape[1] < 2
    assert (movie.count, movie.width, movie.height, movie.fps) == (10, 480, 90, 24)
    original, recomposed = np.hsplit(movie.read(5)[:, :320].astype(int), 2)
    assert np.abs(original - recomposed).mean() < 12
    assert np.abs(original - open_clip(drawn[0]).read(5)).mean() < 8


def test_the_same_result_gives_the_same_bytes(drawn, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        show(drawn, tmp_path / name)
    for name in ("sheet.png", "preview.mp4"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_movie_that_fails_half_way_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="power cut"), MovieWriter(tmp_path / "a.mp4", 64, 36, fps=24) as movie:
        movie.write(flat(RED))
        raise RuntimeError("power cut")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(EngineError) as caught:
        MovieWriter(tmp_path / "nowhere" / "a.mp4", 64, 36, fps=24)
    assert caught.value.code == "engine.movie"


def test_a_movie_of_odd_size_loses_its_last_row_and_column(tmp_path):
    with MovieWriter(tmp_path / "a.mp4", 65, 37, fps=12) as movie:
        movie.write(flat(RED, 65, 37))
    clip = open_clip(tmp_path / "a.mp4")
    assert (clip.width, clip.height, clip.fps) == (64, 36, 12)
