import numpy as np
import pytest
from coloured_library import coloured_library

from lexel.calibration import Calibration
from lexel.curation import labelling
from lexel.curation.labelling import label_photos
from lexel.evaluation.matching import Generic


@pytest.fixture
def library(tmp_path):
    with coloured_library(tmp_path) as library:
        yield library


CALIBRATION = Calibration(slope=40, intercept=-28, pairs=100, expected_calibration_error=0.01, source="s")


def named(library, given) -> set[tuple[str, str]]:
    photos = library.records.photos([one.id for one in given])
    return {(photo.name.partition("-")[0], one.label) for photo, one in zip(photos, given, strict=True)}


@pytest.mark.parametrize("calibration", [None, CALIBRATION])
def test_what_no_label_fits_gets_none(library, monkeypatch, calibration):
    monkeypatch.setattr(library.encoder, "calibration", calibration, raising=False)
    opposites = library.encoder.embed_texts(["white", "black"])  # every picture is between them
    monkeypatch.setattr(labelling, "generic_of", lambda *_: Generic(opposites, 0.26))
    given = label_photos(library, ["yellow", "navy"], "plain")
    assert ("yellow", "yellow") in named(library, given)
    assert ("green", "navy") not in named(library, given)
    assert len(given) < 60
    any_given = label_photos(library, ["yellow", "navy"], "plain", least="any")
    assert len(any_given) == 80
    strong = label_photos(library, ["yellow", "navy"], "plain", least="strong")
    assert {one.id for one in strong} <= {one.id for one in given}
    assert {one.strength for one in strong} <= {"strong"}


def test_the_best_label_is_that_of_brute_force(library):
    given = label_photos(library, ["red", "blue", "green"], "plain", least="any")
    ids, vectors = library.records.vectors()
    texts = library.encoder.embed_texts(["red", "blue", "green"])
    best = (vectors.astype(np.float64) @ texts.T).argmax(axis=1)
    assert [(one.id, one.label) for one in given] == [
        (id, ["red", "blue", "green"][column]) for id, column in zip(ids.tolist(), best, strict=True)
    ]


def test_several_gives_every_label_that_fits_the_best_first(library, monkeypatch):
    monkeypatch.setattr(library.encoder, "calibration", CALIBRATION, raising=False)
    given = label_photos(library, ["blue", "navy"], "plain", several=True)
    by_photo = {}
    for one in given:
        by_photo.setdefault(one.id, []).append(one.cosine)
    assert any(len(cosines) == 2 for cosines in by_photo.values())
    assert all(cosines == sorted(cosines, reverse=True) for cosines in by_photo.values())


def test_a_photo_that_is_gone_gets_no_label_and_is_named(library, tmp_path, capsys):
    (tmp_path / "pictures" / "red-0.png").unlink()
    given = label_photos(library, ["red", "blue"], "plain", least="any")
    assert len(given) == 79
    said = capsys.readouterr().err
    assert "1 photo is left out, not on the disk as the library knows them: " in said
    assert "red-0.png" in said


def test_a_label_fits_every_photo_of_a_library_where_all_show_it(tmp_path):
    with coloured_library(tmp_path, ("yellow",), each=6) as library:
        opposites = library.encoder.embed_texts(["white", "black"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(labelling, "generic_of", lambda *_: Generic(opposites, 0.26))
            given = label_photos(library, ["yellow"], "plain")
    assert len(given) == 6
