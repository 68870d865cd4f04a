import csv
import os
from xml.dom import minidom

import numpy as np
import pytest
from coloured_library import coloured_library

from lexel.calibration import Calibration
from lexel.curation import labelling
from lexel.curation.labelling import label_photos, write_csv, write_sidecars, write_tags
from lexel.curation.sidecars import keywords
from lexel.library.search.strength import Generic


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


def test_tags_are_added_to_and_none_is_doubled(library):
    given = label_photos(library, ["red", "blue"], "plain", least="any")
    first = given[0]
    library.records.set_tags({first.id: ["mine"]})
    assert write_tags(library.records, given) == 80
    assert library.records.photo(first.id).tags == ("mine", first.label)
    assert write_tags(library.records, given) == 0
    assert library.records.photo(first.id).tags == ("mine", first.label)


def test_a_table_has_a_row_for_each_label(library, tmp_path):
    given = label_photos(library, ["red", "blue"], "plain", least="any")
    write_csv(tmp_path / "labels.csv", library.records, given)
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [one.label for one in given]
    assert rows[0]["path"] == library.records.photo(given[0].id).path


def test_side_cars_are_written_once_and_problems_named(library, tmp_path):
    given = label_photos(library, ["red", "blue"], "plain", least="any")[:5]
    broken = f"{library.records.photo(given[0].id).path}.xmp"
    (tmp_path / broken).write_text("mine, not XML")
    written, problems = write_sidecars(library.records, given)
    assert (written, [problem.path for problem in problems]) == (4, [broken])
    sidecar = f"{library.records.photo(given[1].id).path}.xmp"
    assert keywords(minidom.parse(sidecar)) == [given[1].label]
    assert write_sidecars(library.records, given)[0] == 0


def test_a_photo_that_is_gone_gets_no_label_and_is_named(library, tmp_path, capsys):
    (tmp_path / "pictures" / "red-0.png").unlink()
    given = label_photos(library, ["red", "blue"], "plain", least="any")
    assert len(given) == 79
    said = capsys.readouterr().err
    assert "1 photo is left out, not on the disk as the library knows them: " in said
    assert "red-0.png" in said


def test_a_photo_that_goes_after_it_was_labelled_gets_no_side_car(library, tmp_path):
    given = label_photos(library, ["red", "blue"], "plain", least="any")[:2]
    path = library.records.photo(given[0].id).path
    os.unlink(path)  # noqa: PTH108
    written, problems = write_sidecars(library.records, given)
    assert (written, [(problem.path, problem.reason) for problem in problems]) == (1, [(path, "the photo is gone")])
    assert not os.path.exists(f"{path}.xmp")  # noqa: PTH110


def test_a_label_fits_every_photo_of_a_library_where_all_show_it(tmp_path):
    with coloured_library(tmp_path, ("yellow",), each=6) as library:
        opposites = library.encoder.embed_texts(["white", "black"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(labelling, "generic_of", lambda *_: Generic(opposites, 0.26))
            given = label_photos(library, ["yellow"], "plain")
    assert len(given) == 6
