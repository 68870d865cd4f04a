"""The stream of training samples from shards: the same for any number of workers and processes, from any start."""

from pathlib import Path

import pytest
from streams import stream
from tars import captioned, write_tar

from lexel.data.loader import TrainingSource
from lexel.data.readers import read_source

STEPS = 8  # of 8 samples: nearly two epochs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    for number in range(4):
        write_tar(folder / f"{number:04d}.tar", captioned(range(number * 100, number * 100 + 9)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEXEL_CACHE", str(folder / "cache"))
        read_source(str(folder))
    return folder


@pytest.fixture(autouse=True)
def _cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXEL_CACHE", str(folder / "cache"))


def sources(folder: Path) -> list[TrainingSource]:
    return [TrainingSource(read_source(str(folder)).pairs, 1.0, ("a {}",))]


@pytest.fixture(scope="module")
def alone(folder: Path) -> list[tuple[str, bytes, bytes]]:
    return stream(sources(folder), STEPS)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_it_is_the_same_for_any_number_of_workers(folder, alone, workers):
    assert stream(sources(folder), STEPS, workers=workers) == alone


@pytest.mark.parametrize("workers", [0, 2])
def test_it_is_the_same_for_two_processes(folder, alone, workers):
    assert stream(sources(folder), STEPS, workers=workers, ranks=2) == alone


@pytest.mark.parametrize("start", [1, 5, 7])
def test_a_start_in_the_middle_equals_the_tail(folder, alone, start):
    assert stream(sources(folder), STEPS, start=start) == alone[start * 8 :]


def test_an_epoch_shows_every_sample_once(folder, alone):
    keys = [key for key, _, _ in alone]
    assert len(set(keys[:36])) == 36
    assert keys[:28] != keys[36:]
