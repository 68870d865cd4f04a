import json
import math
from pathlib import Path

import pytest
import torch

from lexel.data.loader import Batch
from lexel.training.log import RunLog, StepTimes, read_log, seconds_in_log
from lexel.training.optimizer import StepResult
from lexel.training.step import StepLoss

NOTHING = torch.zeros(2, dtype=torch.int64)
BATCH = Batch(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, keys=("a", "b"), bad=())


def took(seconds: float) -> StepTimes:
    times = StepTimes()
    times._end = times._start + seconds
    return times


def write_steps(folder: Path, start: int, stop: int, loss: float = 2.0, skipped: bool = False) -> None:
    """Log the steps from `start` to before `stop`, half a second each, of a run of ten."""
    with RunLog(folder, start, 10, seconds_in_log(folder) if start else 0.0) as log:
        for step in range(start, stop):
            log.step(step, BATCH, StepLoss(loss, 0.5, 14.0), StepResult(1e-3, 1.0, skipped), took(0.5))


def test_every_step_gets_a_line_with_its_numbers(tmp_path):
    write_steps(tmp_path, 0, 2)
    lines = read_log(tmp_path)
    assert [line["step"] for line in lines] == [0, 1]
    assert lines[1] == {
        "step": 1,
        "loss": 2.0,
        "accuracy": 0.5,
        "logit_scale": 14.0,
        "learning_rate": 1e-3,
        "gradient_norm": 1.0,
        "pairs_per_second": pytest.approx(4),
        "data_wait": 0,
        "seconds": pytest.approx(1),
    }
    assert list((tmp_path / "tensorboard").iterdir())


def test_lines_after_the_step_that_the_run_goes_on_with_are_forgotten(tmp_path):
    write_steps(tmp_path, 0, 6)
    write_steps(tmp_path, 3, 5, loss=1.0)
    assert [(line["step"], line["loss"]) for line in read_log(tmp_path)] == [(0, 2), (1, 2), (2, 2), (3, 1), (4, 1)]


@pytest.mark.parametrize("half", ['{"step": 2, "lo', "{}", "7", "\ufffd\x00"])
def test_a_half_line_of_a_killed_run_is_forgotten(tmp_path, half):
    write_steps(tmp_path, 0, 2)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write(half)
    with RunLog(tmp_path, 2, 10, 1.0):
        pass
    assert [line["step"] for line in read_log(tmp_path)] == [0, 1]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_null_and_its_batch_is_named(tmp_path, loss, capsys):
    write_steps(tmp_path, 0, 1, loss=loss, skipped=True)
    first, second = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(first, parse_constant=pytest.fail)["loss"] is None
    assert json.loads(second) == {"step": 0, "skipped": True, "keys": ["a", "b"]}


def test_an_evaluation_is_noted_and_told(tmp_path, capsys):
    with RunLog(tmp_path, 0, 10, 0.0) as log:
        with log.paused():
            pass
        log.evaluation(4, {"retrieval/image_to_text/recall@1": 0.25, "retrieval/image_to_text/median_rank": 7.0})
    assert read_log(tmp_path) == [
        {"step": 4, "evaluation": {"retrieval/image_to_text/recall@1": 0.25, "retrieval/image_to_text/median_rank": 7}}
    ]


def test_the_last_step_is_told_where_there_is_no_terminal(tmp_path, capsys):
    write_steps(tmp_path, 0, 10)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "step 10/10  loss 2.000  in-batch accuracy 50%" in said


def test_the_seconds_of_a_continued_run_add_up(tmp_path):
    write_steps(tmp_path, 0, 4)
    write_steps(tmp_path, 4, 6)
    assert seconds_in_log(tmp_path) == pytest.approx(3)


def test_waiting_is_the_time_until_the_data_was_ready():
    times = StepTimes()
    times.data_ready()
    times.done()
    assert 0 <= times.waiting <= times.total
