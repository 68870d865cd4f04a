import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from processes import kill_when, start_training, steps_logged
from safetensors.torch import load_file
from tiny import tiny_recipe

from lexel.checkpoints.model_folder.folder import open_model_folder
from lexel.data.pairs import ImageFile
from lexel.data.picture_hash import hash_of
from lexel.data.readers import read_source
from lexel.errors import DataError, UsageError
from lexel.training import trainer
from lexel.training.run.folder import RunFolder
from lexel.training.trainer import Run, train


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.model / "weights.safetensors")


def same_bits(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def training_pictures(run: Run) -> list[int]:
    learned = open_model_folder(run.model).training_pictures()
    return [] if learned is None else learned.hashes.tolist()


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def evaluations(folder: Path) -> list[tuple[int, dict[str, float]]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["evaluation"]) for line in lines if "evaluation" in line]


def test_a_run_leaves_model_report_curves_log_and_card(tiny_run):
    left = {path.name for path in tiny_run.folder.iterdir()}
    assert left >= {"model", "report", "curves.png", "log.jsonl", "recipe.json", "snapshots", "tensorboard"}
    assert len(losses(tiny_run.folder)) == 8
    assert "scenes:48/train" in (tiny_run.model / "README.md").read_text()


@pytest.mark.parametrize("workers", [1, 4])
def test_the_number_of_workers_does_not_change_a_bit(tiny_run, tmp_path, workers):
    other = train(tiny_recipe((f"data.workers={workers}",)), tmp_path / "run")
    assert same_bits(weights(tiny_run), weights(other))


def test_another_seed_gives_other_weights(tiny_run, tmp_path):
    assert not same_bits(weights(tiny_run), weights(train(tiny_recipe(("seed=1",)), tmp_path / "run")))


# Steps slow enough to be killed in, with everything that draws random numbers in a step turned on.
KILLABLE = (
    "steps=30", "snapshot.every_steps=4", "model.image.patch_dropout=0.25", "ramp.size_from=0.5",
    "ramp.patch_dropout_from=0.5", "data.workers=1", "batch_size=48",
)  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Run:
    return train(tiny_recipe(KILLABLE), tmp_path_factory.mktemp("whole") / "run")


def test_a_killed_run_continues_to_the_same_weights(tmp_path, uninterrupted):
    folder = tmp_path / "run"
    for step in (2, 9, 17):
        process = start_training(tiny_recipe(KILLABLE), folder)
        kill_when(process, lambda after=step: steps_logged(folder) > after)
    finished = train(tiny_recipe(KILLABLE), folder)
    assert same_bits(weights(uninterrupted), weights(finished))
    assert losses(folder) == losses(uninterrupted.folder)
    assert training_pictures(finished) == training_pictures(uninterrupted)


@pytest.mark.parametrize("done", [4, 8])
def test_an_evaluation_that_a_kill_has_prevented_is_made_up_for(tiny_run, tmp_path, monkeypatch, done):
    class KilledError(Exception): ...

    def kill(*_: object) -> None:
        raise KilledError

    recipe = tiny_recipe(("snapshot.every_steps=4",))
    real = trainer._measure
    monkeypatch.setattr(trainer, "_measure", lambda *given: (kill if given[2] == done else real)(*given))
    with pytest.raises(KilledError):
        train(recipe, tmp_path / "run")
    monkeypatch.setattr(trainer, "_measure", real)
    train(recipe, tmp_path / "run")
    assert evaluations(tmp_path / "run") == evaluations(tiny_run.folder)


def test_a_run_of_fewer_steps_than_evaluations_is_measured_after_its_steps(tmp_path):
    run = train(tiny_recipe(("steps=1", "evaluation.times=4")), tmp_path / "run")
    assert [step for step, _ in evaluations(run.folder)] == [0]


def test_ctrl_c_saves_and_leaves_cleanly_and_the_same_command_goes_on(tmp_path, uninterrupted):
    folder = tmp_path / "run"
    recipe = tmp_path / "recipe.json"
    recipe.write_text(tiny_recipe(KILLABLE).model_dump_json(exclude_none=True))
    command = [sys.executable, "-m", "lexel", "train", str(recipe), "--output", str(folder)]
    with subprocess.Popen(command, text=True, stderr=subprocess.PIPE, start_new_session=True) as process:
        while process.poll() is None and steps_logged(folder) <= 5:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)  # to the workers too, as a terminal does
        _, said = process.communicate()
    assert process.returncode == 130
    assert "The same command goes on from there" in said
    assert "Traceback" not in said
    step = max(int(path.name[5:12]) for path in (folder / "snapshots").iterdir())
    assert step == len(losses(folder))
    assert same_bits(weights(uninterrupted), weights(train(tiny_recipe(KILLABLE), folder)))


def test_a_finished_run_is_not_trained_again(tiny_run, capsys):
    before = (tiny_run.folder / "log.jsonl").read_bytes()
    again = train(tiny_recipe(), tiny_run.folder)
    assert "finished" in capsys.readouterr().err
    assert again.training_seconds == tiny_run.training_seconds
    assert (tiny_run.folder / "log.jsonl").read_bytes() == before


