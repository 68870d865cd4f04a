"""What stands ready before the first step: the material, the tokenizer, the towers and the maker of batches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from lexel.data.loader import Batch, BatchMaker, load_batches
from lexel.data.order import Order
from lexel.encoder import Encoder
from lexel.models.clip import CLIP, init_weights
from lexel.progress import say
from lexel.runtimes.torch import TorchRuntime, choose_device
from lexel.tokenizer import Tokenizer
from lexel.training.optimizer import Optimizer
from lexel.training.prepare import Material, gather, train_tokenizer
from lexel.training.recipe import Recipe
from lexel.training.run import RunFolder
from lexel.training.snapshot import newest_snapshot


@dataclass(frozen=True)
class Setup:
    """All that the loop works with."""

    recipe: Recipe
    folder: RunFolder
    material: Material
    tokenizer: Tokenizer
    clip: CLIP
    order: Order

    @cached_property
    def steps(self) -> int:
        return self.recipe.total_steps(self.order.epoch_size)

    def batches(self, start: int) -> Iterator[Batch]:
        """The batches from step `start` to the end."""
        maker = BatchMaker(
            self.material.sources,
            self.order,
            self.recipe.batch_size,
            self.tokenizer,
            self.recipe.preprocessing(),
            self.recipe.augmentation,
        )
        on_gpu = self.clip.logit_scale.device.type == "cuda"
        return load_batches(maker, start=start, stop=self.steps, workers=self.recipe.data.workers, pin_memory=on_gpu)

    def encoder(self, step: int) -> Encoder:
        """An Encoder around the towers as they are after `step` steps."""
        return Encoder(
            TorchRuntime(self.clip),
            self.tokenizer,
            self.recipe.preprocessing(),
            name=self.recipe.name,
            fingerprint=f"{self.recipe.name} after step {step}",
        )


def set_up(recipe: Recipe, folder: RunFolder) -> Setup:
    """Read the sources, learn the vocabulary and draw the first weights. Raises UsageError or DataError."""
    material = gather(recipe)
    tokenizer = train_tokenizer(recipe, material, recipe.architecture().text.context_length)
    clip = CLIP(recipe.architecture(tokenizer.vocabulary_size, tokenizer.end_of_text))
    init_weights(clip, recipe.seed)
    device = choose_device(recipe.device)
    clip.to(device)
    order = Order([len(s.pairs) for s in material.sources], [s.weight for s in material.sources], recipe.seed)
    setup = Setup(recipe, folder, material, tokenizer, clip, order)
    say(
        f"Training {recipe.name}: {material.pairs:,} pairs, {setup.steps:,} steps of {recipe.batch_size} "
        f"({setup.steps * recipe.batch_size / order.epoch_size:.1f} epochs), "
        f"{sum(parameter.numel() for parameter in clip.parameters()):,} parameters, on {device}, into {folder.path}"
    )
    return setup


def resume(setup: Setup, optimizer: Optimizer) -> tuple[int, float]:
    """Put the newest snapshot back, if there is one: the step to go on with, and the seconds trained before."""
    snapshot = newest_snapshot(setup.folder.snapshots)
    if snapshot is None:
        return 0, 0.0
    setup.folder.check_data(snapshot.facts["data"], setup.material.fingerprint)
    snapshot.restore(setup.clip, optimizer)
    say(f"Going on after step {snapshot.step} of {setup.steps}.")
    return snapshot.step, snapshot.facts["seconds"]


@contextmanager
def deterministic() -> Iterator[None]:
    """Within the block torch takes its deterministic ways, and warns where it has none."""
    fills: Any = torch.utils.deterministic  # its settings are properties of the module, unknown to type checkers
    before = torch.are_deterministic_algorithms_enabled(), fills.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    fills.fill_uninitialized_memory = False  # a debugging aid that costs time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        fills.fill_uninitialized_memory = before[1]
