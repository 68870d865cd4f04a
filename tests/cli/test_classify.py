import io
from types import SimpleNamespace

import pytest


def test_each_picture_gets_its_labels_best_first(lexel, tiny_model, here):
    done = lexel("classify", tiny_model, "red.png", "blue.png", "--labels", "red,blue, green ", "--json")
    assert (done.status, done.err) == (0, "")
    assert [answer["image"] for answer in done.json] == ["red.png", "blue.png"]
    for answer in done.json:
        chances = [guess["probability"] for guess in answer["labels"]]
        assert {guess["label"] for guess in answer["labels"]} == {"red", "blue", "green"}
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) == pytest.approx(1)


def test_people_get_the_top_labels_with_bars(lexel, tiny_model, here):
    done = lexel("classify", tiny_model, "red.png", "--labels", "red,blue", "--top", 1)
    name, guess = done.out.splitlines()
    assert name == "red.png"
    assert "%" in guess
    assert "█" in guess


@pytest.mark.parametrize("json", [True, False])
def test_a_picture_that_cannot_be_read_is_told_and_the_others_are_answered(lexel, tiny_model, here, json):
    words = ["classify", tiny_model, "red.png", "broken.jpg", "blue.png", "--labels", "red,blue"]
    done = lexel(*words, *(["--json"] if json else []))
    assert done.status == 1
    assert done.err == "lexel classify: cannot read broken.jpg: not an image of a known format\n"
    if json:
        assert [answer.keys() - {"image"} for answer in done.json] == [{"labels"}, {"error"}, {"labels"}]
    else:
        assert [line for line in done.out.splitlines() if "%" not in line] == ["red.png", "blue.png"]


def test_a_picture_may_come_from_standard_input(lexel, tiny_model, here, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO((here / "red.png").read_bytes())))
    assert lexel("classify", tiny_model, "-", "--labels", "red,blue", "--json").json[0]["image"] == "-"


def test_labels_may_come_from_a_file(lexel, tiny_model, here):
    (here / "labels.txt").write_text("red\n\n blue \n")
    answer = lexel("classify", tiny_model, "red.png", "--labels", "labels.txt", "--json").json[0]
    assert {guess["label"] for guess in answer["labels"]} == {"red", "blue"}


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("red,blue,red", "Labels given more than once: red."),
        (",", "holds no labels"),
        ("missing.txt", "There is no label file missing.txt"),
        ("empty.txt", "empty.txt holds no labels"),
        ("binary.txt", "is not UTF-8 text"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(refused, tiny_model, here, labels, said):
    (here / "empty.txt").touch()
    (here / "binary.txt").write_bytes(b"\xff\xfe\x00\xd8")
    assert said in refused("classify", tiny_model, "red.png", "--labels", labels)


@pytest.mark.parametrize(
    ("image", "said"),
    [("rad.png", 'Did you mean "red.png"?'), ("empty", "empty holds no pictures"), ("*.gif", 'match for "*.gif"')],
)
def test_pictures_that_are_not_there_are_refused(refused, tiny_model, here, image, said):
    assert said in refused("classify", tiny_model, image, "--labels", "red,blue")


def test_unknown_templates_are_refused(refused, tiny_model, here):
    said = refused("classify", tiny_model, "red.png", "--labels", "a,b", "--templates", "phot")
    assert 'Did you mean "photo"?' in said


def test_a_run_folder_leads_to_its_model(refused, tiny_run, here):
    assert f'Did you mean "{tiny_run.model}"?' in refused("classify", tiny_run.folder, "red.png", "--labels", "a,b")
