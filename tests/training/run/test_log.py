import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from lexel.training.metering import meter
from lexel.training.metering.meter import Meter
from lexel.training.metering.work import Work
from lexel.training.optimization.optimizer import StepResult
from lexel.training.run.log import RunLog, StepTimes, read_log, seconds_in_log
from lexel.training.step.gradients import StepLoss

KEYS = ("a", "b")
PEAK = 1e9


@pytest.fixture(autouse=True)
def a_known_machine(monkeypatch):
    monkeypatch.setattr(meter, "matmul_peak", lambda device, precision: PEAK)
    monkeypatch.setattr(meter, "peak_memory", lambda device: 3_200_000_000)


def small_meter() -> Meter:
    return Meter(torch.device("cpu"), torch.float32)


def measured(loss: float = 2.0, flops: int | None = 1_000_000) -> StepLoss:
    """A step on captions of nine tokens in all."""
    return StepLoss(loss, {"accuracy": 0.5, "logit_scale": 14.0}, Work(tokens=9, flops=flops))


def took(seconds: float) -> StepTimes:
    times = StepTimes()
    times._end = times._start + seconds
    return times


def write_steps(folder: Path, start: int, stop: int, loss: float = 2.0, skipped: bool = False) -> None:
    """Log the steps from `start` to before `stop`, half a second each, of a run of ten."""
    with RunLog(folder, start, 10, seconds_in_log(folder) if start else 0.0, small_meter()) as log:
        for step in range(start, stop):
            log.step(step, len(KEYS), measured(loss), StepResult(1e-3, 1.0, skipped), took(0.5))
            if skipped:
                log.skipped(step, KEYS)


def step_lines(folder: Path) -> list[dict[str, Any]]:
    """What the log says of steps."""
    return [line for line in read_log(folder) if "loss" in line]


def test_every_step_gets_a_line_with_its_numbers(tmp_path):
    write_steps(tmp_path, 0, 2)
    lines = step_lines(tmp_path)
    assert [line["step"] for line in lines] == [0, 1]
    assert lines[1] == {
        "step": 1,
        "loss": 2.0,
        "accuracy": 0.5,
        "logit_scale": 14.0,
        "learning_rate": 1e-3,
        "gradient_norm": 1.0,
        "data_wait": 0,
        "pairs_per_second": pytest.approx(4),
        "tokens_per_second": pytest.approx(18),
        "model_flops_per_second": pytest.approx(2e6),
        "mfu": pytest.approx(2e6 / PEAK),
        "memory": 3_200_000_000,
        "seconds": pytest.approx(1),
    }
    assert list((tmp_path / "tensorboard").iterdir())


def test_the_machine_is_noted_whenever_the_run_goes_on(tmp_path):
    write_steps(tmp_path, 0, 4)
    write_steps(tmp_path, 2, 3)
    machines = [(line["step"], line["machine"]) for line in read_log(tmp_path) if "machine" in line]
    assert machines == [(0, small_meter().facts()), (2, small_meter().facts())]


def test_what_is_not_known_is_null_and_not_told(tmp_path, capsys):
    with RunLog(tmp_path, 9, 10, 0.0, small_meter()) as log:
        log.step(9, len(KEYS), measured(flops=None), StepResult(1e-3, 1.0, False), took(0.5))
    assert step_lines(tmp_path)[0]["mfu"] is None
    assert "MFU" not in capsys.readouterr().err


def test_the_numbers_of_any_objective_are_logged(tmp_path, capsys):
    with RunLog(tmp_path, 9, 10, 0.0, small_meter()) as log:
        loss = StepLoss(2.5, {"teacher_cosine": 0.75}, Work(tokens=None, flops=None))
        log.step(9, len(KEYS), loss, StepResult(1e-3, 1.0, False), took(0.5))
    assert step_lines(tmp_path)[0]["teacher_cosine"] == 0.75
    assert "step 10/10  loss 2.500  4 pairs/s" in capsys.readouterr().err


def test_lines_after_the_step_that_the_run_goes_on_with_are_forgotten(tmp_path):
    write_steps(tmp_path, 0, 6)
    write_steps(tmp_path, 3, 5, loss=1.0)
    assert [(line["step"], line["loss"]) for line in step_lines(tmp_path)] == [(0, 2), (1, 2), (2, 2), (3, 1), (4, 1)]


@pytest.mark.parametrize("half", ['{"step": 2, "lo', "{}", "7", "\ufffd\x00"])
def test_a_half_line_of_a_killed_run_is_forgotten(tmp_path, half):
    write_steps(tmp_path, 0, 2)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write(half)
    with RunLog(tmp_path, 2, 10, 1.0, small_meter()):
        pass
    assert [line["step"] for line in step_lines(tmp_path)] == [0, 1]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_null_and_its_batch_is_named(tmp_path, loss, capsys):
    write_steps(tmp_path, 0, 1, loss=loss, skipped=True)
    _, first, second = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(first, parse_constant=pytest.fail)["loss"] is None
    assert json.loads(second) == {"step": 0, "skipped": True, "keys": ["a", "b"]}


def test_an_evaluation_is_noted_and_told(tmp_path, capsys):
    with RunLog(tmp_path, 0, 10, 0.0, small_meter()) as log:
        with log.paused():
            pass
        log.evaluation(4, {"retrieval/image_to_text/recall@1": 0.25, "retrieval/image_to_text/median_rank": 7.0})
    assert read_log(tmp_path)[1:] == [
        {"step": 4, "evaluation": {"retrieval/image_to_text/recall@1": 0.25, "retrieval/image_to_text/median_rank": 7}}
    ]


def test_names_in_brackets_are_shown_as_they_are(tmp_path, capsys):
    with RunLog(tmp_path, 0, 10, 0.0, small_meter()) as log:
        log.evaluation(4, {"shop[red]/x[/]/top1": 0.25})
    assert "[red]/x[/]" in capsys.readouterr().err


def test_the_last_step_is_told_where_there_is_no_terminal(tmp_path, capsys):
    write_steps(tmp_path, 0, 10)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "step 10/10  loss 2.000  accuracy 50%  4 pairs/s  MFU" in said
    assert "3.2 GB" in said


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_live_line_tells_as_much_as_there_is_room_for(tmp_path, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    with RunLog(tmp_path, 0, 390_625, 0.0, small_meter()) as log:
        log.step(0, len(KEYS), measured(2.0), StepResult(1e-3, 1.0, False), took(0.5))
        facts = list(log._facts())
        shown = log._fitting(facts)
    assert "  ".join(facts).startswith(shown)
    assert not shown or len(f"390625/390625 ━━━━━━━━━━━━ 123:45:59 {shown}") <= width
    assert (shown == "  ".join(facts)) == (width == 200)
    assert shown.startswith("loss 2.000") == (width >= 80)


def test_the_seconds_of_a_continued_run_add_up(tmp_path):
    write_steps(tmp_path, 0, 4)
    write_steps(tmp_path, 4, 6)
    assert seconds_in_log(tmp_path) == pytest.approx(3)


def test_waiting_is_the_time_until_the_data_was_ready():
    times = StepTimes()
    times.data_ready()
    times.done()
    assert 0 <= times.waiting <= times.total
