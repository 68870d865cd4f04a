from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from largest_tensor import LargestTensor
from plain_losses import assert_same_gradients, make_case, make_mixed_case, plain_accuracy, plain_sigmoid
from torch import Tensor

from lexel.training.loss import tiles
from lexel.training.loss.sigmoid import first_bias, sigmoid_loss


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    image=st.lists(st.integers(0, 12), min_size=1, max_size=20),
    scale=st.floats(0.1, 200),
    tile=st.tuples(st.integers(1, 25), st.integers(1, 25)),
    data=st.data(),
)
def test_the_tiled_loss_and_its_gradients_equal_the_plain_ones(seed, image, scale, tile, data):
    text, label = (
        data.draw(st.lists(st.integers(least, 12), min_size=len(image), max_size=len(image))) for least in (0, -1)
    )
    case = make_case(seed, image, label, text, scale)
    plain, inputs = case.inputs(), case.inputs()
    expected = plain_sigmoid(case, plain)
    expected.backward()
    with patch.object(tiles, "CPU_TILE", tile):
        found = sigmoid_loss(*inputs, case.groups)
        found.loss.backward()
    assert found.loss.item() == pytest.approx(expected.item(), rel=1e-10, abs=1e-12)
    assert found.accuracy.item() == pytest.approx(plain_accuracy(case))
    assert_same_gradients(inputs, plain, 1e-10)


@pytest.mark.parametrize("scale", [10.0, 1000.0])
@pytest.mark.parametrize("meanings", [2, 10_000])
def test_float32_is_as_near_as_float32_can_be_for_any_logits(meanings, scale):
    case = make_mixed_case(300, meanings, scale)
    plain, inputs = case.inputs(), case.inputs(torch.float32)
    expected = plain_sigmoid(case, plain)
    expected.backward()
    found = sigmoid_loss(*inputs, case.groups)
    found.loss.backward()
    assert found.loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert_same_gradients(inputs, plain, 1e-5)


def test_float32_tells_how_small_a_small_loss_is():
    case = make_mixed_case(4, 10_000, scale=40)
    case.images = case.texts = torch.eye(4, dtype=torch.float64)
    case.bias = torch.tensor(-20.0)
    plain, inputs = case.inputs(), case.inputs(torch.float32)
    expected = plain_sigmoid(case, plain)
    expected.backward()
    found = sigmoid_loss(*inputs, case.groups)
    found.loss.backward()
    assert 0 < found.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(inputs[0].grad.double(), plain[0].grad, rtol=1e-5, atol=0)


def test_at_the_first_bias_right_and_wrong_answers_are_in_balance():
    case = make_case(0, list(range(50)), [-1] * 50, list(range(50)), scale=0)
    case.bias = torch.tensor(first_bias(50), dtype=torch.float64)
    inputs = case.inputs()
    sigmoid_loss(*inputs, case.groups).loss.backward()
    assert inputs[3].grad.item() == pytest.approx(0, abs=1e-12)


def test_one_pair_alone_is_one_question_answered_yes():
    case = make_case(0, [1], [-1], [2])
    images, texts, scale, bias = case.inputs()
    found = sigmoid_loss(images, texts, scale, bias, case.groups)
    expected = -F.logsigmoid(scale * (images * texts).sum() + bias)
    torch.testing.assert_close(found.loss, expected)


def test_the_gradient_equals_finite_differences():
    case = make_case(0, [1, 1, 2, 3, 4], [-1, 9, -1, 1, -1], [1, 2, 3, 3, 4], scale=3)

    def loss(*inputs: Tensor) -> Tensor:
        return sigmoid_loss(*inputs, case.groups).loss

    with patch.object(tiles, "CPU_TILE", (2, 3)):
        assert torch.autograd.gradcheck(loss, case.inputs())


@pytest.mark.parametrize("frozen", [(0,), (1,), (0, 1), (0, 1, 2), (2, 3)])
def test_what_is_frozen_changes_nothing_for_the_rest(frozen):
    case = make_mixed_case(30, 20)
    plain, inputs = case.inputs(), case.inputs()
    plain_sigmoid(case, plain).backward()
    for number in frozen:
        inputs[number].requires_grad_(False)
        plain[number].grad = None
    (3 * sigmoid_loss(*inputs, case.groups).loss).backward()
    for number, leaf in enumerate(inputs):
        assert (leaf.grad is None) == (number in frozen)
        if leaf.grad is not None:
            leaf.grad /= 3
    assert_same_gradients(inputs, plain, 1e-10)


@pytest.mark.parametrize("meanings", [2, 10_000], ids=["two labels", "all different"])
def test_no_tensor_is_larger_than_a_tile_or_the_embeddings(meanings):
    case = make_mixed_case(500, meanings)
    inputs = case.inputs(torch.float32)
    with patch.object(tiles, "CPU_TILE", (50, 100)), LargestTensor() as largest:
        sigmoid_loss(*inputs, case.groups).loss.backward()
    assert largest.entries == 5000
