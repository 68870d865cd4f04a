import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from lexel.data.image_arguments import image_argument, image_arguments
from lexel.errors import UsageError


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> Path:
    """b.png and a.jpg, a text, a hidden picture and one in a folder below; paths are relative to it."""
    (tmp_path / "below").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("b.png", "a.jpg", "below/c.PNG", ".hidden/d.png", ".e.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("words")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def send(monkeypatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def names(*arguments: str) -> list[str]:
    return [name for name, _ in image_arguments(arguments)]


def test_a_folder_means_the_pictures_in_and_below_it_sorted_and_no_hidden_ones(pictures):
    assert names(str(pictures)) == [str(pictures / name) for name in ("a.jpg", "b.png", "below/c.PNG")]


def test_thumbnails_trash_and_what_is_no_regular_file_are_left_out_of_a_folder_and_named(pictures, capsys):
    for name in ("@eaDir/a.jpg", "below/__MACOSX/b.jpg", "$RECYCLE.BIN/c.jpg", "Catalog Previews.lrdata/d.jpg"):
        (pictures / name).parent.mkdir()
        Image.new("RGB", (4, 4)).save(pictures / name)
    (pictures / "raw.CR2").write_bytes(b"x")
    (pictures / "self.jpg").symlink_to("self.jpg")
    assert names(".") == ["a.jpg", "b.png", "below/c.PNG"]
    told = capsys.readouterr().err
    assert "Left out as thumbnails or trash: 4 folders" in told
    assert "1 RAW photos and videos passed over (.cr2 1)" in told
    assert "1 passed over, links in a circle: self.jpg" in told


def test_a_folder_of_thumbnails_that_is_named_itself_is_read(pictures):
    (pictures / "@eaDir").mkdir()
    Image.new("RGB", (4, 4)).save(pictures / "@eaDir" / "t.jpg")
    assert names("@eaDir") == ["@eaDir/t.jpg"]


def test_files_keep_the_order_in_which_they_are_named_and_come_once(pictures):
    assert names("b.png", "a.jpg", "b.png", "./b.png") == ["b.png", "a.jpg"]


def test_a_glob_means_what_the_shell_would_make_of_it(pictures):
    assert names("*.jpg", "b*") == ["a.jpg", "b.png", "below/c.PNG"]
    assert names("**/*.PNG") == ["below/c.PNG"]


def test_a_file_with_brackets_in_its_name_is_that_file(pictures):
    Image.new("RGB", (4, 4)).save(pictures / "x[1].png")
    assert names("x[1].png") == ["x[1].png"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("c.png", r'no file, folder or match for "c\.png"\. Did you mean "b\.png"\?'),
        ("nowhere/a.jpg", r'no file, folder or match for "nowhere/a\.jpg"\.$'),
        ("*.gif", r"no file, folder or match"),
        ("", "name of an image is empty"),
    ],
)
def test_what_is_not_there_is_named(pictures, argument, message):
    with pytest.raises(UsageError, match=message):
        image_arguments(["b.png", argument])


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(UsageError, match="holds no pictures"):
        image_arguments([str(tmp_path)])


def test_a_picture_may_come_from_standard_input(pictures, monkeypatch):
    content = (pictures / "a.jpg").read_bytes()
    send(monkeypatch, content)
    assert image_arguments(["-"]) == [("-", content)]


def test_paths_may_come_from_standard_input_one_a_line(pictures, monkeypatch):
    send(monkeypatch, b"b.png\r\n\n  a.jpg \n")
    assert image_arguments(["-"]) == [("b.png", Path("b.png")), ("a.jpg", Path("a.jpg"))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n", "Standard input is empty"),
        (b"\xff\xd8\xff\xfe", "is neither a picture .* nor a list of paths"),
        (b"b.png\nmissing.png", r'match for "missing\.png"'),
    ],
)
def test_standard_input_that_is_neither_is_told_as_such(pictures, monkeypatch, content, message):
    send(monkeypatch, content)
    with pytest.raises(UsageError, match=message):
        image_arguments(["-"])


def test_where_one_picture_is_meant_several_are_refused(pictures):
    assert image_argument("b.png") == Path("b.png")
    with pytest.raises(UsageError, match=r"holds 3 pictures; name one of them, such as .*a\.jpg"):
        image_argument(str(pictures))
