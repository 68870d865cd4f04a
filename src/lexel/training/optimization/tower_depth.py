"""How deep in its tower each weight stands, which layer-wise learning-rate decay and Muon need to know.

A tower is read in the order in which it is built: what comes before its first block (stem, embeddings) is layer 0, its
N blocks are layers 1 … N, and what comes after the last (pooling, norm, projection) is layer N + 1. A weight between
blocks, as where a convolutional tower shrinks its picture, counts to the block before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from lexel.errors import UsageError
from lexel.models.clip import CLIP
from lexel.models.convnext import ConvNeXt, Stage
from lexel.models.huggingface import HuggingFaceText
from lexel.models.resnet import ModifiedResNet
from lexel.models.text_transformer import TextTransformer
from lexel.models.timm import TimmTower
from lexel.models.vision_transformer import VisionTransformer


@dataclass(frozen=True, slots=True)
class Place:
    """Where a weight stands."""

    layer: int  # 0 … top
    top: int

    @property
    def below_top(self) -> int:
        return self.top - self.layer

    @property
    def is_hidden(self) -> bool:
        """Whether it is within a block."""
        return 0 < self.layer < self.top


TOP = Place(0, 0)  # of what is in neither tower: logit scale and bias


def places(clip: CLIP) -> dict[str, Place]:
    """The place of every parameter, by name. Raises UsageError where a tower's blocks cannot be told."""
    found = {name: TOP for name, _ in clip.named_parameters()}
    for prefix, tower in (("image", clip.image), ("text", clip.text)):
        in_tower = _by_timm(tower) if isinstance(tower, TimmTower) else _by_blocks(tower, _blocks(tower))
        found |= {f"{prefix}.{name}": place for name, place in in_tower.items()}
    return found


def _blocks(tower: nn.Module) -> Sequence[nn.Module]:
    """The blocks of a tower, from the bottom up."""
    match tower:
        case VisionTransformer() | TextTransformer():
            return list(tower.blocks)
        case ModifiedResNet():
            return [block for stage in tower.stages for block in stage.children()]
        case ConvNeXt():
            return [block for stage in tower.stages if isinstance(stage, Stage) for block in stage.blocks]
        case HuggingFaceText():
            depth = tower.transformer.config.num_hidden_layers
            lists = (part for part in tower.transformer.modules() if isinstance(part, nn.ModuleList))
            if blocks := next((part for part in lists if len(part) == depth), None):
                return list(blocks)
            raise _unknown(f'text tower "{tower.config.model.get("model_type")}"')
    raise TypeError(type(tower))


def _by_blocks(tower: nn.Module, blocks: Sequence[nn.Module]) -> dict[str, Place]:
    """Of `tower`'s parameters, which `named_parameters` gives in the order in which they were built."""
    block_of = {parameter: number for number, block in enumerate(blocks, start=1) for parameter in block.parameters()}
    found, layer, top = {}, 0, len(blocks) + 1
    for name, parameter in tower.named_parameters():
        if parameter in block_of:
            layer = block_of[parameter]
        elif layer == len(blocks):
            layer = top
        found[name] = Place(layer, top)
    return found


def _by_timm(tower: TimmTower) -> dict[str, Place]:
    """As timm groups a model's layers for its own layer decay; the projection, where it is ours, is on top of them."""
    from timm.models import group_parameters  # pyright: ignore[reportMissingImports]

    trunk: Any = tower.trunk
    if not hasattr(trunk, "group_matcher"):
        raise _unknown(f'image tower "{tower.config.model}"')
    layers: dict[str, int] = group_parameters(trunk, trunk.group_matcher(coarse=False), reverse=True)
    layer_of = {f"trunk.{name}": layer for name, layer in layers.items()}
    top = max(layer_of.values()) + (tower.config.projection != "trunk")
    return {name: Place(layer_of.get(name, top), top) for name, _ in tower.named_parameters()}


def _unknown(tower: str) -> UsageError:
    return UsageError(
        f'Lexel cannot tell the blocks of the {tower}, which optimizer.layer_decay and optimizer.kind = "muon" go by.\n'
        'Leave optimizer.layer_decay at 1 and optimizer.kind at "adamw".'
    )
