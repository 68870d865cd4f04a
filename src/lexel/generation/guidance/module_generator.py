"""Any callable from a latent to pictures, such as a torch.nn.Module of another library, as a generator."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from lexel.errors import UsageError
from lexel.generation.guidance.generator import Latent

MOST_BEYOND = 0.45  # of the range: what networks that are made for it overshoot by at most


class ModuleGenerator:
    """Pictures of a module, guided by its latent; the module's own weights stay as they are.

    `module` is called with the latent, a copy of `latent`, and gives (B, 3, H, W) within `value_range`, which is
    scaled to 0..1. What it gives a little beyond is cut off, as when such pictures are shown. `learning_rate` is that
    of Adam; `spread` how far latents usually lie from each other. A module is put into evaluation mode.

    Example:
        stylegan = torch.nn.Module(...)                                # z (1, 512) → (1, 3, 256, 256) in −1..1
        z = torch.randn(1, 512, generator=torch.Generator().manual_seed(0))
        lexel.guide(encoder, "a smiling face", generator=ModuleGenerator(stylegan, z, value_range=(-1, 1)))
    """

    def __init__(
        self,
        module: Callable[[Tensor], Any],
        latent: Tensor,
        *,
        value_range: tuple[float, float] = (0.0, 1.0),
        learning_rate: float = 0.05,
        spread: float = 1.0,
    ) -> None:
        low, high = value_range
        if not low < high:
            raise UsageError(f"value_range ({low}, {high}) must rise, such as (0, 1) or (-1, 1).")
        if isinstance(module, nn.Module):
            module.eval()
        self.module = module
        self.latent = latent.detach().clone()
        self.value_range = value_range
        self._latent = Latent(self.latent, learning_rate, spread)

    def latents(self) -> Sequence[Latent]:
        """The latent."""
        return (self._latent,)

    def images(self) -> Tensor:
        """The module's pictures, in 0..1."""
        low, high = self.value_range
        made = self.module(self.latent)
        if not isinstance(made, Tensor):
            raise UsageError(
                f"{type(self.module).__name__} gives {type(made).__name__}, not a tensor of pictures (B, 3, H, W).\n"
                "  Wrap it in a function that takes the pictures out: lambda latent: module(latent).sample, say."
            )
        if not made.is_floating_point():
            return made  # which the checks of every generator refuse
        scaled = (made - low) / (high - low)
        if bool((scaled.detach() - 0.5).abs().max() > 0.5 + MOST_BEYOND):
            raise UsageError(
                f"{type(self.module).__name__} gives values from {float(made.detach().min()):.3g} to "
                f"{float(made.detach().max()):.3g}, far outside the value_range ({low:g}, {high:g}).\n"
                "  Give the bounds of its pictures: ModuleGenerator(module, latent, value_range=(LOW, HIGH))."
            )
        return scaled.clamp(0, 1)
