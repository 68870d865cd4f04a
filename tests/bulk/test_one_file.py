import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from quick_encoder import QuickEncoder

import lexel
from lexel.bulk import one_file as embed
from lexel.bulk.one_file import embed_source
from lexel.data.readers import read_source
from lexel.encoder import Encoder
from lexel.errors import DataError, ModelError, UsageError

COUNT = 10


@pytest.fixture(scope="module")
def encoder(tiny_model) -> Encoder:
    return lexel.load(tiny_model)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(embed, "ROWS_PER_SHARD", 4)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Ten captioned pictures with labels where the scenes have them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rows = ["file_name,caption,label"]
    for number, pair in enumerate(read_source(f"scenes:{COUNT}/train").pairs):
        pair.picture.load().save(folder / f"{number}.png")
        rows.append(f'{number}.png,"{pair.captions[0]}",{pair.label or ""}')
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


class PowerCut(BaseException):
    """Like kill -9, nothing in the program expects it."""


def cut_off_in_part(encoder: Encoder, number: int) -> Encoder:
    """An encoder that does not survive its `number`th part."""
    calls = 0
    whole = encoder.embed_readable

    def embed_readable(*arguments):
        nonlocal calls
        calls += 1
        if calls == number:
            raise PowerCut
        return whole(*arguments)

    fragile = Encoder(
        encoder.runtime, encoder.tokenizer, encoder.preprocessing, name=encoder.name, fingerprint=encoder.fingerprint
    )
    fragile.embed_readable = embed_readable
    return fragile


def parts_made(encoder: Encoder, folder: Path, out: Path, capsys) -> int:
    """Embed, and count the parts that were not kept from an earlier call."""
    capsys.readouterr()
    embed_source(encoder, read_source(str(folder)), out)
    said = capsys.readouterr().err
    return 3 - (int(said.split()[0]) if "kept from before" in said else 0)


def test_a_source_becomes_one_table_of_keys_labels_captions_and_unit_vectors(encoder, folder, tmp_path):
    source = read_source(str(folder))
    (tmp_path / "out").mkdir()
    done = embed_source(encoder, source, tmp_path / "out" / "out.parquet")
    table = pq.read_table(done.path)
    assert (done.images, done.unreadable, done.dimensions) == (COUNT, [], encoder.dimensions)
    assert table["key"].to_pylist() == [pair.key for pair in source.pairs]
    assert table["label"].to_pylist() == [pair.label for pair in source.pairs]
    assert table["captions"].to_pylist() == [list(pair.captions) for pair in source.pairs]
    np.testing.assert_allclose(
        np.array(table["embedding"].to_pylist()),
        encoder.embed_images([pair.picture for pair in source.pairs]),
        atol=1e-5,
    )
    assert table.schema.metadata == {
        b"lexel.model": b"tiny",
        b"lexel.fingerprint": encoder.fingerprint.encode(),
    }
    assert [path.name for path in done.path.parent.iterdir()] == ["out.parquet"]


@pytest.mark.parametrize("part", [1, 2, 3])
def test_a_job_cut_off_keeps_its_parts_and_ends_like_one_that_was_not(encoder, folder, tmp_path, part, capsys):
    source = read_source(str(folder))
    whole = embed_source(encoder, source, tmp_path / "whole.parquet").path
    out = tmp_path / "out.parquet"
    with pytest.raises(PowerCut):
        embed_source(cut_off_in_part(encoder, part), source, out)
    assert not out.exists()
    assert len(list((tmp_path / ".out.parquet.parts").glob("*.parquet"))) == part - 1
    assert parts_made(encoder, folder, out, capsys) == 3 - (part - 1)
    assert pq.read_table(out).equals(pq.read_table(whole))


