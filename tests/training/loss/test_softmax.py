from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from largest_tensor import LargestTensor
from plain_losses import Case, assert_same_gradients, make_case, make_mixed_case, plain_accuracy, plain_softmax
from torch import Tensor

from lexel.training.loss import tiles
from lexel.training.loss.positives import Groups
from lexel.training.loss.settings import ContrastiveLoss, LossSettings
from lexel.training.loss.softmax import softmax_loss


def tiled(case: Case, inputs: list[Tensor], smoothing: float = 0.0) -> ContrastiveLoss:
    return softmax_loss(*inputs[:3], case.groups, bias=inputs[3], label_smoothing=smoothing)


def all_different(count: int) -> Groups:
    numbers = torch.arange(count)
    return Groups(numbers, torch.full_like(numbers, -1), numbers)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    image=st.lists(st.integers(0, 12), min_size=1, max_size=20),
    scale=st.floats(0.1, 100),
    smoothing=st.sampled_from([0.0, 0.1, 0.7]),
    tile=st.tuples(st.integers(1, 25), st.integers(1, 25)),
    data=st.data(),
)
def test_the_tiled_loss_and_its_gradients_equal_the_plain_ones(seed, image, scale, smoothing, tile, data):
    text, label = (
        data.draw(st.lists(st.integers(least, 12), min_size=len(image), max_size=len(image))) for least in (0, -1)
    )
    case = make_case(seed, image, label, text, scale)
    plain, inputs = case.inputs(), case.inputs()
    expected = plain_softmax(case, plain, smoothing)
    expected.backward()
    with patch.object(tiles, "CPU_TILE", tile):
        found = tiled(case, inputs, smoothing)
        found.loss.backward()
    assert found.loss.item() == pytest.approx(expected.item(), rel=1e-10, abs=1e-12)
    assert found.accuracy.item() == pytest.approx(plain_accuracy(case))
    assert_same_gradients(inputs, plain, 1e-10)


@pytest.mark.parametrize("scale", [14.0, 100.0])
@pytest.mark.parametrize("meanings", [2, 30, 10_000])
def test_float32_is_as_near_as_float32_can_be(meanings, scale):
    case = make_mixed_case(300, meanings, scale)
    plain, inputs = case.inputs(), case.inputs(torch.float32)
    expected = plain_softmax(case, plain)
    expected.backward()
    with patch.object(tiles, "CPU_TILE", (64, 100)):
        found = tiled(case, inputs)
        found.loss.backward()
    assert found.loss.dtype == torch.float32
    assert found.loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert found.accuracy.item() == pytest.approx(plain_accuracy(case))
    assert_same_gradients(inputs, plain, 3e-6)


@pytest.mark.parametrize("scale", [100.0, 300.0])
def test_float32_holds_where_every_cosine_is_as_low_as_can_be(scale):
    case = make_mixed_case(20, 1000, scale)
    case.images = F.normalize(case.images[:1] + 0.05 * case.images)
    case.texts = F.normalize(-case.images[:1] + 0.05 * case.texts)
    plain, inputs = case.inputs(), case.inputs(torch.float32)
    expected = plain_softmax(case, plain)
    expected.backward()
    found = tiled(case, inputs)
    found.loss.backward()
    assert found.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert_same_gradients(inputs, plain, 1e-4)  # the logits' own rounding, at this scale


def test_float32_holds_for_one_text_that_is_far_from_every_image():
    case = make_mixed_case(20, 1000, 100)
    case.images = F.normalize(case.images[:1] + 0.2 * case.images)
    case.texts = torch.cat([case.images[1:], -case.images[:1]])
    plain, inputs = case.inputs(), case.inputs(torch.float32)
    expected = plain_softmax(case, plain)
    expected.backward()
    found = tiled(case, inputs)
    found.loss.backward()
    assert found.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert_same_gradients(inputs, plain, 1e-4)


