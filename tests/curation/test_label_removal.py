import shutil
from pathlib import Path

import pytest
from coloured_library import coloured_library

from lexel.curation import label_writing
from lexel.curation.label_removal import remove_tag, undo_last
from lexel.curation.label_writing import write_sidecars, write_tags
from lexel.curation.labelling import label_photos
from lexel.curation.xmp import add_keywords, parse_keywords
from lexel.errors import UsageError
from lexel.library.store.label_history import LabelHistory


@pytest.fixture
def library(tmp_path):
    with coloured_library(tmp_path, each=2) as library:
        yield library


def labelled(library, *words):
    return label_photos(library, list(words), "plain", least="any")


def tags(library) -> list[tuple[str, ...]]:
    return [photo.tags for photo in library.records.photos(library.vectors.ids)]


def sidecars(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "pictures").glob("*.xmp")}


def test_the_last_labelling_is_undone_then_the_one_before(library):
    library.records.set_tags({1: ["mine"]})
    before = tags(library)
    write_tags(library.records, labelled(library, "red", "blue"))
    between = tags(library)
    write_tags(library.records, labelled(library, "light", "dark"))
    assert undo_last(library.records)[1].tags == 20
    assert tags(library) == between
    assert undo_last(library.records)[1].tags == 20
    assert tags(library) == before
    with pytest.raises(UsageError, match="nothing to undo"):
        undo_last(library.records)


def test_a_labelling_that_changed_nothing_is_not_the_last(library):
    given = labelled(library, "red", "blue")
    write_tags(library.records, given)
    write_tags(library.records, given)
    undo_last(library.records)
    assert set(tags(library)) == {()}


def test_a_tag_that_was_there_before_or_given_since_stays(library):
    library.records.set_tags({1: ["red", "blue"]})
    write_tags(library.records, labelled(library, "red", "blue"))
    library.records.set_tags({2: [*library.records.photo(2).tags, "since"]})
    undo_last(library.records)
    assert library.records.photo(1).tags == ("red", "blue")
    assert library.records.photo(2).tags == ("since",)


def test_undone_tags_are_found_by_no_search(library):
    write_tags(library.records, labelled(library, "red", "blue"))
    assert library.search(tag="red")
    undo_last(library.records)
    assert not library.search(tag="red")


def test_undoing_restores_every_side_car_and_removes_those_that_were_made(library, tmp_path):
    existing = tmp_path / "pictures" / "red-0.png.xmp"
    existing.write_bytes(add_keywords(None, ["mine"]))
    write_sidecars(library.records, labelled(library, "red", "blue"))
    assert len(sidecars(tmp_path)) == 20
    labelling, done = undo_last(library.records)
    assert (labelling.what, done.sidecars, done.skipped) == ("labels in side-cars", 20, [])
    assert {name: parse_keywords(content) for name, content in sidecars(tmp_path).items()} == {existing.name: ["mine"]}


def test_a_side_car_that_moved_with_its_photo_is_undone_where_it_lies_now(library, tmp_path):
    write_sidecars(library.records, labelled(library, "red", "blue"))
    shutil.move(tmp_path / "pictures", tmp_path / "moved")
    library.add(tmp_path / "moved")
    assert undo_last(library.records)[1].sidecars == 20
    assert not list((tmp_path / "moved").glob("*.xmp"))


class PowerCut(BaseException):
    """Like kill -9, nothing in the program expects it."""


@pytest.mark.parametrize("written", [0, 1, 7])
def test_what_a_killed_labelling_wrote_can_be_undone(library, tmp_path, monkeypatch, written):
    monkeypatch.setattr(label_writing, "SIDECARS_AT_ONCE", 4)
    carried_out = 0
    whole = label_writing.carry_out

    def carry_out(edit):
        nonlocal carried_out
        if carried_out == written:
            raise PowerCut
        carried_out += 1
        return whole(edit)

    monkeypatch.setattr(label_writing, "carry_out", carry_out)
    with pytest.raises(PowerCut):
        write_sidecars(library.records, labelled(library, "red", "blue"))
    assert len(sidecars(tmp_path)) == written
    assert undo_last(library.records)[1].sidecars == written
    assert sidecars(tmp_path) == {}


def test_a_side_car_that_cannot_be_changed_is_named_and_bars_nothing(library, tmp_path):
    write_tags(library.records, labelled(library, "light", "dark"))
    write_sidecars(library.records, labelled(library, "red", "blue"))
    damaged = tmp_path / "pictures" / "red-0.png.xmp"
    damaged.write_text("no XML")
    _, done = undo_last(library.records)
    assert (done.sidecars, [one.path for one in done.skipped]) == (19, [str(damaged)])
    labelling, again = undo_last(library.records)
    assert (labelling.what, [one.path for one in again.skipped]) == ("labels in side-cars", [str(damaged)])
    assert undo_last(library.records)[1].tags == 20


def test_a_tag_is_removed_from_all_photos_and_comes_back_when_that_is_undone(library):
    library.records.set_tags({1: ["red", "mine"]})
    write_tags(library.records, labelled(library, "red", "blue"))
    before = [set(given) for given in tags(library)]
    assert remove_tag(library.records, "red").tags == sum("red" in given for given in before)
    assert [set(given) for given in tags(library)] == [given - {"red"} for given in before]
    undo_last(library.records)
    assert [set(given) for given in tags(library)] == before


def test_a_tag_is_removed_from_side_cars_only_where_lexel_put_it(library, tmp_path):
    given = labelled(library, "red", "blue")
    foreign = Path(f"{library.records.photo(given[0].id).path}.xmp")
    foreign.write_bytes(add_keywords(None, [given[0].label]))
    write_sidecars(library.records, given)
    done = remove_tag(library.records, given[0].label)
    assert done.sidecars == sum(one.label == given[0].label for one in given) - 1
    assert parse_keywords(foreign.read_bytes()) == [given[0].label]
    undo_last(library.records)
    assert len(sidecars(tmp_path)) == 20


def test_a_tag_that_nothing_has_is_an_error_with_the_nearest_one(library):
    write_tags(library.records, labelled(library, "red", "blue"))
    with pytest.raises(UsageError, match=r'has the tag "blu".+Did you mean "blue"'):
        remove_tag(library.records, "blu")
    assert LabelHistory(library.records).last().what == "labels as tags"


def test_the_label_of_a_source_is_no_tag_to_remove(library):
    with library.records.changing() as changes:
        changes.connection.execute("UPDATE files SET label = 'dog' WHERE id < 4")
    with pytest.raises(UsageError, match='"dog" is no tag: 3 photos have it as the label'):
        remove_tag(library.records, "dog")
