from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lexel.data.readers import read_source
from lexel.library.library import Library
from lexel.library.search import ranking


@pytest.fixture(scope="module")
def library(tiny_model, tmp_path_factory):
    """A library of sixty drawn pictures."""
    home = tmp_path_factory.mktemp("search")
    (home / "pictures").mkdir()
    for number, pair in enumerate(read_source("scenes:60/train").pairs):
        pair.picture.load().save(home / "pictures" / f"{number}.png")
    with Library.open(home / "photos.lexel", tiny_model, create=True) as library:
        library.add(home / "pictures")
    return home / "photos.lexel"


def test_a_search_prints_a_line_for_each_photo(lexel, library):
    found = lexel("search", library, "a red circle", "--top", "5")
    assert found.status == 0
    lines = found.out.splitlines()
    assert len(lines) == 5
    assert lines[0].split()[0] == "1"
    assert lines[0].endswith(".png")


def test_json_tells_all_and_pages_go_on(lexel, library):
    first, second = (
        lexel("search", library, "a circle", "--top", "7", "--page", page, "--json").json for page in ("1", "2")
    )
    both = lexel("search", library, "a circle", "--top", "14", "--json").json
    assert [hit["id"] for hit in first + second] == [hit["id"] for hit in both]
    assert {"path", "score", "match", "strength", "why", "width", "caption", "tags"} <= first[0].keys()


def test_what_only_a_filter_was_asked_for_has_no_score(lexel, library):
    asked = ("search", library, "--where", "width > 0", "--top", "3")
    assert [line.split()[0] for line in lexel(*asked).out.splitlines()] == ["1", "2", "3"]
    assert [len(line.split()) for line in lexel(*asked).out.splitlines()] == [2, 2, 2]
    assert [hit["score"] for hit in lexel(*asked, "--json").json] == [None] * 3
    scored = lexel("search", library, "a circle", "--top", "1").out
    assert scored.index("/") == lexel(*asked).out.index("/")  # one column for the paths


def test_paths_are_for_pipes(lexel, library):
    found = lexel("search", library, "--where", "width > 0", "--top", "60", "--paths", "-0")
    paths = found.out.split("\0")
    assert len(paths) == 61
    assert paths[-1] == ""


def test_a_nul_after_each_means_paths(lexel, library):
    asked = ("search", library, "--where", "width > 0", "--top", "60")
    assert lexel(*asked, "-0").out == lexel(*asked, "--paths", "-0").out