def test_a_folder_of_another_run_is_left_alone(tiny_run):
    with pytest.raises(UsageError, match="holds a run of another recipe: seed was 0 and is now 3"):
        train(tiny_recipe(("seed=3",)), tiny_run.folder)


def test_a_run_does_not_go_on_with_other_data(tmp_path):
    folder = RunFolder.open(tmp_path / "run", tiny_recipe())
    with pytest.raises(UsageError, match="pairs have changed"):
        folder.check_data("abc", "def")


def make_folder_of_pictures(folder: Path, good: int, bad: int) -> Path:
    folder.mkdir()
    rows = ["file_name,caption"]
    for number, pair in enumerate(read_source(f"scenes:{good}/train").pairs):
        pair.picture.load().save(folder / f"{number}.png")
        rows.append(f'{number}.png,"{pair.captions[0]}"')
    for number in range(bad):
        (folder / f"bad{number}.png").write_bytes(b"not a picture")
        rows.append(f"bad{number}.png,a broken thing")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


def test_bad_pictures_are_named_once_and_training_goes_on(tmp_path):
    source = make_folder_of_pictures(tmp_path / "pictures", good=38, bad=2)
    recipe = tiny_recipe(data={"sources": [{"source": str(source)}], "max_bad_share": 0.06, "workers": 0})
    run = train(recipe, tmp_path / "run")
    named = [json.loads(line) for line in (run.folder / "bad-images.jsonl").read_text().splitlines()]
    assert sorted(line["key"] for line in named) == ["bad0.png", "bad1.png"]


def test_the_model_knows_the_pictures_of_its_steps_and_no_others(tmp_path):
    source = make_folder_of_pictures(tmp_path / "pictures", good=40, bad=0)
    recipe = tiny_recipe(("steps=1",), data={"sources": [{"source": str(source)}], "workers": 0})
    run = train(recipe, tmp_path / "run")
    learned = set(training_pictures(run))
    every = {hash_of(ImageFile(path)) for path in source.glob("*.png")}
    assert len(learned) == recipe.batch_size
    assert learned < every
    Path(run.folder / "training-pictures.safetensors").unlink()
    [snapshot] = (run.folder / "snapshots").iterdir()
    assert snapshot.exists()
    shutil.rmtree(run.model)
    assert set(training_pictures(train(recipe, run.folder))) == learned, "a lost set is made again from the files"


def test_a_fine_tuned_model_knows_the_pictures_of_the_model_it_began_from_too(tiny_run, tmp_path):
    recipe = tiny_recipe(
        ("steps=1",),
        model={"weights": str(tiny_run.model)},
        data={"sources": [{"source": "scenes:20/train?seed=5"}], "templates": "scene", "workers": 0},
        tokenizer={},
    )
    learned = set(training_pictures(train(recipe, tmp_path / "run")))
    assert learned > set(training_pictures(tiny_run))
    assert len(learned) == 48 + 16


def test_a_model_whose_pictures_a_frozen_tower_has_embedded_knows_them(tiny_run, tmp_path):
    recipe = tiny_recipe(
        ("steps=2", "freeze.image=true"),
        model={"architecture": "lexel-xs", "image_weights": str(tiny_run.model)},
        data={"sources": [{"source": "scenes:20/train?seed=5"}], "templates": "scene", "workers": 0},
    )
    learned = training_pictures(train(recipe, tmp_path / "run"))
    assert set(learned) >= {hash_of(pair.picture) for pair in read_source("scenes:20/train?seed=5").pairs}


def test_copies_of_training_pictures_among_the_held_out_ones_are_told_in_the_report(tmp_path):
    source = make_folder_of_pictures(tmp_path / "pictures", good=40, bad=0)
    held_out = shutil.copytree(source, tmp_path / "copies")
    recipe = tiny_recipe(
        data={"sources": [{"source": str(source)}], "workers": 0}, evaluation={"source": str(held_out), "times": 1}
    )
    report = train(recipe, tmp_path / "run").report
    assert report.sources[0].warnings[0].startswith("40 of the 40 pictures are ones that the model has learned from")


def test_too_many_bad_pictures_stop_the_run_and_say_where_they_are_named(tmp_path):
    source = make_folder_of_pictures(tmp_path / "pictures", good=30, bad=10)
    recipe = tiny_recipe(data={"sources": [{"source": str(source)}], "workers": 0})
    with pytest.raises(DataError, match=r"(?s)cannot be read.*bad-images\.jsonl"):
        train(recipe, tmp_path / "run")


def test_training_learns(tmp_path):
    """Forty steps on sixty-four pairs: the loss falls well below that of guessing, log(32)."""
    recipe = tiny_recipe(
        ("steps=40", "batch_size=32", "optimizer.learning_rate=0.003", "data.sources.0.source=scenes:64/train")
    )
    found = losses(train(recipe, tmp_path / "run").folder)
    assert sum(found[-5:]) / 5 < 0.75 * found[0]
