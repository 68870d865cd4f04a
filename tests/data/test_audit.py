import json

import pytest
from PIL import Image

from lexel.data.audit import audit
from lexel.data.pairs import ImageFile, Pair, Source
from lexel.data.readers import read_source


@pytest.fixture
def source(tmp_path) -> Source:
    """Six pictures: two equal, one grey and small, one damaged, one missing."""
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.png")
    Image.new("RGB", (64, 48), "red").save(tmp_path / "b.bmp")
    Image.new("L", (20, 100)).save(tmp_path / "c.png")
    (tmp_path / "d.jpg").write_bytes(b"")
    said = {
        "a.png": (("a red wall", "IMG_0123"), "wall"),
        "b.bmp": (("a red wall", "..."), "wall"),
        "c.png": (("night\x07",), None),
        "d.jpg": (("holiday.jpg",), "sea"),
        "e.jpg": ((), None),
    }
    pairs = [Pair(name, ImageFile(tmp_path / name), *texts) for name, texts in said.items()]
    return Source("photos", pairs, notes=("a note",))


def test_everything_in_a_source_is_counted(source):
    found = audit(source)
    assert (found.images, found.with_captions, found.with_labels) == (5, 4, 3)
    assert (found.captions, found.distinct_captions, found.shared_captions) == (6, 5, 1)
    assert found.most_shared_captions == [("a red wall", 2)]
    assert found.frequent_labels == [("wall", 2), ("sea", 1)]
    assert found.formats == {"PNG RGB": 1, "BMP RGB": 1, "PNG L": 1}
    assert found.widths is not None
    assert (found.widths.least, found.widths.median, found.widths.most) == (20, 64, 64)
    assert found.caption_words is not None
    assert found.caption_words.most == 3


def test_everything_wrong_in_a_source_is_named(source):
    found = audit(source)
    assert [(bad.key, bad.reason) for bad in found.unreadable] == [("d.jpg", "empty file"), ("e.jpg", "no such file")]
    assert found.duplicates == [["a.png", "b.bmp"]]
    assert found.file_name_captions == ["IMG_0123", "holiday.jpg"]
    assert found.wordless_captions == ["..."]
    assert found.unprintable_captions == ["night\x07"]
    assert found.warnings == [
        "2 images cannot be read; they are left out of training and counted there.",
        "1 images have no caption, others do.",
        "2 images have no label, others do.",
        "2 images are equal to another, in 1 groups.",
        "1 images have a side under 32 pixels.",
        "2 captions are file names, such as 'IMG_0123'.",
        "1 captions have no letter or digit, such as '...'.",
        "1 captions hold unprintable characters, such as 'night\\x07'.",
        '2 images have the same caption "a red wall"; a model cannot tell them apart.',
    ]


def test_an_audit_is_plain_json(source):
    found = json.loads(json.dumps(audit(source).to_json()))
    assert found["unreadable"][0] == {"key": "d.jpg", "reason": "empty file"}
    assert found["source"] == "photos"
    assert len(found["warnings"]) == 9


def test_captions_in_any_script_are_printable(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    captions = ("एक कुत्ता", "می‌خواهم", "👩‍👩‍👧 family", "Ζεστό", "2024", "Apollo 11")
    found = audit(Source("s", [Pair("a", ImageFile(tmp_path / "a.png"), captions)]))
    assert found.warnings == []


def test_pictures_that_are_drawn_are_audited_too():
    found = audit(read_source("scenes:5"))
    assert found.formats == {"in memory": 5}
    assert found.unreadable == []
