import pytest

from lexel.data.readers import read_source
from lexel.library.library import Library


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
    found = lexel("search", library, "a red circle", "--all", "--top", "5")
    assert found.status == 0
    lines = found.out.splitlines()
    assert len(lines) == 5
    assert lines[0].split()[0] == "1"
    assert lines[0].endswith(".png")


def test_json_tells_all_and_pages_go_on(lexel, library):
    first, second = (
        lexel("search", library, "a circle", "--all", "--top", "7", "--page", page, "--json").json
        for page in ("1", "2")
    )
    both = lexel("search", library, "a circle", "--all", "--top", "14", "--json").json
    assert [hit["id"] for hit in first + second] == [hit["id"] for hit in both]
    assert {"path", "score", "match", "strength", "why", "width", "caption", "tags"} <= first[0].keys()


def test_what_only_a_filter_was_asked_for_has_no_score(lexel, library):
    asked = ("search", library, "--where", "width > 0", "--top", "3")
    assert [line.split()[0] for line in lexel(*asked).out.splitlines()] == ["1", "2", "3"]
    assert [len(line.split()) for line in lexel(*asked).out.splitlines()] == [2, 2, 2]
    assert [hit["score"] for hit in lexel(*asked, "--json").json] == [None] * 3
    scored = lexel("search", library, "a circle", "--all", "--top", "1").out
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
    lexel("search", library, "<b>star</b>", "--all", "--top", "4", "--html", sheet, "--copy", copies)
    page = sheet.read_text()
    assert page.count("<li>") == 4
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
        (["x", "--weights", "1,2"], "1 texts and pictures to weigh, but 2 weights"),
        (["x", "--weights", "a"], "takes numbers"),
        (["x", "--preview", "--all"], "draws in a terminal"),
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


def test_a_contact_sheet_goes_to_a_new_folder_but_never_in_place_of_one(lexel, library, tmp_path):
    lexel("search", library, "star", "--all", "--html", tmp_path / "new" / "sheet.html")
    assert (tmp_path / "new" / "sheet.html").exists()
    refused = lexel("search", library, "star", "--html", tmp_path)
    assert refused.status == 2
    assert "is a folder" in refused.err


def test_copying_again_doubles_nothing(lexel, library, tmp_path):
    for _ in range(2):
        lexel("search", library, "star", "--all", "--top", "4", "--copy", tmp_path / "copies")
    assert len(list((tmp_path / "copies").iterdir())) == 4
