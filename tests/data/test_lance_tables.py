"""Lance tables, as LanceDB keeps them: pictures inside or beside, copied once for each version."""

import numpy as np
import pytest
from tars import jpeg

from lexel.data.pairs import content_of
from lexel.data.readers import read_source
from lexel.errors import DataError, UsageError

arrow = pytest.importorskip("pyarrow")


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LEXEL_CACHE", str(tmp_path / "cache"))


def test_pictures_captions_and_splits_are_read_and_a_new_version_too(tmp_path):
    lance = pytest.importorskip("lance")
    contents = [jpeg(number) for number in range(600)]
    rows = {
        "image": contents,
        "caption": [f"picture {number}" for number in range(600)],
        "split": ["train", "val", "train"] * 200,
        "vector": arrow.FixedSizeListArray.from_arrays(np.zeros(1200, np.float32), 2),
    }
    lance.write_dataset(arrow.table(rows), str(tmp_path / "db" / "photos.lance"))
    for name in ("db/photos.lance", "db"):
        pairs = read_source(str(tmp_path / name)).pairs
        assert [pair.captions for pair in pairs] == [(f"picture {number}",) for number in range(600)]
        assert [content_of(pairs[row].picture) for row in (0, 255, 256, 599)] == [
            contents[0],
            *contents[255:257],
            contents[599],
        ]
        assert len(read_source(f"{tmp_path / name}/val").pairs) == 200
    assert len(list((tmp_path / "cache" / "lance").iterdir())) == 1
    lance.write_dataset(
        arrow.table({"image": contents[:3], "caption": ["x"] * 3}),
        str(tmp_path / "db" / "photos.lance"),
        mode="overwrite",
    )
    assert [pair.captions for pair in read_source(str(tmp_path / "db")).pairs] == [("x",)] * 3
    assert len(list((tmp_path / "cache" / "lance").iterdir())) == 1


def test_paths_in_a_table_are_relative_to_its_folder(tmp_path):
    lance = pytest.importorskip("lance")
    (tmp_path / "a.jpg").write_bytes(jpeg())
    lance.write_dataset(arrow.table({"file_name": ["a.jpg"], "caption": ["a dog"]}), str(tmp_path / "t.lance"))
    pair = read_source(str(tmp_path / "t.lance")).pairs[0]
    assert (pair.key, pair.captions, content_of(pair.picture)) == ("a.jpg", ("a dog",), jpeg())


def test_a_damaged_table_is_an_error_in_few_lines(tmp_path):
    pytest.importorskip("lance")
    (tmp_path / "t.lance" / "_versions").mkdir(parents=True)
    (tmp_path / "t.lance" / "_versions" / "1.manifest").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read") as error:
        read_source(str(tmp_path / "t.lance"))
    assert str(error.value).count("\n") < 3


def test_of_several_tables_one_has_to_be_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.lance" / "_versions").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"several tables: a\.lance, b\.lance"):
        read_source(str(tmp_path))


def test_without_the_library_it_is_said_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "t.lance" / "_versions").mkdir(parents=True)
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "lance.py").write_text("raise ModuleNotFoundError(name='lance')")
    monkeypatch.syspath_prepend(str(tmp_path / "without"))
    with pytest.raises(UsageError, match=r"needs lance.\n.*lexel\[lance\]"):
        read_source(str(tmp_path / "t.lance"))
