import numpy as np
import pytest
from coloured_library import coloured_library
from PIL import Image
from quick_encoder import QuickEncoder

from lexel.curation.groups import effective_dimensions, find_centres, group_library, information, write_groups
from lexel.errors import UsageError
from lexel.library.library import Library

COLOURS = ("red", "lime", "blue", "white")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Fifteen noisy pictures of each colour; the red ones have captions."""
    folder = tmp_path_factory.mktemp("groups") / "p"
    folder.mkdir()
    for number, colour in enumerate(COLOURS * 15):
        noise = np.random.default_rng(number).integers(-25, 26, (16, 24, 3))
        pixels = np.asarray(Image.new("RGB", (24, 16), colour)).astype(int) + noise
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{colour}-{number:02}.png")
        if colour == "red":
            (folder / f"{colour}-{number:02}.txt").write_text("A shiny fire engine in the town.")
    with Library.open(folder.parent / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(folder)
        yield library


def colours(library, group) -> set[str]:
    return {photo.name.partition("-")[0] for photo in library.records.photos(group.ids)}


def test_groups_are_those_that_are_there_and_named_by_what_fits(library):
    groups = group_library(library, phrases=["lime", "white", "blue", "red"])
    assert sorted((group.names[0], colours(library, group)) for group in groups) == [
        (colour, {colour}) for colour in sorted(COLOURS)
    ]
    assert [len(group.ids) for group in groups] == [15] * 4


def test_captions_name_a_group(library):
    groups = group_library(library, 4)
    (red,) = (group for group in groups if colours(library, group) == {"red"})
    assert set(red.names[0].split()) <= {"shiny", "fire", "engine", "town"}
    assert len({group.names[0] for group in groups}) == 4


def test_the_same_library_gives_the_same_groups(library):
    first, second = group_library(library, 5), group_library(library, 5)
    assert [group.names for group in first] == [group.names for group in second]
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(first, second, strict=True))


def test_every_photo_is_in_one_group_the_most_typical_first(library):
    groups = group_library(library, 3, ["red", "blue"])
    assert sorted(np.concatenate([group.ids for group in groups])) == library.vectors.ids.tolist()
    for group in groups:
        vectors = library.vectors.vectors_of(group.ids)
        to_middle = vectors @ vectors.mean(axis=0)
        assert to_middle[0] > np.median(to_middle)
    assert groups[2].names[0].startswith("more of ") or len({group.names[0] for group in groups}) == 3


def test_the_criterion_is_highest_at_the_true_number_of_groups():
    random = np.random.default_rng(3)
    middles = np.linalg.qr(random.standard_normal((32, 32)))[0][:7]
    vectors = np.repeat(middles, 60, axis=0) + 0.08 * random.standard_normal((420, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    scores = {count: information(vectors, find_centres(vectors, count)) for count in range(3, 13)}
    assert max(scores, key=scores.get) == 7


def test_effective_dimensions_count_those_that_vary():
    random = np.random.default_rng(0)
    flat = np.zeros((5000, 20))
    flat[:, :4] = random.standard_normal((5000, 4))
    assert effective_dimensions(flat) == pytest.approx(4, rel=0.05)


def test_the_page_shows_every_group(library, tmp_path):
    write_groups(tmp_path / "page.html", group_library(library, 4, ["<red>", "blue", "lime", "white"]), library)
    page = (tmp_path / "page.html").read_text()
    assert page.count("<h2>") == 4
    assert page.count("<li") == 48
    assert "&lt;red&gt;" in page


def test_photos_that_are_gone_are_in_no_group(tmp_path, capsys):
    with coloured_library(tmp_path, ("red", "lime"), each=6) as library:
        (tmp_path / "pictures" / "red-3.png").unlink()
        groups = group_library(library, 2, ["red", "lime"])
        assert sorted(len(group.ids) for group in groups) == [5, 6]
        with pytest.raises(UsageError, match="has 11 photos on the disk"):
            group_library(library, 12)
    assert "1 photo is left out" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 61])
def test_more_groups_than_photos_are_refused(library, count):
    with pytest.raises(UsageError, match="cannot be put into"):
        group_library(library, count)
