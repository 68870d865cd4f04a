import pytest
import torch
from torch import Tensor, nn

from lexel.architectures.config import ConvNeXtConfig
from lexel.models.convnext import ChannelNorm, ConvNeXt, ConvNeXtBlock


def tower(**changes: object) -> ConvNeXt:
    settings = {"image_size": 64, "width": 8, "depths": (1, 1, 2, 1)} | changes
    tower = ConvNeXt(ConvNeXtConfig.model_validate(settings), embedding=16).eval()
    for parameter in tower.parameters():
        nn.init.normal_(parameter, std=0.2)
    return tower


@pytest.mark.parametrize("size", [32, 64, 96])
def test_any_multiple_of_32_gives_embeddings(size: int) -> None:
    assert tower()(torch.randn(2, 3, size, size)).shape == (2, 16)


def test_a_size_that_is_no_multiple_of_32_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        tower()(torch.randn(2, 3, 80, 80))


def test_each_stage_halves_the_picture_and_doubles_the_channels() -> None:
    model, x = tower(), torch.randn(1, 3, 64, 64)
    shapes = [tuple((x := stage(x)).shape[1:]) for stage in [model.stem, *model.stages]]
    assert shapes == [(8, 16, 16), (8, 16, 16), (16, 8, 8), (32, 4, 4), (64, 2, 2)]


def test_the_norm_is_over_the_channels_of_each_cell() -> None:
    normed = ChannelNorm(8, 1e-6)(torch.randn(2, 8, 3, 3) * 7 + 2)
    torch.testing.assert_close(normed.mean(1), torch.zeros(2, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normed.var(1, unbiased=False), torch.ones(2, 3, 3), atol=1e-4, rtol=0)


def test_a_block_mixes_each_channel_over_its_neighbours_only() -> None:
    mix = ConvNeXtBlock(4, 1e-6).mix
    impulse = torch.zeros(1, 4, 15, 15)
    impulse[0, 2, 7, 7] = 1
    response = (mix(impulse) - mix(torch.zeros_like(impulse)))[0]
    torch.testing.assert_close(response[2, 4:11, 4:11], mix.weight[2, 0].flip(0, 1))
    response[2, 4:11, 4:11] = 0
    assert response.abs().max() < 1e-6


def test_without_gain_a_block_is_its_shortcut() -> None:
    block, x = ConvNeXtBlock(4, 1e-6), torch.randn(2, 4, 9, 9)
    nn.init.zeros_(block.gain)
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize(
    ("projection", "shapes"),
    [
        ("linear", {"weight": (16, 64)}),
        ("mlp", {"0.weight": (32, 64), "0.bias": (32,), "2.weight": (16, 32)}),
    ],
)
def test_the_projection_has_these_tensors(projection: str, shapes: dict[str, tuple[int, ...]]) -> None:
    found: dict[str, Tensor] = tower(projection=projection).projection.state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == shapes


def test_activations_that_are_computed_again_give_the_same_gradients_to_the_bit() -> None:
    model, image, calls = tower().train(), torch.randn(2, 3, 64, 64), []
    model.stages[0].blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))
    gradients = []
    for again in (False, True):
        model.checkpoint_activations = again
        gradients.append(torch.autograd.grad(model(image).square().sum(), list(model.parameters())))
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert len(calls) == 3
