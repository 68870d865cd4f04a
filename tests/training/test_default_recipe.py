import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tiny import tiny_recipe

from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.training import default_recipe as module
from lexel.training.default_recipe import BY_PAIRS, find_recipe
from lexel.training.inputs import input_reader
from lexel.training.inputs.input_reader import InputReader
from lexel.training.recipe import Recipe
from lexel.training.trainer import train


def with_pairs(monkeypatch, count: int) -> None:
    monkeypatch.setattr(input_reader, "read_source", lambda text, **_: Source(text, range(count)))


def default_recipe(source: str, changes: Sequence[str] = ()) -> Recipe:
    return find_recipe(source, changes, InputReader())


@pytest.mark.parametrize(("pairs", "row"), [(999, 0), (1_000, 0), (1_001, 1), (100_000, 2), (2_000_000, 4)])
def test_the_number_of_pairs_chooses_architecture_batch_and_length(monkeypatch, pairs, row):
    with_pairs(monkeypatch, pairs)
    recipe = default_recipe("photos/")
    assert (recipe.model.architecture, recipe.batch_size, recipe.epochs) == BY_PAIRS[row][1:]
    assert recipe.data.sources[0].source == "photos/"


def test_the_folder_of_a_run_is_no_source(tmp_path):
    (tmp_path / "recipe.json").write_text(tiny_recipe().model_dump_json())
    with pytest.raises(UsageError, match=r"folder of a run.*\n.*recipe\.json --output"):
        default_recipe(str(tmp_path))


def test_a_handful_of_pairs_gets_a_batch_that_they_can_fill(monkeypatch):
    with_pairs(monkeypatch, 12)
    assert default_recipe("photos/").batch_size == 6


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("products.csv", "products"),
        ("/data/photos/", "photos"),
        ("flickr8k/train", "flickr8k"),
        ("shop/images/train", "shop"),
        ("scenes:2000/val?seed=3", "val-seed-3"),
        ("my pictures & more", "my-pictures-more"),
        ("/", "run"),
    ],
)
def test_a_run_is_named_after_the_last_telling_part_of_its_source(monkeypatch, source, name):
    with_pairs(monkeypatch, 100)
    assert default_recipe(source).name == name


@pytest.mark.parametrize(
    ("source", "pairs", "changes", "advised"),
    [
        ("shop.csv", 900, [], True),
        ("shop.csv", 50_000, [], False),
        ("shop.csv", 900, ["model.weights=MODEL"], False),
        ("scenes:900", 900, [], False),
    ],
)
def test_whoever_has_few_pairs_is_advised_to_begin_from_a_model(
    monkeypatch, capsys, tiny_model, source, pairs, changes, advised
):
    with_pairs(monkeypatch, pairs)
    capsys.readouterr()
    default_recipe(source, [change.replace("MODEL", str(tiny_model)) for change in changes])
    assert ("--from ViT-B-32/openai" in capsys.readouterr().err) == advised


def test_changes_have_the_last_word(monkeypatch):
    with_pairs(monkeypatch, 100)
    recipe = default_recipe("photos/", ["batch_size=7", "steps=3", "name=mine"])
    assert (recipe.batch_size, recipe.steps, recipe.epochs, recipe.name) == (7, 3, None, "mine")


def test_a_wrong_change_is_named_before_the_source_is_read(monkeypatch):
    monkeypatch.setattr(input_reader, "read_source", lambda *_, **__: pytest.fail("the source was read"))
    with pytest.raises(UsageError, match=r'batch_siez is not a known key\. Did you mean "batch_size"\?'):
        default_recipe("photos/", ["batch_siez=7"])


@pytest.mark.parametrize(
    ("pairs", "change", "refused"),
    [
        (2_000_000, "ramp.patch_dropout_from=0.5", None),
        (2_000_000, "model.image.patch_size=16", None),
        (2_000_000, "model.image.depths=[1,1,1,1]", "model.image.depths is not a known key"),
        (500, "model.image.depths=[1,1,1,1]", None),
        (500, "ramp.patch_dropout_from=0.5", "kind resnet has no patches to leave out"),
    ],
)
def test_changes_are_of_the_architecture_that_the_number_of_pairs_chooses(monkeypatch, pairs, change, refused):
    with_pairs(monkeypatch, pairs)
    if refused is None:
        assert default_recipe("photos/", [change]).model.architecture == ("ViT-B-32" if pairs > 1e6 else "lexel-s")
    else:
        with pytest.raises(UsageError, match=refused):
            default_recipe("photos/", [change])


@pytest.mark.parametrize(
    ("pairs", "changes", "kind", "rate", "size_from"),
    [
        (50_000, [], "muon", 2e-3, 0.5),
        (50_000, ["optimizer.learning_rate=1e-4", "ramp.size_from=1"], "muon", 1e-4, 1),
        (50_000, ["optimizer.kind=adamw"], "adamw", 1e-3, 0.5),
        (50_000, ["model.architecture=ViT-B-32"], "adamw", 1e-3, 1),
        (50_000, ["model.architecture=lexel-xs"], "muon", 2e-3, 0.5),
        (50_000, ["batch_size=32"], "adamw", 1e-3, 1),
        (500, [], "adamw", 1e-3, 1),
        (2_000_000, [], "adamw", 1e-3, 1),
        (50_000, ["model.image_weights=somewhere", "freeze.image=true"], "adamw", 1e-3, 1),
    ],
)
def test_towers_of_lexels_own_begin_with_muon_and_small_pictures(monkeypatch, pairs, changes, kind, rate, size_from):
    with_pairs(monkeypatch, pairs)
    recipe = default_recipe("photos/", changes)
    assert (recipe.optimizer.kind, recipe.optimizer.learning_rate) == (kind, rate)
    assert recipe.ramp.size_from == size_from


