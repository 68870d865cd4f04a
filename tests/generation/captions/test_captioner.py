import json
import shutil

import numpy as np
import pytest
from colour_encoder import Broken, Painted
from processes import kill_when, start, steps_logged
from small_captioner import COLOUR_SOURCE, SEEN, colour_settings, colours, train_on_colours

from lexel.calibration import Calibration
from lexel.data.pairs import Pair, Source
from lexel.errors import BadImageError, DataError, ModelError, UsageError
from lexel.generation.captions.captioner import Captioner
from lexel.generation.captions.evaluate import NAMES, evaluate_captioner
from lexel.generation.captions.memory import Memory, spread_rows
from lexel.generation.captions.search import SearchSettings
from lexel.generation.captions.training import train_captioner

STRIPES = [Painted(("red", "green")), Painted(("white", "blue")), Painted(("black", "yellow"))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Trained on pairs."""
    folder = tmp_path_factory.mktemp("captioner")
    train_on_colours(folder)
    return folder


@pytest.fixture(scope="module")
def from_texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    train_on_colours(folder, texts=True)
    return folder


@pytest.mark.parametrize("trained_on", ["folder", "from_texts"])
def test_captions_name_what_is_there(trained_on, request):
    captioner = Captioner.load(request.getfixturevalue(trained_on), colours())
    for stripes, caption in zip(STRIPES, captioner.caption(STRIPES), strict=True):
        assert set(caption.split()) - {"and", "beside"} == set(stripes.colours)


def test_candidates_are_ordered_by_clip_and_bad_pictures_named(folder):
    captioner = Captioner.load(folder, colours())
    found = captioner.candidates([STRIPES[0], Broken(), STRIPES[1]], SearchSettings(beams=4))
    assert isinstance(found[1], BadImageError)
    assert "the file ends in the middle" in str(found[1])
    cosines = [one.cosine for one in found[0].candidates]
    assert cosines == sorted(cosines, reverse=True)
    assert len(cosines) == 4
    expected = colours().embed_images([STRIPES[0]]) @ colours().embed_texts([one.text for one in found[0].candidates]).T
    np.testing.assert_allclose(cosines, expected[0], atol=1e-6)


def test_nothing_is_said_where_no_sentence_fits(folder):
    encoder = colours()
    encoder.calibration = Calibration(slope=20, intercept=-15, pairs=100, expected_calibration_error=0.1, source="x")
    captioner = Captioner.load(folder, encoder)
    said, nothing = captioner.candidates([STRIPES[0], Painted(("cyan",) * 7 + ("red",))])
    assert said.caption is not None
    assert said.candidates[0].match > 0.9
    doubtful = Calibration(slope=20, intercept=-25, pairs=100, expected_calibration_error=0.1, source="x")
    encoder.calibration = doubtful
    (nothing,) = captioner.candidates([STRIPES[0]])
    assert nothing.caption is None
    assert nothing.candidates[0].match < 0.5
    assert captioner.caption([STRIPES[0]], least="any") != [None]


def test_samples_repeat_with_their_seed(folder):
    captioner = Captioner.load(folder, colours())
    settings = SearchSettings(samples=5, temperature=2.0, seed=3)
    texts = [[one.text for one in found.candidates] for found in captioner.candidates(STRIPES, settings)]
    assert texts == [[one.text for one in found.candidates] for found in captioner.candidates(STRIPES, settings)]
    assert any(len(said) > 1 for said in texts)


def test_a_killed_training_ends_in_the_same_captioner(folder, tmp_path):
    killed = tmp_path / "killed"
    kill_when(start(train_on_colours, killed), lambda: steps_logged(killed / "training") >= 25)
    with pytest.raises(UsageError, match="its training has not finished"):
        Captioner.load(killed, colours())
    train_on_colours(killed)
    for piece in ("weights.safetensors", "memory.safetensors", "tokenizer.json", "captioner.json"):
        assert (killed / piece).read_bytes() == (folder / piece).read_bytes()


def test_a_finished_captioner_is_not_trained_again_and_another_one_not_over_it(folder, capsys):
    before = (folder / "weights.safetensors").stat().st_mtime_ns
    train_on_colours(folder)
    assert "there is nothing left to do" in capsys.readouterr().err
    assert (folder / "weights.safetensors").stat().st_mtime_ns == before
    with pytest.raises(UsageError, match=r"holds another run: captioner\.depth was 1 and is now 2"):
        train_on_colours(folder, colour_settings(depth=2))
    with pytest.raises(UsageError, match="steps was 150 and is now 160"):
        train_on_colours(folder, colour_settings(steps=160))


def test_another_model_is_refused(folder):
    other = colours()
    other.fingerprint, other.name = "0therf1n", "other"
    with pytest.raises(UsageError, match=r"trained for colours \(c010c010\), and other is another model \(0therf1n\)"):
        Captioner.load(folder, other)
    with pytest.raises(UsageError, match="does not say where its model colours lies"):
        Captioner.load(folder)


@pytest.mark.parametrize("piece", ["weights.safetensors", "tokenizer.json", "memory.safetensors", "texts.json"])
def test_a_damaged_or_missing_piece_is_refused(folder, tmp_path, piece):
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    content = (damaged / piece).read_bytes()
    (damaged / piece).write_bytes(content[:-3] + b"xyz")
    with pytest.raises(ModelError, match=piece):
        Captioner.load(damaged, colours())
    (damaged / piece).unlink()
    with pytest.raises(ModelError, match=f"{piece} is missing"):
        Captioner.load(damaged, colours())


def test_a_damaged_description_is_refused(folder, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    facts = json.loads((damaged / "captioner.json").read_text())
    (damaged / "captioner.json").write_text(json.dumps(facts | {"format": 99}))
    with pytest.raises(ModelError, match="is of format 99"):
        Captioner.load(damaged, colours())
    (damaged / "captioner.json").write_text("{")
    with pytest.raises(ModelError, match="not readable JSON"):
        Captioner.load(damaged, colours())


def test_what_is_no_captioner_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"empty is no captioner: it has no captioner\.json"):
        Captioner.load(tmp_path / "empty", colours())
    with pytest.raises(UsageError, match=r'there is no such folder\. Did you mean "empty"'):
        Captioner.load(tmp_path / "emty", colours())


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not empty and holds no captioner"):
        train_on_colours(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_long_captions_lose_their_end_and_only_long_ones_are_refused(tmp_path, capsys):
    texts = ["red", "blue", "green and " * 12 + "the end"]
    facts = train_captioner(colours(), texts, tmp_path / "some", colour_settings(steps=2, context_length=6))
    assert "1 of 3 captions are longer than 6 tokens: their end is not learned." in capsys.readouterr().err
    assert facts.captions == 3
    with pytest.raises(DataError, match=r"1 of 1 captions are longer than 6 tokens\.\nGive a larger --context"):
        train_captioner(colours(), texts[2:], tmp_path / "all", colour_settings(steps=2, context_length=6))


def test_without_captions_there_is_nothing_to_learn(tmp_path):
    bare = Source("bare", [Pair("a", STRIPES[0], label="red")])
    for settings in (colour_settings(), colour_settings(texts_only=True)):
        with pytest.raises(DataError, match="captions"):
            train_captioner(colours(), bare, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_the_projection_is_the_softmax_over_the_memory():
    random = np.random.default_rng(0)
    texts = random.normal(size=(40, 6))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    pictures = random.normal(size=(300, 6)).astype(np.float32)
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    memory = Memory([f"text {k}" for k in range(40)], texts.astype(np.float16), 0.1)
    kept = texts.astype(np.float16).astype(float)
    weights = np.exp(pictures @ kept.T / 0.1)
    expected = weights / weights.sum(1, keepdims=True) @ kept
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(memory.project(pictures), expected, atol=1e-5)
    assert memory.nearest(pictures) == [f"text {k}" for k in (pictures @ kept.T).argmax(1)]
    assert memory.project(pictures[:0]).shape == (0, 6)


def test_a_memory_of_too_many_texts_is_thinned_evenly():
    assert spread_rows(3, 5).tolist() == [0, 1, 2]
    assert spread_rows(10, 5).tolist() == [0, 2, 4, 6, 8]


def test_a_captioner_is_measured_beside_its_baselines(folder):
    captioner = Captioner.load(folder, colours())
    held_out = Source("held out", [*SEEN[::4], Pair("broken", Broken(), ("red",))])
    report = evaluate_captioner(captioner, held_out, labels=["red", "blue"])
    assert [one.way for one in report.ways] == [
        "captioner",
        "nearest caption",
        "commonest caption",
        "a photo of LABEL",
    ]
    assert report.pictures == len(SEEN[::4])
    assert report.unsaid is None
    assert all(tuple(one.scores) == NAMES for one in report.ways)
    mine, nearest, commonest, label = (one.scores for one in report.ways)
    assert mine["CIDEr-D"].value > 2 * commonest["CIDEr-D"].value
    assert nearest["copied"].value == commonest["copied"].value == 1
    assert label["copied"].value == 0
    assert set(report.ways[3].captions) <= {"a photo of red", "a photo of blue"}
    low, high = mine["CIDEr-D"].interval
    assert low <= mine["CIDEr-D"].value <= high
    guessed = evaluate_captioner(captioner, COLOUR_SOURCE)
    assert guessed.labels == "the commonest words of the captions"
