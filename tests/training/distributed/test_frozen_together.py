"""Runs with a frozen tower in two processes, beside the same runs in one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from processes import together
from safetensors.torch import load_file
from tiny import tiny_recipe

from lexel.training.recipe import Recipe
from lexel.training.trainer import train

FROZEN = {
    "image": ("freeze.image=true",),
    "text": ("freeze.text=true",),
    "image, sharded": ("freeze.image=true", "parallel.shard=towers", "freeze.cache_embeddings=false"),
}


def run(recipe: Recipe, folder: Path) -> None:
    train(recipe, folder)


@pytest.fixture(scope="module")
def runs(tiny_model, tmp_path_factory) -> Path:
    """A folder of runs, named by what is frozen and by the number of processes."""
    folder = tmp_path_factory.mktemp("runs")
    recipes = {
        name: tiny_recipe(
            (*changes, "steps=5", "batch_size=17", "evaluation.times=1"),
            model={"weights": str(tiny_model)},
            tokenizer={},
        )
        for name, changes in FROZEN.items()
    }
    for name, recipe in recipes.items():
        run(recipe, folder / name / "1")
    outcomes = together(2, [(run, (recipe, folder / name / "2")) for name, recipe in recipes.items()])
    assert outcomes == [[None, None]] * len(recipes)
    return folder


@pytest.mark.parametrize("frozen", FROZEN)
def test_the_weights_are_those_of_one_process_and_the_frozen_ones_those_of_the_start(runs, tiny_model, frozen):
    start = load_file(tiny_model / "weights.safetensors")
    alone, both = (load_file(runs / frozen / count / "model" / "weights.safetensors") for count in "12")
    for name, value in both.items():
        torch.testing.assert_close(value, alone[name], rtol=0, atol=1e-5, msg=name)
        if name.startswith(frozen.split(",")[0]):
            assert torch.equal(value, start[name])


@pytest.mark.parametrize("frozen", ["image", "text"])
def test_two_processes_compute_the_same_embeddings_beforehand(runs, frozen):
    alone, both = (np.load(runs / frozen / count / "embeddings" / f"{frozen}.npy") for count in "12")
    np.testing.assert_allclose(both, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, atol=1e-5)
