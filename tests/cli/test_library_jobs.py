import json

import pytest

from lexel.data.readers import read_source
from lexel.library.library import Library


@pytest.fixture(scope="module")
def home(tiny_model, tmp_path_factory):
    """A library of sixty drawn pictures, two of them the same."""
    home = tmp_path_factory.mktemp("jobs")
    (home / "pictures").mkdir()
    for number, pair in enumerate(read_source("scenes:60/train").pairs):
        pair.picture.load().save(home / "pictures" / f"{number}.png")
    (home / "pictures" / "again.png").write_bytes((home / "pictures" / "7.png").read_bytes())
    with Library.open(home / "photos.lexel", tiny_model, create=True) as library:
        library.add(home / "pictures")
    return home


def test_duplicates_are_told_and_the_others_are_for_pipes(lexel, home, tmp_path):
    told = lexel("duplicates", home / "photos.lexel", "--threshold", "1", "--html", tmp_path / "page.html")
    assert told.status == 0
    assert "1 picture is there more than once (1 as exact copies only): 1 file too many" in told.out
    assert (tmp_path / "page.html").exists()
    (group,) = lexel("duplicates", home / "photos.lexel", "--threshold", "1", "--json").json
    paths = lexel("duplicates", home / "photos.lexel", "--threshold", "1", "-0").out
    assert paths == f"{group['others'][0]['path']}\0"


def test_groups_are_printed_and_written(lexel, home, tmp_path):
    groups = lexel("group", home / "photos.lexel", "--count", "3", "--phrases", "circles,stars,squares", "--json").json
    assert sum(len(group["photos"]) for group in groups) == 61
    told = lexel("group", home / "photos.lexel", "--count", "3", "--html", tmp_path / "page.html")
    assert len(told.out.splitlines()) == 3


def test_labels_go_into_a_table_or_the_library(lexel, home, tmp_path):
    labels = ("label", home / "photos.lexel", "--labels", "red circle,blue star", "--least", "any")
    assert len(lexel(*labels, "--json").json) == 61
    assert lexel(*labels, "--into", tmp_path / "l.csv").status == 0
    assert len((tmp_path / "l.csv").read_text().splitlines()) == 62
    assert "61 photos have got a new tag" in lexel(*labels, "--into", "tags").err
    assert lexel("label", home / "photos.lexel", "--remove", "red circle", "--json").json["sidecars"] == 0
    assert "Taken back: removal of" in lexel("label", home / "photos.lexel", "--undo").out
    assert lexel("label", home / "photos.lexel", "--undo", "--json").json["photos"] == 61


def test_sorting_can_be_tried_first(lexel, home, tmp_path):
    command = ("sort", home / "photos.lexel", "--labels", "a,b", "--least", "any", "--into", tmp_path / "s")
    assert "61 would be copied" in lexel(*command, "--dry-run").out
    assert not (tmp_path / "s").exists()
    assert "61 copied, 0 there" in lexel(*command).out
    assert lexel(*command, "--json").json["there"] == 61


def test_a_filter_flags_reviews_and_learns(lexel, home, tiny_model, tmp_path):
    asked = ("filter", home / "photos.lexel", "--concept", "nsfw")
    assert lexel(*asked, "--review", tmp_path / "r.html", "--csv", tmp_path / "s.csv").status == 0
    assert len(lexel(*asked, "--json").json["pictures"]) == 61
    pictures, head = home / "pictures", tmp_path / "head"
    examples = ("--yes", pictures, "--no", pictures, "--model", tiny_model)
    trained = lexel("concept", "train", "x", *examples, "-o", head)
    assert "On examples kept apart" in trained.out
    assert json.loads((head / "head.json").read_text())["name"] == "x"
    assert lexel("filter", home / "photos.lexel", "--concept", head, "--paths").status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["label", "--labels", "a", "--into", "x.txt"], "--into takes tags"),
        (["label"], "Say what to do"),
        (["label", "--undo"], "Nothing has been labelled"),
        (["label", "--remove", "x"], 'has the tag "x"'),
        (["label", "--undo", "--remove", "x"], "--undo and --remove do not go together"),
        (["label", "--remove", "x", "--labels", "x"], "--remove and --labels do not go together"),
        (["label", "--undo", "--into", "tags"], "--undo and --into do not go together"),
        (["group", "--count", "many"], "--count takes a number"),
        (["sort", "--labels", "a/b,a:b", "--into", "s"], "would share the folder"),
        (["sort", "--labels", "a,b", "--into", "/nowhere/sorted"], "There is no folder /nowhere to make sorted in"),
        (["label", "--labels", "a", "--runtime", "onnx"], "--runtime says how --model MODEL is run"),
        (["group", "--number-format", "int8"], "--number-format says how"),
        (["duplicates", "--paths", "--json"], "--paths and --json are two ways"),
        (["filter", "--concept", "heads/x"], "no trained concept in heads/x"),
        (["filter", "--concept", "x", "--false-positives", "0.1"], "needs --clean pictures"),
    ],
)
def test_what_cannot_be_meant_is_told(refused, home, words, said):
    verb, *rest = words
    assert said in refused(verb, home / "photos.lexel", *rest)
