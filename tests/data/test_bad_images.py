import pytest

from lexel.data.bad_images import BadImage, BadImages
from lexel.errors import DataError


def test_each_bad_picture_is_written_once_also_when_opened_again(tmp_path):
    path = tmp_path / "bad-images.jsonl"
    first = BadImages(path)
    first.add("a/ü.jpg", "truncated")
    first.add("a/ü.jpg", "truncated")
    again = BadImages(path)
    again.add("a/ü.jpg", "truncated")
    again.add("b.jpg", "empty file")
    assert again.count == 2
    assert BadImages(path).found == [BadImage("a/ü.jpg", "truncated"), BadImage("b.jpg", "empty file")]
    assert path.read_text().count("\n") == 2


def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path):
    path = tmp_path / "bad-images.jsonl"
    path.write_text('{"key": "a", "reason": "truncated"}\n{"key": "b", "rea')
    bad = BadImages(path)
    bad.add("c", "empty file")
    assert [found.key for found in BadImages(path).found] == ["a", "c"]


def test_nothing_bad_leaves_no_file(tmp_path):
    BadImages(tmp_path / "bad-images.jsonl").check(100, 0.0)
    assert list(tmp_path.iterdir()) == []


def test_too_many_bad_pictures_are_refused_by_name_and_share(tmp_path):
    bad = BadImages(tmp_path / "bad-images.jsonl")
    for number in range(5):
        bad.add(f"{number}.jpg", "truncated")
    bad.check(100, 0.05)
    with pytest.raises(DataError) as error:
        bad.check(99, 0.05)
    assert str(error.value).splitlines() == [
        "5 of 99 images (5.1%) cannot be read, more than the allowed 5.0%: 0.jpg (truncated); 1.jpg (truncated); "
        "2.jpg (truncated) …",
        f"  Names and reasons are in {bad.path}. Mend them, or raise data.max_bad_share.",
    ]
