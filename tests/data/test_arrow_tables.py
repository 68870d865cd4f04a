"""Parquet and Arrow files that hold their pictures, and the folders that Hugging Face makes of them."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import save

from lexel.data import table_cells
from lexel.data.loader import TrainingSource, order_of
from lexel.data.pairs import TableImage, shard_ends
from lexel.data.picture_hash import hash_of, load_with_hash
from lexel.data.readers import read_source
from lexel.errors import BadImageError, DataError

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

round_trip = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SHAPE = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("pictures")
    return [save(folder / f"{number}.png", number).read_bytes() for number in range(8)]


def table_of(pictures: list[bytes | None], captions: list[str], kind: str = "object") -> "arrow.Table":
    values = [None if one is None else {"bytes": one, "path": "x.png"} for one in pictures]
    images = arrow.array(pictures, arrow.binary()) if kind == "bytes" else arrow.array(values, SHAPE)
    return arrow.table({"image": images, "caption": captions})


def write(path: Path, table: "arrow.Table", group: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=group)
    elif path.suffix == ".feather":
        with arrow.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=group)
    else:
        with arrow.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=group)
    return path


@round_trip
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 7) | st.none(), st.sampled_from(["a dog", "a cat", ""])), min_size=1, max_size=9
    ),
    suffix=st.sampled_from([".parquet", ".arrow", ".feather"]),
    kind=st.sampled_from(["object", "bytes"]),
    group=st.integers(1, 4),
)
def test_pictures_and_captions_come_back_whatever_the_groups(tmp_path, pictures, rows, suffix, kind, group):
    images = [None if number is None else pictures[number] for number, _ in rows]
    if images[0] is None:  # or a column of bytes alone might hold texts
        images[0] = pictures[0]
    path = write(tmp_path / f"t{suffix}", table_of(images, [caption for _, caption in rows], kind), group)
    source = read_source(str(path))
    os.utime(path)
    table_cells.forget_tables()  # the file is written again under its name
    expected = [
        (image, (caption,) if caption else ()) for image, (_, caption) in zip(images, rows, strict=True) if image
    ]
    assert [(pair.picture.content(), pair.captions) for pair in source.pairs] == expected
    assert [pair.key for pair in source.pairs] == [f"{row:08d}" for row, image in enumerate(images) if image]


def test_nothing_but_references_is_kept_of_pictures_and_they_travel_to_workers(tmp_path, pictures):
    path = write(tmp_path / "t.parquet", table_of(pictures, ["a"] * 8))
    table_cells.forget_tables()
    source = read_source(str(path))
    assert not table_cells._kept
    image = pickle.loads(pickle.dumps(source.pairs[4].picture))
    assert image == TableImage(path, 1, 1, "image")
    assert image.content() == pictures[4]
    assert load_with_hash(image)[1] == hash_of(image)


def test_row_groups_beyond_the_limit_are_let_go(tmp_path, pictures, monkeypatch):
    path = write(tmp_path / "t.parquet", table_of(pictures, ["a"] * 8), group=1)
    monkeypatch.setattr(table_cells, "KEPT_BYTES", 3 * max(map(len, pictures)))
    table_cells.forget_tables()
    assert [pair.picture.content() for pair in read_source(str(path)).pairs] == pictures
    assert 0 < len(table_cells._kept) <= 3


def test_the_rows_of_a_group_are_trained_on_together(tmp_path, pictures):
    path = write(tmp_path / "t.parquet", table_of(pictures, ["a"] * 8))
    pairs = read_source(str(path)).pairs
    ends = shard_ends(pairs)
    assert ends is not None
    assert ends.tolist() == [3, 6, 8]
    order = order_of([TrainingSource(pairs, 1.0, ())], seed=0)
    assert sorted(order.at(position).index for position in range(8)) == list(range(8))


def test_captions_in_bytes_are_no_pictures(tmp_path, pictures):
    said = arrow.array([b"a dog", b"a cat"], arrow.binary())
    table = arrow.table({"image": arrow.array(pictures[:2], arrow.binary()), "caption": said})
    assert [pair.captions for pair in read_source(str(write(tmp_path / "t.parquet", table))).pairs] == [
        ("a dog",),
        ("a cat",),
    ]


def test_paths_in_hugging_faces_objects_are_files(tmp_path):
    save(tmp_path / "images" / "1.png", 1)
    values = arrow.array([{"bytes": None, "path": "images/1.png"}], SHAPE)
    path = write(tmp_path / "t.parquet", arrow.table({"image": values, "text": ["a dog"]}))
    (pair,) = read_source(str(path)).pairs
    assert (pair.key, pair.captions, pair.picture.load().size) == ("images/1.png", ("a dog",), (24, 16))


@pytest.mark.parametrize(
    "name", ["data/train-{:05}-of-00002.parquet", "train/{:04}.parquet", "x-train-{:05}-of-00002.arrow"]
)
def test_a_folder_of_parquet_files_has_the_splits_in_their_names(tmp_path, pictures, name):
    for number in range(2):
        part = pictures[4 * number : 4 * number + 2]
        write(tmp_path / name.format(number), table_of(part, [f"{number}a", f"{number}b"]))
        write(tmp_path / name.format(number).replace("train", "validation"), table_of(part[:1], ["v"]))
    train = read_source(f"{tmp_path}/train")
    assert [pair.captions[0] for pair in train.pairs] == ["0a", "0b", "1a", "1b"]
    whole = read_source(str(tmp_path), prefer=["val"])
    assert (whole.splits, len(whole.pairs)) == (("train", "val"), 2)
    assert len({pair.key for pair in train.pairs}) == 4


def test_data_sets_saved_by_hugging_faces_library_come_back(tmp_path, pictures):
    datasets = pytest.importorskip("datasets")
    label = datasets.ClassLabel(names=["cat", "dog"])
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.Value("string"), "label": label})
    images = [{"bytes": one, "path": None} for one in pictures]
    rows = {"image": images, "caption": list("abcdefgh"), "label": [0, 1] * 4}
    data = datasets.Dataset.from_dict(rows, features)
    data.save_to_disk(str(tmp_path / "one"), num_shards=2)
    datasets.DatasetDict({"train": data, "test": data.select([5, 1])}).save_to_disk(str(tmp_path / "both"))
    one = read_source(str(tmp_path / "one")).pairs
    assert [(p.picture.content(), p.captions, p.label) for p in one] == [
        (image, (caption,), label)
        for image, caption, label in zip(pictures, "abcdefgh", ["cat", "dog"] * 4, strict=True)
    ]
    test = read_source(str(tmp_path / "both"), prefer=["test"])
    assert (test.split, [pair.captions for pair in test.pairs]) == ("test", [("f",), ("b",)])
    assert np.unique([pair.key for pair in read_source(str(tmp_path / "both")).pairs]).size == 10


def test_what_is_damaged_is_refused_by_name(tmp_path, pictures):
    for suffix in (".parquet", ".arrow", ".feather"):
        path = write(tmp_path / f"t{suffix}", table_of(pictures, ["a"] * 8))
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(DataError, match=rf"t\{suffix} is not a complete (Parquet|Arrow) file"):
            read_source(str(path))
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "dataset_info.json").write_text("{}")
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../t.arrow"}]}))
    with pytest.raises(DataError, match=r"is incomplete: .*saved/t\.arrow is missing"):
        read_source(str(saved))
    (saved / "state.json").write_text("[")
    with pytest.raises(DataError, match=r"state\.json cannot be read"):
        read_source(str(saved))


def test_a_picture_that_a_table_has_no_longer_is_a_bad_image(tmp_path, pictures):
    path = write(tmp_path / "t.parquet", table_of(pictures, ["a"] * 8))
    picture = read_source(str(path)).pairs[-1].picture
    write(path, table_of([b"no picture", None, None], ["a"] * 3))
    table_cells.forget_tables()
    with pytest.raises(BadImageError, match=r"t\.parquet, row 2 of group 3"):
        picture.load()
    with pytest.raises(BadImageError, match=r"row 1 of group 1: not an image of a known format"):
        TableImage(path, 0, 0, "image").load()
    with pytest.raises(BadImageError, match=r"row 2 of group 1: no picture"):
        TableImage(path, 0, 1, "image").load()
