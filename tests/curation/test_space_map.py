import io
import json

import numpy as np
import pytest
from coloured_library import COLOURS, coloured, coloured_library
from PIL import Image

from lexel.curation import map_files, space_map
from lexel.curation.map_files import FOLDER, kept_map, map_of
from lexel.curation.space_map import arrange, draw_map, map_library
from lexel.errors import UsageError
from lexel.unit_vectors import unit


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return coloured_library(tmp_path_factory.mktemp("mapped"), each=8)


def islands(count: int, each: int, dimensions: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors in tight groups, and the group of each."""
    random = np.random.default_rng(3)
    centres = unit(random.standard_normal((count, dimensions)).astype(np.float32))
    group = np.repeat(np.arange(count), each)
    noise = 0.05 * random.standard_normal((count * each, dimensions))
    return unit((centres[group] + noise).astype(np.float32)), group


def share_of_neighbours_kept(places: np.ndarray, group: np.ndarray) -> float:
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return float((group[distances.argmin(axis=1)] == group).mean())


def test_what_lies_together_in_the_space_lies_together_on_the_map():
    vectors, group = islands(5, 24)
    assert share_of_neighbours_kept(arrange(vectors), group) == 1.0


def test_photos_beyond_the_sample_are_put_amid_their_neighbours(monkeypatch):
    monkeypatch.setattr(space_map, "MAX_ARRANGED", 60)
    vectors, group = islands(4, 50)
    places = arrange(vectors)
    assert share_of_neighbours_kept(places, group) > 0.97  # a few of the sample may have strayed
    assert np.isfinite(places).all()


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_few_vectors_have_places_too(count):
    vectors, _ = islands(count, 1)
    assert arrange(vectors).shape == (count, 2)
    assert np.isfinite(arrange(vectors)).all()


def test_equal_vectors_have_places():
    assert np.isfinite(arrange(np.tile(unit(np.ones((1, 8), np.float32)), (30, 1)))).all()


def test_every_photo_is_on_the_map_once_within_its_frame(library):
    drawn = map_library(library)
    assert sorted(drawn.ids.tolist()) == library.vectors.ids.tolist()
    assert np.abs(drawn.places).max() <= 1
    assert sum(group.count for group in drawn.groups) == len(drawn.ids) == len(drawn.names)
    for number, group in enumerate(drawn.groups):  # a name stands at a photo of its group
        distances = np.linalg.norm(drawn.places[drawn.group_of == number] - [group.x, group.y], axis=1)
        assert distances.min() < 1e-3  # places are rounded to four digits


def test_the_same_library_gives_the_same_map(library):
    assert map_library(library).to_json() == map_library(library).to_json()


def test_a_large_library_is_sampled_and_the_rest_counted(library, monkeypatch):
    monkeypatch.setattr(space_map, "MAX_PHOTOS", 40)
    drawn = map_library(library)
    assert len(drawn.ids) + drawn.left_out == len(library.vectors.ids)
    assert 30 <= len(drawn.ids) <= 60  # an equal share of each group, rounded up


def test_texts_have_places_and_the_gap_is_that_of_the_means():
    images, _ = islands(2, 10, 8)
    texts = unit(-images[:4])
    drawn = draw_map(
        np.arange(20), ["x"] * 20, images, [(("all",), 20)], [(row, f"text {row}") for row in range(4)], texts
    )
    assert [text.photo for text in drawn.texts] == [0, 1, 2, 3]
    assert drawn.gap == pytest.approx(np.linalg.norm(images.mean(0) - texts.mean(0)), abs=1e-6)
    assert draw_map(np.arange(20), ["x"] * 20, images, [(("all",), 20)]).gap is None


def test_a_map_is_kept_until_the_library_changes(tmp_path):
    with coloured_library(tmp_path, COLOURS[:4], each=4) as library:
        assert kept_map(library) is None
        told = []
        drawn = map_of(library, told.append)
        assert told
        assert kept_map(library) == drawn
        assert map_of(library, lambda part: pytest.fail(part)) == drawn
        coloured(tmp_path / "pictures" / "new.png", "red", 99)
        library.refresh()
        assert kept_map(library) is None
        assert len(map_of(library).content["ids"]) == 17


def test_a_damaged_map_is_made_again(tmp_path):
    with coloured_library(tmp_path, COLOURS[:3], each=4) as library:
        drawn = map_of(library)
        for damage in (b"{", b"[]", json.dumps({"stamp": 1}).encode()):
            (library.path / FOLDER / "map.json").write_bytes(damage)
            assert kept_map(library) is None
        assert map_of(library) == drawn
        (library.path / FOLDER / "sheet-0.jpg").unlink()
        assert map_of(library) == drawn


def test_a_map_that_cannot_be_kept_is_shown_all_the_same(library, monkeypatch):
    def refuse(*_):
        raise PermissionError("read only")

    monkeypatch.setattr(map_files, "new_folder", refuse)
    monkeypatch.setattr(map_files, "kept_map", lambda _: None)
    told = []
    assert map_of(library, told.append).sheets
    assert "cannot be kept" in told[-1]


def test_thumbnails_lie_on_sheets_in_the_order_of_the_map(tmp_path, monkeypatch):
    monkeypatch.setattr(map_files, "COLUMNS", 2)
    monkeypatch.setattr(map_files, "PER_SHEET", 4)
    with coloured_library(tmp_path, ("red", "blue", "white"), each=2) as library:
        drawn = map_of(library)
        assert len(drawn.sheets) == 2
        sheet = Image.open(io.BytesIO(drawn.sheets[0]))
        red, _, blue = sheet.getpixel((24, 24))
        is_red = drawn.content["names"][0].startswith("red")
        assert (red > blue + 60) == is_red


def test_a_map_needs_two_photos(tmp_path):
    with coloured_library(tmp_path, ("red",), each=1) as library, pytest.raises(UsageError, match="photo"):
        map_library(library)
