import re

import pytest
from tiny import tiny_recipe


def test_a_plan_is_told_and_nothing_is_trained_or_written(lexel, here):
    (here / "tiny.json").write_text(tiny_recipe().model_dump_json(exclude_none=True))
    before = sorted(here.rglob("*"))
    done = lexel("plan", "tiny.json", "--gpu", "l4", "--gpus", 2, "--mfu", 0.25)
    assert done.status == 0
    assert "8 steps of 16, 128 pairs seen" in done.out
    assert "devices      2 × L4, at 25% of 121 TFLOP/s (MFU), with 24 GB" in done.out
    for line in ("data", "computation", "time", "memory", "network", "reading"):
        assert f"\n  {line} " in done.out
    assert "\n  time         under 1 s (under 1 s of all devices together); " in done.out
    assert "On one device of another kind, at 25%" in done.out
    assert sorted(here.rglob("*")) == before


def test_a_plan_for_a_source_that_is_elsewhere_is_json_too(lexel, here):
    (here / "far.json").write_text(
        tiny_recipe(data={"sources": [{"source": "far/away"}]}).model_dump_json(exclude_none=True)
    )
    words = ("--pairs", "3e6", "--tokens", 12, "--pair-bytes", 500, "--gpu", "h200", "--json")
    done = lexel("plan", "far.json", *words)
    assert done.status == 0
    assert done.json["data"] | {"pairs": 3_000_000, "tokens": 12, "bytes": 1.5e9} == done.json["data"]
    assert done.json["accelerator"]["name"] == "H200"
    assert done.json["time"]["gpu_hours"] > 0


def test_a_plan_for_a_source_that_is_not_here_says_how_to_do_without(refused, here):
    (here / "far.json").write_text(
        tiny_recipe(data={"sources": [{"source": "far/away"}]}).model_dump_json(exclude_none=True)
    )
    said = refused("plan", "far.json")
    assert "There is no far/away" in said
    assert said.rstrip().endswith("where you say how many pairs it has: --pairs N")
    assert "--pairs" not in refused("train", "far.json")


@pytest.mark.parametrize("option", ["--pairs", "--pair-bytes"])
@pytest.mark.parametrize("value", ["inf", "nan", "0"])
def test_a_plan_wants_numbers_that_there_can_be(lexel, here, option, value):
    done = lexel("plan", "scenes:40", option, value)
    assert done.status == 2
    assert f"Invalid value for '{option}'" in done.err


def test_a_plan_says_what_it_cannot_know(lexel, here):
    (here / "eva.json").write_text(tiny_recipe(model={"architecture": "EVA02-B-16"}).model_dump_json(exclude_none=True))
    done = lexel("plan", "eva.json", "--pairs", 1e6, "--gpu", "a100")
    assert done.status == 0
    assert "computation  not known: a tower is another library's" in done.out
    assert "memory       not estimated" in done.out


def test_the_plan_and_the_run_agree_on_steps_and_parameters(lexel, here):
    words = ("scenes:300", "--steps", 1, "--set=model.architecture=lexel-xs", "--set=data.workers=0")
    planned = lexel("plan", *words, "--json").json
    trained = lexel("train", *words)
    assert trained.status == 0
    [said] = re.findall(r"([\d,]+) steps? of (\d+) .* ([\d,]+) parameters", trained.err)
    assert [int(number.replace(",", "")) for number in said] == [
        planned["steps"],
        planned["batch_size"],
        planned["parameters"],
    ]


def test_the_memory_of_the_default_model_is_estimated(lexel, here):
    done = lexel("plan", "scenes:300", "--steps", 3, "--gpu", "l4", "--json")
    assert done.json["memory"]["activations"] > 1e6


def test_a_model_that_normalises_over_the_batch_is_not_planned_for_several_devices(refused, here):
    assert "(BatchNorm), but that is cut into 2 processes" in refused("plan", "scenes:300", "--gpus", 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "There is no nothing"),
        (["nothing.toml"], 'No recipe at "nothing.toml"'),
        (["scenes:40", "--set=bach_size=2"], 'Did you mean "batch_size"?'),
    ],
)
def test_mistakes_are_refused(refused, here, words, said):
    assert said in refused("plan", *words)
