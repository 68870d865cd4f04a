from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lexel.architectures.config import CLIPConfig, TextTransformerConfig, VisionTransformerConfig
from lexel.architectures.cost import TRAINING, cost_of, describe, image_operations, text_operations
from lexel.architectures.zoo import architecture
from lexel.models.clip import CLIP
from lexel.models.towers import choose_patches

COUNTED = [
    "lexel-xs", "lexel-s", "lexel-m", "lexel-l", "ViT-B-32", "ViT-B-16-plus-240", "ViT-g-14", "RN50", "RN50x4",
    "ViT-L-14-CLIPA", "coca_ViT-B-32", "coca_ViT-L-14", "ViT-B-16-SigLIP", "ViT-SO400M-14-SigLIP-384",
    "ViT-gopt-16-SigLIP2-384", "convnext_base_w", "convnext_large_d", "convnext_xxlarge", "ViT-H-14-worldwide",
]  # fmt: skip


def small(**image: object) -> CLIPConfig:
    """A CLIP whose towers are counted in no time."""
    vision = {
        "kind": "vision_transformer",
        "image_size": 64,
        "patch_size": 16,
        "width": 48,
        "depth": 2,
        "heads": 3,
    } | image
    text = {"context_length": 20, "vocabulary_size": 90, "end_of_text": 0, "width": 40, "depth": 3, "heads": 4}
    return CLIPConfig.model_validate({"embedding": 24, "image": vision, "text": text})


def counted_operations(module: nn.Module, *shapes: tuple[int, ...], **more: torch.Tensor) -> int:
    """Of a forward pass on examples of these shapes, and of a backward pass where the module learns."""
    examples = [torch.zeros(shape, dtype=torch.float32 if len(shape) > 2 else torch.int64) for shape in shapes]
    with FlopCounterMode(display=False) as counter:
        outputs = module(*examples, **more)
        if any(parameter.requires_grad for parameter in module.parameters()):
            sum(vectors.sum() for vectors in outputs).backward()
    return counter.get_total_flops()


@pytest.fixture
def meta() -> Iterator[None]:
    """Tensors without content: attention is counted on these, but not on a CPU."""
    with torch.device("meta"):
        yield


def assert_counted(config: CLIPConfig) -> None:
    """The costs are those of the towers themselves, operations by torch's own counter."""
    clip, cost = CLIP(config).eval().requires_grad_(False), cost_of(config)
    sizes = [sum(parameter.numel() for parameter in tower.parameters()) for tower in (clip.image, clip.text)]
    assert sizes == [cost.parameters_image, cost.parameters_text]
    side, context = config.image.image_size, config.text.context_length
    assert image_operations(config) == counted_operations(clip.image, (1, 3, side, side))
    assert caption_operations(config, context) == counted_operations(clip.text, (1, context))


def caption_operations(config: CLIPConfig, tokens: int) -> int:
    """Of a row of so many tokens. The mean leaves the end out of a caption, which a row without content lacks."""
    averaged = config.text.pooling == "mean" and not config.text.sees_padding
    return text_operations(config, tokens + averaged)


@pytest.mark.usefixtures("meta")
@pytest.mark.parametrize("name", COUNTED)
def test_costs_are_those_of_the_towers_themselves(name):
    assert_counted(architecture(name))


@pytest.mark.usefixtures("meta")
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
    assert_counted(config)


@pytest.mark.parametrize("pooling", ["class", "mean"])
def test_published_costs_have_all_tokens_in_all_blocks(pooling):
    """Each block costs what one more in the midst of the tower does."""
    whole = [cost_of(small(pooling=pooling, depth=depth)).gflops_image for depth in (1, 2, 3)]
    made = [image_operations(small(pooling=pooling, depth=depth)) / 1e9 for depth in (1, 2, 3)]
    assert whole[2] - whole[1] == pytest.approx(whole[1] - whole[0])
    assert made[2] - made[1] == pytest.approx(whole[2] - whole[1])
    assert (made[0] < whole[0]) == (pooling == "class")


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


# The column "gflops" of docs/model_profile.csv in open_clip's repository: one image and one caption of 77 tokens.
@pytest.mark.parametrize(
    ("name", "gflops"),
    [("ViT-B-32", 14.78), ("ViT-B-16", 41.09), ("ViT-L-14", 175.33), ("ViT-H-14", 381.68), ("ViT-bigG-14", 1065.36)],
)
def test_gflops_are_those_that_open_clip_publishes(name, gflops):
    cost = describe(name)
    assert cost.gflops_image + cost.gflops_text == pytest.approx(gflops, abs=0.006)


@pytest.mark.usefixtures("meta")
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("pooling", ["class", "mean"])
def test_dropped_patches_cost_nothing_but_their_stem(share, pooling):
    config = small(patch_dropout=share, pooling=pooling)
    tower = CLIP(config).image.train().requires_grad_(False)
    kept = choose_patches(torch.zeros(1, config.image.patches(64)), share)
    assert image_operations(config, 64, share) == counted_operations(tower, (1, 3, 64, 64), kept=kept)


@pytest.mark.usefixtures("meta")
@pytest.mark.parametrize("side", [32, 48, 96])
def test_smaller_and_larger_pictures_cost_what_they_cost_the_tower(side):
    config = small()
    tower = CLIP(config).image.eval().requires_grad_(False)
    assert image_operations(config, side) == counted_operations(tower, (1, 3, side, side))


@pytest.mark.usefixtures("meta")
@pytest.mark.parametrize("tokens", [1, 7, 20])
def test_short_captions_cost_their_own_tokens_only(tokens):
    config = small()
    tower = CLIP(config).text.eval().requires_grad_(False)
    assert text_operations(config, tokens) == counted_operations(tower, (1, tokens))


def test_a_tower_that_sees_padding_costs_its_whole_context():
    config = small()
    padded = config.model_copy(update={"text": config.text.model_copy(update={"pad_id": 1})})
    assert text_operations(padded, 3) == text_operations(config, 20)


@pytest.mark.usefixtures("meta")
def test_a_step_costs_three_forward_passes():
    """By torch's own counter over forward and backward; the first layer needs no gradient of its input."""
    config = small()
    forward = 4 * (image_operations(config) + text_operations(config, 9))
    first_layer = 4 * 2 * config.image.grid**2 * 3 * 16**2 * 48
    assert counted_operations(CLIP(config), (4, 3, 64, 64), (4, 9)) == TRAINING * forward - first_layer
