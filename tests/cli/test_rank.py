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


def test_a_damaged_picture_fails_in_one_line(lexel, tiny_model, here):
    done = lexel("rank", tiny_model, "broken.jpg", "a", "b")
    assert done.status == 1
    assert done.err == "lexel rank: Image 1 cannot be read: broken.jpg: not an image of a known format\n"


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
