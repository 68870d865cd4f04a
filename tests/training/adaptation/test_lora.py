import copy

import numpy as np
import pytest
import torch
from tiny_towers import KINDS

from lexel.checkpoints.model_folder.adapter import merged
from lexel.errors import UsageError
from lexel.models.clip import CLIP, init_weights
from lexel.training.adaptation.lora import AdaptedLinear, adapted_layers, adapter_tensors, add_adapters
from lexel.training.adaptation.settings import AdaptSettings


def clip_of(kind: str) -> CLIP:
    clip = CLIP(KINDS[kind])
    init_weights(clip, 3)
    return clip


def inputs(clip: CLIP) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    side = clip.config.image.image_size
    return torch.randn(3, 3, side, side, generator=generator), torch.randint(3, 290, (3, 9), generator=generator)


def lora(**settings) -> AdaptSettings:
    return AdaptSettings.model_validate({"kind": "lora", "rank": 2} | settings)


def with_drawn_products(clip: CLIP) -> None:
    """As if something had been learned."""
    for number, tensor in enumerate(adapter_tensors(clip).values()):
        tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(number)) * 0.1)


@pytest.mark.parametrize("kind", ["clip", "siglip", "convnext", "resnet"])
def test_the_model_begins_as_itself_and_only_the_products_learn(kind):
    clip = clip_of(kind)
    before = copy.deepcopy(clip).eval()
    add_adapters(clip, lora(), seed=0)
    clip.train()
    for ours, theirs in zip(clip.eval()(*inputs(clip)), before(*inputs(clip)), strict=True):
        assert torch.equal(ours, theirs)
    learning = {name for name, parameter in clip.named_parameters() if parameter.requires_grad}
    assert learning == set(adapter_tensors(clip))
    assert {name.split(".")[0] for name in learning} == {"image", "text"}


@pytest.mark.parametrize("kind", ["clip", "siglip", "convnext", "resnet"])
def test_the_merged_model_gives_what_the_adapted_one_gives(kind):
    clip = clip_of(kind)
    plain = {name: tensor.numpy() for name, tensor in copy.deepcopy(clip.state_dict()).items()}
    add_adapters(clip, lora(scale=0.7), seed=0)
    with_drawn_products(clip)
    whole = CLIP(KINDS[kind]).eval()
    products = {name: tensor.numpy() for name, tensor in adapter_tensors(clip).items()}
    whole.load_state_dict({n: torch.from_numpy(a) for n, a in merged(plain, products, 0.7).items()})
    assert all(
        not np.array_equal(plain[f"{n[:-3]}.weight"], whole.state_dict()[f"{n[:-3]}.weight"])
        for n in products
        if n.endswith(".up")
    )
    with torch.no_grad():
        for ours, theirs in zip(clip.eval()(*inputs(clip)), whole(*inputs(clip)), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)  # of unit vectors; sums in another order


def test_a_layer_is_the_formula_in_float64():
    layer = torch.nn.Linear(7, 5).double()
    adapted = AdaptedLinear(layer, lora(scale=0.3))
    torch.nn.init.normal_(adapted.down)
    torch.nn.init.normal_(adapted.up)
    x = torch.randn(4, 7, dtype=torch.float64)
    weight, bias, down, up = (one.detach().numpy() for one in (layer.weight, layer.bias, adapted.down, adapted.up))
    for row, found in zip(x.numpy(), adapted(x).detach().numpy(), strict=True):
        for o in range(5):
            product = sum(up[o, r] * sum(down[r, i] * row[i] for i in range(7)) for r in range(2))
            expected = sum(weight[o, i] * row[i] for i in range(7)) + bias[o] + 0.3 * product
            assert found[o] == pytest.approx(expected, rel=1e-12)


def test_products_blocks_and_towers_can_be_chosen():
    clip = clip_of("clip")
    every = adapted_layers(clip.image, lora())
    assert set(every) == {
        f"blocks.{n}.{name}"
        for n in (0, 1)
        for name in ("attention.qkv", "attention.output", "mlp.expand", "mlp.contract")
    }
    assert set(adapted_layers(clip.image, lora(blocks=1, products=["mlp"]))) == {
        "blocks.1.mlp.expand",
        "blocks.1.mlp.contract",
    }
    add_adapters(clip, lora(towers=["text"]), seed=0)
    assert all(name.startswith("text.") for name in adapter_tensors(clip))
    assert not clip.train().image.training


def test_batch_statistics_stay_those_of_the_model():
    clip = clip_of("resnet")
    add_adapters(clip, lora(), seed=0)
    clip.train()
    before = {name: buffer.clone() for name, buffer in clip.named_buffers()}
    clip(*inputs(clip))
    assert before
    assert all(torch.equal(buffer, before[name]) for name, buffer in clip.named_buffers())


def test_dropout_is_for_training_alone():
    clip = clip_of("clip")
    add_adapters(clip, lora(dropout=0.5), seed=0)
    with_drawn_products(clip)
    one, other = (clip.eval()(*inputs(clip))[0] for _ in range(2))
    assert torch.equal(one, other)
    torch.manual_seed(0)
    assert not torch.equal(clip.train()(*inputs(clip))[0], one)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("clip", {"rank": 33}, r"rank = 33 is larger than the layer image.blocks.0.attention.qkv \(96 × 32\)"),
        ("resnet", {"products": ["mlp"]}, "blocks of the image tower .* have no mlp"),
    ],
)
def test_what_cannot_be_adapted_is_refused(kind, settings, message):
    with pytest.raises(UsageError, match=message):
        add_adapters(clip_of(kind), lora(**settings), seed=0)
