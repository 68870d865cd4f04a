"""Data sets in Hugging Face's caches, laid out as its libraries do."""

import json
from pathlib import Path

import pytest
from tars import jpeg

from lexel.data.readers import read_source
from lexel.data.readers.source import check_there
from lexel.errors import UsageError

arrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402 - after the check that it is there


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    for name in ("HF_DATASETS_CACHE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    return tmp_path


def table(*captions: str):
    pictures = [{"bytes": jpeg(number), "path": None} for number in range(len(captions))]
    return arrow.table({"image": pictures, "text": captions})


def prepared(home: Path, name: str, configuration: str, version: str = "abc", split: str = "train") -> None:
    folder = home / "datasets" / name / configuration / "0.0.0" / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_info.json").write_text(json.dumps({"splits": {}}))
    content = table(f"{configuration} {version}")
    with arrow.ipc.new_stream(str(folder / f"{name.rpartition('_')[2]}-{split}.arrow"), content.schema) as writer:
        writer.write_table(content)


def downloaded(home: Path, name: str) -> None:
    folder = home / "hub" / f"datasets--{name.replace('/', '--')}" / "snapshots" / "0123" / "data"
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        parquet.write_table(table(f"of {split}"), folder / f"{split}-00000-of-00001.parquet")


def said(source: str) -> list[str]:
    return [caption for pair in read_source(source).pairs for caption in pair.captions]


def test_what_datasets_has_prepared_is_found_by_name(home):
    prepared(home, "some___my_shapes", "default")
    prepared(home, "some___my_shapes", "default", split="test")
    assert said("hf-dataset:some/MyShapes") == ["default abc"] * 2
    assert said("hf-dataset:some/MyShapes/test") == ["default abc"]
    check_there("hf-dataset:some/MyShapes")


def test_one_of_several_configurations_has_to_be_named(home):
    for configuration in ("big", "small"):
        prepared(home, "shapes", configuration)
    with pytest.raises(UsageError, match="several configurations: big, small"):
        read_source("hf-dataset:shapes")
    assert said("hf-dataset:shapes:small") == ["small abc"]
    assert said("hf-dataset:shapes:small/train") == ["small abc"]


def test_a_repository_in_the_hub_s_cache_is_read_with_its_splits(home):
    downloaded(home, "some/shapes")
    assert said("hf-dataset:some/shapes/test") == ["of test"]
    assert set(read_source("hf-dataset:some/shapes").splits) == {"train", "test"}


def test_what_is_not_there_is_refused_with_what_there_is(home):
    downloaded(home, "some/shapes")
    for name in ("hf-dataset:some/shape", "hf-dataset:other", "hf-dataset:"):
        with pytest.raises(UsageError, match="It has some/shapes"):
            read_source(name)
    with pytest.raises(UsageError, match='no split "odd"'):
        read_source("hf-dataset:some/shapes/odd")
