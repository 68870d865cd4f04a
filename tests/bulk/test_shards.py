import json
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import save
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem
from quick_encoder import QuickEncoder

from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.plan import PLAN, EmbeddingPart, read_plan
from lexel.bulk.shards import BAD_IMAGES, MANIFEST, embed_part, finish
from lexel.data.pairs import Source
from lexel.data.readers import read_source
from lexel.errors import DataError, UsageError

COUNT, ROWS, SHARDS = 10, 3, 4


@pytest.fixture
def source(tmp_path) -> Source:
    for number in range(COUNT):
        save(tmp_path / "pictures" / f"{number}.png", number)
    return read_source(str(tmp_path / "pictures"), text_required=False)


@pytest.fixture
def out(tmp_path) -> OutputFolder:
    return OutputFolder.open(str(tmp_path / "out"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(of=st.integers(1, 40), shards=st.integers(0, 200))
def test_every_shard_belongs_to_exactly_one_part(of, shards):
    counted = Counter(shard for number in range(1, of + 1) for shard in EmbeddingPart(number, of).shards(shards))
    assert counted == dict.fromkeys(range(shards), 1)


@pytest.mark.parametrize("wrong", ["0/4", "5/4", "3", "a/b", "1/0", "-1/4", "1/4/5", ""])
def test_what_is_no_part_is_refused(wrong):
    with pytest.raises(UsageError, match="counted from 1"):
        EmbeddingPart.parse(wrong)


def test_parts_together_hold_every_picture_once_with_its_vector(source, out, tmp_path):
    encoder = QuickEncoder()
    done = [embed_part(encoder, source, out, EmbeddingPart(number, 3), ROWS) for number in (3, 1, 2)]
    assert [part.to_come for part in done] == [3, 1, 0]
    assert [part.written for part in done] == [1, 2, 1]
    table = pq.read_table(tmp_path / "out")  # what begins with _ is no table to whoever reads Parquet
    order = np.argsort(table["key"].to_pylist())
    assert [table["key"].to_pylist()[row] for row in order] == sorted(pair.key for pair in source.pairs)
    expected = encoder.embed_images([pair.picture for pair in source.pairs])
    np.testing.assert_array_equal(np.array(table["embedding"].to_pylist(), np.float32), expected)
    manifest = json.loads(out.read(MANIFEST))
    assert (manifest["images"], manifest["unreadable"], manifest["fingerprint"]) == (COUNT, 0, encoder.fingerprint)
    assert [(file["file"], file["rows"]) for file in manifest["files"]] == [
        ("000000.parquet", 3), ("000001.parquet", 3), ("000002.parquet", 3), ("000003.parquet", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("of", [1, 2, 4, 9])
def test_the_files_are_the_same_whatever_the_number_of_parts(source, tmp_path, of):
    one, several = (OutputFolder.open(str(tmp_path / name)) for name in ("one", "several"))
    embed_part(QuickEncoder(), source, one, rows=ROWS)
    for number in range(1, of + 1):
        embed_part(QuickEncoder(), source, several, EmbeddingPart(number, of), ROWS)
    assert contents(tmp_path / "one") == contents(tmp_path / "several")


def test_the_same_again_embeds_nothing_and_changes_nothing(source, out, tmp_path):
    encoder = QuickEncoder()
    embed_part(encoder, source, out, rows=ROWS)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "out").glob("*.parquet")}
    done = embed_part(encoder, source, out)
    assert (done.written, done.kept, encoder.embedded) == (0, SHARDS, COUNT)
    assert {
        path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "out").glob("*.parquet")
    } == (before)


def test_the_same_part_twice_at_once_gives_the_same_files(source, out, tmp_path):
    alone = OutputFolder.open(str(tmp_path / "alone"))
    embed_part(QuickEncoder(), source, alone, rows=ROWS)
    together = threading.Barrier(4)

    def work():
        together.wait()
        embed_part(QuickEncoder(), source, OutputFolder.open(str(tmp_path / "out")), rows=ROWS)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


class PowerCut(BaseException):
    """Like kill -9, nothing in the program expects it."""


class Fragile(QuickEncoder):
    def embed_readable(self, images, what=None):
        if self.embedded >= 2 * ROWS:
            raise PowerCut
        return super().embed_readable(images, what)


def test_a_part_cut_off_keeps_its_shards_and_is_not_finished(source, out):
    with pytest.raises(PowerCut):
        embed_part(Fragile(), source, out, rows=ROWS)
    assert out.names() == {PLAN, "000000.parquet", "000001.parquet"}
    assert finish(read_plan(out), out) == (2, None)
    encoder = QuickEncoder()
    done = embed_part(encoder, source, out)
    assert (done.written, done.kept, done.to_come, encoder.embedded) == (2, 2, 0, COUNT - 2 * ROWS)


def test_a_damaged_shard_is_to_come_and_is_made_again(source, out, tmp_path):
    done = embed_part(QuickEncoder(), source, out, rows=ROWS)
    whole = contents(tmp_path / "out")
    (tmp_path / "out" / "000002.parquet").write_bytes(whole["000002.parquet"][:-100])
    assert finish(done.plan, out) == (1, None)
    assert embed_part(QuickEncoder(), source, out).written == 1
    assert contents(tmp_path / "out") == whole


def test_a_shard_in_which_a_picture_changed_is_made_again(source, out, tmp_path):
    embed_part(QuickEncoder(), source, out, rows=ROWS)
    save(tmp_path / "pictures" / "4.png", 99, age=5)
    assert embed_part(QuickEncoder(), source, out).written == 1
    vectors = np.array(pq.read_table(tmp_path / "out")["embedding"].to_pylist(), np.float32)
    np.testing.assert_array_equal(vectors, QuickEncoder().embed_images([pair.picture for pair in source.pairs]))


def test_another_model_source_or_size_of_shard_is_refused(source, out, tmp_path):
    embed_part(QuickEncoder(), source, out, rows=ROWS)
    before = contents(tmp_path / "out")
    with pytest.raises(UsageError, match=r"begun with quick \(0011c0de\); this is other \(ffff\)"):
        embed_part(QuickEncoder("other", "ffff"), source, out)
    with pytest.raises(UsageError, match="begun with other pairs"):
        embed_part(QuickEncoder(), Source(source.name, source.pairs[1:]), out)
    with pytest.raises(UsageError, match="3 pairs a file, not 5"):
        embed_part(QuickEncoder(), source, out, rows=5)
    assert contents(tmp_path / "out") == before


def test_a_shard_of_another_plan_does_not_count(source, out, tmp_path):
    other = OutputFolder.open(str(tmp_path / "other"))
    embed_part(QuickEncoder("other", "ffff"), source, other, rows=ROWS)
    done = embed_part(QuickEncoder(), source, out, rows=ROWS)
    out.write("000001.parquet", other.read("000001.parquet"))
    assert finish(done.plan, out) == (1, None)


def test_a_folder_of_other_files_is_refused_and_left_alone(source, tmp_path):
    with pytest.raises(UsageError, match="holds other files"):
        embed_part(QuickEncoder(), source, OutputFolder.open(str(tmp_path / "pictures")))
    assert len(list((tmp_path / "pictures").iterdir())) == COUNT


def test_pictures_that_cannot_be_read_are_named_once_all_parts_are_there(source, out, tmp_path):
    for number in (1, 8):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(b"")
    embed_part(QuickEncoder(), source, out, EmbeddingPart(1, 2), ROWS)
    assert BAD_IMAGES not in out.names()
    done = embed_part(QuickEncoder(), source, out, EmbeddingPart(2, 2), ROWS)
    assert done.manifest is not None
    assert (done.manifest.images, done.manifest.unreadable) == (8, 2)
    assert [json.loads(line)["key"] for line in out.read(BAD_IMAGES).splitlines()] == ["1.png", "8.png"]


def test_a_source_of_which_nothing_can_be_read_is_an_error(source, out, tmp_path):
    for path in (tmp_path / "pictures").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="none of its 10 images"):
        embed_part(QuickEncoder(), source, out)
    assert MANIFEST not in out.names()


