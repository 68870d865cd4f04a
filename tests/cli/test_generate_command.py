import pytest
from PIL import Image

pytest.importorskip("diffusers")

from tiny_painter import tiny_clip, train_tiny_painter

SMALL = "[prior]\nwidth = 16\ndepth = 1\n[decoder]\nsize = 8\nchannels = [32]\nattention = 1\n"


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generate")
    train_tiny_painter(tiny_clip(folder / "clip"), folder / "painter")
    return folder / "painter"


def test_the_command_trains_a_painter_and_then_draws_with_it(lexel, tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    words = ["generate", "train", tiny_clip(tmp_path / "clip"), "scenes:12", "-o", tmp_path / "painter"]
    words += ["--recipe", tmp_path / "small.toml", "--steps", "2", "--set", "prior_learning.steps=2", "--seed", "3"]
    done = lexel(*words)
    assert "8 × 8 pixels, trained on 12 pictures" in done.out
    assert "Training the decoder: 2 steps" in done.err
    assert lexel(*words, "--json").json["recipe"]["seed"] == 3  # finished already
    assert lexel("generate", tmp_path / "painter", "a red circle", "--count", "2").out.count("score ") == 2


def test_pictures_of_a_text_are_written_as_files_and_as_a_page(lexel, painter, here):
    words = ["generate", painter, "a red circle", "--count", "3", "--seed", "1"]
    done = lexel(*words, "-o", "drawn", "--html", "sheet.html", "--strip", "all.png", "--json")
    found = done.json
    assert [picture["file"] for picture in found["pictures"]] == [f"drawn/{place:02}.png" for place in (1, 2, 3)]
    assert [picture["score"] for picture in found["pictures"]] == sorted(
        (picture["score"] for picture in found["pictures"]), reverse=True
    )
    assert {Image.open(here / picture["file"]).size for picture in found["pictures"]} == {(8, 8)}
    assert (here / "sheet.html").read_text().count("<figure>") == 3
    assert Image.open(here / "all.png").height == 128
    again = lexel(*words, "-o", "again")
    assert again.out.count("score ") == 3
    assert (here / "again" / "01.png").read_bytes() == (here / "drawn" / "01.png").read_bytes()


def test_variations_ways_and_changes_are_drawn(lexel, painter, here):
    assert (
        len(lexel("generate", painter, "--like", "red.png", "--count", "4", "--keep", "2", "--json").json["pictures"])
        == 2
    )
    way = lexel("generate", painter, "--from", "red.png", "--to", "a blue thing", "--count", "5", "--strip", "way.gif")
    assert "100% of the way" in way.out
    assert Image.open(here / "way.gif").n_frames == 8  # there and back
    changed = lexel("generate", painter, "--like", "red.png", "--change", "red", "blue", "--json").json
    assert [picture["share"] for picture in changed["pictures"]] == [0.4]
    assert changed["asked"] == "like red.png, but blue instead of red"


def test_help_names_both_uses(lexel):
    for words in (["generate"], ["generate", "--help"]):
        said = lexel(*words)
        assert "lexel generate train --help" in said.out + said.err
        assert "--like" in said.out + said.err
    assert "--recipe" in lexel("generate", "train", "--help").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "in one way"),
        (["a", "--like", "red.png"], "in one way"),
        ([" "], "text is empty"),
        (["--from", "red.png"], "go together"),
        (["a", "--change", "red", "blue"], "--like PICTURE"),
        (["a", "--strength", "0.4"], "--change BEFORE AFTER"),
        (["a", "--size", "64"], "8 × 8 pixels, not for 64"),
        (["a", "--strip", "strip.mp4"], "not strip.mp4"),
        (["a", "-o", "empty/.."], "not empty"),
        (["--like", "missing.png"], "no file"),
        (["--from", "missing.png", "--to", "a"], "no file"),
        (["a", "--keep", "9"], "9 of 8"),
        (["--like", "red.png", "--keep", "9"], "9 of 8"),
    ],
    ids=lambda value: None if isinstance(value, str) else " ".join(value) or "nothing",
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(refused, painter, here, words, said):
    before = sorted(here.rglob("*"))
    assert said in refused("generate", painter, *words)
    assert sorted(here.rglob("*")) == before


def test_another_model_and_another_folder_are_refused(refused, painter, tmp_path, here):
    other = tiny_clip(tmp_path / "other", "stem")
    assert "is another model" in refused("generate", painter, "a", "--model", other)
    assert "is no painter" in refused("generate", other, "a")
    assert "No painter at" in refused("generate", "nowhere", "a")


def test_a_text_longer_than_the_context_is_cut_and_that_is_said(lexel, painter):
    done = lexel("generate", painter, "a red circle " * 40, "--count", "1")
    assert done.status == 0
    assert "exceed the 16 tokens" in done.err
