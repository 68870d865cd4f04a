import os
import shutil
from pathlib import Path

import pytest
from pictures import aged, save
from quick_encoder import QuickEncoder

from lexel.errors import UsageError
from lexel.library.library import Library
from lexel.library.store.places import places
from lexel.library.upkeep import relocation
from lexel.library.upkeep.relocation import Relocation, relocate


@pytest.fixture
def library(tmp_path):
    """Three pictures of a folder that was added, one of them tagged."""
    for number in range(3):
        save(tmp_path / "old" / ("deep" if number == 2 else "") / f"{number}.png", number)
    with Library.open(tmp_path / "photos.lexel", QuickEncoder(), create=True) as library:
        library.add(tmp_path / "old")
        library.records.set_tags({1: ["kept"]})
        yield library


def moved(tmp_path: Path, name: str = "new") -> Path:
    """The folder on another drive: the times are others, the contents the same."""
    new = tmp_path / name
    shutil.copytree(tmp_path / "old", new)
    shutil.rmtree(tmp_path / "old")
    for file in new.rglob("*.png"):
        aged(file, 500)
    return new


def paths(library: Library) -> dict[int, str]:
    photos = library.records.photos(id for (id,) in library.records.rows("SELECT id FROM files"))
    return {photo.id: photo.path for photo in photos}


def test_all_paths_are_rewritten_and_nothing_is_embedded(library, tmp_path):
    old, new = tmp_path / "old", moved(tmp_path)
    assert relocate(library.records, old, new) == Relocation(3, 3, 0, 0, joined=0, written=True)
    assert paths(library) == {1: f"{new}/0.png", 2: f"{new}/1.png", 3: f"{new}/deep/2.png"}
    assert library.records.photo(1).tags == ("kept",)
    assert places(library.records, "folder") == [str(new)]
    assert [id for id, _ in library.records.search_keywords(["deep"], 5)] == [3]
    added = library.refresh()
    assert (added.unchanged, added.embedded, added.vanished, added.notes) == (3, 0, 0, [])


def test_a_renamed_folder_is_found_without_reading_a_file(library, tmp_path, monkeypatch):
    (tmp_path / "old").rename(tmp_path / "new")
    monkeypatch.setattr(relocation, "hash_of", None)
    assert relocate(library.records, tmp_path / "old", tmp_path / "new").found == 3


def test_a_dry_run_writes_nothing(library, tmp_path):
    before = paths(library)
    new = moved(tmp_path)
    assert relocate(library.records, tmp_path / "old", new, dry_run=True) == Relocation(
        3, 3, 0, 0, joined=0, written=False
    )
    assert paths(library) == before
    assert places(library.records, "folder") == [str(tmp_path / "old")]


def test_a_place_where_most_are_not_is_written_only_by_force(library, tmp_path):
    new = moved(tmp_path)
    (new / "0.png").unlink()
    (new / "1.png").write_bytes((new / "1.png").read_bytes()[:-1] + b"x")
    found = Relocation(3, 1, 1, 1, joined=0, written=False)
    assert relocate(library.records, tmp_path / "old", new) == found
    assert relocate(library.records, tmp_path / "old", new, force=True).written
    save(new / "1.png", 77)
    added = library.refresh()
    assert (added.changed, added.vanished, added.unchanged) == (1, 1, 1)


def test_entries_that_the_new_place_has_already_become_one_with_the_old_ones(library, tmp_path):
    new = tmp_path / "new"
    shutil.copytree(tmp_path / "old", new)
    library.add(new)
    library.records.set_tags({4: ["later"]})
    shutil.rmtree(tmp_path / "old")
    assert relocate(library.records, tmp_path / "old", new) == Relocation(3, 3, 0, 0, joined=3, written=True)
    assert sorted(paths(library)) == [1, 2, 3]
    assert library.records.photo(1).tags == ("kept", "later")
    assert library.refresh().unchanged == 3
    assert sorted(library.vectors.search(library.vectors.vectors_of([1]), 3)[1][0]) == [1, 2, 3]


