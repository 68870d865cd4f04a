"""Names, captions, tags and arguments that hold a terminal's control characters."""

import json

import pytest
from PIL import Image

from lexel.library.library import Library

HOSTILE = "\x1b]0;owned\x07 \x9b31m\x7f"


@pytest.fixture(scope="module")
def home(tiny_model, tmp_path_factory):
    """A library of two equal pictures and a broken one, all with a hostile name."""
    home = tmp_path_factory.mktemp("hostile")
    folder = home / f"pictures{HOSTILE}"
    folder.mkdir()
    for number in range(2):
        Image.new("RGB", (32, 24), "red").save(folder / f"{number}{HOSTILE}\n.png")
        (folder / f"{number}{HOSTILE}\n.txt").write_text(f"a chair {HOSTILE}")
    (folder / f"broken{HOSTILE}.png").write_text("no picture")
    with Library.open(home / "photos.lexel", tiny_model, create=True) as library:
        library.add(folder)
        library.records.set_tags({1: [HOSTILE]})
    return home


def is_clean(text: str) -> bool:
    return not any((ord(letter) < 0x20 and letter not in "\n\t") or 0x7F <= ord(letter) < 0xA0 for letter in text)


@pytest.mark.parametrize(
    "words",
    [
        ("search", "LIBRARY", f"chair{HOSTILE}"),
        ("search", "LIBRARY", "--keywords", "chair"),
        ("search", "LIBRARY", "--keywords", "chair", "--paths"),
        ("search", "LIBRARY", "--where", f"name = {HOSTILE}"),
        ("search", "LIBRARY", "--folder", HOSTILE, "x"),
        ("search", HOSTILE, "x"),
        ("search", "LIBRARY", f"--{HOSTILE}"),
        ("duplicates", "LIBRARY"),
        ("duplicates", "LIBRARY", "--threshold", "1", "--paths"),
        ("label", "LIBRARY", "--labels", f"chair{HOSTILE},table"),
        ("group", "LIBRARY", "--count", "1"),
        ("index", "NEW", "PICTURES", "--model", "MODEL"),
        ("rank", "MODEL", "PICTURES", f"chair{HOSTILE}"),
        ("classify", "MODEL", "PICTURES", "--labels", f"chair{HOSTILE},table"),
        ("data", "inspect", "PICTURES"),
        ("evaluate", "MODEL", HOSTILE),
        (HOSTILE,),
    ],
    ids=lambda words: " ".join(words).replace(HOSTILE, "~"),
)
def test_whatever_is_printed_for_people_shows_control_characters_escaped(lexel, home, tiny_model, words):
    places = {"LIBRARY": home / "photos.lexel", "PICTURES": home / f"pictures{HOSTILE}", "MODEL": tiny_model}
    places["NEW"] = home / "new.lexel"
    printed = lexel(*(places.get(word, word) for word in words))
    assert is_clean(printed.out)
    assert is_clean(printed.err)
    assert "1b" in printed.out + printed.err  # as \\u001b, or \\x1b where click quotes it


def test_a_nul_between_and_json_carry_them(lexel, home):
    asked = ("search", home / "photos.lexel", "--keywords", "chair")
    expected = [str(home / f"pictures{HOSTILE}" / f"{number}{HOSTILE}\n.png") for number in range(2)]
    assert sorted(lexel(*asked, "-0").out.split("\0")[:-1]) == expected
    printed = lexel(*asked, "--json").out
    assert is_clean(printed)
    assert sorted(hit["path"] for hit in json.loads(printed)) == expected


def test_paths_that_had_to_be_escaped_are_said(lexel, home):
    printed = lexel("search", home / "photos.lexel", "--keywords", "chair", "--paths")
    assert len(printed.out.splitlines()) == 2
    assert printed.err.startswith("2 of these paths hold control characters, which are escaped here. -0 gives")
