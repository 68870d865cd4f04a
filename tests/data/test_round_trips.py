"""Whatever captions are written in a layout come back as they were, in each layout that people write."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tars import jpeg, write_tar

from lexel.data.readers import read_source
from lexel.data.readers.tables.values import MISSING_VALUES

LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cn", "Co", "Zl", "Zp"])
CAPTION = st.text(LETTERS, min_size=1, max_size=30).filter(
    # Missing values, lists and objects within a cell are read as what they are.
    lambda text: text.strip() == text and text not in MISSING_VALUES and text[0] not in "[{"
)
CAPTIONS = st.lists(st.lists(CAPTION, min_size=1, max_size=3), min_size=2, max_size=4)
PICTURE = jpeg()
Pairs = list[list[str]]


def pictures(folder: Path, pairs: Pairs) -> Path:
    for number in range(len(pairs)):
        (folder / f"{number}.jpg").write_bytes(PICTURE)
    return folder


def delimited(folder: Path, pairs: Pairs, delimiter: str = ",", suffix: str = "csv") -> Path:
    with (pictures(folder, pairs) / f"t.{suffix}").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(["file_name", "caption"])
        writer.writerows([f"{number}.jpg", text] for number, said in enumerate(pairs) for text in said)
    return folder / f"t.{suffix}"


def tab_separated(folder: Path, pairs: Pairs) -> Path:
    return delimited(folder, pairs, "\t", "tsv")


def json_lines(folder: Path, pairs: Pairs) -> Path:
    rows = [{"file_name": f"{number}.jpg", "captions": said} for number, said in enumerate(pairs)]
    (pictures(folder, pairs) / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "t.jsonl"


def json_list(folder: Path, pairs: Pairs) -> Path:
    rows = [{"filename": f"{n}.jpg", "sentences": [{"raw": text} for text in said]} for n, said in enumerate(pairs)]
    (pictures(folder, pairs) / "t.json").write_text(json.dumps({"images": rows, "dataset": "x"}, ensure_ascii=False))
    return folder / "t.json"


def coco(folder: Path, pairs: Pairs) -> Path:
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in range(len(pairs))]
    said = [{"image_id": number, "caption": text} for number, texts in enumerate(pairs) for text in texts]
    (pictures(folder, pairs) / "t.json").write_text(json.dumps({"images": images, "annotations": said}))
    return folder / "t.json"


def texts_beside(folder: Path, pairs: Pairs) -> Path:
    for number, said in enumerate(pairs):
        (pictures(folder, pairs) / f"{number}.txt").write_text("\n".join(said), encoding="utf-8")
    return folder


def parquet(folder: Path, pairs: Pairs) -> Path:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    table = arrow.table({"image": [{"bytes": PICTURE, "path": None}] * len(pairs), "captions": pairs})
    write_table(table, folder / "t.parquet")
    return folder / "t.parquet"


def arrow_file(folder: Path, pairs: Pairs) -> Path:
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"image": [PICTURE] * len(pairs), "captions": pairs})
    with arrow.ipc.new_file(str(folder / "t.arrow"), table.schema) as file:
        file.write_table(table)
    return folder / "t.arrow"


def spreadsheet(folder: Path, pairs: Pairs) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["file_name", "caption"])
    for number, said in enumerate(pairs):
        for text in said:
            book.active.append([f"{number}.jpg", text])
            book.active.cell(book.active.max_row, 2).data_type = "s"  # "=1" is a text here, no formula
    book.save(pictures(folder, pairs) / "t.xlsx")
    return folder / "t.xlsx"


def shard(folder: Path, pairs: Pairs) -> Path:
    members = [
        member
        for number, said in enumerate(pairs)
        for member in ((f"{number}.jpg", PICTURE), (f"{number}.json", {"captions": said}))
    ]
    return write_tar(folder / "t.tar", members)


LAYOUTS: list[Callable[[Path, Pairs], Path]] = [
    *(delimited, tab_separated, json_lines, json_list, coco, texts_beside, parquet, arrow_file, spreadsheet, shard),
]


@pytest.mark.parametrize("write", LAYOUTS, ids=lambda write: write.__name__)
@settings(deadline=None, max_examples=12)
@given(pairs=CAPTIONS)
def test_captions_come_back_as_they_were_written_in(tmp_path_factory, write, pairs):
    folder = tmp_path_factory.mktemp("layout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXEL_CACHE", str(folder / "cache"))
        read = read_source(str(write(folder, pairs)), caption="captions" if write is shard else None).pairs
        assert [list(pair.captions) for pair in read] == pairs
