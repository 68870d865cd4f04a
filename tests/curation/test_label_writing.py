import csv
import os

import pytest
from coloured_library import coloured_library

from lexel.curation.label_writing import write_csv, write_sidecars, write_tags
from lexel.curation.labelling import Labelled, label_photos
from lexel.curation.xmp import EMPTY_XMP, parse_keywords


@pytest.fixture
def library(tmp_path):
    with coloured_library(tmp_path, each=2) as library:
        yield library


def test_tags_are_added_to_and_none_is_doubled(library):
    given = label_photos(library, ["red", "blue"], "plain", least="any")
    first = given[0]
    library.records.set_tags({first.id: ["mine"]})
    assert write_tags(library.records, given) == 20
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
    sidecar = tmp_path / f"{library.records.photo(given[1].id).path}.xmp"
    assert parse_keywords(sidecar.read_bytes()) == [given[1].label]
    assert write_sidecars(library.records, given)[0] == 0


def test_a_photo_that_goes_after_it_was_labelled_gets_no_side_car(library, tmp_path):
    given = label_photos(library, ["red", "blue"], "plain", least="any")[:2]
    path = library.records.photo(given[0].id).path
    os.unlink(path)  # noqa: PTH108
    written, problems = write_sidecars(library.records, given)
    assert (written, [(problem.path, problem.reason) for problem in problems]) == (1, [(path, "the photo is gone")])
    assert not os.path.exists(f"{path}.xmp")  # noqa: PTH110


def test_photos_that_share_a_side_car_both_write_into_it(library, tmp_path):
    folder = tmp_path / "pictures"
    (folder / "red-0.jpg").write_bytes((folder / "red-0.png").read_bytes())
    (folder / "red-0.xmp").write_bytes(EMPTY_XMP)
    library.add(folder)
    ids = [library.records.ids_of(str(folder / name))[0] for name in ("red-0.png", "red-0.jpg")]
    given = [Labelled(id, word, 0.5, 0.9, "strong") for id, word in zip(ids, ("one", "two"), strict=True)]
    assert write_sidecars(library.records, given) == (2, [])
    assert parse_keywords((folder / "red-0.xmp").read_bytes()) == ["one", "two"]