def test_an_entry_of_another_picture_at_the_new_path_stays(library, tmp_path):
    new = tmp_path / "new"
    save(new / "0.png", 50)
    library.add(new)
    shutil.copytree(tmp_path / "old" / "deep", new / "deep")
    shutil.copy2(tmp_path / "old" / "1.png", new / "1.png")
    shutil.rmtree(tmp_path / "old")
    assert relocate(library.records, tmp_path / "old", new) == Relocation(3, 2, 1, 0, joined=0, written=True)
    assert paths(library) == {
        1: f"{tmp_path}/old/0.png",
        2: f"{new}/1.png",
        3: f"{new}/deep/2.png",
        4: f"{new}/0.png",
    }
    assert library.records.photo(1).missing


@pytest.mark.parametrize(("before", "after"), [("old", "old/old"), ("old/deep", "old")])
def test_a_folder_may_move_into_itself_or_up(tmp_path, before, after):
    for number, folder in enumerate(["old", "old/old", "old/deep", "old/deep/deep"]):
        save(tmp_path / folder / "same.png", number)
    with Library.open(tmp_path / "photos.lexel", QuickEncoder(), create=True) as library:
        library.add(tmp_path / before)
        count = library.records.count
        (tmp_path / before).rename(tmp_path / "between")
        shutil.rmtree(tmp_path / "old", ignore_errors=True)
        (tmp_path / after).parent.mkdir(exist_ok=True)
        (tmp_path / "between").rename(tmp_path / after)
        assert relocate(library.records, tmp_path / before, tmp_path / after).found == count
        assert library.refresh().unchanged == count


def test_missing_photos_that_are_at_the_new_place_are_back(library, tmp_path):
    new = moved(tmp_path)
    with library.records.changing() as changes:
        changes.mark_missing([1, 2, 3])
    assert library.records.count == 0
    assert relocate(library.records, tmp_path / "old", new).found == 3
    assert library.records.count == 3
    assert sorted(library.vectors.search(library.vectors.vectors_of([1]), 3)[1][0]) == [1, 2, 3]


def test_what_was_removed_and_what_could_not_be_read_is_known_at_the_new_place(library, tmp_path):
    (tmp_path / "old" / "broken.png").write_bytes(b"none")
    library.refresh()
    library.remove(tmp_path / "old" / "deep")
    new = moved(tmp_path)
    relocate(library.records, tmp_path / "old", new)
    assert library.records.unreadable() == []
    assert library.refresh().unreadable == [(f"{new}/broken.png", "not an image of a known format")]
    assert library.records.count == 2


def test_a_part_of_a_folder_that_moved_out_of_it_is_looked_through_from_then_on(library, tmp_path):
    (tmp_path / "old" / "deep").rename(tmp_path / "out")
    relocate(library.records, tmp_path / "old" / "deep", tmp_path / "out")
    assert places(library.records, "folder") == [str(tmp_path / "old"), str(tmp_path / "out")]
    save(tmp_path / "out" / "9.png", 9)
    assert library.refresh().new == 1


def test_names_that_are_no_text_are_relocated(tmp_path):
    old = os.fsdecode(os.fsencode(tmp_path) + b"/old")
    save(os.fsencode(old) + b"/\xff.png", 1)
    with Library.open(tmp_path / "photos.lexel", QuickEncoder(), create=True) as library:
        library.add(old)
        (tmp_path / "old").rename(tmp_path / "new")
        relocate(library.records, old, tmp_path / "new")
        assert paths(library) == {1: os.fsdecode(os.fsencode(tmp_path) + b"/new/\xff.png")}
        assert library.refresh().unchanged == 1


def test_what_the_library_does_not_know_and_what_is_not_there_is_refused(library, tmp_path):
    with pytest.raises(UsageError, match="has nothing of"):
        relocate(library.records, tmp_path / "unknown", tmp_path)
    with pytest.raises(UsageError, match="Is its drive mounted"):
        relocate(library.records, tmp_path / "old", tmp_path / "new")
    with pytest.raises(UsageError, match="both the old place and the new one"):
        relocate(library.records, tmp_path / "old", f"{tmp_path}/old/")
