"""Published layouts are read from their folder, without naming a table."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import save

from lexel.data.readers import read_source
from lexel.data.readers.tables.values import MISSING_VALUES
from lexel.errors import DataError, UsageError

captions = st.lists(
    st.lists(
        st.text(st.characters(categories=["L", "Zs", "Nd"]), min_size=1, max_size=20)
        .map(lambda text: " ".join(text.split()))
        .filter(lambda text: text and text not in MISSING_VALUES),
        min_size=1,
        max_size=3,
    ),
    min_size=2,
    max_size=5,
)
round_trip = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def coco(names: list[str], said: list[list[str]]) -> dict[str, object]:
    """COCO's file of captions, its annotations in another order than its images."""
    images = [{"id": 7 * number, "file_name": name} for number, name in enumerate(names)]
    annotations = [
        {"id": 100 * number + place, "image_id": 7 * number, "caption": text}
        for number, texts in enumerate(said)
        for place, text in enumerate(texts)
    ]
    return {"info": {}, "licenses": [{"id": 1}], "images": images, "annotations": annotations[::-1]}


def pictures(folder: Path, names: list[str]) -> list[str]:
    for number, name in enumerate(names):
        save(folder / name, number)
    return names


def said(source: str) -> dict[str, tuple[tuple[str, ...], str | None]]:
    read = read_source(source)
    return {pair.key: (pair.captions, read.split) for pair in read.pairs}


@round_trip
@given(said_of=captions)
def test_coco_captions_come_back_with_the_split_of_their_file(tmp_path, said_of):
    names = pictures(tmp_path / "val2017", [f"{number:012}.png" for number in range(len(said_of))])
    write(tmp_path / "annotations" / "captions_val2017.json", coco(names, said_of))
    expected = {f"val2017/{name}": (tuple(texts[::-1]), "val") for name, texts in zip(names, said_of, strict=True)}
    assert said(str(tmp_path)) == expected
    assert said(f"{tmp_path}/val") == expected
    one_file = said(f"coco:{tmp_path}/annotations/captions_val2017.json")
    assert one_file == {f"../{key}": (texts, None) for key, (texts, _) in expected.items()}


def test_parts_of_coco_that_were_not_downloaded_are_left_out_and_named(tmp_path):
    names = pictures(tmp_path / "images" / "val2014", ["COCO_val2014_000000000001.png"])
    write(tmp_path / "annotations" / "captions_val2014.json", coco(names, [["one"]]))
    write(tmp_path / "annotations" / "captions_train2014.json", coco(["COCO_train2014_000000000002.png"], [["two"]]))
    write(tmp_path / "annotations" / "instances_val2014.json", {"images": [], "annotations": []})
    source = read_source(str(tmp_path))
    assert [pair.key for pair in source.pairs] == [f"images/val2014/{names[0]}"]
    assert "captions_train2014.json: left out, because none of its images exists" in source.notes
    Path(tmp_path / "images" / "val2014" / names[0]).unlink()
    with pytest.raises(DataError, match=r'of "file_name" is there'):
        read_source(str(tmp_path))


@round_trip
@given(said_of=captions)
def test_karpathys_splits_come_back_and_restval_is_for_training(tmp_path, said_of):
    splits = ["train", "restval", "val", "test"]
    images = [
        {
            "filepath": f"{'train' if number % 2 else 'val'}2014",
            "filename": f"COCO_{number:012}.png",
            "split": splits[number % 4],
            "sentences": [{"raw": text, "tokens": text.split(), "sentid": place} for place, text in enumerate(texts)],
            "imgid": number,
            "sentids": [1, 2],
        }
        for number, texts in enumerate(said_of)
    ]
    pictures(tmp_path, [f"{image['filepath']}/{image['filename']}" for image in images])
    write(tmp_path / "dataset_coco.json", {"images": images, "dataset": "coco"})
    for split in ("train", "val", "test"):
        wanted = [image for image in images if image["split"].replace("restval", "train") == split]
        if wanted:
            assert said(f"{tmp_path}/{split}") == {
                f"{image['filepath']}/{image['filename']}": (tuple(s["raw"] for s in image["sentences"]), split)
                for image in wanted
            }


