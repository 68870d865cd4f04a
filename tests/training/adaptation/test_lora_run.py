"""A run with LoRA: what it leaves, and that it goes on exactly."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fine_tuned import fine_tuning_recipe
from safetensors.torch import load_file

from lexel.checkpoints.model_folder.adapter import DESCRIPTION, TENSORS, read_adapter
from lexel.errors import ModelError, UsageError
from lexel.loading import load
from lexel.training.run.interruption import Interruption
from lexel.training.snapshots import newest_snapshot
from lexel.training.trainer import InterruptedRunError, Run, train

LORA = ("adapt.kind=lora", "adapt.rank=4", "average.decay=0.9")


@pytest.fixture(scope="module")
def run(tiny_model, tmp_path_factory) -> Run:
    return train(fine_tuning_recipe(tiny_model, LORA), tmp_path_factory.mktemp("lora") / "run")


def test_an_adapter_on_its_base_is_the_merged_model_to_the_bit(tiny_model, run):
    merged, adapted = load(run.model), load(tiny_model, adapter=run.folder / "adapter")
    assert adapted.fingerprint == merged.fingerprint
    texts = ["a red circle", "two blue stars"]
    np.testing.assert_array_equal(adapted.embed_texts(texts), merged.embed_texts(texts))
    assert not np.allclose(adapted.embed_texts(texts), load(tiny_model).embed_texts(texts), atol=1e-4)
    assert adapted.calibration == merged.calibration
    assert len(adapted.training_pictures) == len(merged.training_pictures)


def test_only_the_products_are_kept_in_snapshots_and_in_the_adapter(tiny_model, run):
    snapshot = newest_snapshot(run.folder / "snapshots")
    assert snapshot is not None
    adapter = read_adapter(run.folder / "adapter")
    assert {name.removeprefix("clip.") for name in snapshot.tensors if name.startswith("clip.")} >= set(adapter.tensors)
    trained = {name for name in snapshot.tensors if name.startswith(("adamw.", "average."))} - {"average.updates"}
    assert trained
    assert all(".up" in name or ".down" in name for name in trained)
    base, merged = load_file(tiny_model / "weights.safetensors"), load_file(run.model / "weights.safetensors")
    touched = {name for name in base if not torch.equal(base[name], merged[name])}
    assert touched == {name.replace(".up", ".weight") for name in adapter.tensors if name.endswith(".up")}


def test_a_run_that_was_stopped_ends_in_the_same_bits(tiny_model, tmp_path, run, monkeypatch):
    recipe = fine_tuning_recipe(tiny_model, (*LORA, "snapshot.every_steps=1"))

    def ask_at_once(self: Interruption) -> Interruption:
        self.requested, self._previous = True, {}
        return self

    with monkeypatch.context() as stopped:
        stopped.setattr(Interruption, "__enter__", ask_at_once)
        with pytest.raises(InterruptedRunError):
            train(recipe, tmp_path / "run")
    resumed = train(recipe, tmp_path / "run")
    assert (resumed.model / "weights.safetensors").read_bytes() == (run.model / "weights.safetensors").read_bytes()
    assert (resumed.folder / "adapter" / TENSORS).read_bytes() == (run.folder / "adapter" / TENSORS).read_bytes()


def test_an_adapter_of_another_model_is_refused(run):
    with pytest.raises(ModelError, match=r"belongs to tiny \(fingerprint \w{12}\), not to this model \(\w{12}\)"):
        load(run.model, adapter=run.folder / "adapter")


def test_what_is_no_adapter_or_damaged_is_refused(tiny_model, run, tmp_path):
    with pytest.raises(UsageError, match="no adapter"):
        load(tiny_model, adapter=tmp_path)
    with pytest.raises(UsageError, match="Did you mean its adapter/"):
        load(tiny_model, adapter=run.folder)
    damaged = Path(shutil.copytree(run.folder / "adapter", tmp_path / "damaged"))
    content = bytearray((damaged / TENSORS).read_bytes())
    content[-1] ^= 1
    (damaged / TENSORS).write_bytes(bytes(content))
    with pytest.raises(ModelError, match="not the file that it was saved with"):
        load(tiny_model, adapter=damaged)
    facts = json.loads((damaged / DESCRIPTION).read_text())
    (damaged / DESCRIPTION).write_text(json.dumps(facts | {"scale": "much"}))
    with pytest.raises(ModelError, match=r"adapter\.json is damaged"):
        load(tiny_model, adapter=damaged)
    with pytest.raises(UsageError, match="leave the sizes out"):
        load(tiny_model, adapter=run.folder / "adapter", image_size=64)


def test_an_adapter_in_the_place_of_a_model_is_told_from_one(run, tmp_path):
    with pytest.raises(UsageError, match=r"is an adapter.*\n.*/run/model\""):
        load(run.folder / "adapter")
    shutil.copytree(run.folder / "adapter", tmp_path / "lonely")
    with pytest.raises(UsageError, match=r"Give a model, or load both in Python: lexel\.load\(MODEL, adapter="):
        load(tmp_path / "lonely")


def test_an_image_tower_alone_is_adapted_beside_embeddings_that_are_computed_once(tiny_model, tmp_path):
    recipe = fine_tuning_recipe(tiny_model, (*LORA, 'adapt.towers=["image"]'))
    run = train(recipe, tmp_path / "run")
    assert (run.folder / "embeddings" / "text.npy").is_file()
    base, merged = load_file(tiny_model / "weights.safetensors"), load_file(run.model / "weights.safetensors")
    assert all(torch.equal(base[name], merged[name]) for name in base if name.startswith("text."))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("adapt.kind=lora", "freeze.image=true"), "leave .freeze. out"),
        (("adapt.kind=lora", "model.image.image_size=64"), "leave the sizes"),
        (("adapt.kind=lora", "parallel.shard=towers"), "leave parallel.shard out"),
        (("adapt.kind=lora", "adapt.dropout=0.1", "engine.checkpoint_activations=true"), "choose one of both"),
        (("adapt.kind=full", "adapt.rank=4"), "rank is for LoRA"),
        (("adapt.kind=locked", "freeze.text=true"), "nothing is left to learn"),
        (("adapt.kind=lora", "adapt.rank=0"), "adapt.rank"),
        (("adapt.kind=lore",), "adapt.kind"),
    ],
)
def test_recipes_that_cannot_be_meant_are_refused(tiny_model, changes, message):
    with pytest.raises(UsageError, match=message):
        fine_tuning_recipe(tiny_model, changes)


def test_there_has_to_be_a_model_to_adapt(tiny_model):
    with pytest.raises(UsageError, match="no model to adapt"):
        fine_tuning_recipe(tiny_model, ("adapt.kind=lora",), model={"architecture": "lexel-xs"})


def test_locked_is_a_frozen_image_tower(tiny_model):
    recipe = fine_tuning_recipe(tiny_model, ("adapt.kind=locked",))
    assert recipe.frozen.image
    assert not recipe.frozen.text
