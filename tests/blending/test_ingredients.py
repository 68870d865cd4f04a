import pytest
from perturbed import perturbed

from lexel.blending.ingredients import Ingredient, check_same_kind, open_ingredient, weight_cosine
from lexel.checkpoints.model_folder.folder import open_model_folder
from lexel.errors import UsageError
from lexel.tokenizer import Tokenizer


def opened(path) -> Ingredient:
    return open_ingredient(str(path), path / "unused")


def test_models_that_began_alike_pass(tiny_model, tmp_path):
    perturbed(tiny_model, tmp_path / "tuned", size=0.3)
    start, tuned = opened(tiny_model), opened(tmp_path / "tuned")
    check_same_kind(start, [tuned])
    assert weight_cosine(start, start) == pytest.approx(1)
    assert 0.9 < weight_cosine(start, tuned) < 1


def test_models_that_began_apart_are_refused_with_how_far_apart_they_are(tiny_model, tmp_path):
    perturbed(tiny_model, tmp_path / "other", size=30)
    with pytest.raises(UsageError, match=r"did not begin from (.|\n)*cosine of -?0\.\d\d"):
        check_same_kind(opened(tiny_model), [opened(tmp_path / "other")])


def test_what_differs_is_named(tiny_model, tmp_path):
    manifest = open_model_folder(tiny_model).manifest
    pixels = manifest.preprocessing.model_copy(update={"resize": "pad"})
    image = manifest.architecture.image.model_copy(update={"activation": "quick_gelu"})
    architecture = manifest.architecture.model_copy(update={"image": image})
    perturbed(tiny_model, tmp_path / "other", preprocessing=pixels, architecture=architecture)
    with pytest.raises(UsageError, match=r"architecture.image.activation \('\w+' and 'quick_gelu'\); preprocessing.re"):
        check_same_kind(opened(tiny_model), [opened(tmp_path / "other")])


def test_another_tokenizer_is_named(tiny_model, tmp_path):
    words = open_model_folder(tiny_model).tokenizer()
    other = Tokenizer.train(["a few", "other words"], words.vocabulary_size, words.context_length)
    perturbed(tiny_model, tmp_path / "other", tokenizer=other)
    with pytest.raises(UsageError, match="the tokenizer"):
        check_same_kind(opened(tiny_model), [opened(tmp_path / "other")])


def test_tensors_of_another_shape_are_named(tiny_model, tmp_path):
    weights = {name: array for name, array in open_model_folder(tiny_model).weights().items() if name != "logit_scale"}
    perturbed(tiny_model, tmp_path / "other", weights=weights)
    with pytest.raises(UsageError, match=r"the tensor logit_scale \(a number and absent\)"):
        check_same_kind(opened(tiny_model), [opened(tmp_path / "other")])
