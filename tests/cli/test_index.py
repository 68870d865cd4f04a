from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def pictures(here) -> Path:
    folder = here / "pictures"
    folder.mkdir()
    for name in ("red.png", "blue.png", "broken.jpg"):
        (here / name).rename(folder / name)
    return folder


@pytest.fixture
def library(lexel, tiny_model, pictures) -> str:
    assert lexel("index", "photos.lexel", "pictures", "--model", tiny_model).status == 0
    return "photos.lexel"


def test_a_library_is_made_and_told_in_words(lexel, tiny_model, here, pictures):
    done = lexel("index", "photos.lexel", "pictures", "--model", tiny_model)
    assert done.status == 0
    assert done.out.splitlines() == [
        f"{here}/photos.lexel: 2 photos; 2 new",
        "1 could not be read:",
        f"  {pictures}/broken.jpg: not an image of a known format",
    ]


def test_the_model_and_the_folders_are_remembered(lexel, library, pictures):
    Image.new("RGB", (9, 9), "green").save(pictures / "green.png")
    (pictures / "red.png").unlink()
    done = lexel("index", library, "--json")
    assert done.status == 0
    names = ("photos", "new", "changed", "moved", "vanished", "unchanged", "embedded")
    assert [done.json[name] for name in names] == [2, 1, 0, 0, 1, 1, 1]


def test_bad_files_are_named_in_json(lexel, tiny_model, pictures):
    done = lexel("index", "photos.lexel", "pictures", "--model", tiny_model, "--json")
    assert done.json["unreadable"] == [
        {"path": str(pictures / "broken.jpg"), "reason": "not an image of a known format"}
    ]


def test_an_interrupt_is_told_in_a_line(lexel, library, monkeypatch):
    from lexel.library.library import Library

    def interrupt(self, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Library, "refresh", interrupt)
    done = lexel("index", library)
    assert done.status == 1
    assert "Stopped. 2 photos are in" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new.lexel", "pictures"), "A new library needs a model"),
        (("new.lexel",), "There is no library"),
        (("new.lexel", "pictures", "--model", "nowhere"), "nowhere"),
        (("pictures", "photos.lexel", "--model", "MODEL"), "is a folder of other things, not a library"),
        (("photos.lexel", "nowhere"), "There is no nowhere"),
        (("new.lexel", "nowhere", "--model", "MODEL"), "There is no nowhere"),
        (("new.lexel", "pictures", "nowhere.jpg", "--model", "MODEL"), "There is no nowhere.jpg"),
        (("photos.lexel", "pictures", "--exclude", "*"), "would leave out all of"),
        (("photos.lexel", "pictures/red.png", "--exclude", "*.png"), "belongs to a folder"),
    ],
)
def test_mistakes_are_refused_and_leave_nothing(refused, library, tiny_model, here, words, said):
    before = sorted(here.rglob("*"))
    assert said in refused("index", *[tiny_model if word == "MODEL" else word for word in words])
    assert sorted(here.rglob("*")) == before


def test_watching_an_absent_folder_is_an_error(lexel, library, pictures):
    pictures.rename(pictures.with_name("away"))
    done = lexel("index", library, "--watch")
    assert done.status == 2
    assert "There is nothing to watch" in done.err
    assert "Watching;" not in done.err


def test_a_moved_folder_loses_no_picture_to_the_list_of_duplicates(lexel, library, pictures):
    moved = pictures.rename(pictures.with_name("moved"))
    assert "2 moved" in lexel("index", library, "moved").out
    assert lexel("duplicates", library, "--threshold", "1", "--paths").out == ""
    (moved / "copy.png").write_bytes((moved / "red.png").read_bytes())
    lexel("index", library)
    (surplus,) = lexel("duplicates", library, "--threshold", "1", "--paths").out.splitlines()
    Path(surplus).unlink()
    assert len(list(moved.glob("*.png"))) == 2


def test_patterns_are_given_shown_and_taken_away(lexel, tiny_model, pictures):
    new = lexel("index", "photos.lexel", "pictures", "--model", tiny_model, "--exclude", "r*", "--exclude", "*.jpg")
    assert "1 photo; 1 new" in new.out
    assert "Left out by --exclude: 2 files and folders" in new.err
    assert f"r* in {pictures}" in lexel("library", "stats", "photos.lexel").out
    assert "1 photo; 0 new" in lexel("index", "photos.lexel").out
    assert "2 photos; 1 new" in lexel("index", "photos.lexel", "--no-exclude", "--exclude", "*.jpg").out
    assert lexel("library", "stats", "photos.lexel", "--json").json["patterns"] == {str(pictures): ["*.jpg"]}
