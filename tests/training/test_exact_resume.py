"""A run that is killed goes on to the same weights, bit for bit, whatever a step is made of."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import tiny_recipe

from lexel.training.recipe import Recipe
from lexel.training.trainer import train

# Snapshots behind the step that is killed, so that some steps are taken again.
COMMON = ("steps=10", "snapshot.every_steps=4", "model.image.patch_dropout=0.25", "batch_size=48")
WAYS = {
    "in parts": ("micro_batch=10",),
    "in parts, sigmoid loss": ("micro_batch=10", "loss.kind=sigmoid"),
    "recomputed, averaged": ("engine.checkpoint_activations=true", "average.decay=0.9"),
    "compiled": ("engine.compile=true", "micro_batch=30"),
}


def train_and_kill(folder: Path, recipe: Recipe, after: int) -> None:
    """Let a process of its own train in `folder` and kill it once it has logged so many steps."""
    saved = folder.parent / "recipe.json"
    saved.write_text(recipe.model_dump_json(exclude_none=True))
    command = [sys.executable, "-m", "lexel", "train", str(saved), "--output", str(folder)]
    log = folder / "log.jsonl"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        while process.poll() is None and (not log.exists() or log.read_text().count('"loss"') < after):
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("way", WAYS)
def test_a_killed_run_ends_in_the_same_weights(tmp_path, way):
    recipe = tiny_recipe((*COMMON, *WAYS[way]))
    whole = load_file(train(recipe, tmp_path / "whole").model / "weights.safetensors")
    train_and_kill(tmp_path / "killed", recipe, after=6)
    resumed = load_file(train(recipe, tmp_path / "killed").model / "weights.safetensors")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
