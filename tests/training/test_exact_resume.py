"""A run that is killed goes on to the same weights, bit for bit, whatever a step is made of."""

import pytest
import torch
from processes import kill_when, start_training, steps_logged
from safetensors.torch import load_file
from tiny import tiny_recipe

from lexel.training.trainer import train

# Snapshots behind the step that is killed, so that some steps are taken again.
COMMON = ("steps=10", "snapshot.every_steps=4", "model.image.patch_dropout=0.25", "batch_size=48")
WAYS = {
    "in parts": ("micro_batch=10",),
    "in parts, sigmoid loss": ("micro_batch=10", "loss.kind=sigmoid"),
    "recomputed, averaged": ("engine.checkpoint_activations=true", "average.decay=0.9"),
    "compiled": ("engine.compile=true", "micro_batch=30"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_killed_run_ends_in_the_same_weights(tmp_path, way):
    recipe = tiny_recipe((*COMMON, *WAYS[way]))
    whole = load_file(train(recipe, tmp_path / "whole").model / "weights.safetensors")
    folder = tmp_path / "killed"
    kill_when(start_training(recipe, folder), lambda: steps_logged(folder) >= 6)
    resumed = load_file(train(recipe, folder).model / "weights.safetensors")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
