"""What accelerators can do, as their makers state it, and what this machine can do, as it is measured."""

from dataclasses import dataclass

import torch

from lexel.runtimes.torch import choose_device
from lexel.training.metering.meter import device_name, matmul_peak
from lexel.training.precision import precision_on
from lexel.training.recipe import Recipe
from lexel.training.step.micro_batch import USABLE_GPU, USABLE_HOST, host_memory


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One device."""

    name: str
    flops_per_second: float  # of dense products in bfloat16, at most
    memory: float  # bytes
    usable: float = USABLE_GPU  # share of it that a step is planned with
    number_bytes: int = 2  # of what products are computed in


# NVIDIA's data sheets; dense, without sparsity.
ACCELERATORS = {
    "a100": Accelerator("A100 80GB", 312e12, 80e9),
    "h100": Accelerator("H100 SXM", 989e12, 80e9),
    "h200": Accelerator("H200", 989e12, 141e9),
    "l4": Accelerator("L4", 121e12, 24e9),
    "rtx4090": Accelerator("RTX 4090", 165e12, 24e9),
}


def this_machine(recipe: Recipe) -> Accelerator:
    """The device that the recipe would run on here, with the peak that it reaches in the recipe's precision."""
    device = torch.device(choose_device(recipe.device))
    precision = precision_on(device, recipe.precision)
    name = f"this machine's {device_name(device)} in {str(precision).removeprefix('torch.')}"
    peak = matmul_peak(device, precision)
    if device.type == "cuda":
        memory, usable = torch.cuda.get_device_properties(device).total_memory, USABLE_GPU
    else:
        memory, usable = host_memory(), USABLE_HOST
    return Accelerator(name, peak, memory, usable, precision.itemsize)