def test_with_one_right_answer_each_it_is_the_plain_cross_entropy():
    case = make_mixed_case(12, 10_000)
    images, texts, scale, _ = case.inputs(torch.float32)
    logits, labels = scale * images @ texts.T, torch.arange(12)
    plain = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    torch.testing.assert_close(softmax_loss(images, texts, scale, all_different(12)).loss, plain)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_gradient_equals_finite_differences(smoothing):
    case = make_case(0, [1, 1, 2, 3, 4], [-1, 9, -1, 1, -1], [1, 2, 3, 3, 4], scale=3)

    def loss(*inputs: Tensor) -> Tensor:
        return tiled(case, list(inputs), smoothing).loss

    with patch.object(tiles, "CPU_TILE", (2, 3)):
        assert torch.autograd.gradcheck(loss, case.inputs())


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_frozen_side_changes_nothing_for_the_other(frozen):
    case = make_mixed_case(30, 20)
    plain, inputs = case.inputs(), case.inputs()
    inputs[frozen].requires_grad_(False)
    plain_softmax(case, plain).backward()
    tiled(case, inputs).loss.backward()
    assert inputs[frozen].grad is None
    plain[frozen].grad = None
    assert_same_gradients(inputs, plain, 1e-10)


def test_a_bias_has_no_gradient_but_zero():
    case = make_mixed_case(10, 20)
    inputs = case.inputs(torch.float32)
    found = tiled(case, inputs)
    found.loss.backward()
    assert inputs[3].grad == 0
    assert found.loss == softmax_loss(*case.inputs(torch.float32)[:3], case.groups).loss


def test_under_autocast_products_are_rounded_but_reductions_are_not():
    case = make_mixed_case(64, 100)
    plain, inputs = case.inputs(torch.float32), case.inputs(torch.float32)
    expected = tiled(case, plain)
    expected.loss.backward()
    with torch.autocast("cpu", torch.bfloat16):
        found = tiled(case, inputs)
    found.loss.backward()
    assert found.loss.dtype == inputs[0].grad.dtype == torch.float32
    assert found.loss.item() == pytest.approx(expected.loss.item(), rel=3e-3)
    assert_same_gradients(inputs, plain, 0.02)
    assert torch.backends.mkldnn.matmul.fp32_precision == "none"


@pytest.mark.parametrize("meanings", [2, 10_000], ids=["two labels", "all different"])
def test_no_tensor_is_larger_than_a_tile_or_the_embeddings(meanings):
    case = make_mixed_case(500, meanings)
    inputs = case.inputs(torch.float32)
    with patch.object(tiles, "CPU_TILE", (50, 100)), LargestTensor() as largest:
        tiled(case, inputs).loss.backward()
    assert largest.entries == 5000


def test_accuracy_counts_every_text_that_belongs_as_right():
    vectors = torch.eye(3)
    swapped = vectors[[1, 0, 2]]
    scale = torch.tensor(10.0)
    assert softmax_loss(vectors, swapped, scale, all_different(3)).accuracy == pytest.approx(1 / 3)
    none = torch.full((3,), -1)
    same_image = Groups(torch.tensor([1, 1, 2]), none, torch.tensor([1, 2, 3]))
    assert softmax_loss(vectors, swapped, scale, same_image).accuracy == 1


def test_the_loss_of_equal_embeddings_is_that_of_chance():
    vectors = F.normalize(torch.ones(32, 4))
    loss = softmax_loss(vectors, vectors, torch.tensor(100.0), all_different(32)).loss
    assert loss.item() == pytest.approx(torch.tensor(32.0).log().item(), rel=1e-6)


def test_what_is_not_a_number_shows_in_the_loss():
    vectors = torch.full((4, 3), torch.nan)
    assert softmax_loss(vectors, vectors, torch.tensor(10.0), all_different(4)).loss.isnan()


def test_a_sigmoid_loss_with_label_smoothing_is_refused():
    with pytest.raises(ValueError, match="label_smoothing belongs to the softmax loss"):
        LossSettings(kind="sigmoid", label_smoothing=0.1)
