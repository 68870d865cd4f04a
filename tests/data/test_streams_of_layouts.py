"""In each layout the stream of training samples is the same for any number of workers and ranks, and from any start."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streams import stream
from tars import captioned, jpeg, write_tar

from lexel.data.loader import TrainingSource
from lexel.data.packing import PackSettings, pack
from lexel.data.readers import read_source
from lexel.data.readers.tables.caption_columns import Captions

COUNT, STEPS = 20, 5  # pairs; steps of 8: two epochs


def photos(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(COUNT):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    return folder


def texts_beside(folder: Path) -> str:
    for path in photos(folder).glob("*.jpg"):
        path.with_suffix(".txt").write_text(f"picture {path.stem}\nanother {path.stem}")
    return str(folder)


def classes(folder: Path) -> str:
    for number in range(COUNT):
        (folder / f"class{number % 3}").mkdir(parents=True, exist_ok=True)
        (folder / f"class{number % 3}" / f"{number}.jpg").write_bytes(jpeg(number))
    return str(folder)


def rows() -> list[dict[str, str]]:
    return [{"file": f"{n}.jpg", "title": f"picture {n}", "colour": f"colour {n % 4}"} for n in range(COUNT)]


def csv(folder: Path) -> str:
    lines = ["file,title,colour", *(",".join(row.values()) for row in rows())]
    (photos(folder) / "t.csv").write_text("\n".join(lines))
    return str(folder / "t.csv")


def json_lines(folder: Path) -> str:
    (photos(folder) / "t.jsonl").write_text("\n".join(map(json.dumps, rows())))
    return str(folder / "t.jsonl")


def parquet(folder: Path) -> str:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    folder.mkdir(parents=True)
    pictures = [jpeg(number) for number in range(COUNT)]
    table = arrow.Table.from_pylist([{**row, "image": picture} for row, picture in zip(rows(), pictures, strict=True)])
    write_table(table.drop_columns("file"), folder / "t.parquet", row_group_size=6)
    return str(folder / "t.parquet")


def arrow_file(folder: Path) -> str:
    arrow = pytest.importorskip("pyarrow")
    folder.mkdir(parents=True)
    table = arrow.table({"image": [jpeg(n) for n in range(COUNT)], "title": [f"picture {n}" for n in range(COUNT)]})
    with arrow.ipc.new_file(str(folder / "t.arrow"), table.schema) as file:
        file.write_table(table, max_chunksize=6)
    return str(folder / "t.arrow")


def shards(folder: Path) -> str:
    write_tar(folder / "0.tar", captioned(range(12)))
    write_tar(folder / "1.tar", captioned(range(12, COUNT)))
    return str(folder)


def packed(folder: Path) -> str:
    source = csv(folder / "from")
    weights = {"title": 0.7, "a {colour} thing": 0.3}
    pack(source, lambda name: read_source(name, caption=weights), folder / "packed", PackSettings(shard_pairs=6))
    return str(folder / "packed")


def coco(folder: Path) -> str:
    photos(folder / "val2017")
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in range(COUNT)]
    said = [{"image_id": number, "caption": f"picture {number} {again}"} for number in range(COUNT) for again in "ab"]
    (folder / "annotations").mkdir()
    (folder / "annotations" / "captions_val2017.json").write_text(json.dumps({"images": images, "annotations": said}))
    return str(folder)


WEIGHTS = {"title": 0.7, "a {colour} thing": 0.3}
LAYOUTS: dict[str, list[tuple[Callable[[Path], str], Captions, float]]] = {
    "texts beside": [(texts_beside, None, 1.0)],
    "class folders": [(classes, None, 1.0)],
    "csv with weights": [(csv, WEIGHTS, 1.0)],
    "json lines": [(json_lines, ["title", "a {colour} thing"], 1.0)],
    "parquet": [(parquet, "title", 1.0)],
    "arrow": [(arrow_file, None, 1.0)],
    "coco": [(coco, None, 1.0)],
    "packed with weights": [(packed, None, 1.0)],
    "mixture": [(shards, None, 0.6), (parquet, "title", 1.5), (csv, WEIGHTS, 0.4)],
}


@pytest.fixture(scope="module", params=LAYOUTS)
def sources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSource]:
    folder = tmp_path_factory.mktemp("layout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXEL_CACHE", str(folder / "cache"))
        return [
            TrainingSource(read_source(make(folder / str(number)), caption=caption).pairs, weight, ("a {}", "one {}"))
            for number, (make, caption, weight) in enumerate(LAYOUTS[request.param])
        ]


@pytest.fixture(scope="module")
def alone(sources: list[TrainingSource]) -> list[tuple[str, bytes, bytes]]:
    return stream(sources, STEPS)


def test_workers_and_processes_change_nothing(sources, alone):
    assert len(alone) == STEPS * 8
    assert stream(sources, STEPS, ranks=2) == alone
    assert stream(sources, STEPS, workers=2, ranks=2) == alone
    assert stream(sources, STEPS, workers=1) == alone


@pytest.mark.parametrize("start", [1, 4])
def test_a_start_at_any_step_gives_the_rest(sources, alone, start):
    assert stream(sources, STEPS, start=start) == alone[start * 8 :]


def test_four_workers_of_a_mixture_make_the_stream_of_none(request, sources, alone):
    if len(sources) > 1:
        assert stream(sources, STEPS, workers=4) == alone
