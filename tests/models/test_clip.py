import math

import pytest
import torch
from torch import nn

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    ResNetConfig,
    TextTransformerConfig,
    VisionTransformerConfig,
)
from lexel.models.clip import CLIP, init_weights

VISION = VisionTransformerConfig(image_size=32, patch_size=8, width=64, depth=3, heads=2)
TEXT = TextTransformerConfig(context_length=32, vocabulary_size=500, end_of_text=499, width=48, depth=2, heads=2)
SMALL = CLIPConfig(embedding=32, image=VISION, text=TEXT)
WITH_RESNET = CLIPConfig(embedding=32, image=ResNetConfig(image_size=64, width=8, depths=(1, 2, 1, 1)), text=TEXT)
CONVOLUTIONAL = CLIPConfig(
    embedding=32, image=VISION.model_copy(update={"stem": "convolutional", "pooling": "mean"}), text=TEXT
)

SIGLIP = CLIPConfig(
    embedding=64,
    image=VISION.model_copy(
        update={"pooling": "map", "norm_tokens": True, "projection": False, "patch_bias": True, "pre_norm": False}
    ),
    text=TEXT.model_copy(update={"causal": False, "pad_id": 1, "pooling": "last", "projection": "linear_bias"}),
)
COCA = CLIPConfig(
    embedding=32,
    image=VISION.model_copy(update={"pooling": "attention", "class_token": True, "layer_scale": True}),
    text=TEXT.model_copy(update={"pooling": "class", "layer_scale": True}),
)
CONVNEXT = CLIPConfig(
    embedding=32, image=ConvNeXtConfig(image_size=32, width=8, depths=(1, 1, 2, 1), projection="mlp"), text=TEXT
)
EVERY_KIND = pytest.mark.parametrize(
    "config", [SMALL, WITH_RESNET, CONVOLUTIONAL, SIGLIP, COCA, CONVNEXT],
    ids=["vit", "resnet", "convolutional", "siglip", "coca", "convnext"],
)  # fmt: skip


def fresh(config: CLIPConfig = SMALL, seed: int = 0) -> CLIP:
    clip = CLIP(config)
    init_weights(clip, seed)
    return clip


