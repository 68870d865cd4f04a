import csv
import io
import json
import re
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from lexel.data.readers import read_source
from lexel.data.readers.tables.values import MISSING_VALUES
from lexel.errors import DataError, UsageError

parquet = pytest.importorskip("pyarrow.parquet")

IMAGES = [f"{number}.png" for number in range(8)]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with eight small pictures."""
    for name in IMAGES:
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    return tmp_path


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> str:
    (folder / name).write_bytes(text.encode(encoding))
    return str(folder / name)


def captions_of(source: str, **columns) -> list[tuple[str, ...]]:
    return [pair.captions for pair in read_source(source, **columns).pairs]


def is_plain(text: str) -> bool:
    """Neither a list nor an object in a field, nor what stands for a missing value."""
    return not text.lstrip().startswith(("[", "{")) and text.strip() not in MISSING_VALUES


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30).filter(is_plain)
LANGUAGES = ["ein Mädchen auf der Straße größer", "l'été à la plage où êtes-vous", "un niño pequeño dos señoras"]
western = st.sampled_from(LANGUAGES).flatmap(
    lambda language: st.lists(st.sampled_from(language.split()), min_size=4, max_size=8)
)
round_trip = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
numbers = count()


@round_trip
@given(
    captions=st.lists(texts, min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\r\n", "\n"]),
)
def test_any_captions_come_back_from_delimited_text(folder, captions, delimiter, encoding, quoting, newline):
    assume(quoting == csv.QUOTE_ALL or newline == "\r\n" or "\r" not in "".join(captions))  # Python writes it unquoted
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=newline)
    writer.writerows([("file_name", "caption"), *zip(IMAGES, captions, strict=False)])
    path = write(folder, f"{next(numbers)}.csv", file.getvalue(), encoding)
    assert captions_of(path) == [(text.strip(),) if text.strip() else () for text in captions]


@round_trip
@given(captions=western)
def test_captions_in_windows_encoding_come_back_with_a_note(folder, captions):
    content = "\n".join(
        [
            "file_name\tcaption",
            *(f'{name}\t"{text.replace(chr(34), chr(34) * 2)}"' for name, text in zip(IMAGES, captions, strict=False)),
        ]
    )
    assume(sum(not letter.isascii() for letter in content) > 0)
    path = write(folder, f"{next(numbers)}.tsv", content, "cp1252")
    assert captions_of(path) == [(text.strip(),) if text.strip() else () for text in captions]
    assert "not UTF-8, read as cp1252" in " ".join(read_source(path).notes)


@round_trip
@given(captions=st.lists(st.lists(texts, max_size=4), min_size=1, max_size=8))
def test_any_lists_of_captions_come_back_from_json_lines_and_parquet(folder, captions):
    import pyarrow

    rows = [{"file_name": name, "captions": said} for name, said in zip(IMAGES, captions, strict=False)]
    lines = write(folder, f"{next(numbers)}.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    table = folder / f"{next(numbers)}.parquet"
    schema = pyarrow.schema([("file_name", pyarrow.string()), ("captions", pyarrow.list_(pyarrow.string()))])
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema), table)
    expected = [tuple(text.strip() for text in said if text.strip()) for said in captions]
    assert captions_of(lines) == expected
    assert captions_of(str(table)) == expected


def test_a_table_from_a_spreadsheet_is_read(folder):
    text = 'Bild;Picture;Description\n1;0.png;"two lines\nof text; and a semicolon"\n2;1.png;plain\n'
    source = read_source(write(folder, "t.csv", text, "utf-8-sig"))
    assert [pair.captions for pair in source.pairs] == [("two lines\nof text; and a semicolon",), ("plain",)]
    assert source.notes[0] == 't.csv: image from "Picture", captions from "Description"'


def test_rows_of_one_image_become_one_pair_in_order(folder):
    source = read_source(write(folder, "t.csv", "image,caption\n1.png,b\n0.png,c\n1.png,a\n"))
    assert [(pair.key, pair.captions) for pair in source.pairs] == [("1.png", ("b", "a")), ("0.png", ("c",))]


def test_a_list_in_a_csv_field_is_several_captions(folder):
    text = 'image,captions\n0.png,"[""a, b"", ""c""]"\n1.png,"[\'d\', \'e\']"\n2.png,[sic] not a list\n'
    assert captions_of(write(folder, "t.csv", text)) == [("a, b", "c"), ("d", "e"), ("[sic] not a list",)]


def test_the_first_sentence_file_of_flickr8k_is_read(folder):
    source = read_source(
        write(folder, "t.txt", "0.png#0\tA dog .\n0.png#1\tA brown dog , running .\n1.png#0\tA cat .\n")
    )
    assert [pair.captions for pair in source.pairs] == [("A dog .", "A brown dog , running ."), ("A cat .",)]


def test_the_second_one_too_with_its_pictures_in_a_folder(folder):
    (folder / "Images").mkdir()
    (folder / "0.png").rename(folder / "Images" / "a.png")
    source = read_source(write(folder, "captions.txt", 'image,caption\na.png,"A dog , running ."\n'))
    assert source.pairs[0].key == "Images/a.png"
    assert source.pairs[0].picture.load().size == (2, 2)
    assert "captions.txt: images found in Images/" in source.notes


def test_flickr30k_with_its_pipes_and_broken_row_is_read(folder):
    rows = [f"{IMAGES[number % 8]}| {number}| A dog , running" for number in range(200)]
    rows[77] = "3.png| 4   A dog runs ."
    source = read_source(write(folder, "results.csv", "image_name| comment_number| comment\n" + "\n".join(rows)))
    assert sum(len(pair.captions) for pair in source.pairs) == 199
    assert "results.csv: 1 of 200 rows left out as faulty: line 79, 2 fields where the first line has 3" in source.notes


def test_quotes_that_nobody_closes_are_plain_characters(folder):
    source = read_source(
        write(folder, "t.tsv", 'image\tcaption\n0.png\t"Hi" she said\n1.png\ta 5" pipe\n2.png\tfoo "bar" baz\n')
    )
    assert [pair.captions[0] for pair in source.pairs] == ['"Hi" she said', 'a 5" pipe', 'foo "bar" baz']


@pytest.mark.parametrize("name", ["source", "id", "sku"])
def test_the_image_is_not_taken_from_a_column_that_only_looks_like_it(folder, name):
    source = read_source(write(folder, "t.csv", f"{name},bild,text\nx/a.jpg,0.png,a\nx/b.jpg,1.png,b\n"))
    assert [pair.key for pair in source.pairs] == ["0.png", "1.png"]


def test_captions_in_another_language_are_taken_only_when_asked_for(folder):
    row = {"file_name": "0.png", "captions_de": ["ein Hund"], "captions": ["a dog"], "captions_fr": ["un chien"]}
    path = write(folder, "t.jsonl", json.dumps(row))
    assert captions_of(path) == [("a dog",)]
    assert captions_of(path, caption="captions_de") == [("ein Hund",)]
    with pytest.raises(UsageError, match=r'no column "captions_dd" for the caption\. Did you mean "captions_de"'):
        read_source(path, caption="captions_dd")


def test_a_table_without_captions_says_what_it_has_and_how_to_name_them(folder):
    path = write(folder, "products.csv", "sku,picture,colour,price\n1,0.png,red,3\n")
    with pytest.raises(UsageError) as error:
        read_source(path)
    assert str(error.value).splitlines() == [
        f"{path} has no caption column.",
        '  It has: sku, picture, colour, price. Took "picture" for the image.',
        "  Name the caption column: --set data.caption=NAME",
    ]
    assert captions_of(path, text_required=False) == [()]
    assert captions_of(path, caption="colour") == [("red",)]


def test_the_only_column_of_sentences_is_taken_for_the_captions(folder):
    rows = "\n".join(f"{name},SKU{name[0]},a red shoe with laces" for name in IMAGES)
    assert captions_of(write(folder, "t.csv", f"image,sku,blurb\n{rows}"))[0] == ("a red shoe with laces",)


def test_labels_alone_are_enough_and_numbers_are_labels_too(folder):
    source = read_source(
        write(folder, "t.jsonl", '{"image": "0.png", "label": 7}\n{"image": "1.png", "label": "cat"}\n')
    )
    assert [(pair.label, pair.captions) for pair in source.pairs] == [("7", ()), ("cat", ())]


def test_captions_and_labels_are_read_side_by_side(folder):
    source = read_source(write(folder, "t.csv", "file_name,caption,label\n0.png,a field,farm\n1.png,,\n"))
    assert [(pair.label, pair.captions) for pair in source.pairs] == [("farm", ("a field",)), (None, ())]


def test_a_label_that_only_a_later_row_gives_is_taken(folder):
    source = read_source(write(folder, "t.csv", "file,caption,label\n0.png,one,\n0.png,two,cat\n1.png,three,dog\n"))
    assert [(pair.captions, pair.label) for pair in source.pairs] == [(("one", "two"), "cat"), (("three",), "dog")]
    assert not any("another label" in note for note in source.notes)


def test_rows_that_contradict_one_another_are_counted(folder):
    source = read_source(write(folder, "t.csv", "image,label\n0.png,cat\n0.png,dog\n"))
    assert source.labels == ["cat"]
    assert "1 row gives an image another label" in source.notes[1]


def test_rows_without_an_image_are_skipped_and_counted(folder):
    source = read_source(write(folder, "t.jsonl", '{"image": "0.png", "text": "a"}\n{"text": "b"}\n{"image": ""}\n'))
    assert len(source.pairs) == 1
    assert "t.jsonl: 2 rows skipped that name no image" in source.notes


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.jsonl", '{"image": "0.png"}\n\n{"image": \n', r"t\.jsonl, line 3: not JSON"),
        ("t.jsonl", '{"image": "0.png"}\n[1]\n', r"t\.jsonl, line 2: not an object but list"),
        ("t.csv", "image,id,x\n0.png,a,\n1.png,a,b,c\n", r"t\.csv, line 3: 4 fields where the first line has 3"),
        ("t.csv", 'image,caption\n0.png,"a\n\nb"\n1.png\n', r"t\.csv, line 5: 1 fields"),
        ("t.csv", "image,caption\n", r"t\.csv is empty"),
        ("t.csv", "", r"t\.csv is empty"),
        ("t.parquet", "PAR1 not", r"t\.parquet is not a complete Parquet file"),
        ("t.csv", "image,caption\n,a\n,b\n", "no column whose image files exist"),
        ("t.csv", "url,caption\nhttp://a/b.jpg,a\n", "addresses of pictures on the web, which are not downloaded"),
    ],
)
def test_a_malformed_table_is_refused_with_file_and_line(folder, name, text, message):
    path = write(folder, name, text)
    with pytest.raises((DataError, UsageError), match=message):
        read_source(path)


def test_a_table_whose_images_are_elsewhere_says_where_it_looked(folder):
    path = write(folder, "t.csv", "image,caption\nnone/9.png,a\n")
    with pytest.raises(DataError, match=f"such as none/9.png.\n  Looked in {folder}"):
        read_source(path)
    with pytest.raises(UsageError, match=r"no column whose image files exist\. It has: a, b"):
        read_source(write(folder, "u.csv", "a,b\n1,2\n"))


def test_paths_may_be_absolute_lead_upwards_or_come_from_windows(folder):
    (folder / "tables").mkdir()
    (folder / "tables" / "in").mkdir()
    (folder / "7.png").rename(folder / "tables" / "in" / "7.png")
    text = f"image,caption\n../0.png,a\n{folder}/1.png,b\n./in/../in/7.png,c\nin\\7.png,d\n"
    pairs = read_source(write(folder / "tables", "t.csv", text)).pairs
    assert [pair.key for pair in pairs] == ["../0.png", "../1.png", "in/7.png"]
    assert all(pair.picture.load().size == (2, 2) for pair in pairs)


def test_pictures_inside_parquet_are_read_with_their_class_names(folder):
    import pyarrow

    rows = [
        {"image": {"bytes": (folder / "0.png").read_bytes(), "path": None}, "label": 1},
        {"image": None, "label": -1},
    ]
    features = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}}}
    table = pyarrow.Table.from_pylist(rows).replace_schema_metadata({"huggingface": json.dumps(features)})
    parquet.write_table(table, folder / "t.parquet")
    (pair,) = read_source(str(folder / "t.parquet")).pairs
    assert (pair.label, pair.picture.load().size) == ("dog", (2, 2))


def test_parquet_without_pyarrow_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    path = write(folder, "t.parquet", "")
    with pytest.raises(UsageError, match=r'pip install "lexel\[data\]"'):
        read_source(path)


@pytest.mark.parametrize("named", ["val", "dev", "Validation"])
def test_a_split_has_several_names(folder, named):
    path = write(folder, "t.csv", "image,caption,split\n0.png,a,train\n1.png,b,validation\n2.png,c,\n")
    source = read_source(f"{path}/{named}")
    assert (source.split, [pair.key for pair in source.pairs]) == ("val", ["1.png"])
    assert len(read_source(path).pairs) == 3
    assert read_source(path, prefer=["test", "train"]).split == "train"
    with pytest.raises(UsageError, match=f'{path} has no split "test".*\n  It has: train 1, val 1'):
        read_source(f"{path}/test")


def test_other_columns_are_kept_where_that_is_asked_of_the_first_row_of_a_picture(folder):
    table = write(folder, "t.csv", "image,text,price,split\n0.png,one,5,train\n0.png,two,6,train\n1.png,three,,train\n")
    source = read_source(table, keep_columns=True)
    assert [pair.extras for pair in source.pairs] == [
        {"price": "5", "split": "train"},
        {"price": "", "split": "train"},
    ]
    assert "t.csv: columns kept as they are: price, split" in source.notes
    assert [pair.extras for pair in read_source(table).pairs] == [None, None]
    assert read_source(table).pairs == source.pairs  # what is said of a picture is the same


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_delimiters_in_the_last_column_belong_to_its_text(folder, delimiter):
    lines = ["file_name_caption", "0.png_a dog_ a cat_and more", "1.png_a bird", '2.png_"a fox_ quoted"']
    source = read_source(write(folder, "t.csv", "\n".join(lines).replace("file_name", "photo").replace("_", delimiter)))
    assert [pair.captions[0].replace(delimiter, "_") for pair in source.pairs] == [
        "a dog_ a cat_and more",
        "a bird",
        "a fox_ quoted",
    ]
    assert f't.csv: "{delimiter}" without quotation marks taken as part of "caption" in 1 row' in source.notes[1]


def test_what_is_too_much_before_a_column_of_something_else_stays_a_fault(folder):
    rows = "".join(f"{name},a thing,mugs\n" for name in IMAGES)
    source = read_source(write(folder, "t.csv", f"file_name,caption,label\n{rows}0.png,a dog, brown,pets\n"))
    assert any("1 of 9 rows left out as faulty: line 10, 4 fields" in note for note in source.notes)


def test_commas_vary_without_a_header_too(folder):
    assert captions_of(write(folder, "t.csv", "0.png,a dog, a cat\n1.png,a bird\n")) == [("a dog, a cat",), ("a bird",)]


def test_excels_own_first_line_names_the_delimiter(folder):
    assert captions_of(write(folder, "t.csv", "sep=;\r\nfile_name;caption\r\n0.png;a, b, c\r\n")) == [("a, b, c",)]


@pytest.mark.parametrize(
    "columns",
    [("caption_1", "caption_2"), ("Caption 1", "Caption 2"), ("caption1", "caption2"), ("text_en", "text_de")],
)
def test_several_columns_of_captions_are_several_captions(folder, columns):
    source = read_source(
        write(folder, "t.csv", f"file_name,{','.join(columns)},text_id\n0.png,one,two,17\n1.png,three,,18\n")
    )
    assert [pair.captions for pair in source.pairs] == [("one", "two"), ("three",)]
    assert source.notes[0] == f't.csv: image from "file_name", captions from "{columns[0]}", "{columns[1]}"'


@round_trip
@given(captions=st.lists(texts.filter(lambda text: "\x00" not in text), min_size=1, max_size=8))
def test_any_captions_come_back_from_a_spreadsheet(folder, captions):
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    captions = [re.sub("[\x00-\x1f\x7f-\x9f\ufffe\uffff]|_x[0-9a-fA-F]{4}_", "", text) for text in captions]
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Nr", "Bild", "Titel"])
    for number, (name, caption) in enumerate(zip(IMAGES, captions, strict=False)):
        sheet.append([number, name, caption])
        sheet.cell(sheet.max_row, 3).data_type = "s"  # no formula
    path = folder / f"{next(numbers)}.xlsx"
    book.save(path)
    assert captions_of(str(path)) == [(text.strip(),) if text.strip() else () for text in captions]


def test_of_several_sheets_the_first_with_rows_is_read_and_the_others_are_named(folder):
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    for row in (["file_name", "title", "year"], ["0.png", 1984, 2.5], ["1.png", "a mug", None]):
        book.active.append(row)
    book.create_sheet("prices").append(["x"])
    book.save(folder / "t.xlsx")
    source = read_source(str(folder / "t.xlsx"))
    assert [pair.captions for pair in source.pairs] == [("1984",), ("a mug",)]
    assert 't.xlsx: sheet "Sheet" read; there are also: prices' in source.notes


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no spreadsheet"])
def test_what_is_no_spreadsheet_is_refused(folder, content):
    pytest.importorskip("python_calamine")
    (folder / "t.xlsx").write_bytes(content)
    with pytest.raises(DataError, match=r"t\.xlsx is (not a complete spreadsheet|empty)"):
        read_source(str(folder / "t.xlsx"))
