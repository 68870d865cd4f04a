"""What the rest of Lexel asks of a tower, whatever kind it is: its blocks, what training may do with them, its layers.

A new kind of tower is a subclass in a module of its own, settings in `config.py`, operations in `cost.py` and a line in
`clip.py`: nothing in `lexel.training` knows kinds. `Tower` is a base class and not a protocol because a tower is also a
torch module, and because the answers here are right for a tower that says nothing else.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class TowerLayers:
    """How deep in its tower each parameter is: 0 below the first of N blocks, 1 … N in them, N + 1 above the last."""

    layer_of: dict[str, int]  # by the parameter's name in the tower
    top: int  # N + 1


class Tower(nn.Module):
    """A module that maps a batch to embeddings (B, E), not of unit length.

    Image towers take normalised pixels (B, 3, H, W) and, if their settings have `patches`, the patches that training
    looks at: `kept` (B, K) int64; without them, all. Text towers take token ids (B, T), T at most the context length.
    """

    can_checkpoint: ClassVar[bool] = False  # whether the backward pass can compute its blocks' activations again
    is_of_another_library: ClassVar[bool] = False  # timm or transformers: its modules are not Lexel's

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind  # as its settings say it
        self.checkpoint_activations = False  # whether it does so, in training; may be set where `can_checkpoint`

    @property
    def name(self) -> str:
        """What an error message calls it: its kind, or what another library calls its architecture."""
        return self.kind

    @property
    def can_compile(self) -> bool:
        """Whether the input of its blocks has the same shape for each batch of the same number of rows."""
        return False

    def compile_training(self) -> None:
        """From now on run compiled blocks in training; for a tower that `can_compile`."""
        raise NotImplementedError(f"a tower of kind {self.kind} has no blocks to compile")

    def blocks_in_order(self) -> list[nn.Module]:
        """Its blocks from the bottom up, each computed after the one before; [] where they cannot be recognised."""
        return []

    def parameter_layers(self) -> TowerLayers | None:
        """The layer of each parameter; None where its blocks cannot be recognised.

        A tower is read in the order in which it is built. What is neither in a block nor above the last one counts to
        the block before it, as where a convolutional tower shrinks its picture.
        """
        blocks = self.blocks_in_order()
        if not blocks:
            return None
        block_of = {
            parameter: number for number, block in enumerate(blocks, start=1) for parameter in block.parameters()
        }
        layer_of, layer, top = {}, 0, len(blocks) + 1
        for name, parameter in self.named_parameters():
            if parameter in block_of:
                layer = block_of[parameter]
            elif layer == len(blocks):
                layer = top
            layer_of[name] = layer
        return TowerLayers(layer_of, top)


def choose_patches(noise: Tensor, dropout: float) -> Tensor:
    """The patches that are kept where each image drops the share `dropout` (FLIP, Li et al. 2023), at least one.

    noise (B, patches), uniform: the patches with the highest noise are kept. → (B, kept) int64.
    """
    return noise.topk(max(1, round(noise.shape[1] * (1 - dropout))), dim=1).indices
