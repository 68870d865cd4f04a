"""What a run needs before it is begun: arithmetic, time, memory, storage and network, computed from its recipe.

Everything follows from counted operations and bytes, and from a few assumptions that are stated beside the result: the
share of its peak that an accelerator gives (MFU), and what the data is like where there is none to be measured.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lexel.architectures.config import CLIPConfig, ResNetConfig
from lexel.architectures.cost import TRAINING, ArchitectureCost, cost_of, image_operations, text_operations
from lexel.batches import ceil_div
from lexel.errors import UsageError
from lexel.models.clip import CLIP
from lexel.training.adaptation.lora import add_adapters
from lexel.training.default_recipe import find_recipe
from lexel.training.inputs.input_reader import InputReader
from lexel.training.planning.accelerators import ACCELERATORS, Accelerator, this_machine
from lexel.training.planning.memory import FLOAT, DeviceMemory, pair_activations, step_memory
from lexel.training.planning.plan_data import PlanData, measured_data, stated_data
from lexel.training.recipe import Recipe
from lexel.training.setup import check_batch_norm_of

MFU = 0.3  # what the quickest of OpenCLIP's published runs reached (docs/scaling.md)
SAMPLED_STEPS = 10_000  # whose picture sizes are averaged, at most
LOSS_FACTORS = {"softmax": 8, "sigmoid": 6}  # times N²·E operations, forward and backward


@dataclass(frozen=True, slots=True)
class Computation:
    """Floating-point operations; a multiply-add counts as two. None: not known, a tower is another library's."""

    image: float | None  # model FLOPs of a pair, forward and backward, on average over the run
    text: float | None
    run: float | None  # model FLOPs in all
    loss: float  # of a step, beside them


@dataclass(frozen=True, slots=True)
class Time:
    """How long the run takes."""

    step: float  # seconds
    hours: float
    gpu_hours: float
    pairs_per_second: float


@dataclass(frozen=True, slots=True)
class Network:
    """Bytes that a process sends in a step; as many come in."""

    gradients: float
    embeddings: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What the run of a recipe needs on given hardware."""

    name: str
    parameters: int | None
    learned: int | None  # parameters that are not frozen
    batch_size: int
    steps: int
    data: PlanData
    computation: Computation
    accelerator: Accelerator
    gpus: int
    mfu: float
    local_batch: int  # pairs of a batch on one process
    micro_batch: int  # of those at a time
    recomputed: int  # forward passes that are made once more, to save memory
    time: Time | None
    memory: DeviceMemory | None  # None: not estimated for such towers
    network: Network | None
    elsewhere: dict[str, float]  # hours of one accelerator for the same run, recomputing nothing

    @property
    def pairs_seen(self) -> int:
        return self.steps * self.batch_size

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        content = asdict(self) | {"pairs_seen": self.pairs_seen, "fits": self.fits}
        content["data"] |= {"tokens": self.data.tokens, "bytes": self.data.bytes}
        return content

    @property
    def fits(self) -> bool | None:
        """Whether a step fits the device's memory; None where that is not known."""
        return None if self.memory is None else self.memory.total <= self.accelerator.memory


def make_plan(
    recipe: Recipe, architecture: CLIPConfig, data: PlanData, accelerator: Accelerator, gpus: int = 1, mfu: float = MFU
) -> Plan:
    """What the run needs on `gpus` such accelerators, when a step that recomputes nothing gives `mfu` of their peak."""
    steps = recipe.total_steps(data.epoch)
    computation = _computation(recipe, architecture, data, steps)
    sizes = cost_of(architecture)
    parameters, learned = _parameters(architecture, sizes), _learned(recipe, architecture, sizes)
    local_batch = ceil_div(recipe.batch_size, gpus)
    micro_batch, memory = _largest_micro_batch(recipe, architecture, parameters, learned, accelerator, gpus)
    recomputed = sum((recipe.engine.checkpoint_activations, micro_batch < local_batch))
    time = None
    if computation.run is not None:
        flops = computation.run * (TRAINING + recomputed) / TRAINING + steps * computation.loss
        seconds = flops / (gpus * accelerator.flops_per_second * mfu)
        time = Time(seconds / steps, seconds / 3600, gpus * seconds / 3600, steps * recipe.batch_size / seconds)
    return Plan(
        name=recipe.name,
        parameters=parameters,
        learned=learned,
        batch_size=recipe.batch_size,
        steps=steps,
        data=data,
        computation=computation,
        accelerator=accelerator,
        gpus=gpus,
        mfu=mfu,
        local_batch=local_batch,
        micro_batch=micro_batch,
        recomputed=recomputed,
        time=time,
        memory=memory,
        network=_network(recipe, architecture, learned, gpus),
        elsewhere={
            other.name: (computation.run + steps * computation.loss) / (other.flops_per_second * mfu) / 3600
            for other in ACCELERATORS.values()
            if computation.run is not None
        },
    )