def test_karpathys_file_is_preferred_to_cocos_own_which_is_named(tmp_path):
    pictures(tmp_path / "val2014", ["1.png"])
    row = {"filepath": "val2014", "filename": "1.png", "split": "test", "sentences": [{"raw": "a"}]}
    write(tmp_path / "dataset_coco.json", {"images": [row], "dataset": "coco"})
    beside = write(tmp_path / "annotations" / "captions_val2014.json", coco(["1.png"], [["b"]]))
    source = read_source(str(tmp_path))
    assert (source.pairs[0].captions, source.split) == (("a",), "test")
    assert f"not read: {beside}" in source.notes


@round_trip
@given(said_of=captions)
@pytest.mark.parametrize(
    ("table", "folder"),
    [
        ("Flickr8k.token.txt", "Flicker8k_Dataset"),
        ("Flickr8k_text/Flickr8k.token.txt", "Flicker8k_Dataset"),
        ("results_20130124.token", "flickr30k-images"),
    ],
)
def test_token_files_of_flickr_come_back(tmp_path, table, folder, said_of):
    names = pictures(tmp_path / folder, [f"{number}.png" for number in range(len(said_of))])
    lines = [
        f"{name}#{place}\t{text}"
        for name, texts in zip(names, said_of, strict=True)
        for place, text in enumerate(texts)
    ]
    write(tmp_path / table, "\n".join(lines))
    assert said(str(tmp_path)) == {
        f"{folder}/{name}": (tuple(texts), None) for name, texts in zip(names, said_of, strict=True)
    }


def test_flickr8ks_lists_are_its_splits_also_where_its_pictures_were_converted(tmp_path):
    pictures(tmp_path / "Images", ["1_a.png", "2_b.png", "3_c.png", "4_d.png"])
    text = tmp_path / "Flickr8k_text"
    write(text / "Flickr8k.token.txt", "1_a.jpg#0\tone\n2_b.jpg#0\ttwo\n3_c.jpg#0\tthree\n4_d.jpg#0\tfour\n")
    for name, listed in {"train": "1_a.jpg\n", "dev": "2_b.jpg\n", "test": "3_c.jpg\n"}.items():
        write(text / f"Flickr_8k.{name}Images.txt", listed)
    assert said(f"{tmp_path}/train") == {"Images/1_a.png": (("one",), "train")}
    assert said(f"{tmp_path}/dev") == {"Images/2_b.png": (("two",), "val")}
    notes = read_source(str(tmp_path)).notes
    assert "1 image is not listed in any split" in notes
    assert any("found by names without their extension, or with another: 1_a.jpg" in note for note in notes)
    with pytest.raises(UsageError, match="has no split"):
        read_source(f"{tmp_path}/traning")


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("captions.txt", "image,caption\n1.png,a dog , running\n1.png,a brown dog\n"),
        ("results.csv", "image_name| comment_number| comment\n1.png| 0| a dog , running\n1.png| 1| a brown dog\n"),
    ],
)
def test_kaggles_tables_are_read_from_their_folder(tmp_path, table, text):
    pictures(tmp_path / "Images", ["1.png"])
    write(tmp_path / table, text)
    assert said(str(tmp_path)) == {"Images/1.png": (("a dog , running", "a brown dog"), None)}


@pytest.mark.parametrize("header", ["", "filepath\ttitle\n", "caption\tfile\n"])
def test_tables_of_conceptual_captions_come_with_and_without_a_header(tmp_path, header):
    pictures(tmp_path / "images", ["1.png", "2.png"])
    rows = [("a dog, running", "images/1.png"), ("a cat", "images/2.png")]
    swap = header.startswith("filepath")
    write(tmp_path / "train.tsv", header + "".join("\t".join(row[::-1] if swap else row) + "\n" for row in rows))
    assert said(f"{tmp_path}/train.tsv") == {f: ((text,), None) for text, f in rows}


@pytest.mark.parametrize(
    "content", ['{"images": [', "[]", '{"images": [{"id": 1}], "annotations": [{"id": 2}]}', "\0\1"]
)
def test_damaged_annotations_are_refused_by_name(tmp_path, content):
    pictures(tmp_path / "val2017", ["1.png"])
    write(tmp_path / "annotations" / "captions_val2017.json", content)
    with pytest.raises((DataError, UsageError), match=r"captions_val2017\.json"):
        read_source(str(tmp_path))
