"""What counts as a caption: strings and the string fields of objects, never numbers, token lists or missing values."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lexel.data.readers import read_source
from lexel.data.readers.tables.values import TEXT_FIELDS, NotTextError, captions_in
from lexel.errors import DataError, UsageError


@pytest.fixture
def folder(tmp_path) -> Path:
    for number in range(4):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{number}.png")
    return tmp_path


def write(folder: Path, name: str, rows: list[dict] | str) -> str:
    """A table of the rows in the format of its name."""
    path = folder / name
    if isinstance(rows, str):
        path.write_text(rows)
    elif name.endswith(".parquet"):
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(__import__("pyarrow").Table.from_pylist(rows), path)
    elif name.endswith(".json"):
        path.write_text(json.dumps(rows))
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def captions_of(source: str, **columns) -> list[tuple[str, ...]]:
    return [pair.captions for pair in read_source(source, **columns).pairs]


KARPATHY = [
    {"raw": "A child climbs .", "tokens": ["a", "child", "climbs"], "sentid": 0},
    {"raw": "A girl .", "tokens": ["a", "girl"], "sentid": 1},
]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_captions_that_are_objects_give_their_text(folder, kind):
    path = write(folder, f"metadata.{kind}", [{"filename": "0.png", "sentences": KARPATHY}])
    assert captions_of(path) == [("A child climbs .", "A girl .")]
    path = write(folder, f"t.{kind}", [{"file_name": "0.png", "caption": {"text": "a dog"}}])
    assert captions_of(path) == [("a dog",)]


def test_captions_that_are_objects_in_a_csv_field_give_their_text(folder):
    field = json.dumps(KARPATHY).replace('"', '""')
    path = write(folder, "t.csv", f"file_name,sentences\n0.png,\"{field}\"\n1.png,\"{{'text': 'a cat'}}\"\n")
    assert captions_of(path) == [("A child climbs .", "A girl ."), ("a cat",)]


def test_karpathys_and_cocos_files_are_read(folder):
    whole = {"images": [{"filename": "0.png", "split": "train", "sentences": KARPATHY}], "dataset": "flickr8k"}
    assert captions_of(write(folder, "dataset.json", json.dumps(whole))) == [("A child climbs .", "A girl .")]
    coco = {
        "images": [{"id": 7, "file_name": "1.png"}],
        "annotations": [{"image_id": 7, "caption": "one"}, {"image_id": 7, "caption": "two"}],
        "categories": [{"id": 1}],
    }
    assert captions_of(write(folder, "coco.json", json.dumps(coco))) == [("one", "two")]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
@pytest.mark.parametrize("value", [7, 1.5, True, [1, 2], [["a", "dog"]], {"tokens": ["a"]}, {"text": {"a": 1}}])
def test_what_is_no_text_is_refused_with_its_value_and_place(folder, kind, value):
    rows = [{"file_name": "0.png", "caption": value}, {"file_name": "1.png", "caption": value}]
    path = write(folder, f"t.{kind}", rows)
    with pytest.raises(
        DataError, match=r'(line|row) 1: the caption in "caption" is (a number|a truth|an object|a list)'
    ):
        read_source(path)


@settings(deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*TEXT_FIELDS[:3], "tokens", "id"]), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_every_caption_is_a_string_that_stands_in_the_value(value):
    try:
        captions = captions_in(value, Counter(), typed=True)
    except NotTextError:
        return
    strings = set(_strings(value))
    assert all(caption in strings for caption in captions)


def _strings(value):
    if isinstance(value, str):
        yield value.strip()
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(item)


def test_missing_values_are_left_out_counted_and_named(folder):
    words = ["nan", "None", "null", "NaN", "<NA>", "N/A", "#N/A"]
    rows = "".join(f"{number % 4}.png,{word}\n" for number, word in enumerate(words))
    source = read_source(write(folder, "t.csv", f"file_name,caption\n{rows}0.png,a nan bread\n"))
    assert [pair.captions for pair in source.pairs] == [("a nan bread",), (), (), ()]
    assert 't.csv: 7 captions left out as missing values: "nan" 1, "None" 1, "null" 1, "NaN" 1' in source.notes


def test_a_class_may_be_called_none_but_not_nan(folder):
    source = read_source(write(folder, "t.csv", "file_name,label\n0.png,none\n1.png,nan\n2.png,cat\n"))
    assert [pair.label for pair in source.pairs] == ["none", None, "cat"]
    assert 't.csv: 1 labels left out as missing values: "nan" 1' in source.notes


SHOP = "file,colour,title,size\n0.png,red,mug,3\n1.png,,cup,4\n2.png,blue,nan,5\n"


def test_captions_come_from_a_template_and_rows_that_lack_a_value_get_none(folder):
    path = write(folder, "shop.csv", SHOP)
    source = read_source(path, caption="a {colour} {title}, {size} cm")
    assert [pair.captions for pair in source.pairs] == [("a red mug, 3 cm",), (), ()]
    assert 'shop.csv: 2 rows have no caption by the template "a {colour} {title}, {size} cm"' in source.notes


def test_captions_come_from_several_columns_and_templates(folder):
    path = write(folder, "shop.csv", SHOP)
    assert captions_of(path, caption=["title", "{colour} {title}"]) == [("mug", "red mug"), ("cup",), ()]


@pytest.mark.parametrize(
    ("caption", "message"),
    [
        ("{color} {title}", r'no column "color" for the caption template\. Did you mean "colour"\?'),
        ("{colour", "is incomplete"),
        ("{colour!r}", "only names of columns in braces"),
        ("{{colour}}", "names no column"),
        (["title", "nome"], 'no column "nome" for the caption'),
        ([], "list of caption columns is empty"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(folder, caption, message):
    with pytest.raises(UsageError, match=message):
        read_source(write(folder, "shop.csv", SHOP), caption=caption)


def test_columns_that_are_not_taken_are_named(folder):
    assert read_source(write(folder, "shop.csv", SHOP)).notes[-1] == "shop.csv: columns not taken: colour, size"


@pytest.mark.parametrize(
    ("image", "caption"),
    [("Bilddatei", "Bezeichnung"), ("Image", "Product Name"), ("fichier", "Légende"), ("imagen", "Título")],
)
def test_product_names_in_other_languages_are_recognised(folder, image, caption):
    path = write(folder, "t.csv", f"sku,{image},{caption},price\n1,0.png,Tasse,3\n2,1.png,Becher,4\n")
    assert captions_of(path) == [("Tasse",), ("Becher",)]
