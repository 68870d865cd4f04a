"""Pictures that tables name in other ways than by the paths that they have."""

from pathlib import Path
from unicodedata import normalize
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lexel.data.readers import read_source
from lexel.data.readers.lookup import find_files
from lexel.errors import DataError, UsageError


def draw(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(folder / name)


@pytest.mark.parametrize(
    "prefix", ["C:\\Users\\me\\photos\\", "/home/other/photos/", "C:/photos/", "\\\\nas\\photos\\"]
)
@pytest.mark.parametrize("column", ["path", "wo"])
def test_pictures_are_found_by_the_ends_of_their_paths(tmp_path, prefix, column):
    draw(tmp_path, "1.png", "deep/er/2.png")
    (tmp_path / "t.csv").write_text(f"{column},caption\n{prefix}1.png,one\n{prefix}er/2.png,two\n")
    source = read_source(str(tmp_path / "t.csv"))
    assert [(pair.key, pair.captions) for pair in source.pairs] == [("1.png", ("one",)), ("deep/er/2.png", ("two",))]
    assert f"t.csv: images found by the ends of their paths: {prefix}1.png is 1.png" in source.notes


def test_of_files_of_one_name_the_one_with_the_longer_common_end_is_meant(tmp_path):
    draw(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "t.csv").write_text("path,caption\n/x/a/1.png,one\n/x/b/1.png,two\n")
    pairs = read_source(str(tmp_path / "t.csv")).pairs
    assert [(pair.key, pair.captions) for pair in pairs] == [("a/1.png", ("one",)), ("b/1.png", ("two",))]


def test_what_fits_several_files_or_one_file_twice_is_left_out_and_named(tmp_path):
    draw(tmp_path, "a/1.png", "b/1.png", "2.png", "3.png", "4.png")
    rows = "".join(f"/x/{name},a\n" for name in ("1.png", "2.png", "3.png", "y/4.png", "z/4.png"))
    (tmp_path / "t.csv").write_text(f"path,caption\n{rows}")
    with pytest.raises(DataError, match="2 of 5 found"):
        read_source(str(tmp_path / "t.csv"))
    draw(tmp_path, "5.png")
    (tmp_path / "t.csv").write_text(f"path,caption\n{rows}/x/5.png,a\n")
    source = read_source(str(tmp_path / "t.csv"))
    assert [pair.key for pair in source.pairs] == ["2.png", "3.png", "5.png"]
    assert "t.csv: 3 rows left out that could mean several files, such as /x/1.png (a/1.png, b/1.png)" in source.notes


def test_where_nothing_is_found_the_message_says_what_was_tried(tmp_path):
    draw(tmp_path, "1.png")
    (tmp_path / "t.csv").write_text("path,caption\n/home/other/9.png,one\n")
    with pytest.raises(DataError) as error:
        read_source(str(tmp_path / "t.csv"))
    assert "by name among the 1 image below it: 0 of 1 found" in str(error.value)


def said_of(folder: Path, names: list[str], column: str = "image") -> tuple[list[tuple[str, tuple[str, ...]]], str]:
    """The keys and captions of a table that lists these names, and its notes."""
    rows = "".join(f'"{name}",caption {number}\n' for number, name in enumerate(names))
    (folder / "t.csv").write_text(f"{column},caption\n{rows}", encoding="utf-8")
    source = read_source(str(folder / "t.csv"))
    return [(pair.key, pair.captions) for pair in source.pairs], "\n".join(source.notes)


@pytest.mark.parametrize(("in_table", "on_disk"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_in_another_unicode_form_are_found(tmp_path, in_table, on_disk):
    draw(tmp_path, normalize(on_disk, "sub/café.png"))
    pairs, notes = said_of(tmp_path, [normalize(in_table, "sub/café.png")])
    assert pairs == [(normalize(on_disk, "sub/café.png"), ("caption 0",))]
    assert "images found by names in another letter case or Unicode form: sub/caf" in notes


def test_names_in_another_letter_case_are_found_unless_two_files_differ_in_it_alone(tmp_path):
    draw(tmp_path, "000.PNG", "a.PNG", "a.png")
    pairs, notes = said_of(tmp_path, ["000.png", "a.png", "A.png"])
    assert pairs == [("000.PNG", ("caption 0",)), ("a.png", ("caption 1",))]
    assert "1 row left out that could mean several files, such as A.png (a.PNG, a.png)" in notes


def test_one_picture_written_in_two_ways_is_one_pair_with_two_captions(tmp_path):
    draw(tmp_path, "0.png", "1.png")
    assert said_of(tmp_path, ["0.png", "./0.PNG", "1.png"])[0][0] == ("0.png", ("caption 0", "caption 1"))


@pytest.mark.parametrize("name", ["a\\b/1.png", "'a/b/1.png'", " a/b/1.png ", "“a/b/1.png”", "a/b/1.png#3"])
def test_mixed_slashes_quotes_and_numbers_of_sentences_are_no_part_of_a_path(tmp_path, name):
    draw(tmp_path, "a/b/1.png")
    assert said_of(tmp_path, [name])[0] == [("a/b/1.png", ("caption 0",))]


def test_addresses_of_files_are_paths(tmp_path):
    draw(tmp_path, "my pictures/1.png")
    assert said_of(tmp_path, [f"file://{quote(str(tmp_path))}/my%20pictures/1.png"])[0][0][0] == "my pictures/1.png"


def test_names_without_their_extension_or_with_another_are_found(tmp_path):
    draw(tmp_path, "in/one.png", "in/two.webp")
    pairs, notes = said_of(tmp_path, ["one", "two.jpg"])
    assert [key for key, _ in pairs] == ["in/one.png", "in/two.webp"]
    assert "images found by names without their extension, or with another: one is in/one.png" in notes


def test_of_two_pictures_in_a_table_that_differ_in_their_extension_each_means_its_own(tmp_path):
    draw(tmp_path, "one.png", "two.png", "three.png")
    pairs, _ = said_of(tmp_path, ["one.png", "one.jpg", "two.png", "three.png"])
    assert [key for key, _ in pairs] == ["one.png", "two.png", "three.png"]


@pytest.mark.parametrize("column", ["image_id", "id"])
@pytest.mark.parametrize("pattern", ["{:06}.png", "COCO_val2014_{:012}.png", "images/{:012}.png"])
def test_bare_numbers_are_the_numbers_in_the_names(tmp_path, column, pattern):
    draw(tmp_path, pattern.format(42), pattern.format(7))
    pairs, notes = said_of(tmp_path, ["42", "7"], column)
    assert [key for key, _ in pairs] == [pattern.format(42), pattern.format(7)]
    assert f"images found by the numbers in their names: 42 is {pattern.format(42)}" in notes


def test_a_price_is_no_number_of_a_picture(tmp_path):
    draw(tmp_path, "3.png")
    (tmp_path / "t.csv").write_text("price,caption\n3,a mug\n")
    with pytest.raises(UsageError, match="no column whose image files"):
        read_source(str(tmp_path / "t.csv"))


def test_a_relative_path_is_not_the_file_of_that_name_in_another_folder(tmp_path):
    draw(tmp_path, "a/1.png", "a/2.png")
    pairs, notes = said_of(tmp_path, ["a/2.png", "b/1.png"])
    assert [key for key, _ in pairs] == ["a/2.png", "b/1.png"]
    assert "1 of 2 images does not exist (50%), such as b/1.png" in notes


def test_a_table_whose_first_pictures_are_missing_is_read_and_their_share_is_told(tmp_path):
    draw(tmp_path, *(f"{number}.png" for number in range(25, 60)))
    pairs, notes = said_of(tmp_path, [f"{number}.png" for number in range(60)])
    assert len(pairs) == 60
    assert "25 of 60 images do not exist (42%), such as 0.png" in notes


def test_pictures_behind_a_link_are_there_also_where_others_are_missing(tmp_path):
    draw(tmp_path / "elsewhere", "1.png", "2.png")
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "images").symlink_to(tmp_path / "elsewhere")
    pairs, notes = said_of(tmp_path / "table", ["images/1.png", "images/9.png", "images/2.png"])
    assert [key for key, _ in pairs] == ["images/1.png", "images/9.png", "images/2.png"]
    assert "1 of 3 images does not exist (33%), such as images/9.png" in notes


def folded(name: str) -> str:
    return normalize("NFC", normalize("NFC", name).casefold())


names = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(
    stems=st.lists(
        names, min_size=1, max_size=6, unique_by=lambda name: normalize("NFC", normalize("NFC", name).casefold())
    ),
    how=st.sampled_from(["NFC", "NFD", "upper", "stem", "other"]),
)
def test_whatever_is_found_is_the_picture_that_was_meant(stems, how):
    pictures = [("below", f"{stem}.png") for stem in stems]
    written = {
        "NFC": [normalize("NFC", f"{stem}.png") for stem in stems],
        "NFD": [normalize("NFD", f"{stem}.png") for stem in stems],
        "upper": [f"{stem}.PNG" for stem in stems],
        "stem": stems,
        "other": [f"{stem}.jpg" for stem in stems],
    }[how]
    found = find_files(Path("/nowhere"), written, pictures=pictures)
    assert [found.files[name] for name in written] == [Path("/nowhere").joinpath(*parts) for parts in pictures]
