import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tars import captioned, jpeg, write_tar

from lexel.data.packing import PackJob, PackManifest, PackSettings, pack
from lexel.data.pairs import EmbeddedImage, Pair, Source, content_of
from lexel.data.picture_hash import hash_of
from lexel.data.readers import read_source
from lexel.data.table_cells import forget_tables
from lexel.errors import LexelError, UsageError

SMALL = PackSettings(size=16, shard_pairs=4)


def packed(name: str | Path, folder: Path, settings: PackSettings = SMALL, **options: Any) -> PackManifest:
    return pack(str(name), lambda text: read_source(text, text_required=False), folder, settings, **options)


def photos(folder: Path, count: int = 10) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(jpeg(number, 40, 30))
        (folder / f"{number}.txt").write_text(f"picture {number}\nnumber {number}")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.tar")}


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
captions = names.filter(lambda text: text.strip() == text)


@settings(deadline=None, max_examples=25)
@given(
    pairs=st.dictionaries(
        names, st.tuples(st.lists(captions, max_size=3), st.none() | captions), max_size=9, min_size=1
    )
)
def test_keys_captions_labels_and_pictures_come_back(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("round")
    source = Source(
        "made up",
        [
            Pair(key, EmbeddedImage(jpeg(number, 16, 16)), tuple(said), label)
            for number, (key, (said, label)) in enumerate(pairs.items())
        ],
    )
    pack("made up", lambda _: source, folder, SMALL)
    back = read_source(str(folder)).pairs
    assert [(p.key, p.captions, p.label) for p in back] == [(p.key, p.captions, p.label) for p in source.pairs]
    assert [hash_of(p.picture) for p in back] == [hash_of(p.picture) for p in source.pairs]  # small: byte for byte


def test_large_pictures_are_resized_once_and_stay_what_they_show(tmp_path):
    gradient = np.linspace(0, 255, 200 * 300 * 3).reshape(200, 300, 3).astype(np.uint8)
    source = tmp_path / "photos"
    source.mkdir()
    Image.fromarray(gradient).save(source / "a.png")
    turned = Image.fromarray(gradient)
    turned.save(source / "b.jpg", quality=98, exif=_turned())
    for form in ("jpeg", "webp"):
        packed(source, tmp_path / form, PackSettings(size=64, format=form))
        first, second = (pair.picture.load() for pair in read_source(str(tmp_path / form)).pairs)
        assert (first.size, second.size) == ((96, 64), (64, 96))
        expected = np.asarray(Image.fromarray(gradient).resize((96, 64), Image.Resampling.BICUBIC)).astype(int)
        assert abs(np.asarray(first).astype(int) - expected).mean() < 2  # grey levels, of lossy compression


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def test_what_cannot_be_read_is_dropped_counted_and_named(tmp_path):
    source = photos(tmp_path / "photos", 3)
    (source / "bad.jpg").write_bytes(b"nothing")
    (source / "cut.jpg").write_bytes(jpeg(1, 200, 200)[:-2000])
    manifest = packed(source, tmp_path / "out")
    assert manifest.summary == {
        "pairs": 3,
        "images": 5,
        "bad": 2,
        "captions": 6,
        "dropped": {"not an image of a known format": 1, "truncated": 1},
    }
    dropped = [json.loads(line) for line in (tmp_path / "out" / "dropped.jsonl").read_text().splitlines()]
    assert [(one["key"], one["reason"]) for one in dropped] == [
        ("bad.jpg", "not an image of a known format"),
        ("cut.jpg", "truncated"),
    ]
    stored = json.loads((tmp_path / "out" / "manifest.json").read_text())
    for shard in stored["splits"][""]:
        assert hashlib.sha256((tmp_path / "out" / shard["name"]).read_bytes()).hexdigest() == shard["sha256"]
        assert (tmp_path / "out" / shard["name"]).stat().st_size == shard["bytes"]


def test_other_programs_read_the_shards(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    packed(photos(tmp_path / "photos", 3), tmp_path / "out")
    samples = list(webdataset.WebDataset(str(tmp_path / "out" / "00000.tar"), shardshuffle=False).decode("pil"))
    assert [(sample["txt"], sample["jpg"].size) for sample in samples] == [(f"picture {n}", (21, 16)) for n in range(3)]
    assert samples[1]["json"]["captions"] == ["picture 1", "number 1"]


def test_the_shards_are_the_same_on_any_number_of_cores(tmp_path, monkeypatch):
    source = photos(tmp_path / "photos")
    for cores in (1, 4):
        monkeypatch.setattr("lexel.data.packing.source.cores", lambda cores=cores: cores)
        packed(source, tmp_path / str(cores))
    assert content(tmp_path / "1") == content(tmp_path / "4")


def test_splits_are_packed_apart_and_read_as_splits(tmp_path):
    source = tmp_path / "photos"
    for split in ("train", "val"):
        photos(source / split, 3)
    table = tmp_path / "t.csv"
    table.write_text("file,caption,split\nphotos/train/0.jpg,a,train\nphotos/val/1.jpg,b,odd\n")
    packed(source, tmp_path / "out")
    assert read_source(str(tmp_path / "out"), prefer=("train",)).splits == ("train", "val")
    packed(table, tmp_path / "named")
    assert read_source(f"{tmp_path}/named/odd").pairs[0].captions == ("b",)
    packed(f"{table}/train", tmp_path / "one")
    assert len(read_source(str(tmp_path / "one")).pairs) == 1


def test_shards_are_packed_again_at_another_size(tmp_path, monkeypatch):
    monkeypatch.setenv("LEXEL_CACHE", str(tmp_path / "cache"))
    write_tar(tmp_path / "in" / "0.tar", captioned(range(5)))
    packed(tmp_path / "in", tmp_path / "out", PackSettings(size=8))
    back = read_source(str(tmp_path / "out")).pairs
    assert [(p.key, p.captions) for p in back] == [(f"{n:06d}", (f"picture {n}",)) for n in range(5)]


def test_what_is_there_already_is_not_packed_again(tmp_path, monkeypatch):
    source = photos(tmp_path / "photos")
    first = packed(source, tmp_path / "out")
    whole = content(tmp_path / "out")
    with monkeypatch.context() as context:
        context.setattr("lexel.data.packing.source.pack_sample", lambda *_, **__: pytest.fail("it is packed"))
        assert packed(source, tmp_path / "out") == first
    (source / "5.txt").write_text("changed")
    (tmp_path / "out" / "00002.tar").unlink()
    packed(source, tmp_path / "out")
    changed = content(tmp_path / "out")
    assert [name for name in whole if whole[name] != changed[name]] == ["00001.tar"]


def test_fewer_shards_than_before_leave_none_over(tmp_path):
    source = photos(tmp_path / "photos")
    packed(source, tmp_path / "out")
    for number in range(2, 10):
        (source / f"{number}.jpg").unlink()
    packed(source, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("00000.tar", "00000.tar.index", "dropped.jsonl", "manifest.json")
    ]


def test_nothing_of_somebody_else_is_written_over(tmp_path):
    source = photos(tmp_path / "photos", 2)
    theirs = write_tar(tmp_path / "theirs" / "00000.tar", captioned([1]))
    before = theirs.read_bytes()
    for folder in (theirs.parent, theirs, source / "packed"):
        for replace in (False, True):
            with pytest.raises(UsageError):
                packed(source, folder, replace=replace)
    assert theirs.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["notes.txt", "manifest.json", "train/notes.txt", "old/manifest.json", "deep/er/a.jpg"]
)
def test_a_folder_with_anything_else_is_not_touched(tmp_path, name):
    source = tmp_path / "photos"
    for split in ("train", "val"):
        photos(source / split, 2)
    packed(source, tmp_path / "out")
    other = tmp_path / "out" / name
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_text("{}")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    for folder, replace in ((source, False), (photos(tmp_path / "more"), True)):
        with pytest.raises(UsageError, match=r"holds other files|not written by lexel"):
            packed(folder, tmp_path / "out", replace=replace)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_another_source_size_or_reading_is_packed_over_only_when_asked(tmp_path):
    first, second = photos(tmp_path / "first", 5), photos(tmp_path / "second", 3)
    out = tmp_path / "out"
    packed(first, out)
    before = content(out)
    small = PackSettings(size=8, shard_pairs=4)
    for source, chosen, reading, said in (
        (second, SMALL, {}, r"first and not .*second\."),
        (first, small, {}, "size 16 and not 8"),
        (first, SMALL, {"caption": "title"}, "caption the default and not title"),
    ):
        with pytest.raises(UsageError, match=said) as refusal:
            packed(source, out, chosen, reading=reading)
        assert "--replace" in str(refusal.value)
        assert content(out) == before
    assert packed(second, out, replace=True).summary["pairs"] == 3
    assert [pair.key for pair in read_source(str(out)).pairs] == ["0.jpg", "1.jpg", "2.jpg"]
    assert content(out).keys() == {"00000.tar"}


def test_a_replacement_that_is_cut_off_goes_on_and_leaves_nothing_of_before(tmp_path, monkeypatch):
    for split in ("train", "val"):
        photos(tmp_path / "first" / split, 5)
    second, out = photos(tmp_path / "second", 6), tmp_path / "out"
    packed(tmp_path / "first", out)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr("lexel.data.packing.source.pack_sample", interrupt)
        with pytest.raises(KeyboardInterrupt):
            packed(second, out, replace=True)
    assert packed(second, out).summary["pairs"] == 6
    assert sorted(path.name for path in out.iterdir() if path.suffix == ".tar") == ["00000.tar", "00001.tar"]
    assert not [path for path in out.iterdir() if path.is_dir()]


def test_shards_without_a_manifest_are_not_packed_over(tmp_path):
    source, out = photos(tmp_path / "photos", 3), tmp_path / "out"
    packed(source, out)
    (out / "manifest.json").unlink()
    with pytest.raises(UsageError, match=r"no manifest\.json says"):
        packed(source, out)
    assert packed(source, out, replace=True).summary["pairs"] == 3


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.25])
def test_killed_at_any_moment_the_same_call_goes_on_to_the_same_bytes(tmp_path, delay):
    source = photos(tmp_path / "photos", 12)
    packed(source, tmp_path / "whole")
    child = os.fork()
    if child == 0:
        monkey = pytest.MonkeyPatch()
        monkey.setattr("lexel.data.packing.shard.sha256_of", _slow_sha256)
        packed(source, tmp_path / "out")
        os._exit(0)
    _sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for path in (tmp_path / "out").glob("0*.tar") if (tmp_path / "out").exists() else ():
        assert path.read_bytes() == (tmp_path / "whole" / path.name).read_bytes()
    packed(source, tmp_path / "out")
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert not list((tmp_path / "out").glob(".*"))


