"""`lexel guide` with a model of two steps' worth of skill: what it writes, prints and refuses."""

import signal

import pytest
from PIL import Image
from tiny_towers import KINDS, build, write_folder

from lexel.generation.guidance import descent


@pytest.fixture(scope="module")
def tiny_resnet(tmp_path_factory):
    """A model of another kind, which has learned nothing."""
    return write_folder(tmp_path_factory.mktemp("models") / "resnet", build(KINDS["resnet"]))


QUICK = ("--steps", "2", "--views", "2", "--strokes", "3")


def test_a_drawing_is_written_as_svg_with_a_film_and_both_scores(lexel, tiny_model, tiny_resnet, here):
    done = lexel(
        "guide", tiny_model, "a red thing", "-o", "out.svg", "--film", "way.gif", "--judge", tiny_resnet, *QUICK
    )
    assert done.status == 0
    assert (here / "out.svg").read_text().count("<path") == 3
    film = Image.open(here / "way.gif")
    assert film.format == "GIF"
    assert film.n_frames >= 2
    guiding, judge = (done.out.index(word) for word in ("guiding", "judge"))
    assert guiding < judge
    assert done.out.count("a red thing: cosine") == 2
    assert "flattered" not in done.out


def test_numbers_are_printed_as_json(lexel, tiny_model, here):
    found = lexel("guide", tiny_model, "a red thing", "-o", "out.png", "--with", "pixels", *QUICK, "--json").json
    assert found["wanted"] == "a red thing"
    assert found["steps"] == 2
    assert found["stopped"] is False
    assert found["judge"] is None
    assert {"before", "after", "match", "rank", "of"} <= set(found["guiding"]["goals"][0])
    assert Image.open(here / "out.png").size == (32, 32)  # as the model sees pictures


@pytest.mark.parametrize("name", ["out.png", "out.webp", "out.jpg"])
def test_strokes_are_written_as_pictures_too(lexel, tiny_model, here, name):
    done = lexel("guide", tiny_model, "-o", name, "--like", "red.png", *QUICK)
    assert done.status == 0
    assert Image.open(here / name).size == (512, 512)
    assert "--judge" in done.out


def test_a_change_begins_with_a_picture(lexel, tiny_model, here):
    words = ("--with", "pixels", "--start", "red.png", "--change", "a red thing", "a blue thing")
    done = lexel("guide", tiny_model, "-o", "out.png", *words, *QUICK)
    assert done.status == 0
    assert "a red thing → a blue thing" in done.out


def test_ctrl_c_writes_the_picture_as_it_is(lexel, tiny_model, here, monkeypatch):
    rate = descent.schedule

    def interrupted(share: float) -> float:
        signal.raise_signal(signal.SIGINT)
        return rate(share)

    monkeypatch.setattr(descent, "schedule", interrupted)
    done = lexel("guide", tiny_model, "a red thing", "-o", "out.svg", "--steps", "50", "--views", "2")
    assert done.status == 0
    assert "Stopped after 1 of 50 steps; wrote out.svg as it is." in done.err
    assert "</svg>" in (here / "out.svg").read_text()


MISTAKES = {
    "no wish": ((), "Say what the picture should show"),
    "empty text": ((" ",), "The text is empty"),
    "suffix": (("a", "-o", "out.bmp"), '".bmp" is not written here'),
    "no suffix": (("a", "-o", "out"), '"out" is not written here'),
    "svg of pixels": (("a", "-o", "out.svg", "--with", "pixels"), "only strokes can be written as SVG"),
    "folder": (("a", "-o", "none/out.png"), "no folder none"),
    "film": (("a", "--film", "way.mp4"), "ends in .gif"),
    "film folder": (("a", "--film", "none/way.gif"), "no folder none"),
    "painter": (("a", "--with", "painter"), "--with painter needs --painter FOLDER"),
    "no painter": (("a", "--with", "painter", "--painter", "empty"), "empty is no painter"),
    "generator": (("a", "--with", "pixel"), 'Did you mean "pixels"'),
    "like": (("--like", "rad.png"), 'Did you mean "red.png"'),
    "start": (("a", "--start", "none.png"), "no file, folder or match"),
    "steps": (("a", "--steps", "0"), None),
    "distractors": (("a", "--distractors", "none.txt"), "cannot be read"),
    "judge": (("a", "--judge", "empty"), None),
    "pull": (("a", "--pull", "-1"), None),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named_before_anything_is_written(lexel, tiny_model, here, name):
    words, message = MISTAKES[name]
    output = () if "-o" in words else ("-o", "out.png")
    done = lexel("guide", tiny_model, *words, *output)
    assert done.status == 2
    assert "Traceback" not in done.err
    if message:
        assert message in done.err
        assert done.err.count("\n") <= 3
    assert not list(here.glob("out*"))


def test_the_judge_is_another_model(refused, tiny_model, here):
    said = refused("guide", tiny_model, "a", "-o", "out.png", "--judge", tiny_model)
    assert "the guiding model itself" in said
