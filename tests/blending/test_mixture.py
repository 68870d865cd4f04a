import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbed import perturbed

from lexel.blending.ingredients import Ingredient
from lexel.blending.mixture import Mixture
from lexel.checkpoints.model_folder.folder import WEIGHTS, open_model_folder
from lexel.identity import sha256_of_weights
from lexel.loading import load


@pytest.fixture(scope="module")
def models(tiny_model, tmp_path_factory) -> list[Ingredient]:
    """A start and two models from it."""
    scratch = tmp_path_factory.mktemp("models")
    perturbed(tiny_model, scratch / "a", seed=1)
    perturbed(tiny_model, scratch / "b", seed=2)
    return [Ingredient(path.name, open_model_folder(path)) for path in (tiny_model, scratch / "a", scratch / "b")]


@given(st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_a_mixture_is_the_weighted_mean_in_float64(models, weight):
    start, *others = models
    first, a, b = (model.folder.weights() for model in models)
    for name, found in Mixture.between(start, Mixture.equal(others), weight).tensors():
        one, two, three = (array.astype(np.longdouble) for array in (first[name], a[name], b[name]))
        expected = (1 - weight) * one + weight * (two + three) / 2
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected.astype(np.float64), rtol=2**-23, atol=1e-30)  # one rounding


@pytest.mark.parametrize(("weight", "which"), [(0.0, 0), (1.0, 1)])
def test_the_ends_are_the_models_themselves_bit_for_bit(models, tmp_path, weight, which):
    mixture = Mixture.between(models[0], Mixture.equal(models[1:2]), weight)
    mixture.write(tmp_path / "model", "mixed", "card")
    assert (tmp_path / "model" / WEIGHTS).read_bytes() == (models[which].weights).read_bytes()


def test_a_written_mixture_is_a_whole_model_that_knows_what_all_have_learned_from(models, tmp_path):
    mixture = Mixture.equal(models)
    mixture.write(tmp_path / "model", "mixed", "card", {"extra.json": b"{}"})
    encoder = load(tmp_path / "model")
    folder = open_model_folder(tmp_path / "model")
    assert folder.manifest.sha256[WEIGHTS] == sha256_of_weights(dict(mixture.tensors()))
    assert encoder.embed_texts(["a red circle"]).shape[0] == 1
    assert encoder.training_pictures is not None
    assert len(encoder.training_pictures) == len(models[0].folder.training_pictures())
    assert (tmp_path / "model" / "extra.json").read_bytes() == b"{}"
