import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_losses import make_case

from lexel.training.loss.positives import Groups, Positives

NONE = [-1, -1, -1]


def weights(groups: Groups) -> torch.Tensor:
    """The whole matrix of them."""
    count = len(groups.image)
    matrix = torch.zeros(count, count, dtype=torch.float64)
    Positives(groups, matrix).in_tile(slice(0, count), slice(0, count)).subtract_weights(matrix, -1.0)
    return matrix


def belong(image: list[int], label: list[int], text: list[int]) -> list[list[bool]]:
    return weights(make_case(0, image, label, text).groups).bool().tolist()


def test_two_captions_of_one_image_are_not_negatives_of_each_other():
    assert belong([1, 1, 2], NONE, [5, 6, 7]) == [[True, True, False], [True, True, False], [False, False, True]]


def test_equal_captions_of_two_images_are_not_negatives_of_each_other():
    assert belong([1, 2, 3], NONE, [5, 5, 7]) == [[True, True, False], [True, True, False], [False, False, True]]


def test_a_label_fits_every_image_that_carries_it_but_a_caption_only_its_own():
    cat, dog, cat_caption = 1, 2, 3
    found = belong([10, 11, 12], [cat, cat, dog], [cat, cat_caption, dog])
    assert found == [[True, False, False], [True, True, False], [False, False, True]]


@settings(deadline=None, max_examples=200)
@given(groups=st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 5), st.integers(0, 5)), min_size=1, max_size=25))
def test_the_weights_are_those_of_the_definition_for_any_groups(groups):
    image, label, text = (list(kind) for kind in zip(*groups, strict=True))
    case = make_case(0, image, label, text)
    right = case.belong().double()
    uniform = right / right.sum(1, keepdim=True) + right / right.sum(0, keepdim=True)
    torch.testing.assert_close(weights(case.groups), uniform)


def test_large_numbers_of_meanings_are_told_apart():
    far = 2**63 - 1
    assert belong([far, far - 1, 0], [-1, -1, far], [far, far - 1, 1]) == [
        [True, False, False],
        [False, True, False],
        [True, False, True],
    ]
