"""Runs with an average of the weights: what they leave, and that being killed changes nothing."""

import json
from pathlib import Path

import pytest
import torch
from processes import kill_when, start_training
from safetensors.torch import load_file
from tiny import tiny_recipe

from lexel.errors import UsageError
from lexel.training.run.folder import RunFolder
from lexel.training.snapshots import newest_snapshot
from lexel.training.trainer import Run, train

AVERAGED = (
    "average.decay=0.9",
    "optimizer.kind=muon",
    "optimizer.layer_decay=0.8",
    "steps=24",
    "batch_size=48",
    "snapshot.every_steps=1",
)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tiny_recipe(AVERAGED), tmp_path_factory.mktemp("averaged") / "run")


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.model / "weights.safetensors")


def evaluations(run: Run) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    return [line["evaluation"] for line in lines if "evaluation" in line]


def test_the_model_folder_holds_the_averaged_weights(averaged):
    snapshot = newest_snapshot(averaged.folder / "snapshots")
    assert snapshot is not None
    found = weights(averaged)
    for name in ("image.projection.weight", "logit_scale"):
        assert torch.equal(found[name], snapshot.tensors[f"average.{name}"])
        assert not torch.equal(found[name], snapshot.tensors[f"clip.{name}"])


def test_both_are_measured_during_the_run_and_the_report_is_of_the_average(averaged):
    during = evaluations(averaged)
    assert len(during) == 2
    for metrics in during:
        own = {name for name in metrics if not name.startswith("average/")}
        assert {f"average/{name}" for name in own} == metrics.keys() - own
        assert own
    final = averaged.report.metrics()
    assert {f"average/{name}": value for name, value in final.items()}.items() <= during[-1].items()


def steps_on_disk(folder: Path) -> int:
    return max((int(path.name[5:12]) for path in (folder / "snapshots").glob("step-*")), default=0)


def test_a_run_killed_in_the_middle_of_writing_ends_in_the_same_average(tmp_path, averaged):
    """A snapshot is written after every step, so whenever the process dies it is writing one."""
    folder = tmp_path / "run"
    for until in (3, 13):
        process = start_training(tiny_recipe(AVERAGED), folder)
        kill_when(process, lambda wanted=until: steps_on_disk(folder) >= wanted)
        assert steps_on_disk(folder) < 24
    finished = train(tiny_recipe(AVERAGED), folder)
    first, second = weights(averaged), weights(finished)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert evaluations(finished) == evaluations(averaged)


def test_a_run_does_not_go_on_with_another_vocabulary(tmp_path):
    folder = RunFolder.open(tmp_path / "run", tiny_recipe())
    folder.check_tokenizer("abc", "abc")
    with pytest.raises(UsageError, match="tokenizer has changed"):
        folder.check_tokenizer("abc", "def")


def test_the_snapshot_knows_its_vocabulary(averaged):
    snapshot = newest_snapshot(averaged.folder / "snapshots")
    assert snapshot is not None
    assert len(snapshot.facts["tokenizer"]) == 16
