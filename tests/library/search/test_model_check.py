import numpy as np
import pytest
from coloured_library import coloured_library
from quick_encoder import QuickEncoder

from lexel.calibration import Calibration
from lexel.curation.groups import group_library
from lexel.curation.labelling import label_photos
from lexel.library.library import Library
from lexel.library.search.model_check import check_model, say_if_model_tells_nothing, share_before_others


class Ignorant(QuickEncoder):
    """Sees pictures, and draws lots for texts."""

    def embed_texts(self, texts):
        rows = [np.random.default_rng([*text.encode()]).standard_normal(self.dimensions) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


def library_of(home, encoder, *, captioned: bool = True) -> Library:
    """Eighty photos of forty mixed colours, each with a caption that names its colour."""
    tones = [
        f"rgb({red},{green},{blue})" for red in (0, 85, 170, 255) for green in (0, 128, 255) for blue in (0, 99, 255)
    ]
    coloured_library(home, tuple(tones), each=3).close()
    library = Library.open(home / "again.lexel", encoder, create=True)
    library.add(home / "pictures")
    if captioned:
        ids = library.vectors.ids.tolist()
        library.records.set_captions({id: f"number {id} of many" for id in ids})
    return library


class Knowing(QuickEncoder):
    """Knows from a caption's number which picture it belongs to."""

    vectors: np.ndarray | None = None

    def embed_texts(self, texts):
        if self.vectors is None or not texts[0].startswith("number"):
            return super().embed_texts(texts)
        return self.vectors[[int(text.split()[1]) - 1 for text in texts]]


def test_a_model_that_guesses_the_captions_tells_nothing_and_that_is_said(tmp_path, capsys):
    with library_of(tmp_path, Ignorant()) as library:
        assert say_if_model_tells_nothing(library)
    said = capsys.readouterr().err
    assert "quick knows nothing about these pictures: of 108 of their captions" in said
    assert "chance does in 50 %" in said


def test_a_model_that_knows_the_captions_is_left_in_peace(tmp_path, capsys):
    encoder = Knowing()
    with library_of(tmp_path, encoder) as library:
        encoder.vectors = library.records.vectors()[1].astype(np.float32)
        check = check_model(library)
        assert check is not None
        assert check.share > 0.95
        assert not say_if_model_tells_nothing(library)
    assert "knows nothing" not in capsys.readouterr().err


def test_it_is_measured_once_and_again_for_another_model(tmp_path):
    with library_of(tmp_path, Ignorant()) as library:
        first = check_model(library)
        library.records.set_captions({1: "other words"})
        assert check_model(library) == first
        with library.records.changing() as changes:
            changes.set_fact("fingerprint", "ffff")
    with Library.open(tmp_path / "again.lexel", Ignorant(fingerprint="ffff")) as library:
        again = check_model(library)
        assert again is not None
        assert again.fingerprint == "ffff"


@pytest.mark.parametrize("source", ["scenes:500/val", "photos/val"])
def test_a_model_of_drawn_scenes_is_named_where_no_captions_tell_more(tmp_path, capsys, source):
    encoder = QuickEncoder()
    encoder.calibration = Calibration(slope=40, intercept=-28, pairs=9, expected_calibration_error=0.01, source=source)
    with library_of(tmp_path, encoder, captioned=False) as library:
        assert check_model(library) is None
        assert not say_if_model_tells_nothing(library)
    assert ("has learned from drawn scenes" in capsys.readouterr().err) == source.startswith("scenes")


def test_labels_and_groups_say_it_once(tmp_path, capsys):
    with library_of(tmp_path, Ignorant()) as library:
        for job in (lambda: label_photos(library, ["red", "blue"]), lambda: group_library(library, 3)):
            capsys.readouterr()
            job()
            assert capsys.readouterr().err.count("knows nothing") == 1


def test_a_library_that_cannot_be_written_is_judged_all_the_same(tmp_path):
    with library_of(tmp_path, Ignorant()) as library:
        library.records.read_only = True
        check = check_model(library)
        assert check is not None
        assert check.tells_nothing
        assert library.records.fact("model_check") is None


def test_the_share_is_that_of_brute_force_and_ties_count_half():
    random = np.random.default_rng(0)
    cosines = random.integers(0, 5, (30, 9)).astype(float)
    own = random.integers(0, 9, 30)
    counted = [
        (cosines[row, own[row]] > cosines[row, other]) + 0.5 * (cosines[row, own[row]] == cosines[row, other])
        for row in range(30)
        for other in range(9)
        if other != own[row]
    ]
    assert share_before_others(cosines, own) == pytest.approx(np.mean(counted))