def test_parts_of_another_model_are_not_taken(encoder, folder, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    other = Encoder(encoder.runtime, encoder.tokenizer, encoder.preprocessing, name="other", fingerprint="another")
    with pytest.raises(PowerCut):
        embed_source(cut_off_in_part(other, 3), read_source(str(folder)), out)
    assert parts_made(encoder, folder, out, capsys) == 3
    assert pq.read_schema(out).metadata[b"lexel.model"] == b"tiny"


@pytest.mark.parametrize("change", ["picture", "caption"])
def test_a_part_in_which_something_changed_is_made_again(encoder, folder, tmp_path, capsys, change):
    out = tmp_path / "out.parquet"
    with pytest.raises(PowerCut):
        embed_source(cut_off_in_part(encoder, 3), read_source(str(folder)), out)
    if change == "picture":
        shutil.copy(folder / "5.png", folder / "0.png")
        os.utime(folder / "0.png", (1, 1))
    else:
        table = folder / "metadata.csv"
        table.write_text(table.read_text().replace('0.png,"', '0.png,"changed ', 1))
    assert parts_made(encoder, folder, out, capsys) == 2
    fresh = embed_source(encoder, read_source(str(folder)), tmp_path / "fresh.parquet").path
    assert pq.read_table(out).equals(pq.read_table(fresh))


def test_the_array_has_the_embeddings_in_the_order_of_the_table(encoder, folder, tmp_path):
    (folder / "3.png").write_bytes(b"")
    done = embed_source(encoder, read_source(str(folder)), tmp_path / "out.parquet", npy=True)
    array = np.load(tmp_path / "out.npy")
    assert done.array == tmp_path / "out.npy"
    assert (array.shape, array.dtype) == ((COUNT - 1, encoder.dimensions), np.float32)
    np.testing.assert_array_equal(array, np.array(pq.read_table(done.path)["embedding"].to_pylist(), np.float32))


def test_a_whole_part_without_a_readable_picture_is_joined_too(encoder, folder, tmp_path):
    for number in range(4):
        (folder / f"{number}.png").write_bytes(b"")
    done = embed_source(encoder, read_source(str(folder)), tmp_path / "out.parquet", npy=True)
    assert len(np.load(tmp_path / "out.npy")) == pq.read_metadata(done.path).num_rows == COUNT - 4


def test_other_columns_of_the_table_are_kept_with_their_types(encoder, folder, tmp_path):
    rows = [
        {
            "file_name": f"{number}.png",
            "caption": "a thing",
            "price": number / 2 if number % 2 else number,
            "sku": f"A{number}",
            "sizes": ["s", "m"][: number % 3],
            "key": number,
            "mixed": number if number % 2 else "word",
            "nothing": None,
            "split": "train",
        }
        for number in range(COUNT)
    ]
    (folder / "metadata.csv").unlink()
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = read_source(str(folder), keep_columns=True)
    table = pq.read_table(embed_source(encoder, source, tmp_path / "out.parquet").path)
    assert table.column_names == [
        *("key", "label", "captions", "embedding"),
        *("price", "sku", "sizes", "key_in_table", "mixed", "nothing", "split"),
    ]
    assert table["key"].to_pylist() == [row["file_name"] for row in rows]
    assert table["price"].to_pylist() == [number / 2 if number % 2 else number for number in range(COUNT)]
    assert table["sku"].to_pylist() == [row["sku"] for row in rows]
    assert table["sizes"].to_pylist() == [row["sizes"] for row in rows]
    assert table["key_in_table"].to_pylist() == list(range(COUNT))
    assert table["mixed"].to_pylist() == [str(number) if number % 2 else "word" for number in range(COUNT)]
    assert table["nothing"].to_pylist() == [None] * COUNT


def test_a_part_in_which_another_column_changed_is_made_again(encoder, folder, tmp_path, capsys):
    table = folder / "metadata.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([f"{lines[0]},price", *(f"{line},{n}.5" for n, line in enumerate(lines[1:]))]))
    with pytest.raises(PowerCut):
        embed_source(cut_off_in_part(encoder, 3), read_source(str(folder), keep_columns=True), tmp_path / "o.parquet")
    table.write_text(table.read_text().replace(",0.5", ",7.5"))
    capsys.readouterr()
    out = embed_source(encoder, read_source(str(folder), keep_columns=True), tmp_path / "o.parquet").path
    assert "1 of 3 shards" in capsys.readouterr().err
    assert pq.read_table(out)["price"].to_pylist()[:2] == ["7.5", "1.5"]


def test_a_vector_that_is_not_finite_is_never_written(encoder, folder, tmp_path):
    class Damaged(QuickEncoder):
        def _vector(self, pixels):
            return super()._vector(pixels) * (np.nan if self.embedded >= 4 else 1)

    source = read_source(str(folder))
    with pytest.raises(ModelError, match=r"quick gives 4 of 4 vectors that are no directions(.|\n)+first for 4\.png"):
        embed_source(Damaged(), source, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()
    assert [path.name for path in (tmp_path / ".out.parquet.parts").glob("*.parquet")] == ["000000.parquet"]


def test_bad_pictures_are_named_also_those_of_parts_made_before_a_cut(encoder, folder, tmp_path):
    for number in (1, 9):
        (folder / f"{number}.png").write_bytes(b"")
    out = tmp_path / "out.parquet"
    with pytest.raises(PowerCut):
        embed_source(cut_off_in_part(encoder, 3), read_source(str(folder)), out)
    done = embed_source(encoder, read_source(str(folder)), out)
    named = [json.loads(line) for line in done.bad_images.read_text().splitlines()]
    assert [line["key"] for line in named] == ["1.png", "9.png"]
    assert "empty file" in named[0]["reason"]
    assert (done.images, len(done.unreadable)) == (8, 2)
    assert pq.read_metadata(out).num_rows == 8


def test_two_processes_do_not_work_on_the_same_file_at_once(folder, tmp_path):
    source, refused = read_source(str(folder)), []

    class Meanwhile(QuickEncoder):
        def embed_readable(self, images, what=None):
            if not refused:
                with pytest.raises(UsageError, match=r"Another process is embedding into .*out\.parquet") as error:
                    embed_source(QuickEncoder(), source, tmp_path / "out.parquet")
                refused.append(error)
            return super().embed_readable(images, what)

    assert embed_source(Meanwhile(), source, tmp_path / "out.parquet").images == COUNT
    assert refused
    assert embed_source(QuickEncoder(), source, tmp_path / "out.parquet").images == COUNT


def test_names_of_bad_pictures_go_when_the_pictures_are_mended(encoder, folder, tmp_path):
    content = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(b"")
    out = tmp_path / "out.parquet"
    bad_images = embed_source(encoder, read_source(str(folder)), out).bad_images
    assert bad_images.exists()
    (folder / "1.png").write_bytes(content)
    embed_source(encoder, read_source(str(folder)), out)
    assert not bad_images.exists()


def test_a_source_of_which_nothing_can_be_read_is_an_error_and_leaves_nothing(encoder, folder, tmp_path):
    for picture in folder.glob("*.png"):
        picture.write_bytes(b"")
    with pytest.raises(DataError, match="none of its 10 images could be read"):
        embed_source(encoder, read_source(str(folder)), tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_name_that_is_not_parquet_or_a_folder_is_refused_before_any_work(encoder, folder, tmp_path):
    source = read_source(str(folder))
    with pytest.raises(UsageError, match=r"ends in \.parquet or \.npy, not out\.csv"):
        embed_source(encoder, source, tmp_path / "out.csv")
    (tmp_path / "out.parquet").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        embed_source(encoder, source, tmp_path / "out.parquet")
    for parent in (folder / "0.png", tmp_path / "absent"):
        with pytest.raises(UsageError, match="There is no folder"):
            embed_source(encoder, source, parent / "out.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "pictures"]
