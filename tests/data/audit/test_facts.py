import json

import pytest
from pictures import smooth
from PIL import Image, ImageOps

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
    assert found.flat_images == 3
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
        "2 images are unreadable and left out of training.",
        "1 image has no caption, while others have one.",
        "2 images have no label, while others have one.",
        "2 images have the pixels of another, in 1 group.",
        "1 image has a side under 32 pixels.",
        "2 captions are file names instead of words, such as 'IMG_0123'.",
        "1 caption has no letter or digit, such as '...'.",
        "1 caption has unprintable characters, such as 'night\\x07'.",
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


def test_images_pairs_bad_ones_and_captions_are_told_apart(source):
    found = audit(source).to_json()
    assert [found[name] for name in ("images", "pairs", "bad", "captions")] == [5, 3, 2, 6]


def test_nearly_equal_pictures_are_grouped_around_the_largest(tmp_path):
    for seed in range(3):
        smooth(seed).save(tmp_path / f"{seed}.png")
    smooth(0).resize((60, 45)).save(tmp_path / "0-small.jpg", quality=60)
    ImageOps.mirror(smooth(1)).save(tmp_path / "1-mirrored.png")
    smooth(2).save(tmp_path / "2-same.bmp")
    found = audit(read_source(str(tmp_path)))
    groups = [
        ({near.keep, *near.others}, [round(value, 1) for value in near.likeness]) for near in found.near_duplicates
    ]
    assert groups == [({"0.png", "0-small.jpg"}, [1.0]), ({"1.png", "1-mirrored.png"}, [1.0])]
    assert found.near_duplicates[0].keep == "0.png"
    assert found.duplicates == [["2-same.bmp", "2.png"]]
    assert "2 images look nearly like another, in 2 groups." in found.warnings


def test_what_two_sources_share_is_named_by_both_keys(tmp_path):
    train, test = tmp_path / "a", tmp_path / "b"
    for folder, seeds in ((train, (0, 1, 2)), (test, (1, 2, 3))):
        folder.mkdir()
        for seed in seeds:
            smooth(seed).save(folder / f"{folder.name}{seed}.png")
            (folder / f"{folder.name}{seed}.txt").write_text(
                f"Picture {seed}" if folder == train else f"picture, {seed}!"
            )
    ImageOps.mirror(smooth(2)).save(test / "b2.png")
    (test / "b9.png").write_bytes(b"")
    shared = audit(read_source(str(train)), read_source(str(test))).leak
    assert shared is not None
    assert (shared.other, shared.other_images, shared.other_bad) == (str(test), 4, 1)
    assert (shared.exact, shared.near) == ([("a1.png", "b1.png")], [("a2.png", "b2.png")])
    assert (shared.captions, shared.caption_examples) == (2, ["Picture 1", "Picture 2"])


def test_a_source_without_captions_or_with_unreadable_pictures_alone_is_audited(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    found = audit(read_source(str(tmp_path)), read_source(str(tmp_path)))
    assert (found.images, found.pairs, found.bad, found.captions, found.widths) == (1, 0, 1, 0, None)
    assert found.odd == {}
    json.dumps(found.to_json())


def test_pictures_that_are_drawn_are_audited_too():
    found = audit(read_source("scenes:5"))
    assert found.formats == {"in memory": 5}
    assert found.unreadable == []
