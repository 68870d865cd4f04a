import gzip
import json
import os
from pathlib import Path

import pytest
import torch
from tiny import tiny_recipe

from lexel.errors import UsageError
from lexel.training.profile import Profile, profile_run

STEPS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs") / "tiny-profile"


@pytest.fixture(scope="module")
def profile(folder) -> Profile:
    """Of a run that has fewer steps than are taken."""
    vision = {"kind": "vision_transformer", "image_size": 32, "patch_size": 8, "width": 32, "depth": 1, "heads": 1}
    model = tiny_recipe().model.model_copy(update={"image": vision}).model_dump(exclude_none=True)
    return profile_run(tiny_recipe(model=model, steps=3, micro_batch=8), STEPS, folder)


def test_the_phases_make_up_the_step(profile):
    assert sum(profile.phases.values()) == pytest.approx(profile.seconds)
    assert profile.phases.keys() >= {
        "data wait",
        "to device",
        "image tower forward",
        "text tower forward",
        "loss",
        "backward",
        "optimizer",
        "log",
    }
    assert all(seconds > 0 for seconds in profile.phases.values())


def test_the_operators_are_those_that_take_longest(profile):
    times = [operator.seconds for operator in profile.operators]
    assert times == sorted(times, reverse=True)
    assert {operator.name for operator in profile.operators} & {"aten::mm", "aten::addmm"}
    assert sum(operator.share for operator in profile.operators) < 1.2


def test_the_share_of_the_peak_is_told(profile):
    assert 0 < profile.mfu < 1.5
    assert profile.machine["device"] == "CPU"


def test_a_table_a_file_for_programs_and_a_trace_are_written_and_nothing_else(profile, folder):
    assert {path.name for path in folder.iterdir()} == {"profile.txt", "profile.json", "trace.json.gz"}
    assert (folder / "profile.txt").read_text() == profile.table() + "\n"
    assert json.loads((folder / "profile.json").read_text()) == json.loads(json.dumps(profile.facts()))
    with gzip.open(profile.trace, "rt") as file:
        names = [event.get("name") for event in json.load(file)["traceEvents"]]
    assert names.count("optimizer") == STEPS
    assert {"image tower forward", "backward", "data wait"} <= set(names)


def test_the_table_has_a_line_for_each_phase_and_operator(profile):
    table = profile.table()
    for name in (*profile.phases, *(operator.name for operator in profile.operators)):
        assert f"\n{name[:43]} " in table
    assert "tiny: 2 steps of 16 pairs on CPU in float32\n" in table


def test_the_profiler_says_nothing_of_itself_and_its_errors_are_told(tmp_path, monkeypatch, capfd):
    def start(profiler: torch.profiler.profile) -> None:
        real(profiler)
        os.write(2, b"ERROR: no such counter\n")

    real = torch.profiler.profile.start
    monkeypatch.setattr(torch.profiler.profile, "start", start)
    profile_run(tiny_recipe(), 1, tmp_path)
    said = capfd.readouterr().err
    assert "ERROR: no such counter\n" in said
    assert ".cpp" not in said


def test_a_profile_takes_the_place_of_an_earlier_one_only(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(UsageError, match="is not empty and holds no profile"):
        profile_run(tiny_recipe(), 1, tmp_path)


def test_the_run_goes_on_as_if_nothing_had_been_looked_at(tiny_run, monkeypatch, tmp_path):
    """Without --output the profile lies beside the run of the same name."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "tiny"
    run.mkdir(parents=True)
    (run / "recipe.json").write_bytes((tiny_run.folder / "recipe.json").read_bytes())
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    profile_run(tiny_recipe(), 1)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    assert (tmp_path / "runs" / "tiny-profile" / "profile.txt").is_file()
