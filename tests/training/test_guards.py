"""Guards: what a run must not forget."""

import json

import pytest
import torch
from fine_tuned import fine_tuning_recipe, scores
from PIL import Image
from safetensors.torch import load_file

from lexel.data.readers import read_source
from lexel.errors import LexelError, UsageError
from lexel.training import guards
from lexel.training.run.interruption import Interruption
from lexel.training.trainer import InterruptedRunError, train

GUARDED = ('guard.sources=["scenes:16/test"]', "guard.templates=scene", "evaluation.times=4", "average.decay=0.5")


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
    assert said.count("Stopped after step 2") == 1
    assert "The model is the one of step 1" in said
    assert "lexel models blend" in said
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


def test_a_guard_that_falls_at_once_leaves_the_starting_model(tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(guards, "measure_score", scores(0.5, 0.1))
    run = train(fine_tuning_recipe(tiny_model, GUARDED), tmp_path / "run")
    before, after = (load_file(folder / "weights.safetensors") for folder in (tiny_model, run.model))
    assert all(torch.equal(before[name], after[name]) for name in before)
    said = capsys.readouterr().err
    assert "The model is the starting model" in said
    assert "lexel models blend" not in said  # of one model with itself


def test_a_guard_that_falls_at_the_last_measurement_is_told_of(tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(guards, "measure_score", scores(0.5, 0.5, 0.5, 0.5, 0.3))
    train(fine_tuning_recipe(tiny_model, GUARDED), tmp_path / "run")
    assert capsys.readouterr().err.count("Stopped after step 4") == 1


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


def test_guards_that_cannot_be_meant_are_refused_before_anything_is_written(tiny_model, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "a.txt").write_text("no picture")
    (tmp_path / "silent").mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "silent" / f"{number}.png")
    for guard, reason in (
        (tmp_path / "bare", "has no images"),
        (tmp_path / "nowhere", "nowhere"),
        (tmp_path / "silent", "has 0 distinct labels"),
    ):
        with pytest.raises(LexelError, match=f"guard: .*{reason}"):
            train(fine_tuning_recipe(tiny_model, (f'guard.sources=["{guard}"]',)), tmp_path / "run")
        assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="there twice"):
        fine_tuning_recipe(tiny_model, ('guard.sources=["scenes:16/test","scenes:16/test"]',))
    with pytest.raises(UsageError, match="what a model knew before"):
        fine_tuning_recipe(tiny_model, ('guard.sources=["scenes:16/test"]',), model={"architecture": "lexel-xs"})


def test_a_guard_that_is_learned_from_is_warned_of(tiny_model, tmp_path, capsys):
    folder = tmp_path / "red"
    for number, pair in enumerate(read_source("scenes:20/train").pairs):
        (folder / f"kind {number % 2}").mkdir(parents=True, exist_ok=True)
        pair.picture.load().save(folder / f"kind {number % 2}" / f"{number}.png")
    recipe = fine_tuning_recipe(
        tiny_model,
        (f'guard.sources=["{folder}"]', "guard.most_lost=100"),
        data={"sources": [{"source": str(folder)}], "workers": 0},
    )
    train(recipe, tmp_path / "run")
    assert "the run learns from 20 of its 20 pictures" in capsys.readouterr().err
