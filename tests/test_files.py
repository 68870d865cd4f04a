import errno
from pathlib import Path

import pytest

from lexel.errors import UsageError
from lexel.files import check_replaceable, new_folder, write_atomically


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    target = tmp_path / "kept.txt"
    target.write_text("old")

    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "stale").touch()
    with new_folder(target) as folder:
        (folder / "fresh").write_text("x")
    assert [path.name for path in target.iterdir()] == ["fresh"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").touch()

    def fill() -> None:
        with new_folder(target) as folder:
            (folder / "half").touch()
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fill()
    assert [path.name for path in target.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_new_folder_may_lie_deep(tmp_path):
    with new_folder(tmp_path / "a" / "b") as folder:
        Path(folder / "x").touch()
    assert (tmp_path / "a" / "b" / "x").exists()


def test_a_folder_is_replaceable_when_it_is_new_empty_or_known_by_its_marker(tmp_path):
    check_replaceable(tmp_path / "new", "model.json")
    folder = tmp_path / "there"
    folder.mkdir()
    check_replaceable(folder, "model.json")
    (folder / "photo.jpg").touch()
    with pytest.raises(UsageError, match=r"it has no model\.json"):
        check_replaceable(folder, "model.json")
    with pytest.raises(UsageError, match="exists"):
        check_replaceable(folder / "photo.jpg", "model.json")
    (folder / "model.json").touch()
    check_replaceable(folder, "model.json")
