"""Each rule, and their order; and that what is written is read again as it was."""

import json
import os

import numpy as np
import pytest
from colour_encoder import ColourEncoder
from pictures import smooth
from PIL import Image
from tars import captioned, jpeg, write_tar

from lexel.curation.sources.filtering import filter_source
from lexel.curation.sources.rules import FilterRules
from lexel.curation.sources.writing import write_filtered
from lexel.data.pairs import EmbeddedImage, ImageFile, Pair, Source, content_of
from lexel.data.readers import read_source
from lexel.errors import DataError, UsageError


@pytest.fixture
def source(tmp_path) -> Source:
    """Seven pictures: two equal, one of them smaller; a small, a long, a flat and a broken one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    images = {
        "a": smooth(1),
        "a-again": smooth(1),
        "a-little": smooth(1).resize((60, 45)),
        "small": smooth(2, 20, 30),
        "long": smooth(3, 400, 60),
        "flat": Image.new("RGB", (80, 80), "teal"),
    }
    for name, image in images.items():
        image.save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"x")
    texts_of = {
        "a": ("a dog", "a dog on the grass in the sun"),
        "a-again": ("a dog",),
        "a-little": ("one dog",),
        "small": ("IMG_1234",),
        "long": (),
        "flat": ("a wall", "teal"),
        "broken": ("a cat",),
    }
    pairs = [Pair(f"{name}.png", ImageFile(folder / f"{name}.png"), texts) for name, texts in texts_of.items()]
    return Source("photos", pairs)


def reasons(source: Source, **rules) -> dict[str, str]:
    found = filter_source(source, FilterRules(**rules))
    return {one.key.removesuffix(".png"): one.reason for one in found.removed}


def said(pairs) -> list:
    return [(pair.captions, pair.label) for pair in pairs]


def test_what_cannot_be_read_always_goes(source):
    assert reasons(source) == {"broken": "unreadable"}


def test_pictures_go_by_size_shape_and_colour(source):
    assert reasons(source, min_side=45)["small"] == "small"
    assert "a-little" not in reasons(source, min_side=45)
    assert reasons(source, max_aspect=2) == {"long": "aspect", "broken": "unreadable"}
    assert reasons(source, drop_flat=True) == {"flat": "flat", "broken": "unreadable"}


def test_of_copies_the_largest_stays(source):
    assert reasons(source, copies="exact") == {"a-again": "duplicate", "broken": "unreadable"}
    near = filter_source(source, FilterRules(copies="near"))
    assert {one.key: (one.reason, one.detail) for one in near.removed} == {
        "a-again.png": ("duplicate", "a.png"),
        "a-little.png": ("near_duplicate", "a.png"),
        "broken.png": ("unreadable", "not an image of a known format"),
    }


def test_a_copy_stays_where_the_picture_that_it_is_a_copy_of_has_gone(source):
    gone = reasons(source, copies="near", drop_text=r"^a dog")
    assert gone["a"] == gone["a-again"] == "drop_text"
    assert "a-little" not in gone


def test_single_captions_go_and_the_pair_with_its_last_one(source):
    found = filter_source(source, FilterRules(min_words=2, max_words=5))
    assert [(pair.key, pair.captions) for pair in found.kept] == [
        ("a.png", ("a dog",)),
        ("a-again.png", ("a dog",)),
        ("a-little.png", ("one dog",)),
        ("long.png", ()),
        ("flat.png", ("a wall",)),
    ]
    assert found.captions_removed == {"short_text": 2, "long_text": 1}
    assert found.dropped == {"short_text": 1, "unreadable": 1}


def test_captions_are_kept_and_dropped_by_what_is_found_in_them(source):
    assert reasons(source, drop_text=r"img_\d+") == {"small": "drop_text", "broken": "unreadable"}
    kept = filter_source(source, FilterRules(keep_text="dog|teal")).kept
    assert [pair.captions for pair in kept if pair.key == "flat.png"] == [("teal",)]
    assert reasons(source, keep_text="dog|teal")["small"] == "keep_text"


def test_what_another_source_has_goes(source, tmp_path):
    (tmp_path / "test").mkdir()
    smooth(1).save(tmp_path / "test" / "z.png")
    found = filter_source(source, FilterRules(), against=read_source(str(tmp_path / "test"), text_required=False))
    assert found.dropped == {"in_other": 2, "unreadable": 1, "near_in_other": 1}
    assert {one.detail for one in found.removed if one.reason.endswith("in_other")} == {"z.png"}


def test_labels_are_capped(source):
    pairs = [Pair(str(n), source.pairs[0].picture, label="common") for n in range(6)]
    pairs.append(Pair("rare", source.pairs[0].picture, label="rare"))
    found = filter_source(Source("s", pairs), FilterRules(cap=2))
    assert found.dropped == {"frequent": 4}
    assert "rare" in {pair.key for pair in found.kept}


def test_captions_are_capped_by_the_entries_of_a_file(source, tmp_path):
    (tmp_path / "entries.txt").write_text("dog\nwall\n")
    found = filter_source(source, FilterRules(cap=1, cap_by=str(tmp_path / "entries.txt")))
    assert found.dropped == {"frequent": 2, "no_entry": 2, "unreadable": 1}
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(DataError, match="has no entries"):
        filter_source(source, FilterRules(cap=1, cap_by=str(tmp_path / "none.txt")))


@pytest.fixture
def coloured(tmp_path) -> Source:
    """Pictures of one colour, of which some are called by another."""
    texts_of = {"red": ("red", "blue"), "green": ("green",), "blue": ("yellow",), "yellow": ()}
    pairs = []
    for name, captions in texts_of.items():
        Image.new("RGB", (16, 16), {"green": (20, 180, 20)}.get(name, name)).save(tmp_path / f"{name}.png")
        pairs.append(Pair(name, ImageFile(tmp_path / f"{name}.png"), captions))
    return Source("colours", pairs)


def test_texts_that_match_too_weakly_go_and_the_best_stay(coloured):
    found = filter_source(coloured, FilterRules(match=0.5), encoder=ColourEncoder())
    assert [(pair.key, pair.captions) for pair in found.kept] == [("red", ("red",)), ("green", ("green",))]
    assert found.dropped == {"low_match": 1, "no_text": 1}
    assert found.captions_removed == {"low_match": 2}
    assert (found.model, found.fingerprint) == ("colours", "c010c010")
    best = filter_source(coloured, FilterRules(top=0.5), encoder=ColourEncoder())
    assert [(pair.key, pair.captions) for pair in best.kept] == [("red", ("red",)), ("green", ("green",))]
    both = filter_source(coloured, FilterRules(match=0.5, top=0.5), encoder=ColourEncoder())
    assert sum(len(pair.captions) for pair in both.kept) == 1
    assert both.dropped["not_top"] == 1


def test_labels_alone_are_judged_by_their_prompts(coloured):
    labels = ["red", "red", "blue", "yellow"]
    pairs = [Pair(pair.key, pair.picture, label=label) for pair, label in zip(coloured.pairs, labels, strict=True)]
    found = filter_source(Source("s", pairs), FilterRules(match=0.5), encoder=ColourEncoder())
    assert [one.key for one in found.removed] == ["green"]


def test_a_concept_is_left_out(coloured):
    found = filter_source(coloured, FilterRules(without="red"), encoder=ColourEncoder())
    assert [(one.key, one.reason) for one in found.removed] == [("red", "concept")]
    with pytest.raises(UsageError, match="no trained concept in heads/none"):
        filter_source(coloured, FilterRules(without="heads/none"), encoder=ColourEncoder())


def test_of_semantic_copies_one_stays(coloured, tmp_path):
    Image.new("RGB", (32, 32), (200, 30, 30)).save(tmp_path / "larger.png")
    source = Source("s", [*coloured.pairs, Pair("larger", ImageFile(tmp_path / "larger.png"))])
    found = filter_source(source, FilterRules(copies="semantic"), encoder=ColourEncoder())
    assert [(one.key, one.reason, one.detail) for one in found.removed] == [("red", "semantic_duplicate", "larger")]


def test_rules_of_a_model_need_one(source):
    with pytest.raises(UsageError, match="need a model"):
        filter_source(source, FilterRules(match=0.5))


def test_nothing_is_written_where_nothing_stays(source):
    with pytest.raises(DataError, match="nothing stays, so nothing is written"):
        filter_source(source, FilterRules(min_side=1000))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_words": 5, "max_words": 4}, "at least 5 words and at most 4"),
        ({"top": 0}, "--top: Input should be greater than 0"),
        ({"match": float("nan")}, "--match"),
        ({"likeness": 0.9}, "near or semantic copies"),
        ({"drop_text": "("}, "no regular expression"),
        ({"cap": 3, "cap_by": "labels"}, "--cap-by is label, caption, word"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        FilterRules.checked(**given)


def test_a_table_points_at_the_original_files_and_the_record_says_why(source, tmp_path):
    rules = FilterRules(copies="near", min_words=2)
    outcome = filter_source(source, rules)
    table = write_filtered(outcome, rules, tmp_path / "out")
    again = read_source(str(table), text_required=False)
    assert said(again.pairs) == said(outcome.kept)
    for pair, before in zip(again.pairs, outcome.kept, strict=True):
        assert os.path.samefile(pair.picture.path, before.picture.path)  # noqa: PTH121
    removed = [json.loads(line) for line in (tmp_path / "out" / "removed.jsonl").read_text().splitlines()]
    assert {one["key"]: one["reason"] for one in removed} == {one.key: one.reason for one in outcome.removed}
    record = json.loads((tmp_path / "out" / "filter.json").read_text())
    assert (record["rules"]["copies"], record["dropped"], record["pairs"]) == (
        "near",
        outcome.dropped,
        len(outcome.kept),
    )
    with pytest.raises(UsageError, match="there already"):
        write_filtered(outcome, rules, tmp_path / "out")


def test_other_columns_and_splits_come_along_under_names_that_are_free(tmp_path):
    smooth(0).save(tmp_path / "a.png")
    rows = "image,title,captions,split,price\na.png,a mug,old,test,3\n"
    (tmp_path / "t.csv").write_text(rows)
    found = read_source(str(tmp_path / "t.csv"), caption="title", keep_columns=True)
    table = write_filtered(filter_source(found, FilterRules()), FilterRules(), tmp_path / "out")
    assert json.loads(table.read_text()) == {
        "file_name": "../a.png",
        "captions": ["a mug"],
        "split": "test",
        "original_captions": "old",
        "price": "3",
    }


def test_pictures_in_no_files_of_their_own_are_written_into_the_table(tmp_path, source):
    content = source.pairs[0].picture.path.read_bytes()
    pairs = [Pair("in-table", EmbeddedImage(content), ("a dog",), extras={"price": 3}), *read_source("scenes:2").pairs]
    outcome = filter_source(Source("s", pairs), FilterRules())
    table = write_filtered(outcome, FilterRules(), tmp_path / "out")
    again = read_source(str(tmp_path / "out"))
    assert table.name == "metadata.parquet"
    assert said(again.pairs) == said(outcome.kept)
    for pair, before in zip(again.pairs, outcome.kept, strict=True):
        assert (np.asarray(pair.picture.load()) == np.asarray(before.picture.load())).all()


def test_shards_are_filtered_into_a_table_with_the_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("LEXEL_CACHE", str(tmp_path / "cache"))
    cut_off = jpeg(3, 60, 60)[:-40]
    shard = write_tar(tmp_path / "a.tar", [*captioned(range(3)), ("9.jpg", cut_off), ("9.txt", "cut off")])
    outcome = filter_source(read_source(str(shard)), FilterRules(drop_text="picture 1"))
    assert outcome.dropped == {"drop_text": 1, "unreadable": 1}
    write_filtered(outcome, FilterRules(), tmp_path / "out")
    again = read_source(str(tmp_path / "out"))
    assert said(again.pairs) == [(("picture 0",), None), (("picture 2",), None)]
    assert content_of(again.pairs[1].picture) == jpeg(2)


def test_a_full_disk_leaves_nothing_behind(source, tmp_path, monkeypatch):
    outcome = filter_source(source, FilterRules())

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lexel.curation.sources.writing.json.dumps", full)
    with pytest.raises(OSError, match="No space left"):
        write_filtered(outcome, FilterRules(), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