def plan_run(
    recipe: Recipe | str | Path,
    *,
    changes: Sequence[str] = (),
    gpu: str = "here",
    gpus: int = 1,
    mfu: float = MFU,
    pairs: float | None = None,
    tokens: int | None = None,
    pair_bytes: float | None = None,
) -> Plan:
    """The plan of a recipe for a named accelerator of the table, or for "here".

    `recipe` and `changes` are what `train` takes. With `pairs` the sources need not be there, and `tokens` of a caption
    and `pair_bytes` are as stated or assumed; without, the sources are read and some of their pairs measured. Raises
    UsageError or DataError.
    """
    reader = InputReader()
    recipe = find_recipe(recipe, changes, reader)
    starting = reader.starting_weights(recipe.model)
    architecture = starting.architecture(recipe)
    if isinstance(architecture.image, ResNetConfig):
        check_batch_norm_of(recipe, architecture, processes=gpus)
    longest = architecture.text.context_length
    if tokens and tokens > longest:
        raise UsageError(
            f"--tokens {tokens:,}: the text tower takes captions of {longest:,} tokens at most, and cuts longer ones.\n"
            f"Plan for {longest:,} or fewer, or give it more: --set model.text.context_length={tokens}"
        )
    tokenizer = None
    if pairs is None:
        data, tokenizer = measured_data(recipe, reader, tokens, pair_bytes)
    else:
        data = stated_data(round(pairs), tokens, pair_bytes)
    device = this_machine(recipe) if gpu == "here" else ACCELERATORS[gpu]
    return make_plan(recipe, starting.architecture(recipe, tokenizer), data, device, gpus, mfu)


def _computation(recipe: Recipe, architecture: CLIPConfig, data: PlanData, steps: int) -> Computation:
    seen = steps * recipe.batch_size
    freeze = recipe.frozen

    def of_pair(forward: float | None, frozen: bool) -> float | None:
        if forward is None or not frozen:
            return forward and TRAINING * forward
        return forward * data.pairs / seen if freeze.cache_embeddings else forward

    image = of_pair(_picture_operations(recipe, architecture, steps), freeze.image)
    text = of_pair(_caption_operations(architecture, data), freeze.text)
    pictures, texts = _rows_of_a_pair(recipe)
    held = 1 + 1 / TRAINING if recipe.remember else 1  # the starting model looks at the same
    image, text = image and image * pictures * held, text and text * texts * held
    both = _total(image, text)
    return Computation(
        image,
        text,
        both and both * seen,
        LOSS_FACTORS[recipe.loss.kind] * recipe.batch_size**2 * architecture.embedding,
    )


def _rows_of_a_pair(recipe: Recipe) -> tuple[int, int]:
    """Pictures and texts that a step takes through the towers for each pair: of the pair, of another source that is
    remembered on, and a text with other words that is remembered."""
    rows = 2 if recipe.adapt and recipe.adapt.remember_on else 1
    return rows, rows + (recipe.remember > 0 and not recipe.frozen.text)


def _caption_operations(architecture: CLIPConfig, data: PlanData) -> float | None:
    """Forward, of a caption on average."""
    total = 0.0
    for length, share in data.lengths.items():
        if (one := text_operations(architecture, length)) is None:
            return None
        total += share * one
    return total