def _slow_sha256(path: Path) -> str:
    _sleep(0.1)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)


def test_a_full_disk_stops_it_whole_and_it_goes_on_when_there_is_room(tmp_path):
    source = photos(tmp_path / "photos")
    program = f"""
        import resource, signal
        from pathlib import Path
        from lexel.data.packing import PackSettings, pack
        from lexel.data.readers import read_source
        from lexel.errors import LexelError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
        try:
            pack({str(source)!r}, read_source, Path({str(tmp_path / "out")!r}), PackSettings(size=16, shard_pairs=4))
        except LexelError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert "00000.tar cannot be written: File too large" in done.stdout
    assert "give the same command again: it continues" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]
    assert packed(source, tmp_path / "out").summary["pairs"] == 10


def test_interrupted_it_leaves_whole_shards_only(tmp_path, monkeypatch):
    source = photos(tmp_path / "photos")
    from lexel.data.packing import sample

    def interrupt(pair: Pair, settings: PackSettings):
        if pair.key == "6.jpg":
            raise KeyboardInterrupt
        return sample.pack_sample(pair, settings)

    with monkeypatch.context() as context:
        context.setattr("lexel.data.packing.source.pack_sample", interrupt)
        with pytest.raises(KeyboardInterrupt):
            packed(source, tmp_path / "out")
    names = ["00000.tar", "00000.tar.index", "manifest.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert "lexel data prepare was cut off here" in " ".join(read_source(str(tmp_path / "out")).notes)
    assert packed(source, tmp_path / "out").summary["pairs"] == 10
    assert "cut off" not in " ".join(read_source(str(tmp_path / "out")).notes)


def test_pairs_that_belong_to_no_split_are_not_lost_silently(tmp_path):
    photos(tmp_path / "photos", 2)
    table = tmp_path / "t.csv"
    table.write_text("file,caption,split\nphotos/0.jpg,a,train\nphotos/1.jpg,b,\n")
    with pytest.raises(LexelError, match="1 of 2 pairs belong to no split"):
        packed(table, tmp_path / "out")


@pytest.mark.parametrize("split", ["../beside", "a/b", ".hidden"])
def test_a_split_never_leads_out_of_the_folder(tmp_path, split):
    photos(tmp_path / "photos", 2)
    table = tmp_path / "t.csv"
    table.write_text(f"file,caption,split\nphotos/0.jpg,a,train\nphotos/1.jpg,b,{split}\n")
    with pytest.raises(UsageError, match="cannot be the name of a folder"):
        packed(table, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists()


def test_pictures_in_a_table_are_packed_as_they_are_and_again_when_it_changes(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def write(numbers: list[int]) -> list[bytes]:
        contents = [jpeg(number, 16, 16) for number in numbers]
        parquet.write_table(arrow.table({"image": contents, "caption": ["a", "b"]}), tmp_path / "t.parquet")
        forget_tables()
        return contents

    for numbers in ([1, 2], [3, 4]):
        contents = write(numbers)
        packed(tmp_path / "t.parquet", tmp_path / "out")
        assert [content_of(pair.picture) for pair in read_source(str(tmp_path / "out")).pairs] == contents


def test_a_source_is_the_same_whatever_folder_it_is_named_from(tmp_path, monkeypatch):
    settings = PackSettings()
    names = ["photos/", "scenes:20", "hf-dataset:some/set", "mix:0.5*photos,0.5*scenes:9", "s3://bucket/{0..3}.tar"]
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path)
    here = [PackJob(name, settings).to_json() for name in [*names, "a.tar::b.tar"]]
    monkeypatch.chdir(tmp_path / "deep")
    there = ["../photos", *names[1:3], "mix:1*../photos,1*scenes:9", names[4], "../a.tar::../b.tar"]
    assert [PackJob(name, settings).differences(manifest) for name, manifest in zip(there, here, strict=True)] == [
        []
    ] * 6
    assert PackJob("photos", settings).differences(here[0])
