import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lexel.training.optimization.average import Average, AverageSettings


def make_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)).to(memory_format=torch.channels_last)


def move(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn(value.shape, generator=generator))


@settings(deadline=None, max_examples=10)
@given(decay=st.floats(0.05, 0.999), updates=st.integers(1, 30))
def test_it_follows_the_recursion_with_a_decay_that_warms_up(decay, updates):
    model = make_model()
    average = Average(model, decay)
    expected = {name: value.detach().double() for name, value in model.named_parameters()}
    for update in range(1, updates + 1):
        move(model, update)
        average.update()
        now = min(decay, (1 + update) / (10 + update))
        expected = {name: now * expected[name] + (1 - now) * value for name, value in model.named_parameters()}
    with average.swapped():
        for name, value in model.named_parameters():
            torch.testing.assert_close(value.double(), expected[name], atol=1e-4, rtol=1e-4)


def test_the_first_weights_are_soon_forgotten():
    model = make_model()
    average = Average(model, 0.9999)
    with torch.no_grad():
        model[0].weight.fill_(1.0)
    for _ in range(10):
        average.update()
    with average.swapped():
        torch.testing.assert_close(model[0].weight.detach(), torch.ones_like(model[0].weight), atol=1e-3, rtol=0)


def test_the_own_weights_come_back_to_the_bit_whatever_happens():
    model = make_model()
    average = Average(model, 0.9)
    for seed in range(3):
        move(model, seed)
        average.update()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    averaged = {name: value.clone() for name, value in average.state_tensors().items()}

    def fail_inside() -> None:
        with average.swapped():
            assert not torch.equal(model[0].weight, before["0.weight"])
            raise RuntimeError("evaluation broke")

    with pytest.raises(RuntimeError, match="evaluation broke"):
        fail_inside()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(torch.equal(averaged[name], value) for name, value in average.state_tensors().items())
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_what_is_frozen_is_not_averaged():
    model = make_model()
    model[2].requires_grad_(False)
    names = Average(model, 0.9).state_tensors().keys()
    assert names == {"updates", "0.weight", "0.bias", "1.weight", "1.bias"}


def test_buffers_stay_as_they_are():
    model = make_model()
    average = Average(model, 0.9)
    model[1](torch.randn(2, 4, 3, 3))
    before = [buffer.clone() for buffer in model.buffers()]
    average.update()
    with average.swapped():
        assert all(torch.equal(buffer, kept) for buffer, kept in zip(model.buffers(), before, strict=True))


def test_a_restored_average_goes_on_to_the_same_bits():
    model = make_model()
    average = Average(model, 0.99)
    for seed in range(3):
        move(model, seed)
        average.update()
    kept = {name: value.clone() for name, value in average.state_tensors().items()}
    other = make_model()
    other.load_state_dict(model.state_dict())
    restored = Average(other, 0.99)
    restored.load_state_tensors(kept)
    for its in (average, restored):
        its.update()
    assert restored.updates == 4
    assert all(torch.equal(value, restored.state_tensors()[name]) for name, value in average.state_tensors().items())


def test_no_decay_means_no_average():
    assert Average.of(make_model(), AverageSettings()) is None
    average = Average.of(make_model(), AverageSettings(decay=0.5))
    assert average is not None
    assert average.decay == 0.5
