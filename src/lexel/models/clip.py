"""CLIP: an image tower and a text tower that meet in one space (Radford et al. 2021).

A CLIP can be built under `torch.device("meta")`, to be counted or to have weights assigned: it has no buffers that a
state dict does not carry.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexel.models.config import CLIPConfig, VisionTransformerConfig
from lexel.models.resnet import AttentionPool, Bottleneck, ModifiedResNet
from lexel.models.text_transformer import TextTransformer
from lexel.models.transformer import Block
from lexel.models.vision_transformer import VisionTransformer

MAX_LOGIT_SCALE = math.log(100)


class CLIP(nn.Module):
    """Two towers and the temperature of their similarity; give it weights with `init_weights` or a state dict."""

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        self.config = config
        self.image = (
            VisionTransformer(config.image, config.embedding)
            if isinstance(config.image, VisionTransformerConfig)
            else ModifiedResNet(config.image, config.embedding)
        )
        self.text = TextTransformer(config.text, config.embedding)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07), dtype=torch.float32))
        self.logit_bias = nn.Parameter(torch.tensor(0.0, dtype=torch.float32)) if config.logit_bias else None

    def encode_image(self, pixels: Tensor) -> Tensor:
        """Embeddings (B, E), not of unit length, of normalised pixels (B, 3, H, W)."""
        return self.image(pixels)

    def encode_text(self, ids: Tensor) -> Tensor:
        """Embeddings (B, E), not of unit length, of token ids (B, T)."""
        return self.text(ids)

    def forward(self, pixels: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors in float32, whatever the towers run in: images (B, E), texts (B, E)."""
        return F.normalize(self.image(pixels).float(), dim=-1), F.normalize(self.text(ids).float(), dim=-1)

    @torch.no_grad()
    def clamp_logit_scale(self) -> None:
        """Keep similarities from being multiplied by more than 100; call it after each optimizer step."""
        self.logit_scale.clamp_(max=MAX_LOGIT_SCALE)


@torch.no_grad()
def init_weights(clip: CLIP, seed: int) -> None:
    """Give `clip` fresh weights: the same ones for the same seed, on every device and whatever was drawn before.

    Drawn from normal distributions with these standard deviations, as in OpenAI's release (D is the tower's width, or
    the pooling's; N is the tower's depth), except where another rule is given:

    | weights                                     | standard deviation |
    |---------------------------------------------|--------------------|
    | token embedding                             | 0.02               |
    | position embedding: text                    | 0.01               |
    | position embedding: image; class embedding  | D^-0.5             |
    | attention: query, key, value                | D^-0.5             |
    | attention: output · MLP: contract           | D^-0.5 (2N)^-0.5   |
    | MLP: expand                                 | (2D)^-0.5          |
    | projection                                  | D^-0.5             |
    | attention pooling: all four linear layers   | D^-0.5             |
    | convolutions                                | uniform within ± fan-in^-0.5, PyTorch's default |
    | norms                                       | gain 1, bias 0     |
    | last BatchNorm of each ResNet bottleneck    | gain 0: each bottleneck starts as its shortcut |
    | biases                                      | 0                  |
    | logit scale                                 | log(1/0.07); log(10) beside a logit bias (Zhai et al. 2023) |
    | logit bias                                  | −10                |
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(weight: Tensor, std: float) -> None:
        weight.copy_(torch.randn(weight.shape, generator=generator) * std)

    def uniform(weight: Tensor, bound: float) -> None:
        weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * bound)

    for module in clip.modules():
        match module:
            case nn.LayerNorm() | nn.GroupNorm() | nn.BatchNorm2d():
                module.reset_parameters()
            case nn.Conv2d():
                uniform(module.weight, module.weight[0].numel() ** -0.5)
        if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
            module.bias.zero_()

    for module in clip.modules():
        match module:
            case VisionTransformer() | TextTransformer():
                for block in module.blocks:
                    assert isinstance(block, Block)
                    width = block.attention.output.in_features
                    residual = (2 * width * len(module.blocks)) ** -0.5
                    normal(block.attention.qkv.weight, width**-0.5)
                    normal(block.attention.output.weight, residual)
                    normal(block.mlp.expand.weight, (2 * width) ** -0.5)
                    normal(block.mlp.contract.weight, residual)
                normal(module.projection.weight, module.projection.in_features**-0.5)
            case Bottleneck():
                last_norm = module.expand[1]
                assert isinstance(last_norm, nn.BatchNorm2d)
                last_norm.weight.zero_()
            case AttentionPool():
                width = module.query.in_features
                normal(module.position_embedding, width**-0.5)
                for layer in (module.query, module.key, module.value, module.output):
                    normal(layer.weight, width**-0.5)

    if isinstance(clip.image, VisionTransformer):
        scale = clip.image.projection.in_features**-0.5
        normal(clip.image.position_embedding, scale)
        if clip.image.class_embedding is not None:
            normal(clip.image.class_embedding, scale)
    normal(clip.text.token_embedding.weight, 0.02)
    normal(clip.text.position_embedding, 0.01)

    clip.logit_scale.fill_(math.log(1 / 0.07) if clip.logit_bias is None else math.log(10))
    if clip.logit_bias is not None:
        clip.logit_bias.fill_(-10)