def test_columns_that_are_named_are_read(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "shop.csv").write_text("picture,words\na.png,one thing\n")
    recipe = default_recipe(str(tmp_path / "shop.csv"), ["data.caption=words"])
    assert recipe.data.caption == "words"
    with pytest.raises(UsageError, match=r'has no column "wrods" for the caption\. Did you mean "words"\?'):
        default_recipe(str(tmp_path / "shop.csv"), ["data.caption=wrods"])


def test_a_model_to_begin_from_is_fine_tuned_gently(monkeypatch, tiny_model):
    with_pairs(monkeypatch, 500)
    anew = default_recipe("photos/")
    recipe = default_recipe("photos/", [f"model.weights={tiny_model}"])
    assert recipe.model.architecture is None
    assert recipe.epochs < anew.epochs
    assert recipe.optimizer.learning_rate < anew.optimizer.learning_rate
    assert recipe.adapt is not None
    assert (recipe.adapt.kind, recipe.remember > 0) == ("full", True)
    changed = default_recipe("photos/", [f"model.weights={tiny_model}", "optimizer.learning_rate=0.5", "epochs=99"])
    assert (changed.optimizer.learning_rate, changed.epochs) == (0.5, 99)


def test_a_large_model_gets_a_lower_rate(monkeypatch, tiny_model):
    with_pairs(monkeypatch, 500)
    weights = [f"model.weights={tiny_model}", "adapt.remember=0"]
    assert default_recipe("photos/", weights).remember == 0
    small = default_recipe("photos/", weights)
    monkeypatch.setattr(module, "FINE_TUNING_RATES", ((10, 1e-3), (float("inf"), 1e-6)))
    assert default_recipe("photos/", weights).optimizer.learning_rate == 1e-6 < small.optimizer.learning_rate


def test_beside_one_given_tower_the_other_has_the_size_that_fits_the_data(monkeypatch):
    with_pairs(monkeypatch, 500_000)
    recipe = default_recipe("photos/", ["model.image_weights=somewhere", "freeze.image=true"])
    assert recipe.adapt is None  # a tower that begins with random weights has nothing to remember
    assert recipe.model.architecture == "lexel-m"


def test_a_model_to_begin_from_that_is_not_there_is_named(monkeypatch):
    with_pairs(monkeypatch, 500)
    with pytest.raises(UsageError, match=r"model\.weights: runs/none/model does not exist"):
        default_recipe("photos/", ["model.weights=runs/none/model"])


def test_a_model_is_fine_tuned_with_the_loss_that_it_was_trained_with(monkeypatch, tiny_model, tmp_path):
    sigmoid = ("loss.kind=sigmoid", "steps=1", "evaluation.times=1")
    siglip = train(tiny_recipe(sigmoid), tmp_path / "run").model
    with_pairs(monkeypatch, 500)
    kinds = [default_recipe("photos/", [f"model.weights={model}"]).loss.kind for model in (tiny_model, siglip)]
    assert kinds == ["softmax", "sigmoid"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("optimizer.learning_rate=fast", "optimizer.learning_rate: Input should be a valid number"),
        ("batch_size=1", "batch_size: Input should be greater than or equal to 2, not 1"),
        ("data.sources.0.wieght=2", 'data.sources.0.wieght is not a known key. Did you mean "weight"?'),
        ("name=a/b", "name: String should match pattern"),
        ("micro_batch=0", 'micro_batch: must be a number of pairs, or "auto", not 0'),
    ],
)
def test_a_wrong_section_is_named_before_the_source_is_read(monkeypatch, change, said):
    monkeypatch.setattr(input_reader, "read_source", lambda *_, **__: pytest.fail("the source was read"))
    with pytest.raises(UsageError, match=f"^photos/: {re.escape(said)}"):
        default_recipe("photos/", [change])


def test_a_recipe_its_path_and_a_source_are_told_apart(tmp_path):
    recipe = tiny_recipe()
    (tmp_path / "tiny.json").write_text(recipe.model_dump_json(exclude_none=True))
    for described in (recipe, tmp_path / "tiny.json", str(tmp_path / "tiny.json")):
        assert find_recipe(described, (), InputReader()) == recipe
        assert find_recipe(described, ["epochs=2"], InputReader()) == tiny_recipe(("epochs=2",))
    assert find_recipe(Path("scenes:40"), (), InputReader()).name == "scenes-40"


@pytest.mark.parametrize("described", [None, 3, ["shop.csv"], {"steps": 3}])
def test_what_is_neither_is_refused_by_its_type(described):
    with pytest.raises(UsageError, match=f"not {type(described).__name__}"):
        find_recipe(described, (), InputReader())


def test_a_run_reads_its_source_and_its_first_weights_once(monkeypatch, tiny_model, tmp_path):
    reads: list[str] = []
    for name in ("read_source", "read_starting_weights"):
        original = getattr(input_reader, name)
        monkeypatch.setattr(
            input_reader,
            name,
            lambda *a, _name=name, _original=original, **k: reads.append(_name) or _original(*a, **k),
        )
    train("scenes:40", tmp_path / "run", changes=[f"model.weights={tiny_model}", "steps=1", "data.workers=0"])
    assert reads.count("read_starting_weights") == 1
    assert reads.count("read_source") == 2, "the train split and its val split"
