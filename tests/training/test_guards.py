"""Guards: what a run must not forget."""

import json

import numpy as np
import pytest
import torch
from fine_tuned import fine_tuning_recipe
from safetensors.torch import load_file

from lexel.errors import DataError, UsageError
from lexel.evaluation.metrics.metric import proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.score import SourceScore
from lexel.training import guards
from lexel.training.run.interruption import Interruption
from lexel.training.trainer import InterruptedRunError, train

GUARDED = ('guard.sources=["scenes:16/test"]', "guard.templates=scene", "evaluation.times=4", "average.decay=0.5")


def scores(*shares: float):
    """Stands in for measuring: one of these shares each time, the last one ever after."""
    left = list(shares)

    def measure(encoder, source, templates) -> SourceScore:
        share = left.pop(0) if len(left) > 1 else left[0]
        hits = (np.arange(100) < 100 * share).astype(float)
        return SourceScore(source.name, "named right", proportion(hits, 0.1), Outcome(hits, np.arange(100)))

    return measure


def test_guards_are_measured_before_during_and_after_and_told_of(tiny_model, tmp_path, capsys):
    run = train(fine_tuning_recipe(tiny_model, (*GUARDED, "guard.most_lost=100")), tmp_path / "run")
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    measured = [line["evaluation"]["guard/scenes:16/test"] for line in lines if "evaluation" in line]
    assert len(measured) == 4
    said = capsys.readouterr().err
    assert "Guard scenes:16/test, named right: " in said
    assert "points (" in said
    card = (run.model / "README.md").read_text()
    assert "## What it kept" in card
    assert "| scenes:16/test | named right |" in card
    assert any("Guard scenes:16/test" in getattr(block, "text", "") for block in run.report.training)


def test_a_run_stops_where_a_guard_falls_and_gives_the_best_state_before(tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(guards, "measure_score", scores(0.5, 0.49, 0.3))
    run = train(fine_tuning_recipe(tiny_model, GUARDED), tmp_path / "run")
    said = capsys.readouterr().err
    assert (
        "Stopped after step 2: the guard scenes:16/test fell from 50.0 % to 30.0 %, and 2 points are allowed." in said
    )
    assert "The model is the one of step 1" in said
    steps = [
        json.loads(line)["step"] for line in (run.folder / "log.jsonl").read_text().splitlines() if '"loss"' in line
    ]
    assert max(steps) == 1  # counted from 0
    assert "Stopped after step 2" in (run.model / "README.md").read_text()
    monkeypatch.setattr(guards, "measure_score", scores(0.5))
    one = fine_tuning_recipe(tiny_model, (*GUARDED, "evaluation.times=4"))
    whole = train(one, tmp_path / "whole")
    stopped, went_on = (load_file(folder / "model" / "weights.safetensors") for folder in (run.folder, whole.folder))
    assert any(not torch.equal(stopped[name], went_on[name]) for name in stopped)


def test_a_guard_that_falls_at_once_leaves_the_starting_model(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(guards, "measure_score", scores(0.5, 0.1))
    run = train(fine_tuning_recipe(tiny_model, GUARDED), tmp_path / "run")
    before, after = (load_file(folder / "weights.safetensors") for folder in (tiny_model, run.model))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_that_was_cut_off_remembers_how_its_guards_stood(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(guards, "measure_score", scores(0.5, 0.49, 0.3))
    whole = train(fine_tuning_recipe(tiny_model, GUARDED), tmp_path / "whole")

    def ask_at_once(self: Interruption) -> Interruption:
        self.requested, self._previous = True, {}
        return self

    monkeypatch.setattr(guards, "measure_score", scores(0.5, 0.49, 0.5, 0.3))  # before, after 1, before again, after 2
    with monkeypatch.context() as stopped:
        stopped.setattr(Interruption, "__enter__", ask_at_once)
        with pytest.raises(InterruptedRunError):
            train(fine_tuning_recipe(tiny_model, GUARDED), tmp_path / "cut")
    resumed = train(fine_tuning_recipe(tiny_model, GUARDED), tmp_path / "cut")
    assert (resumed.model / "weights.safetensors").read_bytes() == (whole.model / "weights.safetensors").read_bytes()


def test_without_guards_it_is_said_how_far_the_embeddings_have_moved(tiny_model, tmp_path):
    run = train(fine_tuning_recipe(tiny_model), tmp_path / "run")
    card = (run.model / "README.md").read_text()
    assert "mean cosine of 0." in card
    assert "nothing else about forgetting was measured" in card


def test_guards_that_cannot_be_meant_are_refused(tiny_model, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "a.txt").write_text("no picture")
    with pytest.raises(DataError, match="has no images"):
        train(fine_tuning_recipe(tiny_model, (f'guard.sources=["{tmp_path / "bare"}"]',)), tmp_path / "run")
    with pytest.raises(UsageError, match="there twice"):
        fine_tuning_recipe(tiny_model, ('guard.sources=["scenes:16/test","scenes:16/test"]',))
    with pytest.raises(UsageError, match="what a model knew before"):
        fine_tuning_recipe(tiny_model, ('guard.sources=["scenes:16/test"]',), model={"architecture": "lexel-xs"})
