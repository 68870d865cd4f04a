"""What towers of other libraries need: values for buffers that are not in the state dict, and seeded weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lexel.errors import UsageError


def fill_buffers(module: nn.Module, fill: Callable[[nn.Module], object], library: str) -> None:
    """Give a module that was built on the meta device the buffers that its library computes instead of storing.

    `fill` is the library's own way to compute them in place; the parameters stay on meta, to be assigned. Raises
    UsageError where it leaves one out, as older versions do: the tower would be silently wrong.
    """
    filled = [_filled(module, fill, start) for start in (0, 1)]
    for name, values in filled[0].items():
        if not torch.equal(values, filled[1][name]):
            raise UsageError(f"This version of {library} is too old: it leaves {name} unset. pip install -U {library}")


def _filled(module: nn.Module, fill: Callable[[nn.Module], object], start: int) -> dict[str, Tensor]:
    """The computed buffers after each was set to `start`, and then filled."""
    computed = {}
    for prefix, part in module.named_modules():
        for name in part._non_persistent_buffers_set:
            buffer = part._buffers[name]
            if buffer is not None:
                part._buffers[name] = computed[f"{prefix}.{name}".lstrip(".")] = torch.full_like(
                    buffer, start, device="cpu"
                )
    with torch.device("cpu"), torch.no_grad():
        fill(module)
    return {name: tensor.clone() for name, tensor in computed.items()}


def is_on_meta() -> bool:
    """Whether modules are now built without memory, as under `with torch.device("meta")`."""
    return torch.get_default_device().type == "meta"


@contextmanager
def drawing_from(seed: int) -> Iterator[None]:
    """Within the block, random numbers on the CPU are drawn from `seed`; the global random state stays as it is."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        yield
