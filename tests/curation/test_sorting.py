import os

import pytest
from coloured_library import coloured, coloured_library

from lexel.curation.labelling import label_photos
from lexel.curation.sorting import folder_names, sort_photos
from lexel.errors import UsageError

LABELS = ["yellow", "navy"]


@pytest.fixture
def library(tmp_path):
    with coloured_library(tmp_path) as library:
        yield library


@pytest.fixture
def given(library):
    return [one for one in label_photos(library, LABELS, "plain", least="any") if one.cosine > 0.9]


def files(folder) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("how", ["copy", "link"])
def test_every_photo_lies_in_the_folder_of_its_label_or_in_other(library, given, tmp_path, how):
    done = sort_photos(library, given, tmp_path / "into", LABELS, how=how)
    found = files(tmp_path / "into")
    assert len(found) == done.new == 80
    assert found["yellow/yellow-3.png"] == (tmp_path / "pictures" / "yellow-3.png").read_bytes()
    assert "other/red-0.png" in found
    assert (tmp_path / "into" / "yellow" / "yellow-3.png").is_symlink() == (how == "link")
    assert len(list((tmp_path / "pictures").iterdir())) == 80


@pytest.mark.parametrize("how", ["copy", "link"])
def test_the_same_again_goes_on_and_overwrites_nothing(library, given, tmp_path, how):
    into = tmp_path / "into"
    (into / "yellow").mkdir(parents=True)
    (into / "yellow" / "yellow-0.png").write_bytes(b"mine")
    (into / "yellow" / "yellow-1.png").symlink_to("nowhere")
    first = sort_photos(library, given, into, LABELS, how=how, leave=True)
    assert (into / "yellow" / "yellow-0.png").read_bytes() == b"mine"
    (into / "yellow" / "yellow-2.png").unlink()
    again = sort_photos(library, given, into, LABELS, how=how, leave=True)
    assert (again.new, again.there) == (1, first.new - 1)
    assert again.left == 80 - first.new
    assert not [name for name in files(into) if name.endswith(".tmp")]


def test_a_dry_run_writes_nothing_and_counts_the_same(library, given, tmp_path):
    dry = sort_photos(library, given, tmp_path / "into", LABELS, dry_run=True)
    assert not (tmp_path / "into").exists()
    assert dry == sort_photos(library, given, tmp_path / "into", LABELS)


@pytest.mark.parametrize("how", ["copy", "link"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_photo_that_is_gone_or_changed_is_named_and_the_rest_is_done(library, given, tmp_path, how, dry_run):
    gone, changed = (tmp_path / "pictures" / f"yellow-{number}.png" for number in (4, 5))
    gone.unlink()
    coloured(changed, "red", 99)
    done = sort_photos(library, given, tmp_path / how, LABELS, how=how, dry_run=dry_run)
    assert [(problem.path, problem.reason) for problem in done.absent] == [
        (str(gone), "gone"),
        (str(changed), "changed"),
    ]
    assert (done.new, done.there, done.problems) == (78, 0, [])
    assert sum(done.folders.values()) == 78


def test_a_link_to_a_photo_that_is_gone_does_not_count_as_one_that_is_there(library, given, tmp_path):
    sort_photos(library, given, tmp_path / "into", LABELS, how="link")
    (tmp_path / "pictures" / "yellow-4.png").unlink()
    done = sort_photos(library, given, tmp_path / "into", LABELS, how="link")
    assert (done.there, len(done.absent)) == (79, 1)


def test_a_photo_whose_content_was_replaced_with_its_time_restored_is_not_copied(library, given, tmp_path):
    path = tmp_path / "pictures" / "yellow-4.png"
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    done = sort_photos(library, given, tmp_path / "into", LABELS)
    assert [problem.path for problem in done.problems] == [str(path)]
    assert "not the one that was indexed" in done.problems[0].reason
    assert done.new == len(files(tmp_path / "into")) == sum(done.folders.values()) == 79


def test_labels_become_safe_folder_names():
    assert folder_names(["a/b", "..", "cat "]) == {"a/b": "a-b", "..": "-", "cat ": "cat"}
    for labels in (["a/b", "a:b"], ["Cat", "cat"], ["other"]):
        with pytest.raises(UsageError, match="would share the folder"):
            folder_names(labels)
