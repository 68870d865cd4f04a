import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import lexel
from lexel.bulk import one_file as embed
from lexel.bulk.one_file import embed_source
from lexel.data.readers import read_source
from lexel.encoder import Encoder
from lexel.errors import DataError, UsageError

COUNT = 10


@pytest.fixture(scope="module")
def encoder(tiny_model) -> Encoder:
    return lexel.load(tiny_model)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(embed, "PART", 4)


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
    return 3 - (int(said.split()[0]) if "are kept" in said else 0)


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
    assert len(list((tmp_path / "out.parquet.parts").iterdir())) == part - 1
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
    with pytest.raises(UsageError, match=r"ends in \.parquet, not out\.csv"):
        embed_source(encoder, source, tmp_path / "out.csv")
    (tmp_path / "out.parquet").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        embed_source(encoder, source, tmp_path / "out.parquet")
    for parent in (folder / "0.png", tmp_path / "absent"):
        with pytest.raises(UsageError, match="There is no folder"):
            embed_source(encoder, source, parent / "out.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "pictures"]
