from pathlib import Path

import pytest
from pictures import save
from quick_encoder import QuickEncoder

from lexel.errors import UsageError
from lexel.library.disk.changes_on_disk import Scope
from lexel.library.disk.exclusions import Patterns
from lexel.library.library import Library
from lexel.library.store.places import stored_patterns
from lexel.library.upkeep.relocation import relocate

NAMES = ("a.png", "b.jpg", "drafts/c.jpg", "2019/raw/d.jpg", "2019/e.jpg", "2019/drafts/f.jpg")


@pytest.fixture
def pictures(tmp_path) -> Path:
    for number, name in enumerate(NAMES):
        save(tmp_path / "pictures" / name, number)
    return tmp_path / "pictures"


@pytest.fixture
def library(tmp_path):
    with Library.open(tmp_path / "photos.lexel", QuickEncoder(), create=True) as library:
        yield library


def found(library: Library, folder: Path) -> set[str]:
    photos = library.records.photos(library.records.vectors()[0])
    return {photo.path.removeprefix(f"{folder}/") for photo in photos}


@pytest.mark.parametrize(
    ("pattern", "left_out"),
    [
        ("*.png", {"a.png"}),
        ("*.PNG", {"a.png"}),
        ("drafts", {"drafts/c.jpg", "2019/drafts/f.jpg"}),
        ("drafts/", {"drafts/c.jpg", "2019/drafts/f.jpg"}),
        ("/drafts", {"drafts/c.jpg"}),
        ("2019/raw", {"2019/raw/d.jpg"}),
        ("2019/*.jpg", {"2019/e.jpg"}),
        ("**/drafts/*.jpg", {"drafts/c.jpg", "2019/drafts/f.jpg"}),
        ("2019/**", {"2019/raw/d.jpg", "2019/e.jpg", "2019/drafts/f.jpg"}),
        ("[ab].*", {"a.png", "b.jpg"}),
        ("a.png/", set()),
        ("PICTURES/2019", {"2019/raw/d.jpg", "2019/e.jpg", "2019/drafts/f.jpg"}),
    ],
)
def test_a_pattern_leaves_out_what_it_says(library, pictures, pattern, left_out):
    library.exclude([pattern.replace("PICTURES", str(pictures))], [pictures])
    library.add(pictures)
    assert found(library, pictures) == set(NAMES) - left_out


def test_any_number_of_folders_may_stand_for_two_stars():
    patterns = Patterns(["a/**/b.jpg"])
    assert [patterns.match(path, False) for path in ("a/b.jpg", "a/x/b.jpg", "a/x/y/b.jpg", "x/a/b.jpg")] == [
        *(True, True, True),
        False,
    ]


def test_patterns_are_kept_counted_and_said(library, pictures):
    library.exclude(["drafts", "*.png"], [pictures])
    assert "Left out by --exclude: 3 files and folders" in library.add(pictures).notes
    save(pictures / "later.png", 50)
    added = library.refresh()
    assert (added.new, added.notes) == (0, ["Left out by --exclude: 4 files and folders"])


def test_photos_that_a_new_pattern_leaves_out_are_found_no_more_and_come_back_without_work(library, pictures):
    library.add(pictures)
    library.records.set_tags({1: ["kept"]})
    library.exclude(["*.png", "2019"])
    added = library.refresh()
    assert (added.vanished, added.unchanged, library.records.count) == (0, 2, 2)
    assert "No longer found, as now left out: 4 photos of the library" in added.notes
    assert library.refresh().notes == ["Left out by --exclude: 2 files and folders"]
    library.exclude(["2019"], replace=True)
    added = library.refresh()
    assert (added.new, added.embedded) == (1, 0)
    assert library.records.photo(1).tags == ("kept",)


def test_a_pattern_that_leaves_out_nearly_all_does_not_pass_for_an_empty_mount_point(library, pictures):
    library.add(pictures)
    library.exclude(["*.jpg"])
    added = library.refresh()
    assert library.records.count == 1
    assert not any("drive" in note for note in added.notes)


def test_a_watched_change_in_what_is_left_out_is_not_taken(library, pictures):
    library.exclude(["drafts", "*.png"], [pictures])
    library.add(pictures)
    save(pictures / "drafts" / "new" / "x.jpg", 60)
    save(pictures / "y.png", 61)
    scope = Scope(folders=(f"{pictures}/drafts/new", f"{pictures}/drafts"), files=(f"{pictures}/y.png",))
    assert library.bring_up_to_date(scope).new == 0
    assert library.bring_up_to_date(Scope(files=(f"{pictures}/drafts/new/x.jpg",))).new == 0


def test_a_folder_that_is_added_itself_is_looked_through_in_what_is_left_out(library, pictures):
    save(pictures / "2019" / "best" / "g.jpg", 70)
    library.exclude(["2019", "*.png"], [pictures])
    library.add(pictures)
    save(pictures / "2019" / "best" / "h.png", 71)
    library.add(pictures / "2019" / "best")
    everything = {"b.jpg", "drafts/c.jpg", "2019/best/g.jpg"}
    assert found(library, pictures) == everything
    assert library.refresh().unchanged == len(everything)
    assert found(library, pictures) == everything


def test_removed_paths_stay_away_beside_patterns(library, pictures):
    library.add(pictures)
    library.remove(pictures / "2019")
    library.exclude(["drafts"])
    library.refresh()
    assert found(library, pictures) == {"a.png", "b.jpg"}
    assert library.bring_up_to_date(Scope(folders=(f"{pictures}/2019/raw",))).new == 0


def test_patterns_go_with_their_folder(library, pictures, tmp_path):
    library.exclude(["*.png"], [pictures])
    library.add(pictures)
    pictures.rename(tmp_path / "moved")
    relocate(library.records, pictures, tmp_path / "moved")
    assert stored_patterns(library.records) == {str(tmp_path / "moved"): ["*.png"]}
    library.remove(tmp_path / "moved")
    assert stored_patterns(library.records) == {}


@pytest.mark.parametrize("pattern", ["*", "**", "/", "", "**/*", "../x", "PICTURES"])
def test_patterns_that_cannot_be_meant_are_refused_and_none_is_kept(library, pictures, pattern):
    with pytest.raises(UsageError, match="--exclude"):
        library.exclude(["*.png", pattern.replace("PICTURES", str(pictures))], [pictures])
    assert stored_patterns(library.records) == {}


def test_an_absolute_pattern_belongs_to_the_folder_that_it_lies_in(library, pictures, tmp_path):
    save(tmp_path / "other" / "2019" / "x.jpg", 80)
    library.exclude([f"{pictures}/2019"], [pictures, tmp_path / "other"])
    assert stored_patterns(library.records) == {str(pictures): ["/2019"]}
    with pytest.raises(UsageError, match="lies in none of the folders"):
        library.exclude([f"{tmp_path}/other"], [pictures])