@pytest.mark.parametrize("kind", ["files that are moved into place", "files that are there when closed"])
def test_a_store_holds_what_a_folder_would(source, out, tmp_path, monkeypatch, kind):
    (tmp_path / "bucket" / "photos").mkdir(parents=True)
    if kind.endswith("closed"):
        monkeypatch.setattr("lexel.bulk.output_folder.STORES_OF_WHOLE_FILES", ("subtree",))
    for number in (1, 2):
        embed_part(QuickEncoder(), source, store(tmp_path, "bucket/photos/"), EmbeddingPart(number, 2), ROWS)
    embed_part(QuickEncoder(), source, out, rows=ROWS)
    assert contents(tmp_path / "bucket" / "photos") == contents(tmp_path / "out")


def store(root: Path, path: str) -> OutputFolder:
    """Not a disk as far as Lexel can tell."""
    return OutputFolder(f"s3://{path}", SubTreeFileSystem(str(root), LocalFileSystem()), path)


def test_an_address_of_files_is_a_folder(source, tmp_path):
    folder = OutputFolder.open((tmp_path / "deep" / "out").as_uri())
    assert embed_part(QuickEncoder(), source, folder).manifest is not None
    assert (tmp_path / "deep" / "out" / MANIFEST).exists()


def test_an_address_that_nothing_reaches_is_a_sentence():
    with pytest.raises(UsageError, match="nowhere://bucket/ cannot be written to"):
        OutputFolder.open("nowhere://bucket/")


def test_a_store_that_refuses_is_a_sentence(source, tmp_path):
    (tmp_path / "bucket").write_text("no folder")
    with pytest.raises(DataError, match="s3://bucket/: "):
        embed_part(QuickEncoder(), source, store(tmp_path, "bucket/"))
