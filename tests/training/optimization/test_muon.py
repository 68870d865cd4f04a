import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lexel.training.optimization.muon import Muon, orthogonal


@settings(deadline=None, max_examples=20)
@given(rows=st.integers(1, 40), columns=st.integers(1, 40), count=st.integers(1, 3), seed=st.integers(0, 99))
def test_directions_keep_the_singular_vectors_and_even_out_the_values(rows, columns, count, seed):
    """Against a singular value decomposition: the same vectors, and values that Jordan's polynomial gives."""
    matrices = torch.randn(count, rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    u, values, vt = torch.linalg.svd(matrices, full_matrices=False)
    values = values / matrices.norm(dim=(1, 2))[:, None]
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    expected = u * values[:, None] @ vt
    torch.testing.assert_close(orthogonal(matrices).double(), expected, atol=2e-4, rtol=0)


def test_bfloat16_is_as_good():
    matrices = torch.randn(4, 64, 32, generator=torch.Generator().manual_seed(0))
    exact = orthogonal(matrices)
    rounded = orthogonal(matrices, torch.bfloat16)
    singular = torch.linalg.svdvals(rounded)
    assert singular.min() > 0.5
    assert singular.max() < 1.3
    assert nn.functional.cosine_similarity(rounded.flatten(), exact.flatten(), dim=0) > 0.999


def test_a_gradient_of_nothing_moves_nothing():
    assert torch.equal(orthogonal(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))


def step_by_torch(parameters: list[Tensor], gradients: list[list[Tensor]], rate: float, decay: float) -> list[Tensor]:
    """The same by torch's own Muon (in bfloat16)."""
    copies = [nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    theirs = torch.optim.Muon(copies, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    for of_step in gradients:
        for copy, gradient in zip(copies, of_step, strict=True):
            copy.grad = gradient.clone()
        theirs.step()
    return [copy.detach() for copy in copies]


def test_steps_are_those_of_torchs_muon():
    torch.manual_seed(0)
    shapes = [(16, 16), (16, 48), (48, 16), (16, 16)]
    parameters = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    gradients = [[torch.randn(shape) for shape in shapes] for _ in range(3)]
    expected = step_by_torch(parameters, gradients, rate=0.1, decay=0.2)
    ours = Muon(
        [{"params": parameters[:2], "weight_decay": 0.2}, {"params": parameters[2:], "weight_decay": 0.2}], lr=0.1
    )
    before = [parameter.detach().clone() for parameter in parameters]
    for of_step in gradients:
        for parameter, gradient in zip(parameters, of_step, strict=True):
            parameter.grad = gradient.clone()
        ours.step()
    for first, parameter, wanted in zip(before, parameters, expected, strict=True):
        moved = (wanted - first).norm()
        assert (parameter - wanted).norm() < 0.03 * moved  # theirs rounds to bfloat16


@pytest.mark.parametrize("shape", [(32, 32), (32, 128), (128, 32)])
def test_a_step_is_as_long_as_one_of_adamw(shape):
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.zeros(shape))
    parameter.grad = torch.randn(shape)
    Muon([{"params": [parameter]}], lr=0.01).step()
    root_mean_square = parameter.detach().norm() / math.sqrt(parameter.numel())
    assert root_mean_square.item() == pytest.approx(0.2 * 0.01, rel=0.25)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_kernel_moves_as_the_matrix_of_its_outputs_by_all_that_it_sees(memory_format):
    torch.manual_seed(0)
    start, gradient = torch.randn(8, 4, 3, 3), torch.randn(8, 4, 3, 3)
    kernel, matrix = nn.Parameter(start.clone(memory_format=memory_format)), nn.Parameter(start.reshape(8, 36).clone())
    kernel.grad, matrix.grad = gradient.to(memory_format=memory_format), gradient.reshape(8, 36).clone()
    for parameter in (kernel, matrix):
        Muon([{"params": [parameter], "weight_decay": 0.5}], lr=0.1).step()
    torch.testing.assert_close(kernel.detach().reshape(8, 36), matrix.detach())
    assert not torch.equal(kernel.detach(), start)


def test_a_parameter_without_a_gradient_stays():
    moved, still = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4, 4))
    moved.grad = torch.eye(4)
    optimizer = Muon([{"params": [moved, still], "weight_decay": 0.5}], lr=0.1)
    optimizer.step()
    assert torch.equal(still.detach(), torch.ones(4, 4))
    assert still not in optimizer.state
    assert not torch.equal(moved.detach(), torch.ones(4, 4))