def batch(config: CLIPConfig, size: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    side = config.image.image_size
    return torch.randn(size, 3, side, side), torch.randint(0, config.text.vocabulary_size, (size, 9))


@EVERY_KIND
def test_forward_gives_the_towers_embeddings_at_unit_length(config):
    clip = fresh(config).eval()
    pixels, ids = batch(config)
    images, texts = clip(pixels, ids)
    assert images.shape == texts.shape == (2, config.embedding)
    torch.testing.assert_close(images.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(images, nn.functional.normalize(clip.encode_image(pixels)))
    torch.testing.assert_close(texts, nn.functional.normalize(clip.encode_text(ids)))


@EVERY_KIND
def test_every_parameter_gets_a_gradient(config):
    clip = fresh(config.model_copy(update={"logit_bias": True})).train()
    images, texts = clip(*batch(config, 4))
    assert clip.logit_bias is not None
    logits = clip.logit_scale.exp() * images @ texts.T + clip.logit_bias
    nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    assert [name for name, parameter in clip.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("config", [SMALL, CONVOLUTIONAL])
def test_unit_vectors_are_float32_though_the_towers_run_in_bfloat16(config):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        images, texts = fresh(config)(*batch(config))
    assert images.dtype == texts.dtype == torch.float32
    torch.testing.assert_close(images.norm(dim=1), torch.ones(2))


def test_a_whole_model_runs_in_bfloat16():
    pixels, ids = batch(SMALL)
    assert fresh().bfloat16().encode_image(pixels.bfloat16()).dtype == torch.bfloat16
    assert fresh().bfloat16().encode_text(ids).dtype == torch.bfloat16


@pytest.mark.parametrize(("scale", "clamped"), [(0.0, 0.0), (4.0, 4.0), (7.0, math.log(100))])
def test_similarities_are_never_multiplied_by_more_than_100(scale, clamped):
    clip = fresh()
    nn.init.constant_(clip.logit_scale, scale)
    clip.clamp_logit_scale()
    assert clip.logit_scale.item() == pytest.approx(clamped)
    assert clip.logit_scale.requires_grad


@pytest.mark.parametrize(("bias", "scale"), [(False, 1 / 0.07), (True, 10)])
def test_the_logits_start_where_their_loss_wants_them(bias, scale):
    clip = fresh(SMALL.model_copy(update={"logit_bias": bias}))
    assert clip.logit_scale.exp().item() == pytest.approx(scale)
    assert (clip.logit_bias is None) if not bias else (clip.logit_bias.item() == -10)


@EVERY_KIND
def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(config):
    torch.manual_seed(1)
    one = fresh(config, seed=5)
    torch.manual_seed(2)
    other = fresh(config, seed=5)
    for module in other.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.fill_(3)
    init_weights(other, 5)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    assert not torch.equal(one.text.projection.weight, fresh(config, seed=6).text.projection.weight)


def test_init_weights_leaves_the_global_random_state_alone():
    clip = CLIP(SMALL)
    before = torch.get_rng_state()
    init_weights(clip, 0)
    assert torch.equal(torch.get_rng_state(), before)


@EVERY_KIND
def test_init_weights_sets_every_parameter_and_statistic(config):
    clip = CLIP(config.model_copy(update={"logit_bias": True}))
    for tensor in clip.state_dict().values():
        tensor.fill_(77)
    init_weights(clip, 0)
    assert [name for name, tensor in clip.state_dict().items() if (tensor == 77).any()] == []


def test_transformer_weights_follow_the_table():
    clip, width, depth = fresh(), 64, 3
    block, residual = clip.image.blocks[1], (64 * 2 * 3) ** -0.5
    expected = {
        clip.text.token_embedding.weight: 0.02,
        clip.text.position_embedding: 0.01,
        clip.text.projection.weight: 48**-0.5,
        clip.text.blocks[0].attention.output.weight: (48 * 2 * 2) ** -0.5,
        clip.image.position_embedding: width**-0.5,
        clip.image.class_embedding: width**-0.5,
        clip.image.projection.weight: width**-0.5,
        clip.image.stem.weight: (3 * 8 * 8 * 3) ** -0.5,  # of a uniform distribution within ± fan-in^-0.5
        block.attention.qkv.weight: width**-0.5,
        block.attention.output.weight: residual,
        block.mlp.expand.weight: (2 * width) ** -0.5,
        block.mlp.contract.weight: residual,
    }
    assert len(clip.image.blocks) == depth
    for parameter, std in expected.items():
        assert parameter.std().item() == pytest.approx(std, rel=5 / math.sqrt(2 * parameter.numel()))
    for name, parameter in clip.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        elif "norm.weight" in name:
            assert (parameter == 1).all()


def test_the_weights_of_other_poolings_follow_the_table_too():
    siglip, coca, convnext = fresh(SIGLIP).image, fresh(COCA), fresh(CONVNEXT).image
    expected = {
        siglip.pool.probe: 64**-0.5,
        siglip.pool.key.weight: 64**-0.5,
        siglip.pool.mlp.expand.weight: (2 * 64) ** -0.5,
        siglip.pool.mlp.contract.weight: (2 * 64) ** -0.5,
        coca.image.pool.queries: 32**-0.5,
        coca.image.pool.value.weight: 64**-0.5,
        coca.image.projection.weight: 32**-0.5,
        coca.text.class_embedding: 0.01,
        convnext.stages[1].blocks[0].mlp.expand.weight: 0.02,
        convnext.projection[2].weight: 64**-0.5,
    }
    for parameter, std in expected.items():
        assert parameter.std().item() == pytest.approx(std, rel=5 / math.sqrt(2 * parameter.numel()))
    gains = [coca.image.blocks[0].mlp_gain, coca.text.blocks[1].attention_gain, convnext.stages[0].blocks[0].gain]
    assert all((gain == 1e-5).all() for gain in gains)
    assert not siglip.stem.bias.any()


def test_a_resnet_starts_as_its_shortcuts_with_a_pooling_as_in_the_table():
    clip = fresh(WITH_RESNET)
    for stage in clip.image.stages:
        for bottleneck in stage:
            assert not bottleneck.expand[1].weight.any()
            assert (bottleneck.mix[1].weight == 1).all()
    assert clip.image.pool.key.weight.std().item() == pytest.approx(256**-0.5, rel=0.02)
    assert clip.image.pool.output.weight.std().item() == pytest.approx(256**-0.5, rel=0.05)


@EVERY_KIND
def test_a_model_built_on_meta_takes_a_state_dict_whole(config):
    weights = fresh(config).state_dict()
    with torch.device("meta"):
        clip = CLIP(config)
    clip.load_state_dict(weights, assign=True)
    pixels, ids = batch(config)
    clip.eval()(pixels, ids)
    assert not any(tensor.is_meta for tensor in [*clip.parameters(), *clip.buffers()])
