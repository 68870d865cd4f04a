import json
import shutil

import numpy as np
import pytest
from coloured_library import coloured, coloured_library
from quick_encoder import QuickEncoder
from scipy.stats import binomtest

from lexel.calibration import Calibration
from lexel.curation.concepts import filtering
from lexel.curation.concepts.filtering import filtered, train_from, write_scores
from lexel.curation.concepts.head import Head, train_head
from lexel.curation.concepts.review import write_review
from lexel.curation.concepts.threshold import choose_threshold, outstanding
from lexel.curation.concepts.words import SENTENCE_BANKS, WordJudge, judge_pictures
from lexel.errors import DataError, ModelError, UsageError
from lexel.library.model import ModelChoice


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A library, and folders of examples: forty red pictures, eighty of other colours, one file broken."""
    home = tmp_path_factory.mktemp("filter")
    coloured_library(home).close()
    for folder, colours in (("yes", ("red", "darkred")), ("no", ("green", "blue", "gray", "olive"))):
        (home / folder).mkdir()
        for number, colour in enumerate(colours * 20):
            coloured(home / folder / f"{colour}-{number}.png", colour, 1000 + number)
    (home / "no" / "broken.jpg").write_text("no picture")
    return home


@pytest.fixture(autouse=True)
def model(monkeypatch):
    """Every model is the quick one."""
    monkeypatch.setattr(ModelChoice, "load", lambda choice: QuickEncoder())


CHOICE = ModelChoice("quick")


@pytest.fixture(scope="module")
def head(home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelChoice, "load", lambda choice: QuickEncoder())
        head, bad = train_from("reds", str(home / "yes"), str(home / "no"), CHOICE, 0.05)
    assert len(bad) == 1
    head.save(home / "head")
    return head


def flagged(found) -> set[str]:
    return {one.name.rpartition("/")[2].partition("-")[0] for one in found.judged if one.flagged}


def test_a_trained_head_finds_what_it_was_shown(home, head):
    with filtered(str(home / "l.lexel"), str(home / "head")) as found:
        assert "red" in flagged(found)
        assert flagged(found).isdisjoint({"green", "blue", "gray"})
        assert found.false_positives == head.facts.false_positives
    assert head.facts.recall == 1
    assert head.facts.false_positives.measured <= 0.05


def test_a_photo_that_is_gone_is_neither_judged_nor_flagged(tmp_path, capsys):
    coloured_library(tmp_path, each=2).close()
    (tmp_path / "pictures" / "red-0.png").unlink()
    with filtered(str(tmp_path / "l.lexel"), "red", CHOICE) as found:
        assert len(found.judged) == 19
        assert str(tmp_path / "pictures" / "red-0.png") not in {one.name for one in found.judged}
    assert "1 photo is left out" in capsys.readouterr().err


def test_a_saved_head_scores_the_same_with_numpy_alone(home, head):
    vectors = np.random.default_rng(0).standard_normal((9, 48)).astype(np.float32)
    loaded = Head.load(home / "head")
    assert np.array_equal(loaded.score(vectors), head.score(vectors))
    assert loaded.facts == head.facts


def test_training_twice_gives_the_same_head(home, head):
    again, _ = train_from("reds", str(home / "yes"), str(home / "no"), CHOICE, 0.05)
    assert np.array_equal(again.weights, head.weights)
    assert again.facts == head.facts


def test_a_head_of_another_model_is_refused(home, head, monkeypatch):
    monkeypatch.setattr(ModelChoice, "load", lambda choice: QuickEncoder(name="other", fingerprint="ffff"))
    with (
        pytest.raises(ModelError, match="was trained on quick"),
        filtered(str(home / "no"), str(home / "head"), CHOICE),
    ):
        pass


@pytest.mark.parametrize("file", ["head.json", "head.safetensors"])
def test_a_damaged_head_is_refused(home, head, tmp_path, file):
    shutil.copytree(home / "head", tmp_path / "head")
    (tmp_path / "head" / file).write_bytes(b"{}")
    with pytest.raises(DataError, match="no trained concept, or it is damaged"):
        Head.load(tmp_path / "head")


def test_a_head_takes_no_other_folder_s_place(head, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no trained concept"):
        head.save(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_too_few_examples_are_refused():
    with pytest.raises(UsageError, match="too few"):
        train_head(QuickEncoder(), "x", np.eye(9, 48), np.eye(20, 48))


def test_own_words_are_judged_against_neutral_ones_and_need_examples_for_a_rate(home):
    with filtered(str(home / "l.lexel"), "blue", CHOICE) as found:
        assert {one.name.rpartition("/")[2].partition("-")[0] for one in found.judged[:16]} <= {"blue", "navy", "black"}
        assert [one.flagged for one in found.judged] == [one.score >= found.threshold for one in found.judged]
        assert "not known" in found.measured


def test_nothing_is_flagged_where_the_concept_fits_no_picture_at_all(home, monkeypatch):
    unlikely = Calibration(slope=40, intercept=-60, pairs=9, expected_calibration_error=0.01, source="s")
    monkeypatch.setattr(QuickEncoder, "calibration", unlikely)
    for where in (home / "l.lexel", home / "yes"):
        with filtered(str(where), "red", CHOICE) as found:
            assert found.judged[0].score > found.threshold
            assert flagged(found) == set()
            assert "fits none of them" in found.measured
    with filtered(str(home / "yes"), "nsfw", CHOICE, clean=str(home / "no"), rate=0.1) as found:
        assert found.why_none is None


def test_a_model_that_tells_nothing_about_the_pictures_flags_none(home, head, monkeypatch):
    monkeypatch.setattr(filtering, "say_if_model_tells_nothing", lambda library: True)
    with filtered(str(home / "l.lexel"), "red", CHOICE) as found:
        assert flagged(found) == set()
        assert "knows nothing about these pictures, so none is flagged" in found.measured
    with filtered(str(home / "l.lexel"), str(home / "head")) as found:
        assert "red" in flagged(found)  # what a head has learned is measured on examples


def test_a_folder_judged_by_a_model_of_drawn_scenes_is_warned_of(home, monkeypatch, capsys):
    drawn = Calibration(slope=40, intercept=-20, pairs=9, expected_calibration_error=0.01, source="scenes:400/val")
    monkeypatch.setattr(QuickEncoder, "calibration", drawn)
    with filtered(str(home / "yes"), "red", CHOICE):
        assert "it knows nothing about photographs" in capsys.readouterr().err


def test_clean_pictures_choose_the_threshold(home):
    with filtered(str(home / "yes"), "red", CHOICE, clean=str(home / "no"), rate=0.1) as found:
        assert found.false_positives.examples == 80
        assert found.false_positives.measured <= 0.1
        assert len(found.bad) == 1
    judged, _ = judge_pictures(
        QuickEncoder(), [("x", file) for file in sorted((home / "no").glob("*.png"))], WordJudge(QuickEncoder(), "red")
    )
    assert sum(one.score >= found.threshold for one in judged) == round(80 * found.false_positives.measured)


def test_a_folder_needs_a_model(home):
    with pytest.raises(UsageError, match="need a model"), filtered(str(home / "yes"), "red"):
        pass


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_the_threshold_is_the_lowest_that_keeps_the_rate(rate):
    clean = np.random.default_rng(1).standard_normal(250)
    threshold, measured = choose_threshold(clean, rate)
    assert (clean >= threshold).mean() == measured.measured <= rate
    below = np.sort(clean)[np.searchsorted(np.sort(clean), threshold) - 1]
    assert (clean >= below).mean() > rate
    interval = binomtest(round(measured.measured * 250), 250).proportion_ci(method="wilson")
    assert (measured.low, measured.high) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_equal_scores_are_all_flagged_or_none():
    threshold, measured = choose_threshold(np.ones(50), 0.1)
    assert (threshold > 1, measured.measured) == (True, 0.0)


def test_what_stands_out_is_well_above_the_others():
    scores = np.concatenate([np.random.default_rng(0).normal(-3, 1, 1000), np.full(20, 5.0)])
    assert -1.5 < outstanding(scores) <= 0
    assert outstanding(scores[:10]) > 2


def test_what_fits_strongly_by_itself_is_flagged_where_most_pictures_do():
    scores = np.random.default_rng(0).normal(7, 1, 1000)
    assert 2 < outstanding(scores) < 2.5


def test_the_review_page_shows_nothing_unasked(home, head, tmp_path):
    with filtered(str(home / "l.lexel"), str(home / "head")) as found:
        write_review(tmp_path / "review.html", found)
        write_scores(tmp_path / "scores.csv", found)
    page = (tmp_path / "review.html").read_text()
    assert page.count("<img") == page.count("<label><input") > 24
    assert "filter: blur" in page
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 81


def test_the_review_page_takes_decisions_and_needs_no_network(home, head, tmp_path):
    with filtered(str(home / "l.lexel"), str(home / "head")) as found:
        write_review(tmp_path / "review.html", found)
    page = (tmp_path / "review.html").read_text()
    flagged = sum(one.flagged for one in found.judged)
    assert page.count('value="keep"') == page.count('value="flag is wrong"') == flagged > 0
    assert page.count('value="should be flagged"') == page.count("<img") - flagged
    assert all(f'data-path="{one.name}"' in page for one in found.judged if one.flagged)
    assert "as CSV</button>" in page
    assert r'.join("\r\n")' in page  # two escapes in the script, not the end of a line
    assert '="http' not in page


def test_pictures_outside_a_library_are_reviewed_too(home, head, tmp_path):
    with filtered(str(home / "yes"), str(home / "head")) as found:
        write_review(tmp_path / "review.html", found)
    assert (tmp_path / "review.html").read_text().count("<img") == 40


def test_the_banks_say_enough_on_both_sides():
    for bank in SENTENCE_BANKS.values():
        assert len(bank.shown) >= 8
        assert len(bank.not_shown) > len(bank.shown)
        assert not set(bank.shown) & set(bank.not_shown)


def test_the_head_s_facts_are_plain_json(home, head):
    facts = json.loads((home / "head" / "head.json").read_text())
    assert facts["fingerprint"] == "0011c0de"
    assert facts["trained_on"] == [28, 56]


def test_a_model_whose_embeddings_are_not_finite_judges_nothing_and_teaches_nothing(home, monkeypatch):
    class Damaged(QuickEncoder):
        def _vector(self, pixels):
            return super()._vector(pixels) * np.nan

    monkeypatch.setattr(ModelChoice, "load", lambda choice: Damaged())
    told = r"quick gives \d+ of \d+ vectors that are no directions(.|\n)+first for .*red-\d+\.png"
    with pytest.raises(ModelError, match=told):
        train_from("reds", str(home / "yes"), str(home / "no"), CHOICE)
    with pytest.raises(ModelError, match=told):
        judge_pictures(Damaged(), [("red-0.png", home / "yes" / "red-0.png")], WordJudge(QuickEncoder(), "red"))
