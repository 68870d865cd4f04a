"""Tables with absolute paths of another machine, beside the pictures themselves."""

from pathlib import Path

import pytest
from PIL import Image

from lexel.data.readers import read_source
from lexel.errors import DataError


def draw(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(folder / name)


@pytest.mark.parametrize(
    "prefix", ["C:\\Users\\me\\photos\\", "/home/other/photos/", "C:/photos/", "\\\\nas\\photos\\"]
)
@pytest.mark.parametrize("column", ["path", "wo"])
def test_pictures_are_found_by_the_ends_of_their_paths(tmp_path, prefix, column):
    draw(tmp_path, "1.png", "deep/er/2.png")
    (tmp_path / "t.csv").write_text(f"{column},caption\n{prefix}1.png,one\n{prefix}er/2.png,two\n")
    source = read_source(str(tmp_path / "t.csv"))
    assert [(pair.key, pair.captions) for pair in source.pairs] == [("1.png", ("one",)), ("deep/er/2.png", ("two",))]
    assert f"t.csv: images found by the ends of their paths: {prefix}1.png is 1.png" in source.notes


def test_of_files_of_one_name_the_one_with_the_longer_common_end_is_meant(tmp_path):
    draw(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "t.csv").write_text("path,caption\n/x/a/1.png,one\n/x/b/1.png,two\n")
    pairs = read_source(str(tmp_path / "t.csv")).pairs
    assert [(pair.key, pair.captions) for pair in pairs] == [("a/1.png", ("one",)), ("b/1.png", ("two",))]


def test_what_fits_several_files_or_one_file_twice_is_left_out_and_named(tmp_path):
    draw(tmp_path, "a/1.png", "b/1.png", "2.png", "3.png", "4.png")
    rows = "".join(f"/x/{name},a\n" for name in ("1.png", "2.png", "3.png", "y/4.png", "z/4.png"))
    (tmp_path / "t.csv").write_text(f"path,caption\n{rows}")
    with pytest.raises(DataError, match="2 of 5 found"):
        read_source(str(tmp_path / "t.csv"))
    draw(tmp_path, "5.png")
    (tmp_path / "t.csv").write_text(f"path,caption\n{rows}/x/5.png,a\n")
    source = read_source(str(tmp_path / "t.csv"))
    assert [pair.key for pair in source.pairs] == ["2.png", "3.png", "5.png"]
    assert "t.csv: 3 rows left out that fit no single file, such as /x/1.png (a/1.png, b/1.png)" in source.notes


def test_where_nothing_is_found_the_message_says_what_was_tried(tmp_path):
    draw(tmp_path, "1.png")
    (tmp_path / "t.csv").write_text("path,caption\n/home/other/9.png,one\n")
    with pytest.raises(DataError) as error:
        read_source(str(tmp_path / "t.csv"))
    assert "by the ends of the paths among the 1 images below it: 0 of 1 found" in str(error.value)
