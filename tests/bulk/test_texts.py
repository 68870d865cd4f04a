import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from quick_encoder import QuickEncoder

from lexel.bulk import one_file
from lexel.bulk.one_file import embed_source
from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.plan import EmbeddingPart
from lexel.bulk.shards import embed_part
from lexel.bulk.texts import read_texts
from lexel.errors import DataError, ModelError, UsageError


@pytest.fixture
def shop(tmp_path):
    """A table of four products; one has no title, one has two."""
    path = tmp_path / "shop.jsonl"
    titles = ["red shoes", None, ["blue hat", "navy cap"], "lime socks"]
    rows = [{"sku": f"A{number}", "price": number + 0.5, "title": title} for number, title in enumerate(titles)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_column_becomes_rows_of_texts_with_the_other_columns_beside(shop, tmp_path):
    source = read_texts("title", str(shop))
    done = embed_source(QuickEncoder(), source, tmp_path / "out.parquet", npy=True)
    table = pq.read_table(done.path)
    assert table.column_names == ["key", "text", "embedding", "sku", "price"]
    assert table["key"].to_pylist() == ["1", "3/1", "3/2", "4"]
    assert table["text"].to_pylist() == ["red shoes", "blue hat", "navy cap", "lime socks"]
    assert table["price"].to_pylist() == [0.5, 2.5, 2.5, 3.5]
    expected = QuickEncoder().embed_texts(table["text"].to_pylist())
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    assert (done.kind, done.images, done.unreadable) == ("texts", 4, [("2", "it has no text")])
    assert "1 row has no text" in " ".join(source.notes)


def test_each_line_of_a_file_is_a_text_and_its_number_the_key(tmp_path):
    path = tmp_path / "queries.txt"
    path.write_bytes("red\r\n\n  blue \u2028 sky\ngreen".encode())
    rows = read_texts(str(path), None).rows
    assert [(row.key, row.text) for row in rows] == [("1", "red"), ("3", "blue \u2028 sky"), ("4", "green")]


def test_texts_that_are_cut_off_go_on_where_they_were(shop, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(one_file, "ROWS_PER_SHARD", 2)

    class PowerCut(BaseException):
        pass

    class Fragile(QuickEncoder):
        def embed_texts(self, texts):
            if "navy cap" in texts:
                raise PowerCut
            return super().embed_texts(texts)

    source = read_texts("title", str(shop))
    with pytest.raises(PowerCut):
        embed_source(Fragile(), source, tmp_path / "out.parquet")
    done = embed_source(QuickEncoder(), source, tmp_path / "out.parquet")
    assert "1 of 3 shards kept from before" in capsys.readouterr().err
    assert (done.images, len(done.unreadable)) == (4, 1)


def test_texts_fill_a_folder_in_parts(shop, tmp_path):
    source, out = read_texts("title", str(shop)), OutputFolder.open(str(tmp_path / "out"))
    first = embed_part(QuickEncoder(), source, out, EmbeddingPart(1, 2), 2)
    assert first.to_come == 1
    done = embed_part(QuickEncoder(), source, out, EmbeddingPart(2, 2))
    assert done.manifest is not None
    assert (done.manifest.images, done.manifest.unreadable) == (4, 1)
    with pytest.raises(UsageError, match="the table's other columns sku, price; this source has price, title"):
        embed_part(QuickEncoder(), read_texts("sku", str(shop)), out)


def test_texts_longer_than_the_model_reads_are_counted(shop, tmp_path):
    class Short(QuickEncoder):
        def count_truncated(self, texts):
            return sum(len(text) > 8 for text in texts)

    assert embed_source(Short(), read_texts("title", str(shop)), tmp_path / "out.parquet").truncated == 2


def test_a_vector_of_a_text_that_is_not_finite_is_never_written(shop, tmp_path):
    class Damaged(QuickEncoder):
        def embed_texts(self, texts):
            return super().embed_texts(texts) * np.where(np.arange(len(texts)) == 1, np.inf, 1)[:, None]

    with pytest.raises(ModelError, match="first for 3/1"):
        embed_source(Damaged(), read_texts("title", str(shop)), tmp_path / "out.parquet")


@pytest.mark.parametrize(
    ("given", "source", "said"),
    [
        ("nowhere.txt", None, "no file nowhere.txt with a text on each line"),
        ("shop.jsonl", None, "is a table. Name the column"),
        ("tilte", "shop.jsonl", 'no column "tilte" for the texts.+Did you mean "title"'),
        ("title", ".", r"meant as a column, and \. is no table"),
        ("price", "shop.jsonl", 'line 1: the value of "price" is a number, 0.5'),
        ("empty.txt", None, "holds no text"),
    ],
)
def test_what_cannot_be_meant_is_told(shop, tmp_path, monkeypatch, given, source, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises((UsageError, DataError), match=said):
        read_texts(given, source)
