"""Damaged and hostile tables are read or refused with one message, never a traceback."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lexel.data.readers import read_source
from lexel.data.readers.tables.table import read_table
from lexel.data.readers.tables.values import MAX_CAPTION_CHARACTERS
from lexel.errors import DataError, LexelError

ROWS = [{"file_name": f"{number}.png", "caption": f"a thing {number}", "label": number % 3} for number in range(30)]
quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def parquet_bytes(tmp_path_factory) -> bytes:
    parquet = pytest.importorskip("pyarrow.parquet")
    features = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["a", "b", "c"]}}}}
    table = __import__("pyarrow").Table.from_pylist(ROWS)
    path = tmp_path_factory.mktemp("parquet") / "t.parquet"
    parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), path)
    return path.read_bytes()


def read_or_refuse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    message = ""
    try:
        read_table(path)
    except LexelError as error:
        message = str(error)
    assert len(message.splitlines()) <= 3


@quick
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_parquet_file_with_a_flipped_bit_is_read_or_refused(tmp_path, parquet_bytes, place, bit):
    content = bytearray(parquet_bytes)
    content[place % len(content)] ^= 1 << bit
    read_or_refuse(tmp_path / "t.parquet", bytes(content))


@quick
@given(place=st.integers(0, 10**6), mark=st.sampled_from(list(b'",\n\r{}[]\0\xff0')))
@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_json_with_a_changed_byte_is_read_or_refused(tmp_path, name, place, mark):
    text = "\n".join(map(json.dumps, ROWS)) if name == "t.jsonl" else json.dumps(ROWS)
    content = bytearray(text.encode())
    content[place % len(content)] = mark
    read_or_refuse(tmp_path / name, bytes(content))


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10**6, b"3", b'"a"', b"[]", b"{}"])
def test_json_that_is_no_table_is_refused(tmp_path, name, content):
    if (name, content) == ("t.jsonl", b"{}"):
        pytest.skip("one row without columns")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError):
        read_table(tmp_path / name)


def test_class_names_of_a_damaged_schema_leave_the_numbers(tmp_path):
    pytest.importorskip("pyarrow")
    from lexel.data.readers.tables.arrow_columns import _name_classes

    for schema in (b"{", b"[]", b'{"info": {"features": 3}}'):
        assert _name_classes({"label": [1]}, {b"huggingface": schema}) == {"label": [1]}


def test_captions_of_a_megabyte_are_cut_and_named(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "1.png")
    long = "word, " * 100_000
    (tmp_path / "t.csv").write_text(f'file,caption\n1.png,"{long}"\n1.png,\n1.png,short\n')
    (tmp_path / "t.jsonl").write_text(json.dumps({"file": "1.png", "caption": [long, "", "short"]}) + "\n")
    for name in ("t.csv", "t.jsonl"):
        source = read_source(str(tmp_path / name))
        assert source.pairs[0].captions == (long[:MAX_CAPTION_CHARACTERS], "short")
        said = " ".join(source.notes)
        assert "1 caption is over 32,768 characters and cut there, the first in line" in said
        assert "quotation" not in said
