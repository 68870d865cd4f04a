import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lexel.training.loss import belongings, contrastive_loss

NO_LABELS = torch.full((8,), -1)


def brute_force(images: np.ndarray, texts: np.ndarray, scale: float, belong: np.ndarray) -> float:
    """The loss row by row and column by column, in float64, straight from its definition."""
    logits = scale * images.astype(np.float64) @ texts.astype(np.float64).T
    total = 0.0
    for matrix, right in ((logits, belong), (logits.T, belong.T)):
        for row, positives in zip(matrix, right, strict=True):
            log_probabilities = row - np.log(np.exp(row - row.max()).sum()) - row.max()
            total -= log_probabilities[positives].mean()
    return total / (2 * len(images))


def unit(random: np.random.Generator, count: int) -> np.ndarray:
    vectors = random.normal(size=(count, 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 1000),
    image_group=st.lists(st.integers(0, 6), min_size=1, max_size=20),
    scale=st.floats(1, 100),
    data=st.data(),
)
def test_the_loss_equals_brute_force_for_any_groups(seed, image_group, scale, data):
    count = len(image_group)
    text_group, label_group = (data.draw(st.lists(st.integers(0, 6), min_size=count, max_size=count)) for _ in range(2))
    belong = belongings(torch.tensor(image_group), torch.tensor(label_group), torch.tensor(text_group))
    random = np.random.default_rng(seed)
    images, texts = unit(random, count), unit(random, count)
    found = contrastive_loss(torch.from_numpy(images), torch.from_numpy(texts), torch.tensor(scale), belong)
    assert found.loss.item() == pytest.approx(brute_force(images, texts, scale, belong.numpy()), rel=1e-4, abs=1e-5)


def test_with_one_right_answer_each_it_is_the_plain_cross_entropy():
    random = np.random.default_rng(0)
    images, texts = (torch.from_numpy(unit(random, 12)) for _ in range(2))
    logits = 14 * images @ texts.T
    labels = torch.arange(12)
    plain = (
        torch.nn.functional.cross_entropy(logits, labels) + torch.nn.functional.cross_entropy(logits.T, labels)
    ) / 2
    found = contrastive_loss(images, texts, torch.tensor(14.0), torch.eye(12, dtype=torch.bool))
    torch.testing.assert_close(found.loss, plain)


def test_two_captions_of_one_image_are_not_negatives_of_each_other():
    belong = belongings(torch.tensor([1, 1, 2]), NO_LABELS[:3], torch.tensor([5, 6, 7]))
    assert belong.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_equal_captions_of_two_images_are_not_negatives_of_each_other():
    belong = belongings(torch.tensor([1, 2, 3]), NO_LABELS[:3], torch.tensor([5, 5, 7]))
    assert belong.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_the_gradient_equals_finite_differences():
    torch.manual_seed(0)
    images, texts = (torch.nn.functional.normalize(torch.randn(5, 4, dtype=torch.float64)) for _ in range(2))
    belong = belongings(torch.tensor([1, 1, 2, 3, 4]), NO_LABELS[:5], torch.tensor([1, 2, 3, 3, 4]))
    scale = torch.tensor(3.0, dtype=torch.float64)
    inputs = tuple(tensor.requires_grad_() for tensor in (images, texts, scale))

    def loss(*arguments: torch.Tensor) -> torch.Tensor:
        return contrastive_loss(*arguments, belong).loss

    assert torch.autograd.gradcheck(loss, inputs)


def test_accuracy_counts_every_text_that_belongs_as_right():
    vectors = torch.eye(3)
    swapped = vectors[[1, 0, 2]]
    scale = torch.tensor(10.0)
    assert contrastive_loss(vectors, swapped, scale, torch.eye(3, dtype=torch.bool)).accuracy == pytest.approx(1 / 3)
    same_image = belongings(torch.tensor([1, 1, 2]), NO_LABELS[:3], torch.tensor([1, 2, 3]))
    assert contrastive_loss(vectors, swapped, scale, same_image).accuracy == 1


def test_a_label_fits_every_image_that_carries_it_but_a_caption_only_its_own():
    cat, dog, cat_caption = 1, 2, 3
    belong = belongings(
        torch.tensor([10, 11, 12]), torch.tensor([cat, cat, dog]), torch.tensor([cat, cat_caption, dog])
    )
    assert belong.tolist() == [[True, False, False], [True, True, False], [False, False, True]]
