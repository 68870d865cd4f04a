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


def test_a_recipe_that_cannot_be_read_is_refused(refused, here):
    (here / "bad.toml").write_text("steps = = 3")
    assert "bad.toml is not a readable recipe" in refused("train", "bad.toml")


def test_another_recipe_in_the_same_folder_is_refused(refused, here, tiny_run):
    (here / "tiny.json").write_text(tiny_recipe().model_dump_json(exclude_none=True))
    assert "seed was 0 and is now 7" in refused("train", "tiny.json", "--seed", 7, "-o", tiny_run.folder)
