"""Whatever was cut off or overwritten in a table is read, or refused with one message."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import save

from lexel.data.pairs import ImageFile
from lexel.data.readers import read_source
from lexel.data.table_cells import forget_tables
from lexel.errors import BadImageError, DataError, UsageError

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
openpyxl = pytest.importorskip("openpyxl")
pytest.importorskip("python_calamine")

CAPTIONS = ["a dog", "two cats, one of them black", "ein größerer Hund", "一只猫"]
damage = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def contents(folder: Path) -> dict[str, bytes]:
    """A table of each kind that lists four pictures or holds them."""
    pictures = [save(folder / f"{number}.png", number) for number in range(4)]
    names = [path.name for path in pictures]
    rows = [{"file_name": name, "caption": text} for name, text in zip(names, CAPTIONS, strict=True)]
    images = [{"id": number, "file_name": name} for number, name in enumerate(names)]
    annotations = [{"image_id": number, "caption": text} for number, text in enumerate(CAPTIONS)]
    book = openpyxl.Workbook()
    for row in ["file_name", "caption"], *([row["file_name"], row["caption"]] for row in rows):
        book.active.append(row)
    book.save(folder / "t.xlsx")
    shape = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    held = arrow.array([{"bytes": path.read_bytes(), "path": path.name} for path in pictures], shape)
    table = arrow.table({"image": held, "caption": CAPTIONS})
    parquet.write_table(table, folder / "t.parquet", row_group_size=2)
    with arrow.ipc.new_file(folder / "t.feather", table.schema) as writer:
        writer.write_table(table)
    with arrow.ipc.new_stream(folder / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    whole = {
        "t.csv": "file_name,caption\n" + "".join(f'{row["file_name"]},"{row["caption"]}"\n' for row in rows),
        "t.token": "".join(f"{row['file_name']}#0\t{row['caption']}\n" for row in rows),
        "t.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
        "t.json": json.dumps({"images": images, "annotations": annotations}, ensure_ascii=False),
    }
    for name, text in whole.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {path.name: path.read_bytes() for path in folder.glob("t.*")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("tables")
    return folder, contents(folder)


KINDS = ["t.csv", "t.token", "t.jsonl", "t.json", "t.xlsx", "t.parquet", "t.arrow", "t.feather"]


@pytest.mark.parametrize("name", KINDS)
@damage
@given(data=st.data())
def test_a_damaged_table_is_read_or_refused(whole, name, data):
    folder, all_of_them = whole
    content = bytearray(all_of_them[name])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    (folder / name).write_bytes(content)
    forget_tables()
    refusals: list[str] = []
    pairs = []
    try:
        pairs = read_source(str(folder / name), text_required=False).pairs
    except (DataError, UsageError) as error:
        refusals.append(str(error))
    for pair in pairs:
        assert pair.key
        assert all(isinstance(caption, str) and caption for caption in pair.captions)
        try:
            pair.picture.load()
        except BadImageError as error:
            refusals += [] if isinstance(pair.picture, ImageFile) else [str(error)]
    assert all(name in refusal for refusal in refusals)


@pytest.mark.parametrize("name", KINDS)
def test_the_whole_table_gives_its_captions(whole, name):
    folder, all_of_them = whole
    (folder / name).write_bytes(all_of_them[name])
    forget_tables()
    pairs = read_source(str(folder / name)).pairs
    assert [pair.captions for pair in pairs] == [(caption,) for caption in CAPTIONS]
    assert all(pair.picture.load().size == (24, 16) for pair in pairs)
