import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tiny import tiny_recipe

from lexel.architectures.config import ResNetConfig
from lexel.checkpoints.model_folder.folder import open_model_folder, save_model_folder
from lexel.errors import UsageError
from lexel.models.clip import CLIP, init_weights
from lexel.training.optimization.freezing import FreezeSettings, freeze
from lexel.training.optimization.optimizer import Optimizer, OptimizerSettings
from lexel.training.optimization.schedule import Schedule
from lexel.training.recipe import Recipe
from lexel.training.setup import check_batch_norm_of, choose_what_learns
from lexel.training.step.micro_batch import has_batch_norm
from lexel.training.trainer import Run, train

STILL = {"crop_scale": [1.0, 1.0], "crop_ratio": [1.0, 1.0], "flip": "never", "brightness": 0, "contrast": 0} | {
    "saturation": 0
}


@pytest.fixture(scope="module")
def start(tiny_model, tmp_path_factory) -> Path:
    """A model whose image tower has running statistics, which must not move either."""
    folder, given = tmp_path_factory.mktemp("start") / "model", open_model_folder(tiny_model)
    image = ResNetConfig(image_size=32, width=8, depths=(1, 1, 1, 1), heads=2)
    clip = CLIP(given.manifest.architecture.model_copy(update={"image": image}))
    init_weights(clip, 1)
    save_model_folder(
        folder,
        name="start",
        architecture=clip.config,
        preprocessing=given.manifest.preprocessing,
        weights={name: tensor.contiguous().numpy() for name, tensor in clip.state_dict().items()},
        tokenizer=given.tokenizer(),
        card="",
    )
    return folder


def frozen_recipe(start: Path, **freeze: bool) -> Recipe:
    fields: dict[str, Any] = {"model": {"weights": str(start)}, "tokenizer": {}, "freeze": freeze}
    # AdamW divides a gradient that is nothing but rounding by its own size: with a small epsilon, two runs that differ
    # in the last bit are apart by the learning rate after one step.
    changes = ("optimizer.learning_rate=0.01", "optimizer.epsilon=0.01")
    return tiny_recipe(changes, augmentation=STILL, **fields)


def weights(run: Run) -> dict[str, np.ndarray]:
    return load_file(run.model / "weights.safetensors")


def losses(run: Run) -> list[float]:
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def runs(start, tmp_path_factory) -> dict[tuple[str, bool], Run]:
    """Runs by the frozen tower and whether its embeddings are computed beforehand."""
    folder = tmp_path_factory.mktemp("frozen")
    return {
        (tower, cached): train(
            frozen_recipe(start, **{tower: True, "cache_embeddings": cached}), folder / f"{tower}-{cached}"
        )
        for tower in ("image", "text")
        for cached in (True, False)
    }


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_frozen_tower_does_not_change_by_a_bit_and_the_other_learns(runs, start, tower, cached):
    before, after = load_file(start / "weights.safetensors"), weights(runs[tower, cached])
    same = {name for name in before if np.array_equal(before[name], after[name])}
    assert {name for name in before if name.startswith(f"{tower}.")} <= same
    learned = {name for name in before if name.startswith(f"{({'image', 'text'} - {tower}).pop()}.")} - same
    assert len(learned) > 5
    assert "logit_scale" not in same


@pytest.mark.parametrize("tower", ["image", "text"])
def test_embeddings_computed_beforehand_give_the_same_run_up_to_rounding(runs, tower):
    """Rounding is about 1e-6 on every processor tried; a wrong row of embeddings changes a loss by more than 1e-2."""
    assert losses(runs[tower, True]) == pytest.approx(losses(runs[tower, False]), rel=1e-4)
    cached, computed = weights(runs[tower, True]), weights(runs[tower, False])
    for name in cached:
        np.testing.assert_allclose(cached[name], computed[name], rtol=0, atol=5e-4)


def test_a_frozen_tower_gets_no_gradient_and_no_place_in_the_optimizer(start):
    clip = CLIP(open_model_folder(start).manifest.architecture)
    init_weights(clip, 0)
    freeze(clip, FreezeSettings(image=True))
    images, texts = clip.train()(torch.randn(4, 3, 32, 32), torch.ones(4, 5, dtype=torch.int64))
    assert not images.requires_grad
    (images * texts).sum().backward()
    assert {name for name, p in clip.named_parameters() if p.grad is not None and name.startswith("image.")} == set()
    optimizer = Optimizer(clip, OptimizerSettings(), Schedule(), 10)
    moved = {id(p) for group in optimizer.adamw.param_groups for p in group["params"]}
    assert moved.isdisjoint(map(id, clip.image.parameters()))
    assert moved >= set(map(id, clip.text.parameters()))


def test_a_frozen_tower_stays_in_evaluation_mode(start):
    clip = CLIP(open_model_folder(start).manifest.architecture)
    freeze(clip, FreezeSettings(image=True))
    for mode in (True, False, True):
        clip.train(mode)
        assert not any(module.training for module in clip.image.modules())
        assert clip.text.training is mode


@pytest.mark.parametrize(
    ("statistics", "batch_size", "keeps"),
    [("auto", 16, True), ("auto", 64, False), ("true", 64, True), ("false", 16, False)],
)
def test_running_statistics_are_kept_in_small_batches_or_as_the_recipe_says(start, statistics, batch_size, keeps):
    changes = (f"freeze.statistics={statistics}" if statistics != "auto" else "seed=0", f"batch_size={batch_size}")
    recipe = tiny_recipe(changes, model={"weights": str(start)}, tokenizer={})
    clip = CLIP(open_model_folder(start).manifest.architecture)
    init_weights(clip, 0)
    choose_what_learns(clip.train(), recipe)
    before = {name: buffer.clone() for name, buffer in clip.named_buffers()}
    clip.encode_image(torch.randn(8, 3, 32, 32)).sum().backward()
    assert all(torch.equal(before[name], buffer) for name, buffer in clip.named_buffers()) is keeps
    assert all(parameter.grad is not None for parameter in clip.image.parameters())  # and all of it learns
    assert has_batch_norm(clip) is not keeps  # so that parts and processes may share a batch


def test_statistics_that_there_are_not_cannot_be_kept():
    with pytest.raises(UsageError, match="random weights have no statistics to keep"):
        tiny_recipe(("freeze.statistics=true",))
    with pytest.raises(UsageError, match=r'freeze\.statistics: must be true, false or "auto"'):
        tiny_recipe(("freeze.statistics=3",))


def test_a_batch_over_processes_may_keep_the_statistics_of_its_weights(start):
    recipe = tiny_recipe(("freeze.statistics=false",), model={"weights": str(start)}, tokenizer={})
    architecture = open_model_folder(start).manifest.architecture
    with pytest.raises(UsageError, match=r"--set freeze\.statistics=true"):
        check_batch_norm_of(recipe, architecture, processes=2)
    kept = tiny_recipe(("freeze.statistics=true",), model={"weights": str(start)}, tokenizer={})
    check_batch_norm_of(kept, architecture, processes=2)
