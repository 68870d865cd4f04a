"""Whole runs in two and three processes, beside the same runs in one."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import together
from safetensors.torch import load_file
from tiny import tiny_recipe

from lexel.checkpoints.model_folder.folder import open_model_folder
from lexel.data.readers import read_source
from lexel.errors import DataError
from lexel.training import trainer
from lexel.training.recipe import Recipe

STEPS = 16
STOP = 5  # where runs are interrupted


def recipe(pictures: Path, *changes: str) -> Recipe:
    """Batches that do not divide evenly, with pictures that cannot be read, and with random patches left out."""
    return tiny_recipe(
        (f"steps={STEPS}", "batch_size=17", "snapshot.every_steps=2", "evaluation.times=1", *changes),
        data={"sources": [{"source": str(pictures)}], "max_bad_share": 0.2, "workers": 0},
        model={
            "architecture": "lexel-xs",
            "image": {"width": 32, "depth": 1, "heads": 1, "patch_dropout": 0.25},
            "text": {"width": 32, "depth": 1, "heads": 1},
        },
    )


def run(described: Recipe, folder: Path) -> None:
    trainer.train(described, folder)


class _AskedAfter:
    """In the place of an Interruption: the last process is asked to stop after some steps."""

    def __init__(self) -> None:
        self.steps = 0

    def __enter__(self) -> "_AskedAfter":
        return self

    def __exit__(self, *_: object) -> None: ...

    @property
    def requested(self) -> bool:
        self.steps += 1
        last = int(os.environ.get("WORLD_SIZE", "1")) - 1
        return self.steps >= STOP and int(os.environ.get("RANK", "0")) == last


def run_interrupted(described: Recipe, folder: Path) -> None:
    """Raises what an interrupted run raises, after `STOP` steps."""
    real: Callable[[], Any] = trainer.Interruption
    trainer.Interruption = _AskedAfter  # pyright: ignore[reportAttributeAccessIssue]
    try:
        trainer.train(described, folder)
    finally:
        trainer.Interruption = real  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty with captions, and four that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    rows = ["file_name,caption"]
    for number, pair in enumerate(read_source("scenes:40/train").pairs):
        pair.picture.load().save(folder / f"{number}.png")
        rows.append(f'{number}.png,"{pair.captions[0]}"')
    for number in range(4):
        (folder / f"bad{number}.png").write_bytes(b"not a picture")
        rows.append(f"bad{number}.png,a broken thing")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def runs(pictures, tmp_path_factory) -> Path:
    """A folder of runs, each named by the numbers of processes that it was in."""
    folder = tmp_path_factory.mktemp("runs")
    plain, sharded = recipe(pictures), recipe(pictures, "parallel.shard=towers")
    run(plain, folder / "1")
    with pytest.raises(trainer.InterruptedRunError):
        run_interrupted(plain, folder / "1, 2")
    with pytest.raises(trainer.InterruptedRunError):
        run_interrupted(plain, folder / "1, 2 sharded")
    stopped, *_ = together(
        2,
        [
            (run_interrupted, (plain, folder / "2, 1")),
            (run, (plain, folder / "2")),
            (run, (sharded, folder / "2 sharded")),
            (run, (recipe(pictures, "micro_batch=3"), folder / "1, 2")),
            (run, (recipe(pictures, "micro_batch=4", "parallel.shard=towers"), folder / "1, 2 sharded")),
        ],
    )
    assert f"Stopped after step {STOP} of {STEPS}" in str(stopped[0])
    assert stopped[1].code == trainer.InterruptedRunError.exit_status
    run(plain, folder / "2, 1")
    too_many = recipe(pictures, "data.max_bad_share=0.05")
    refused = together(3, [(run, (plain, folder / "3")), (run, (too_many, folder / "refused"))])[1]
    assert isinstance(refused[0], DataError)
    assert [other.code for other in refused[1:]] == [DataError.exit_status] * 2
    return folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "weights.safetensors")


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def training_pictures(run: Path) -> list[int]:
    learned = open_model_folder(run / "model").training_pictures()
    return [] if learned is None else learned.hashes.tolist()


MANNERS = ("2", "3", "2 sharded", "2, 1", "1, 2", "1, 2 sharded")


@pytest.mark.parametrize("manner", MANNERS)
def test_the_model_knows_the_same_pictures_as_of_one_process(runs, manner):
    assert training_pictures(runs / manner) == training_pictures(runs / "1")
    assert len(training_pictures(runs / "1")) > 30


@pytest.mark.parametrize("manner", MANNERS)
def test_the_weights_are_those_of_one_process(runs, manner):
    alone = weights(runs / "1")
    for name, value in weights(runs / manner).items():
        torch.testing.assert_close(value, alone[name], rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("manner", MANNERS)
def test_losses_and_measurements_are_those_of_one_process(runs, manner):
    def told(run: Path) -> list[float]:
        losses = [line["loss"] for line in lines(run) if "loss" in line]
        return losses + [value for line in lines(run) for value in line.get("evaluation", {}).values()]

    assert told(runs / manner) == pytest.approx(told(runs / "1"), rel=1e-3)


@pytest.mark.parametrize("manner", MANNERS)
def test_bad_pictures_are_named_once_whichever_process_found_them(runs, manner):
    named = sorted(json.loads(line)["key"] for line in (runs / manner / "bad-images.jsonl").read_text().splitlines())
    assert named == sorted(json.loads(line)["key"] for line in (runs / "1/bad-images.jsonl").read_text().splitlines())
    assert named
    assert len(set(named)) == len(named)


def start(count: int, described: Recipe, folder: Path, *options: str) -> subprocess.Popen[str]:
    """`torchrun -m lexel train` with `count` processes."""
    saved = folder.parent / "tiny.json"
    saved.write_text(described.model_dump_json(exclude_none=True))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", *options]
    return subprocess.Popen(
        [*torchrun, "-m", "lexel", "train", str(saved), "--output", str(folder)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def process_of(agent: int, rank: int) -> int:
    """The pid of the process of this rank below torchrun's."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            its = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if parent == agent and f"RANK={rank}".encode() in its:
            return int(entry.name)
    raise AssertionError(f"no process of rank {rank}")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the process in /proc")
def test_a_killed_process_ends_the_others_with_the_reason_and_torchrun_starts_them_again(runs, pictures, tmp_path):
    folder = tmp_path / "run"
    process = start(2, recipe(pictures), folder, "--max-restarts=1")
    log = folder / "log.jsonl"
    while process.poll() is None and (not log.exists() or log.read_text().count("loss") < 3):
        time.sleep(0.01)
    os.kill(process_of(process.pid, rank=1), signal.SIGKILL)
    out, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    assert "rocess 1 of 2" in said
    assert "The same command goes on from the last snapshot." in said
    assert "Going on after step" in said
    assert out.count("Model ") == 1  # said by one process
    again, whole = weights(folder), weights(runs / "2")
    assert all(torch.equal(again[name], whole[name]) for name in whole)