def test_a_contact_sheet_and_copies_are_written(lexel, library, tmp_path):
    sheet, copies = tmp_path / "sheet.html", tmp_path / "copies"
    lexel("search", library, "<b>star</b>", "--top", "4", "--html", sheet, "--copy", copies)
    page = sheet.read_text()
    assert page.count("<li>") == 4
    assert page.count(">1. ") == 1
    assert "&lt;b&gt;star" in page
    assert len(list(copies.iterdir())) == 4
    lexel("search", library, "--where", "width > 0", "--html", sheet)
    assert "></small>" not in sheet.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Nothing is asked"),
        (["x", "--where", "nonsense ="], "cannot be used"),
        (["x", "--like", "nowhere.jpg"], "no picture nowhere.jpg"),
        (["x", "--like", "²"], "no picture ²"),
        (["x", "--weights", "1,2"], "2 weights for 1 text or picture"),
        (["x", "--weights", "a"], "takes numbers"),
        (["x", "--preview"], "draws in a terminal"),
        (["x", "--after", "soon"], "is no day"),
        (["x", "--runtime", "onnx"], "--runtime says how"),
        (["x", "--folder", "nowhere"], "is below"),
        (["x", "-0", "--json"], "-0 and --json are two ways"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_or_two(refused, library, arguments, said):
    assert said in refused("search", library, *arguments)


def test_no_library_is_said(refused, tmp_path):
    assert "There is no library" in refused("search", tmp_path / "none.lexel", "x")


@pytest.mark.parametrize(("name", "said"), [("new/sheet.html", "There is no folder"), ("", "is a folder")])
def test_a_contact_sheet_makes_no_folder_and_takes_the_place_of_none(refused, library, tmp_path, name, said):
    assert said in refused("search", library, "star", "--html", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_copies_are_put_into_no_folder_whose_place_is_missing(refused, library, tmp_path):
    assert "There is no folder" in refused("search", library, "star", "--copy", tmp_path / "drive" / "copies")
    assert list(tmp_path.iterdir()) == []


def test_copying_again_doubles_nothing(lexel, library, tmp_path):
    for _ in range(2):
        lexel("search", library, "star", "--top", "4", "--copy", tmp_path / "copies")
    assert len(list((tmp_path / "copies").iterdir())) == 4


@pytest.fixture
def shop(tiny_model, tmp_path):
    """A library of a folder and of a drive, whose pictures have captions and tags."""
    home = tmp_path / "shop"
    for place in ("here", "drive"):
        (home / place).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (32, 24), (90 * number, 10, len(place))).save(home / place / f"IMG_{number}.png")
            (home / place / f"IMG_{number}.txt").write_text(f"an oak chair, number {number}")
    with Library.open(home / "shop.lexel", tiny_model, create=True) as library:
        library.add([home / "here", home / "drive"])
        library.records.set_tags({id: ["seat"] for id in library.vectors.ids.tolist()})
    return home / "shop.lexel"


@pytest.fixture
def nothing_fits(monkeypatch):
    """Let no photo fit any words."""
    monkeypatch.setattr(ranking._Ranking, "_match", lambda _, vectors: np.zeros(len(vectors)))


def test_what_is_only_unlikely_is_printed_and_marked_and_one_line_says_that_nothing_fits(lexel, shop, nothing_fits):
    shown = lexel("search", shop, "an ocean liner at night")
    assert [" unlikely " in line for line in shown.out.splitlines()] == [True] * 4
    assert shown.err == "Nothing fits well: these are only the nearest.\n"


def test_scripts_get_only_what_fits(lexel, shop, nothing_fits):
    for form in ((), ("--paths",), ("-0",)):
        found = lexel("search", shop, "an ocean liner at night", "--matches-only", *form)
        assert (found.status, found.out) == (0, "")
        assert found.err == "Nothing found that fits; without --matches-only the nearest are shown.\n"


def test_words_that_nothing_fits_and_keywords_keep_what_has_the_keywords(lexel, shop, nothing_fits):
    found = lexel("search", shop, "an ocean liner at night", "--keywords", "chair", "--matches-only")
    assert [" keywords " in line for line in found.out.splitlines()] == [True] * 4
    assert found.err == ""


def test_python_finds_what_the_command_finds(lexel, shop):
    found = lexel("search", shop, "an oak chair", "--json").json
    with Library.open(shop) as library:
        hits = library.search("an oak chair")
    assert [(hit.photo.id, hit.strength) for hit in hits] == [(hit["id"], hit["strength"]) for hit in found]


def test_photos_of_a_folder_that_is_away_are_marked_and_no_paths_for_other_programs(lexel, shop):
    (shop.parent / "drive").rename(shop.parent / "unplugged")
    asked = ("search", shop, "--keywords", "chair")
    lines = lexel(*asked).out.splitlines()
    assert ["  (not there now)" in line for line in lines] == [False, False, True, True]
    assert "2 photos are not on the disk now" in lexel(*asked).err
    for paths in (lexel(*asked, "--paths").out.splitlines(), lexel(*asked, "-0").out.split("\0")[:-1]):
        assert len(paths) == 2
        assert all(Path(path).is_file() for path in paths)
    assert "2 photos are left out: not on the disk now" in lexel(*asked, "--paths").err
    assert [hit["is_there"] for hit in lexel(*asked, "--json").json] == [True, True, False, False]
    lexel(*asked, "--html", shop.parent / "sheet.html")
    page = (shop.parent / "sheet.html").read_text()
    assert page.count("not on the disk now") == page.count('class="absent"') == 2
    assert page.count('href="file://') == 2


def test_a_contact_sheet_shows_caption_and_tags_before_the_file_name(lexel, shop):
    lexel("search", shop, "--keywords", "chair", "--html", shop.parent / "sheet.html")
    page = (shop.parent / "sheet.html").read_text()
    cell = page[page.index("<li>") :]
    shown = [cell.index(text) for text in (">1. an oak chair, number", "<small>seat", "<small>IMG_")]
    assert shown == sorted(shown)


def test_words_beyond_what_the_model_reads_are_said_to_be_cut(lexel, library):
    long = "a red circle beside a blue star above " * 20 + "a boat"
    found = lexel("search", library, long, "--matches-only")
    assert "Note: 1 of the 1 sentences to search for exceed the " in found.err
    assert "tokens that the model reads; their ends are cut off" in found.err
    assert "exceed" not in lexel("search", library, "a red circle").err
    assert "exceed" in lexel("search", library, "a red circle", "--without", long).err
