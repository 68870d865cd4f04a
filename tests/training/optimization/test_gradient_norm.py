import math

import pytest
import torch
from torch import nn

from lexel.training.optimization.gradient_norm import clip_gradients


def with_gradients(scale: float = 1.0, *, seed: int = 0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (), (5,), (2, 2, 2, 2))]
    for parameter in parameters:
        parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
    return parameters


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_clipping_gives_torchs_own_bits(scale):
    ours, theirs = with_gradients(scale), with_gradients(scale)
    norm = clip_gradients(ours, 1.0)
    assert norm == nn.utils.clip_grad_norm_(theirs, 1.0).item()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(ours, theirs, strict=True))


def test_the_norm_is_of_all_and_what_is_longer_is_shortened_to_the_limit():
    parameters = with_gradients()
    expected = math.sqrt(sum(parameter.grad.double().square().sum().item() for parameter in parameters))
    assert clip_gradients(parameters, 0.5) == pytest.approx(expected)
    assert clip_gradients(parameters, 0.5) == pytest.approx(0.5, rel=1e-4)


def test_parameters_without_a_gradient_count_nothing():
    parameters = with_gradients()
    alone = clip_gradients(parameters, 1e9)
    assert clip_gradients([*parameters, nn.Parameter(torch.ones(7))], 1e9) == alone
    assert clip_gradients([nn.Parameter(torch.ones(7))], 1.0) == 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_one_number_that_is_not_finite_shows_in_the_norm(value):
    parameters = with_gradients()
    parameters[2].grad[1] = value
    assert not math.isfinite(clip_gradients(parameters, 1.0))
