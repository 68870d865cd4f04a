import shutil

import pytest


def test_captions_come_best_first(lexel, tiny_model, here):
    done = lexel("rank", tiny_model, "red.png", "a red thing", "a blue thing", "--json")
    assert done.status == 0
    assert done.json["image"] == "red.png"
    chances = [ranked["probability"] for ranked in done.json["captions"]]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1)
    best = done.json["captions"][0]["caption"]
    assert lexel("rank", tiny_model, "red.png", "a red thing", "a blue thing").out.splitlines()[0].endswith(best)


def test_a_damaged_picture_is_an_error_in_one_line(lexel, tiny_model, here):
    done = lexel("rank", tiny_model, "broken.jpg", "a", "b")
    assert done.status == 1
    assert done.err.splitlines()[-1] == "lexel rank: cannot read broken.jpg: not an image of a known format"


def test_of_several_pictures_those_that_can_be_read_are_ranked(lexel, tiny_model, here):
    words = ("rank", tiny_model, "red.png", "broken.jpg", "blue.png", "a red thing", "a blue thing")
    done = lexel(*words)
    assert done.status == 1
    assert done.err.splitlines()[-1] == "lexel rank: cannot read broken.jpg: not an image of a known format"
    assert [line for line in done.out.splitlines() if ".png" in line] == ["red.png", "blue.png"]
    assert [answer.keys() - {"image"} for answer in lexel(*words, "--json").json] == [
        {"captions"},
        {"error"},
        {"captions"},
    ]


def test_a_model_of_drawn_scenes_is_said_to_tell_nothing_about_photographs(lexel, tiny_model, here):
    model = shutil.copytree(tiny_model, here / "model")
    assert lexel("models", "calibrate", model, "scenes:48/val").status == 0
    for words in (["rank", model, "red.png", "a", "b"], ["classify", model, "red.png", "--labels", "a,b"]):
        assert lexel(*words).err.count("it knows nothing about photographs") == 1


@pytest.mark.parametrize(
    ("image", "said"),
    [("rad.png", 'Did you mean "red.png"?'), (".", "holds 3 pictures; name one"), ("empty", "holds no pictures")],
)
def test_a_picture_that_cannot_be_meant_is_refused(refused, tiny_model, here, image, said):
    assert said in refused("rank", tiny_model, image, "a", "b")


def test_a_model_that_is_not_there_is_refused(refused, here):
    assert 'Did you mean "empty"?' in refused("rank", "emty", "red.png", "a", "b")


def test_captions_are_needed(lexel, tiny_model, here):
    done = lexel("rank", tiny_model, "red.png")
    assert done.status == 2
    assert "Missing argument" in done.err


def test_several_pictures_are_each_ranked(lexel, tiny_model, here):
    done = lexel("rank", tiny_model, "red.png", "blue.png", "a red thing", "a blue thing", "--json")
    assert [answer["image"] for answer in done.json] == ["red.png", "blue.png"]
    assert all({c["caption"] for c in answer["captions"]} == {"a red thing", "a blue thing"} for answer in done.json)


@pytest.mark.parametrize(
    ("captions", "said"),
    [
        (["blue.png"], "No caption was given, only images"),
        (["a thing", "blue.png"], "blue.png stands among the captions"),
        (["rad.png", "a thing"], 'Did you mean "red.png"?'),
        (["a red thing", " "], "Caption 2 of 2 is empty"),
    ],
)
def test_captions_that_cannot_be_meant_are_refused(refused, tiny_model, here, captions, said):
    assert said in refused("rank", tiny_model, "red.png", *captions)


def test_one_caption_gets_a_match_and_no_percentage_of_its_own(lexel, tiny_model, here):
    answer, note = lexel("rank", tiny_model, "red.png", "a red thing").out.splitlines()
    assert answer.split()[0] == "match"
    assert note.startswith("Note: With one caption there is nothing to compare")


def test_captions_that_differ_only_beyond_the_context_are_said_to_be_cut(lexel, tiny_model, here):
    start = "red " * 40
    done = lexel("rank", tiny_model, "red.png", f"{start}cat", f"{start}dog")
    assert "Note: 2 of the 2 captions exceed the 32 tokens that the model reads" in done.err
