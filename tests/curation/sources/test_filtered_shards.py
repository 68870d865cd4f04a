"""Filtering straight into shards: splits stay, what went is recorded, a packing that was cut off goes on."""

import json
from pathlib import Path

import pytest
from pictures import picture

from lexel.curation.sources.filtering import filter_source
from lexel.curation.sources.rules import FilterRules
from lexel.curation.sources.shard_writing import filter_job, write_filtered_shards
from lexel.curation.sources.writing import write_filtered
from lexel.data.packing import PackManifest, PackSettings
from lexel.data.readers import read_source
from lexel.errors import UsageError


@pytest.fixture
def split_photos(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LEXEL_CACHE", str(tmp_path / "cache"))
    for split, count in (("train", 5), ("val", 3)):
        (tmp_path / "photos" / split).mkdir(parents=True)
        for number in range(count):
            side = 8 if number == 1 else 40
            picture(number, side, side).save(tmp_path / "photos" / split / f"{number}.png")
            (tmp_path / "photos" / split / f"{number}.txt").write_text(f"{split} {number}")
    return tmp_path / "photos"


def write_shards(folder: Path, rules: FilterRules, out: Path) -> PackManifest:
    source = read_source(str(folder))
    job = filter_job(str(folder), rules, PackSettings(size=16, shard_pairs=2))
    return write_filtered_shards(filter_source(source, rules), rules, out, job)


def test_splits_of_folders_stay_in_tables_and_shards(split_photos, tmp_path):
    rules = FilterRules(min_side=20)
    write_filtered(filter_source(read_source(str(split_photos)), rules), rules, tmp_path / "table")
    write_shards(split_photos, rules, tmp_path / "shards")
    for out in (tmp_path / "table", tmp_path / "shards"):
        for split, numbers in (("train", (0, 2, 3, 4)), ("val", (0, 2))):
            assert [p.captions for p in read_source(f"{out}/{split}").pairs] == [(f"{split} {n}",) for n in numbers]
    again = filter_source(read_source(str(tmp_path / "shards")), FilterRules())
    assert again.splits == ["train"] * 4 + ["val"] * 2


def test_shards_are_packed_with_a_record_and_the_source_is_untouched(split_photos, tmp_path):
    before = {path: path.read_bytes() for path in split_photos.rglob("*") if path.is_file()}
    manifest = write_shards(split_photos, FilterRules(min_side=20), tmp_path / "out")
    assert manifest.summary["pairs"] == 6
    assert {path: path.read_bytes() for path in split_photos.rglob("*") if path.is_file()} == before
    removed = [json.loads(line) for line in (tmp_path / "out" / "removed.jsonl").read_text().splitlines()]
    assert [(one["key"], one["reason"]) for one in removed] == [("train/1.png", "small"), ("val/1.png", "small")]
    record = json.loads((tmp_path / "out" / "filter.json").read_text())
    assert (record["pairs"], record["dropped"], record["rules"]["min_side"]) == (6, {"small": 2}, 20)


def test_filtered_shards_go_on_where_they_were_cut_off_and_other_rules_are_refused(split_photos, tmp_path, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr("lexel.data.packing.source.pack_sample", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_shards(split_photos, FilterRules(min_side=20), tmp_path / "out")
    with pytest.raises(UsageError, match="holds another packing"):
        write_shards(split_photos, FilterRules(max_words=2), tmp_path / "out")
    assert write_shards(split_photos, FilterRules(min_side=20), tmp_path / "out").summary["pairs"] == 6
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "filter.json").write_text("{}")
    with pytest.raises(UsageError, match="not written by lexel data filter"):
        write_shards(split_photos, FilterRules(min_side=20), theirs)


def test_other_columns_come_along_into_shards_and_out_of_them_again(split_photos, tmp_path):
    rows = [
        {"file_name": f"photos/train/{n}.png", "title": f"t {n}", "price": n, "split": "train", "width": 9}
        for n in (0, 2)
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    rules = FilterRules()
    source = read_source(str(tmp_path / "t.jsonl"), keep_columns=True)
    job = filter_job(source.name, rules, PackSettings(size=16))
    write_filtered_shards(filter_source(source, rules), rules, tmp_path / "out", job)
    back = read_source(str(tmp_path / "out"), keep_columns=True).pairs
    assert [(p.captions, dict(p.extras)) for p in back] == [
        ((f"t {n}",), {"price": n, "original_width": 9}) for n in (0, 2)
    ]
