"""One step's loss and gradients, of any objective.

Device, precision, parts of a batch, compilation, memory and processes are dealt with here; neither the objective nor
the loop knows of them.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lexel.batches import ceil_div
from lexel.data.loader import Batch
from lexel.errors import LexelError
from lexel.progress import say
from lexel.terminal import counted
from lexel.training.distributed.gradient_sum import GradientSum
from lexel.training.distributed.world import World
from lexel.training.metering.phases import phase
from lexel.training.metering.work import Work
from lexel.training.precision import precision_on
from lexel.training.recipe import Recipe
from lexel.training.step.compilation import compile_towers
from lexel.training.step.gradient_cache import backward_in_parts
from lexel.training.step.micro_batch import cut, has_batch_norm, is_out_of_memory, micro_batch_for
from lexel.training.step.objective import BatchLoss, ForwardPass, Objective, Rows
from lexel.training.step.seeds import seed_of


@dataclass(frozen=True, slots=True)
class StepLoss:
    """What a step measured before the weights moved."""

    loss: float  # of the batch of all processes
    numbers: dict[str, float]  # of the batch of all processes, as the objective names them
    work: Work  # of this process


class Gradients:
    """Computes the loss of a batch and leaves its gradients in the parameters of the objective's model.

    They are those of the whole batch of all processes, however many rows go through the towers at once.
    """

    def __init__(self, objective: Objective, recipe: Recipe, world: World) -> None:
        """The objective's model is in training mode, on the device of `world`."""
        self.objective = objective
        self.recipe = recipe
        self.world = world
        self.total = GradientSum.of(objective.towers.values(), world)
        self.rows = ceil_div(recipe.batch_size, world.size)  # of this process in a batch without bad pictures
        self.micro_batch = self._micro_batch()
        self._checkpoint(recipe.engine.checkpoint_activations)
        if self._count > 1 and world.main:
            say(f"A process takes its {self.rows:,} pairs of a batch in {self._count:,} parts.")
        self.compiled = compile_towers(objective.towers, recipe.engine.compile, world.device)

    def __call__(self, batch: Batch, step: int) -> StepLoss:
        """Loss of the whole batch of all processes.

        Where memory does not suffice the parts are halved, for this step and those to come.
        """
        try:
            return self._step(batch, step)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._halve_parts()
        return self(batch, step)  # out here, where the error no longer holds what the step had computed

    def _step(self, batch: Batch, step: int) -> StepLoss:
        passes = {
            name: partial(self._run, one, batch, step) for name, one in self.objective.passes(batch, step).items()
        }
        parts = cut(len(batch.keys), self.rows, self.micro_batch)
        last_backward = self.total.overlapping if self.total else nullcontext
        result = backward_in_parts(parts, passes, partial(self._loss, batch), last_backward)
        if self.total:
            self.total.finish()
        work = self.objective.work(batch, step)  # before the next line, which waits for the device
        loss, *numbers = torch.stack([result.loss, *result.numbers.values()]).detach().tolist()
        return StepLoss(loss, dict(zip(result.numbers, numbers, strict=True)), work)

    def _loss(self, batch: Batch, outputs: dict[str, Tensor]) -> BatchLoss:
        with phase("loss"):
            return self.objective.loss(batch, outputs)

    def _run(self, one: ForwardPass, batch: Batch, step: int, part: slice) -> Tensor:
        """The outputs (b, …) of a pass for the rows in `part`."""
        rows = part.stop - part.start
        # A compiled tower takes one number of rows only. Any takes a row at least: all processes run the same passes.
        wanted = ceil_div(self.rows, self._count) if one.tower in self.compiled else 1
        with phase("to device"):
            inputs = [_filled(given, part, wanted).to(self.world.device, non_blocking=True) for given in one.inputs]
        first = int(batch.places[part.start]) if rows else -1
        torch.manual_seed(seed_of(self.recipe.seed, step, first))  # for the dropout of other libraries' towers
        with self._precision():
            return one.run(*inputs)[:rows]

    def _precision(self) -> torch.autocast:
        device = self.world.device
        lower = precision_on(device, self.recipe.precision) == torch.bfloat16
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=lower)

    @property
    def _count(self) -> int:
        """Parts that a batch is taken in, the same on every process."""
        return ceil_div(self.rows, self.micro_batch)

    def _micro_batch(self) -> int:
        fitting = self.recipe.micro_batch
        if fitting == "auto":
            recomputed = self.recipe.engine.checkpoint_activations
            fitting = micro_batch_for(
                self.objective, self._precision, self.rows, self.world.device, recomputed=recomputed
            )
        return self.world.least(min(fitting, self.rows))

    def _checkpoint(self, wanted: bool) -> None:
        """Let the towers keep little of their activations, if that is `wanted`, and say which of them cannot."""
        for name, tower in self.objective.towers.items():
            tower.checkpoint_activations = wanted and tower.can_checkpoint
            if wanted and tower.training and not tower.can_checkpoint:
                what = f"the {name} tower ({tower.kind})"
                say(f"engine.checkpoint_activations: {what} keeps its activations all the same.")

    def _halve_parts(self) -> None:
        """Give up what the step has computed and take less at once from now on. Raises LexelError if that cannot be."""
        alone = self.world.size == 1  # others would wait for what this process has already done
        model, device = self.objective.model, self.world.device
        if self.micro_batch == 1 or not alone or has_batch_norm(model):
            raise LexelError(
                f"There is not enough memory for {counted(self.micro_batch, 'pair')} at once on {device}.\n"
                + ("Take a smaller model, pictures or batch_size." if alone else "Set micro_batch to half of that.")
            )
        model.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        self.micro_batch = ceil_div(self.micro_batch, 2)
        say(f"Not enough memory: from now on {self.micro_batch:,} pairs go through the towers at once.")


def _filled(given: Rows, part: slice, wanted: int) -> Tensor:
    """The rows of one part, and as many more as are `wanted`."""
    rows = given.values[part]
    if len(rows) >= wanted:
        return rows
    return torch.cat([rows, rows.new_full((wanted - len(rows), *rows.shape[1:]), given.filler)])