def _picture_operations(recipe: Recipe, architecture: CLIPConfig, steps: int) -> float | None:
    """Forward, of a picture on average over the run's ramp."""
    ramp, tower = recipe.ramp, architecture.image
    total = 0.0
    sampled = range(0, steps, max(1, steps // SAMPLED_STEPS))
    sizes = Counter(
        (
            ramp.image_size(step, steps, tower),
            ramp.patch_dropout(step, steps, tower),
        )
        for step in sampled
    )
    for size, count in sizes.items():
        if (one := image_operations(architecture, *size)) is None:
            return None
        total += one * count / len(sampled)
    return total


def _parameters(architecture: CLIPConfig, sizes: ArchitectureCost) -> int | None:
    return _total(_total(sizes.parameters_image, sizes.parameters_text), _temperature(architecture))


def _learned(recipe: Recipe, architecture: CLIPConfig, sizes: ArchitectureCost) -> int | None:
    if recipe.lora:
        with torch.device("meta"):
            clip = CLIP(architecture)
        add_adapters(clip, recipe.lora, recipe.seed)
        return sum(parameter.numel() for parameter in clip.parameters() if parameter.requires_grad)
    image = 0 if recipe.frozen.image else sizes.parameters_image
    text = 0 if recipe.frozen.text else sizes.parameters_text
    return _total(_total(image, text), _temperature(architecture))


def _temperature(architecture: CLIPConfig) -> int:
    """Parameters of neither tower: the logit scale, and a bias where there is one."""
    return 2 if architecture.logit_bias else 1


def _largest_micro_batch(
    recipe: Recipe,
    architecture: CLIPConfig,
    parameters: int | None,
    learned: int | None,
    accelerator: Accelerator,
    gpus: int,
) -> tuple[int, DeviceMemory | None]:
    """How many pairs of its share of a batch a device can take at a time, as the recipe says or as its memory allows:
    all of them, or else a power of two. And what it then holds; None where a tower's activations are not known."""
    local_batch = ceil_div(recipe.batch_size, gpus)
    most = local_batch if recipe.micro_batch == "auto" else min(recipe.micro_batch, local_batch)
    pictures, texts = _rows_of_a_pair(recipe)

    def activations(image: bool, text: bool) -> float | None:
        return pair_activations(
            architecture,
            image=image,
            text=text,
            checkpoint=recipe.engine.checkpoint_activations,
            number_bytes=accelerator.number_bytes,
        )

    of_picture = activations(not recipe.frozen.image, False)
    of_text = activations(False, not recipe.frozen.text)
    if of_picture is None or of_text is None or parameters is None or learned is None:
        return most, None
    each = of_picture * pictures + of_text * texts

    def memory(micro_batch: int) -> DeviceMemory:
        return step_memory(
            architecture,
            parameters,
            learned,
            activations_per_pair=each,
            micro_batch=micro_batch,
            local_batch=local_batch,
            batch_size=recipe.batch_size,
            processes=gpus,
            sharded=recipe.parallel.shard != "none",
            averaged=recipe.average.decay is not None,
            remembers=recipe.remember > 0,
            number_bytes=accelerator.number_bytes,
        )

    usable = accelerator.usable * accelerator.memory
    keeps = recipe.frozen.image or recipe.lora or recipe.keeps_statistics
    whole_batch = isinstance(architecture.image, ResNetConfig) and not keeps  # it normalises over it
    if recipe.micro_batch == "auto" and not whole_batch and memory(most).total > usable:
        smaller = [2**power for power in reversed(range(most.bit_length())) if 2**power < most]
        most = next((size for size in smaller if memory(size).total <= usable), 1)
    return most, memory(most)


def _network(recipe: Recipe, architecture: CLIPConfig, learned: int | None, gpus: int) -> Network | None:
    """In rings: a sum is sent as its scattered parts, and these are gathered again."""
    if learned is None:
        return None
    others = (gpus - 1) / gpus
    times = 3 if recipe.parallel.shard != "none" else 2  # sharded weights are gathered for either pass
    vectors = 2 * FLOAT * architecture.embedding * recipe.batch_size
    return Network(gradients=times * others * FLOAT * learned, embeddings=2 * others * vectors)


def _total(image: float | None, text: float | None) -> Any:
    """None where either is not known."""
    return None if image is None or text is None else image + text
