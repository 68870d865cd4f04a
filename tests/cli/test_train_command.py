import pytest
from tiny import tiny_recipe

from lexel.training.recipe import Recipe

SMALL = tuple(f"--set=model.{field}" for field in ("architecture=lexel-xs", "image.depth=1", "text.depth=1"))


def test_a_recipe_is_trained_with_its_changes(lexel, here):
    (here / "tiny.json").write_text(tiny_recipe().model_dump_json(exclude_none=True))
    done = lexel("train", "tiny.json", "--steps", 1, "--seed", 5, "-o", "out", "--json")
    assert done.status == 0
    assert done.json.keys() == {"run", "model", "training_seconds", "metrics"}
    assert done.json["model"] == "out/model"
    assert (here / "out" / "model" / "model.json").exists()
    recipe = Recipe.load(here / "out" / "recipe.json")
    assert (recipe.steps, recipe.seed) == (1, 5)


def test_pictures_are_trained_on_without_a_recipe_into_runs(lexel, here):
    done = lexel("train", "scenes:40", "--steps", 1, "--set=data.workers=0", *SMALL)
    assert done.status == 0
    assert "Model   runs/scenes-40/model\n" in done.out
    assert (here / "runs" / "scenes-40" / "report" / "report.html").exists()


def test_a_model_to_begin_from_is_fine_tuned(lexel, here, tiny_model):
    done = lexel("train", "scenes:40", "--from", tiny_model, "--steps", 1, "--set=data.workers=0", "-o", "out")
    assert done.status == 0
    assert Recipe.load(here / "out" / "recipe.json").model.weights == str(tiny_model)
    assert (here / "out" / "model" / "tokenizer.json").read_text() == (tiny_model / "tokenizer.json").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.toml"], 'No recipe at "nothing.toml"'),
        (["nothing"], "There is no nothing"),
        (["red.png"], "red.png is one picture"),
        (["table.csv"], "has no caption column"),
        (["table.csv", "--set=data.caption=prize"], 'no column "prize" for the caption. Did you mean "price"?'),
        (["scenes:40", "--set=bach_size=2"], 'Did you mean "batch_size"?'),
        (["scenes:40", "--set=optimizer.learning_rat=2"], 'Did you mean "learning_rate"?'),
        (["scenes:40", "--set=model.architecture=ViT-B-23"], 'Did you mean "ViT-B-32"?'),
        (["scenes:40", "--from", "runs/none/model"], "model.weights: runs/none/model does not exist"),
        (["scenes:40", "--from", "m", "--set=model.embedding=9"], "the embedding comes with the weights"),
        (["scenes:40", "--set=batch_size"], "--set takes path.to.field=value"),
        (["scenes:40", "-o", "red.png/run"], "Cannot make the folder red.png/run"),
        (["scenes:40", "-o", "."], "is not empty and holds no run"),
        (["scenes:40", "--gpus=4"], "--gpus says what to plan for. Add --plan, or leave it out."),
        (["scenes:40", "--pair-bytes=4"], "--pair-bytes says what to plan for"),
        (["scenes:40", "--plan", "--profile=3"], "give one of them"),
        (["nothing", "--plan"], "There is no nothing"),
        (["scenes:40", "--profile=3", "-o", "."], "is not empty and holds no profile"),
    ],
)
def test_mistakes_are_refused_and_leave_nothing(refused, here, words, said):
    (here / "table.csv").write_text("picture,price,size\nred.png,3,4\nblue.png,4,5\n")
    before = sorted(here.rglob("*"))
    assert said in refused("train", *words)
    assert sorted(here.rglob("*")) == before


def test_pictures_without_text_fail_and_say_what_to_give(lexel, here):
    done = lexel("train", here)
    assert done.status == 1
    assert "there is nothing to learn.\nGive captions in metadata.csv" in done.err


def test_a_plan_is_told_and_nothing_is_trained_or_written(lexel, here):
    (here / "tiny.json").write_text(tiny_recipe().model_dump_json(exclude_none=True))
    before = sorted(here.rglob("*"))
    done = lexel("train", "--plan", "tiny.json", "--gpu", "l4", "--gpus", 2, "--mfu", 0.25)
    assert done.status == 0
    assert "8 steps of 16, 128 pairs seen" in done.out
    assert "devices      2 × L4, at 25% of 121 TFLOP/s (MFU), with 24 GB" in done.out
    for line in ("data", "computation", "time", "memory", "network", "reading"):
        assert f"\n  {line} " in done.out
    assert "Device-hours at 25% elsewhere" in done.out
    assert sorted(here.rglob("*")) == before


def test_a_plan_for_a_source_that_is_elsewhere_is_json_too(lexel, here):
    (here / "far.json").write_text(
        tiny_recipe(data={"sources": [{"source": "far/away"}]}).model_dump_json(exclude_none=True)
    )
    words = ("--pairs", "3e6", "--tokens", 12, "--pair-bytes", 500, "--gpu", "h200", "--json")
    done = lexel("train", "--plan", "far.json", *words)
    assert done.status == 0
    assert done.json["data"] | {"pairs": 3_000_000, "tokens": 12, "bytes": 1.5e9} == done.json["data"]
    assert done.json["accelerator"]["name"] == "H200"
    assert done.json["time"]["gpu_hours"] > 0


def test_a_plan_for_a_source_that_is_not_here_says_how_to_do_without(refused, here):
    (here / "far.json").write_text(
        tiny_recipe(data={"sources": [{"source": "far/away"}]}).model_dump_json(exclude_none=True)
    )
    said = refused("train", "--plan", "far.json")
    assert "There is no far/away" in said
    assert said.rstrip().endswith("where you say how many pairs it has: --pairs N")
    assert "--pairs" not in refused("train", "far.json")


@pytest.mark.parametrize("option", ["--pairs", "--pair-bytes"])
@pytest.mark.parametrize("value", ["inf", "nan", "0"])
def test_a_plan_wants_numbers_that_there_can_be(lexel, here, option, value):
    done = lexel("train", "scenes:40", "--plan", option, value)
    assert done.status == 2
    assert f"Invalid value for '{option}'" in done.err


def test_a_plan_says_what_it_cannot_know(lexel, here):
    (here / "eva.json").write_text(tiny_recipe(model={"architecture": "EVA02-B-16"}).model_dump_json(exclude_none=True))
    done = lexel("train", "--plan", "eva.json", "--pairs", 1e6, "--gpu", "a100")
    assert done.status == 0
    assert "computation  not known: a tower is another library's" in done.out
    assert "memory       not estimated" in done.out


def test_a_recipe_that_cannot_be_read_is_refused(refused, here):
    (here / "bad.toml").write_text("steps = = 3")
    assert "bad.toml is not a readable recipe" in refused("train", "bad.toml")


def test_another_recipe_in_the_same_folder_is_refused(refused, here, tiny_run):
    (here / "tiny.json").write_text(tiny_recipe().model_dump_json(exclude_none=True))
    assert "seed was 0 and is now 7" in refused("train", "tiny.json", "--seed", 7, "-o", tiny_run.folder)
