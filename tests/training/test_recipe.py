from pathlib import Path

import pytest

from lexel.errors import UsageError
from lexel.training.recipe import Recipe

MINIMAL = 'steps = 5\n[data]\nsources = [{ source = "scenes:100" }]\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "my-run.toml"
    path.write_text(text)
    return path


def test_a_recipe_is_named_after_its_file_and_has_sensible_defaults(tmp_path):
    recipe = Recipe.load(write(tmp_path, MINIMAL))
    assert recipe.name == "my-run"
    assert recipe.optimizer.beta2 == 0.98
    assert recipe.model.architecture == "lexel-s"


def test_a_saved_recipe_reads_back_equal(tmp_path):
    recipe = Recipe.load(write(tmp_path, MINIMAL), ["model.text.depth=2", "augmentation.crop_scale=[0.5, 0.9]"])
    saved = tmp_path / "recipe.json"
    saved.write_text(recipe.model_dump_json())
    assert Recipe.load(saved) == recipe


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ("optimizer.learning_rate=3e-4", "optimizer.learning_rate", 3e-4),
        ("data.caption=title", "data.caption", "title"),
        ("data.sources.0.weight=2", "data.sources.0.weight", 2.0),
        ('name="other"', "name", "other"),
        ("name=other", "name", "other"),
        ("augmentation.crop_scale=[0.5, 1.0]", "augmentation.crop_scale", (0.5, 1.0)),
        ("epochs=2", "steps", None),
        ("evaluation.source=scenes:10/val", "evaluation.source", "scenes:10/val"),
    ],
)
def test_set_changes_any_field(tmp_path, change, field, value):
    found = Recipe.load(write(tmp_path, MINIMAL), [change])
    for part in field.split("."):
        found = found[int(part)] if part.isdigit() else getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("optimizer.learnign_rate=1", r'optimizer\.learnign_rate is not a known key\. Did you mean "learning_rate"'),
        ("batchsize=1", r'batchsize is not a known key\. Did you mean "batch_size"'),
        ("data.sources.0.wieght=1", r'Did you mean "weight"'),
        ("model.image.dept=1", r'model\.image\.dept is not a known key\. Did you mean "depths"'),
        ("model.architecture=lexel-z", r"lexel-"),
        ("model.text.width=100", r"model\.text: width 100 is not a multiple of heads"),
        ("batch_size=1", r"batch_size: .*greater than or equal to 2, not 1"),
        ("optimizer.learning_rate=fast", r"optimizer\.learning_rate: .*valid number.*not 'fast'"),
        ("precision=float16", r"precision"),
        ("steps", r"--set takes path\.to\.field=value"),
        ("steps.more=1", r'"steps" is a value and has no fields'),
        ("data.sources.weight=1", r"name one of the list by its number, such as data\.sources\.0\.weight"),
        ("data.sources.7.weight=1", r"data\.sources has 1 entries"),
    ],
)
def test_a_wrong_field_is_named_with_the_way_out(tmp_path, change, message):
    with pytest.raises(UsageError, match=message) as caught:
        Recipe.load(write(tmp_path, MINIMAL), [change])
    assert str(caught.value).count("\n") < 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = ", "is not a readable recipe"),
        ("steps = 5", "data: Field required"),
        ("[data]\nsources = []\nsteps = 3", "sources"),
        ('[data]\nsources = [{ source = "x" }]', "give either epochs or steps"),
        ('steps = 1\nepochs = 1\n[data]\nsources = [{ source = "x" }]', "give either epochs or steps"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        Recipe.load(write(tmp_path, text))


def test_a_recipe_that_is_not_there_is_looked_for_nearby(tmp_path):
    write(tmp_path, MINIMAL)
    with pytest.raises(UsageError, match=r'Did you mean "my-run\.toml"'):
        Recipe.load(tmp_path / "myrun.toml")


def test_epochs_become_steps(tmp_path):
    recipe = Recipe.load(write(tmp_path, MINIMAL), ["epochs=2.5", "batch_size=10"])
    assert recipe.total_steps(epoch_size=100) == 25


def test_workers_and_snapshots_do_not_decide_the_weights(tmp_path):
    path = write(tmp_path, MINIMAL)
    first = Recipe.load(path).decisive()
    assert first == Recipe.load(path, ["data.workers=4", "snapshot.every_steps=1"]).decisive()
    assert first != Recipe.load(path, ["seed=1"]).decisive()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["weights=m", "architecture=lexel-s"], r"both towers come with their weights: leave architecture = 'lexel-s'"),
        (["image_weights=m", "text_weights=n", "architecture=lexel-s"], r"leave architecture = 'lexel-s' out"),
        (["weights=m", "image_weights=n"], r"weights brings both towers: leave image_weights and text_weights out"),
        (["weights=m", "embedding=64"], r"the embedding comes with the weights: leave embedding = 64 out"),
        (["weights=m", "image.width=64"], r"image\.width comes with the weights.*image_size, patch_dropout"),
        (["text_weights=m", "text.depth=2"], r"text\.depth comes with the weights.*context_length"),
    ],
)
def test_what_contradicts_given_weights_is_refused(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        Recipe.load(write(tmp_path, MINIMAL), [f"model.{change}" for change in changes])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["freeze.image=true"],
            r"freeze\.image: the image tower begins with random weights.*model\.weights or model\.image_weights",
        ),
        (["model.image_weights=m", "freeze.text=true"], r"freeze\.text: the text tower begins with random weights"),
        (["model.weights=m", "freeze.text=true", "freeze.image=true"], r"freeze: .*nothing is left to learn"),
        (["model.weights=m", "freeze.image=true", "ramp.size_from=0.5"], r"ramp: a frozen image tower.*leave \[ramp\]"),
        (["model.weights=m", "tokenizer.vocabulary_size=99"], r"tokenizer comes with the weights.*leave \[tokenizer\]"),
    ],
)
def test_what_cannot_be_frozen_or_learned_is_refused(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        Recipe.load(write(tmp_path, MINIMAL), changes)


@pytest.mark.parametrize(
    ("changes", "architecture"),
    [
        (["model.weights=m", "model.image.patch_dropout=0.5"], None),
        (["model.image_weights=m", "freeze.image=true", "model.text.depth=2"], "lexel-s"),
        (["model.text_weights=m", "model.image.depths=[1,1,1,1]"], "lexel-s"),
        (["model.image_weights=m", "model.text_weights=n", "model.text.context_length=99"], None),
    ],
)
def test_an_architecture_is_chosen_for_towers_without_weights_alone(tmp_path, changes, architecture):
    recipe = Recipe.load(write(tmp_path, MINIMAL), changes)
    assert recipe.model.architecture == architecture
    saved = tmp_path / "recipe.json"
    saved.write_text(recipe.model_dump_json())
    assert Recipe.load(saved) == recipe


def test_a_recipe_saved_before_there_were_weights_to_begin_from_is_the_same_run(tmp_path):
    path = write(tmp_path, MINIMAL)
    assert Recipe.load(path).decisive() == Recipe.load(path, ["image.resize=shortest"]).decisive()
    assert Recipe.load(path).decisive() != Recipe.load(path, ["image.resize=squash"]).decisive()
    begun = ["model.weights=m"]
    assert Recipe.load(path, begun).decisive() != Recipe.load(path, [*begun, "image.resize=shortest"]).decisive()


RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize(
    "path", sorted(path for path in RECIPES.glob("**/*.toml") if path.parent.name != "painters"), ids=lambda p: p.stem
)
def test_the_recipes_that_come_with_lexel_can_be_read(path):
    assert Recipe.load(path).name == path.stem
