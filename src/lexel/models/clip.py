"""CLIP: an image tower and a text tower that meet in one space (Radford et al. 2021).

A CLIP can be built under `torch.device("meta")`, to be counted or to have weights assigned: it has no buffers that a
state dict does not carry, but for those of other libraries' towers, which have their values even then.
"""

import math
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    ImageConfig,
    ResNetConfig,
    TextConfig,
    TextTransformerConfig,
    TimmConfig,
    VisionTransformerConfig,
)
from lexel.models.convnext import ConvNeXt, ConvNeXtBlock
from lexel.models.huggingface import HuggingFaceText
from lexel.models.layers.pooling import MapPool, QueryPool
from lexel.models.layers.transformer import Block
from lexel.models.resnet import AttentionPool, Bottleneck, ModifiedResNet
from lexel.models.text_transformer import TextTransformer
from lexel.models.timm import TimmTower
from lexel.models.towers import Tower
from lexel.models.vision_transformer import VisionTransformer

MAX_LOGIT_SCALE = math.log(100)
FIRST_GAIN = 1e-5  # of a branch with layer scale


class CLIP(nn.Module):
    """Two towers and the temperature of their similarity; give it weights with `init_weights` or a state dict.

    Raises UsageError where a tower is built by a library that is not installed.
    """

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        self.config = config
        self.keeps_statistics = False  # whether BatchNorm normalises with its running statistics in training too
        self.image = build_image_tower(config.image, config.embedding)
        self.text = build_text_tower(config.text, config.embedding)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07), dtype=torch.float32))
        self.logit_bias = nn.Parameter(torch.tensor(0.0, dtype=torch.float32)) if config.logit_bias else None

    @property
    def towers(self) -> dict[str, Tower]:
        """Both towers, by the names that their parameters begin with."""
        return {"image": self.image, "text": self.text}

    def encode_image(self, pixels: Tensor, kept: Tensor | None = None) -> Tensor:
        """Embeddings (B, E), not of unit length, of normalised pixels (B, 3, H, W).

        `kept` (B, K) int64: the patches that training looks at, for towers that have patches (see `choose_patches`).
        """
        return self.image(pixels) if kept is None else self.image(pixels, kept)

    def encode_text(self, ids: Tensor) -> Tensor:
        """Embeddings (B, E), not of unit length, of token ids (B, T)."""
        return self.text(ids)

    def forward(self, pixels: Tensor, ids: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Unit vectors in float32, whatever the towers run in: images (B, E), texts (B, E)."""
        texts = self.encode_text(ids)  # first, because it may wait for the device to tell it how long captions are
        images = self.encode_image(pixels, kept)
        return F.normalize(images.float(), dim=-1), F.normalize(texts.float(), dim=-1)

    def train(self, mode: bool = True) -> Self:
        """As of any module, but what is frozen stays in evaluation mode: a tower of which nothing is trained, and
        BatchNorm whose gains are not, or all of it with `keeps_statistics`, so that its running statistics do not move.
        """
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and (
                self.keeps_statistics or (module.affine and not module.weight.requires_grad)
            ):
                module.eval()
        for tower in self.towers.values():
            if not any(parameter.requires_grad for parameter in tower.parameters()):
                tower.eval()
        return self

    @torch.no_grad()
    def clamp_logit_scale(self) -> None:
        """Keep similarities from being multiplied by more than 100; call it after each optimizer step."""
        self.logit_scale.clamp_(max=MAX_LOGIT_SCALE)


def build_image_tower(config: ImageConfig, embedding: int) -> VisionTransformer | ModifiedResNet | ConvNeXt | TimmTower:
    """The image tower that `config` means, with weights that mean nothing yet."""
    match config:
        case VisionTransformerConfig():
            return VisionTransformer(config, embedding)
        case ResNetConfig():
            return ModifiedResNet(config, embedding)
        case ConvNeXtConfig():
            return ConvNeXt(config, embedding)
        case TimmConfig():
            return TimmTower(config, embedding)


def build_text_tower(config: TextConfig, embedding: int) -> TextTransformer | HuggingFaceText:
    """The text tower that `config` means, with weights that mean nothing yet."""
    match config:
        case TextTransformerConfig():
            return TextTransformer(config, embedding)
        case HuggingFaceTextConfig():
            return HuggingFaceText(config, embedding)


class Draw:
    """Fills weights in place from a generator of its own."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, weight: Tensor, std: float) -> None:
        weight.copy_(torch.randn(weight.shape, generator=self.generator) * std)

    def uniform(self, weight: Tensor, bound: float) -> None:
        weight.copy_((torch.rand(weight.shape, generator=self.generator) * 2 - 1) * bound)

    def linear(self, *layers: nn.Module) -> None:
        """Linear layers whose outputs are as large as their inputs; others are passed over."""
        for layer in layers:
            if isinstance(layer, nn.Linear):
                self.normal(layer.weight, layer.in_features**-0.5)


@torch.no_grad()
def init_weights(clip: CLIP, seed: int) -> None:
    """Give `clip` fresh weights: the same ones for the same seed, on every device and whatever was drawn before.

    Drawn from normal distributions with these standard deviations, as in OpenAI's release (D is the width of what goes
    into the layer, N the tower's depth), except where another rule is given:

    | weights                                     | standard deviation |
    |---------------------------------------------|--------------------|
    | token embedding                             | 0.02; 1 with mean pooling: see docs/experiments.md |
    | position and class embedding: text          | 0.01               |
    | position and class embedding: image         | D^-0.5             |
    | attention: query, key, value                | D^-0.5             |
    | attention: output · MLP: contract           | D^-0.5 (2N)^-0.5, D being the tower's width |
    | MLP: expand                                 | (2D)^-0.5          |
    | projection                                  | D^-0.5             |
    | pooling by attention: linear layers, probe, queries, positions | D^-0.5; its MLP like a block's of depth 1 |
    | ConvNeXt: MLP                               | 0.02               |
    | convolutions                                | uniform within ± fan-in^-0.5, PyTorch's default |
    | norms                                       | gain 1, bias 0     |
    | last BatchNorm of each ResNet bottleneck    | gain 0: each bottleneck starts as its shortcut |
    | gains of branches (layer scale)             | 1e-5: each block starts nearly as its shortcut |
    | biases                                      | 0                  |
    | what timm or transformers builds            | as they draw it    |
    | logit scale                                 | log(1/0.07); log(10) beside a logit bias (Zhai et al. 2023) |
    | logit bias                                  | −10                |
    """
    draw = Draw(seed)
    for module in clip.modules():
        match module:
            case nn.LayerNorm() | nn.GroupNorm() | nn.BatchNorm2d():
                module.reset_parameters()
            case nn.Conv2d():
                draw.uniform(module.weight, module.weight[0].numel() ** -0.5)
        if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
            module.bias.zero_()

    for module in clip.modules():
        _draw_module(module, draw)
    match clip.image:
        case VisionTransformer() as image:
            scale = image.position_embedding.shape[1] ** -0.5
            draw.normal(image.position_embedding, scale)
            if image.class_embedding is not None:
                draw.normal(image.class_embedding, scale)
        case TimmTower() as image:
            image.draw_trunk(seed)
    match clip.text:
        case TextTransformer() as text:
            draw.normal(text.token_embedding.weight, 1.0 if text.pooling == "mean" else 0.02)
            draw.normal(text.position_embedding, 0.01)
            if text.class_embedding is not None:
                draw.normal(text.class_embedding, 0.01)
        case HuggingFaceText() as text:
            text.draw_transformer(seed)

    clip.logit_scale.fill_(math.log(1 / 0.07) if clip.logit_bias is None else math.log(10))
    if clip.logit_bias is not None:
        clip.logit_bias.fill_(-10)


def _draw_module(module: nn.Module, draw: Draw) -> None:
    match module:
        case VisionTransformer() | TextTransformer():
            for block in module.blocks:
                assert isinstance(block, Block)
                _draw_block(block, len(module.blocks), draw)
            draw.linear(module.projection)
        case HuggingFaceText() | TimmTower() | ConvNeXt():
            draw.linear(*module.projection.modules())
        case ConvNeXtBlock():
            draw.normal(module.mlp.expand.weight, 0.02)
            draw.normal(module.mlp.contract.weight, 0.02)
            module.gain.fill_(FIRST_GAIN)
        case Bottleneck():
            last_norm = module.expand[1]
            assert isinstance(last_norm, nn.BatchNorm2d)
            last_norm.weight.zero_()
        case AttentionPool():
            draw.normal(module.position_embedding, module.query.in_features**-0.5)
            draw.linear(module.query, module.key, module.value, module.output)
        case MapPool():
            width = module.query.in_features
            draw.normal(module.probe, width**-0.5)
            draw.linear(module.query, module.key, module.value, module.output)
            draw.normal(module.mlp.expand.weight, (2 * width) ** -0.5)
            draw.normal(module.mlp.contract.weight, (2 * width) ** -0.5)
        case QueryPool():
            draw.normal(module.queries, module.query.in_features**-0.5)
            draw.linear(module.query, module.key, module.value, module.output)


def _draw_block(block: Block, depth: int, draw: Draw) -> None:
    width = block.attention.output.in_features
    residual = (2 * width * depth) ** -0.5
    draw.normal(block.attention.qkv.weight, width**-0.5)
    draw.normal(block.attention.output.weight, residual)
    draw.normal(block.mlp.expand.weight, (2 * width) ** -0.5)
    draw.normal(block.mlp.contract.weight, residual)
    for gain in (block.attention_gain, block.mlp_gain):
        if gain is not None:
            gain.fill_(FIRST_GAIN)
