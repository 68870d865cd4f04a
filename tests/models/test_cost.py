import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lexel.models.clip import CLIP
from lexel.models.config import CLIPConfig, TextTransformerConfig, VisionTransformerConfig
from lexel.models.cost import ArchitectureCost, cost_of, describe
from lexel.models.zoo import architecture

COUNTED = [
    "lexel-xs", "lexel-s", "lexel-m", "lexel-l", "ViT-B-32", "ViT-B-16-plus-240", "ViT-g-14", "RN50", "RN50x4",
    "ViT-L-14-CLIPA", "coca_ViT-B-32", "coca_ViT-L-14", "ViT-B-16-SigLIP", "ViT-SO400M-14-SigLIP-384",
    "ViT-gopt-16-SigLIP2-384", "convnext_base_w", "convnext_large_d", "convnext_xxlarge", "ViT-H-14-worldwide",
]  # fmt: skip


def counted(clip: CLIP) -> ArchitectureCost:
    """The same costs from the towers themselves, by torch's own counter."""

    def parameters(tower: nn.Module) -> int:
        return sum(parameter.numel() for parameter in tower.parameters())

    def gflops(tower: nn.Module, example: Tensor) -> float:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            tower.requires_grad_(False)(example)
        return counter.get_total_flops() / 1e9

    side, context = clip.config.image.image_size, clip.config.text.context_length
    return ArchitectureCost(
        parameters_image=parameters(clip.image),
        parameters_text=parameters(clip.text),
        gflops_image=gflops(clip.image, torch.empty(1, 3, side, side)),
        gflops_text=gflops(clip.text, torch.empty(1, context, dtype=torch.int64)),
    )


@pytest.mark.parametrize("name", COUNTED)
def test_costs_are_those_of_the_towers_themselves(name):
    with torch.device("meta"):
        assert counted(CLIP(architecture(name)).eval()) == describe(name)


@pytest.mark.parametrize("pooling", ["class", "mean", "map", "attention"])
@pytest.mark.parametrize("stem", ["patch", "convolutional"])
@pytest.mark.parametrize("pre_norm", [True, False])
def test_costs_follow_every_setting(pooling, stem, pre_norm):
    image = VisionTransformerConfig(
        image_size=96, patch_size=16, width=48, depth=2, heads=3, mlp_ratio=3.3, pooling=pooling, stem=stem,
        pre_norm=pre_norm, layer_scale=pre_norm, patch_bias=pre_norm, pooling_queries=7,
    )  # fmt: skip
    text = TextTransformerConfig.model_validate(
        {"context_length": 20, "vocabulary_size": 90, "end_of_text": 0, "width": 40, "depth": 3, "heads": 4}
        | ({"pooling": "class"} if pre_norm else {"projection": "linear_bias", "layer_scale": True})
    )
    config = CLIPConfig(embedding=24, image=image, text=text)
    with torch.device("meta"):
        assert counted(CLIP(config).eval()) == cost_of(config)


def test_gflops_count_a_multiply_add_as_two():
    """ViT-B-32 by hand: 49 patches of 3·32·32 pixels, then 12 blocks on 50 tokens of 768, then the projection."""
    patches = 49 * 768 * 3 * 32 * 32
    block = 50 * 12 * 768**2 + 2 * 50**2 * 768
    assert describe("ViT-B-32").gflops_image == pytest.approx(2 * (patches + 12 * block + 768 * 512) / 1e9)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("RN50", 102.007137),
        ("RN101", 119.688033),
        ("RN50x64", 623.258305),
        ("ViT-S-32-alt", 43.224449),
        ("ViT-M-32", 103.119873),
        ("ViT-B-32", 151.277313),
        ("ViT-L-14", 427.616513),
        ("ViT-g-14", 1366.678273),
        ("ViT-bigG-14", 2539.567105),
        ("ViT-e-14", 4581.086465),
    ],
)
def test_parameters_are_those_that_open_clip_counts(name, millions):
    cost = describe(name)
    logit_scale = 1
    assert cost.parameters_image + cost.parameters_text + logit_scale == round(millions * 1e6)


def test_towers_of_other_libraries_are_not_counted_but_what_is_beside_them_is():
    cost = describe("EVA02-B-16")
    assert (cost.parameters_image, cost.gflops_image) == (None, None)
    assert cost.parameters_text == describe("ViT-B-32").parameters_text
    assert describe("roberta-ViT-B-32").parameters_text is None
