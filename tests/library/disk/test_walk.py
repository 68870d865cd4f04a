import os
from pathlib import Path

import pytest

from lexel.library.disk.walk import walk


@pytest.fixture
def tree(tmp_path) -> Path:
    for name in ("b/2.jpg", "b/c/3.PNG", "1.jpeg", "b/note.md", ".trash/4.jpg", "b/2.txt", "b/metadata.csv"):
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path / "tree"


def found(*roots: Path, excluded=()) -> list[str]:
    return [file.path for folder in walk(map(str, roots), lambda path, _: path in excluded) for file in folder.files]


def test_pictures_are_found_in_order_with_size_and_time(tree):
    assert found(tree) == [f"{tree}/1.jpeg", f"{tree}/b/2.jpg", f"{tree}/b/c/3.PNG"]
    (file,) = next(iter(walk([str(tree)]))).files
    status = (tree / "1.jpeg").stat()
    assert (file.size, file.mtime_ns, file.text) == (status.st_size, status.st_mtime_ns, 0)


def test_texts_beside_pictures_and_tables_are_told(tree):
    folder = next(folder for folder in walk([str(tree)]) if folder.path.endswith("/b"))
    assert folder.files[0].text == (tree / "b" / "2.txt").stat().st_mtime_ns
    assert folder.tables == {f"{tree}/b/metadata.csv": (tree / "b" / "metadata.csv").stat().st_mtime_ns}


def test_excluded_folders_and_files_are_passed_over(tree):
    assert found(tree, excluded={f"{tree}/b"}) == [f"{tree}/1.jpeg"]
    assert found(tree, excluded={f"{tree}/b/2.jpg"}) == [f"{tree}/1.jpeg", f"{tree}/b/c/3.PNG"]


def test_libraries_are_passed_over(tree):
    (tree / "b" / "records.sqlite").touch()
    assert found(tree) == [f"{tree}/1.jpeg"]


def test_no_folder_is_walked_twice_by_links(tree):
    (tree / "a-link").symlink_to(tree / "b")
    (tree / "b" / "up").symlink_to(tree)
    assert found(tree) == [f"{tree}/1.jpeg", f"{tree}/b/2.jpg", f"{tree}/b/c/3.PNG"]
    assert found(tree, tree / "b") == found(tree)


def test_links_out_of_the_tree_are_followed(tree, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "5.jpg").touch()
    (tree / "far").symlink_to(tmp_path / "far")
    assert found(tree)[-1] == f"{tree}/far/5.jpg"


def test_what_is_not_there_holds_nothing(tree):
    assert list(walk([str(tree / "nowhere"), str(tree / "1.jpeg")])) == []


def test_a_folder_that_may_not_be_read_is_told(tree, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [(folder.path, folder.problem) for folder in walk([str(tree)])] == [
        (str(tree), None),
        (f"{tree}/b", "Permission denied"),
    ]
