import numpy as np
import pytest

from lexel.checkpoints.model_folder.exported import Agreement
from lexel.checkpoints.onnx.agreement import Inputs, caption_recall, compare, hit_chance, neighbour_recall, why_refused


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 8))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def agreement(**changes) -> Agreement:
    fields = {
        "images": 200,
        "texts": 200,
        "real": True,
        "image_cosine": 0.999,
        "image_cosine_least": 0.99,
        "text_cosine": 0.999,
        "text_cosine_least": 0.99,
        "largest_difference": 0.01,
        "recall_of": "captions",
        "recall": 0.6,
        "recall_float32": 0.603,
    }
    return Agreement.model_validate(fields | changes)


def near_ties(count: int) -> np.ndarray:
    """Unit vectors that differ by a tenth of what float32 towers are uncertain of."""
    vectors = np.array([1.0] + [0.0] * 7) + 1e-6 * unit_vectors(count)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_recall_is_one_where_each_finds_its_own_and_counts_the_misses():
    vectors = unit_vectors(40)
    assert caption_recall((vectors, vectors), (vectors, vectors)) == 1
    swapped = vectors[[1, 0, *range(2, 40)]]
    assert caption_recall((vectors, swapped), (vectors, vectors)) < 1


def test_neighbours_that_stay_near_count_and_those_that_are_lost_do_not():
    vectors = unit_vectors(40)
    assert neighbour_recall((vectors, vectors), (vectors, vectors)) == 1
    other = unit_vectors(40, seed=1)
    assert neighbour_recall((other, other), (vectors, vectors)) < 0.6


def test_equal_scores_count_by_expectation():
    scores = np.array([[0.9, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [0.9, 0.8, 0.7, 0.5]])
    np.testing.assert_allclose(hit_chance(scores, np.full(3, 0.5), 2), [1 / 3, 2 / 4, 0])
    np.testing.assert_allclose(hit_chance(scores, scores[:, 0], 1), [1, 1 / 4, 1])


def test_a_model_whose_vectors_are_all_nearly_equal_is_at_chance_in_every_number_format():
    reference, ours = near_ties(40), near_ties(40)[::-1]
    chance = (1 + 5 + 10) / 3 / 40
    assert caption_recall((reference, reference), (reference, reference)) == pytest.approx(chance)
    assert caption_recall((ours, reference), (reference, reference)) == pytest.approx(chance)
    assert neighbour_recall((ours, ours), (reference, reference)) == pytest.approx(10 / 39)


@pytest.mark.parametrize("recall", [caption_recall, neighbour_recall])
def test_what_differs_by_rounding_alone_ranks_as_torch_does(recall):
    """Images in ten tight clusters, texts anywhere: orders within a cluster hang on the last bits."""
    centres = np.repeat(unit_vectors(10), 6, axis=0)
    images = centres + 1e-5 * unit_vectors(60, seed=1)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    reference = images, unit_vectors(60, seed=2)
    rounded = tuple(vectors + 1e-7 * np.sign(unit_vectors(60, seed=3)) for vectors in reference)
    assert recall(rounded, reference) == recall(reference, reference)


def test_flips_that_rounding_does_not_explain_still_count():
    reference = unit_vectors(200), unit_vectors(200)
    noisy = reference[0] + 1.5 * unit_vectors(200, seed=4)
    noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
    assert caption_recall((noisy, reference[1]), reference) < 0.95


def test_vectors_are_compared_by_direction_alone():
    inputs = Inputs(np.zeros((20, 3, 1, 1), np.float32), [np.zeros((1, 2), np.int64)] * 3, real=False)
    ours = (lambda pixels: np.tile([3.0, 4.0], (len(pixels), 1)), lambda ids: np.tile([0.0, 9.0], (len(ids), 1)))
    reference = np.tile([0.6, 0.8], (20, 1)), np.tile([1.0, 0.0], (3, 1))
    result = compare(inputs, ours, reference)
    assert result is not None
    assert result.image_cosine == pytest.approx(1)
    assert result.text_cosine_least == pytest.approx(0)
    assert result.largest_difference == pytest.approx(1)
    assert result.recall is None


def test_vectors_come_in_the_order_of_the_inputs_whatever_calls_they_are_made_in():
    generator = np.random.default_rng(0)
    pixels = generator.normal(size=(40, 3, 2, 2)).astype(np.float32)
    rows = [generator.integers(1, 9, (1, length)) for length in generator.integers(2, 6, 25)]
    inputs = Inputs(pixels, rows, real=False)
    sizes = []

    def flat(values: np.ndarray) -> np.ndarray:
        sizes.append(len(values))
        return values.reshape(len(values), -1)[:, :2].astype(float)

    images, texts = inputs.image_vectors(flat), inputs.text_vectors(flat)
    expected = pixels.reshape(40, -1)[:, :2]
    np.testing.assert_allclose(images, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-5)
    expected = np.concatenate([row[:, :2] for row in rows])
    np.testing.assert_allclose(texts, expected / np.linalg.norm(expected, axis=1, keepdims=True))
    assert sizes[0] == 1
    assert max(sizes) > 1


def test_towers_that_give_numbers_that_are_not_finite_are_refused():
    inputs = Inputs(np.zeros((2, 3, 1, 1), np.float32), [np.zeros((1, 2), np.int64)] * 2, real=False)
    unit = np.tile([0.6, 0.8], (2, 1))

    def well(values: np.ndarray) -> np.ndarray:
        return unit[: len(values)]

    def broken(values: np.ndarray) -> np.ndarray:
        return np.array([[0.6, 0.8], [np.nan, 0.8]])[-len(values) :]

    for towers in ((broken, well), (well, broken)):
        assert compare(inputs, towers, (unit, unit)) is None
    assert why_refused("float32", None) == why_refused("int8", None) == "it gives numbers that are not finite"


def test_what_is_near_enough_is_offered():
    assert why_refused("int8", agreement()) is None
    assert why_refused("float16", agreement(real=False)) is None
    assert why_refused("float32", agreement(largest_difference=1e-6)) is None


@pytest.mark.parametrize(
    ("number_format", "changes", "reason"),
    [
        ("float32", {"largest_difference": 1e-3}, "differs from torch by up to 0.001"),
        ("int8", {"image_cosine": 0.98}, "0.9800 for images and 0.9990 for texts; 0.99 is the least"),
        ("int8", {"text_cosine": 0.98}, "0.9990 for images and 0.9800 for texts"),
        ("float16", {"text_cosine": 0.98}, "0.99 is the least"),
        ("int8", {"recall": 0.598}, "loses 0.50 points of recall; less than 0.5 are allowed"),
        ("int8", {"real": False}, "judged on 0 real images; 100 are the least"),
        ("int8", {"images": 99}, "judged on 99 real images"),
    ],
)
def test_what_is_too_far_off_is_refused_with_the_reason(number_format, changes, reason):
    assert reason in (why_refused(number_format, agreement(**changes)) or "")
